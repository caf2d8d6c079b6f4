package pymp

import (
	"reflect"

	"multiproc/internal/pyvalue"
)

// attachAll puts proxies in the place of the references that stand in anys.
func (s *message) attachAll(at any) error {
	return s.walk(reflect.ValueOf(at), map[visit]bool{})
}

// visit is a pointer, slice or map that the walk has been to: values may contain
// themselves.
type visit struct {
	at uintptr
	t  reflect.Type
}

var refType = reflect.TypeFor[pyvalue.Ref]()

func (s *message) walk(v reflect.Value, seen map[visit]bool) error {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		here := visit{v.Pointer(), v.Type()}
		if v.IsNil() || seen[here] || v.Type() == reflect.TypeFor[*Proxy]() {
			return nil
		}
		seen[here] = true
	}
	switch v.Kind() {
	case reflect.Pointer:
		return s.walk(v.Elem(), seen)
	case reflect.Interface:
		return s.walkInterface(v, seen)
	case reflect.Slice, reflect.Array:
		if !mayHoldRef(v.Type().Elem()) {
			return nil
		}
		for i := range v.Len() {
			if err := s.walk(v.Index(i), seen); err != nil {
				return err
			}
		}
	case reflect.Map:
		if !mayHoldRef(v.Type().Elem()) {
			return nil
		}
		return s.walkMap(v, seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); v.Type().Field(i).IsExported() {
				if err := s.walk(f, seen); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *message) walkInterface(v reflect.Value, seen map[visit]bool) error {
	if v.IsNil() {
		return nil
	}
	inner := v.Elem()
	if inner.Type() != refType {
		if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map || inner.Kind() == reflect.Pointer {
			return s.walk(inner, seen)
		}
		return nil // what is stored by value in an any holds no references, but for Slice and Range: of nobody
	}
	p := new(Proxy)
	if !reflect.TypeOf(p).AssignableTo(v.Type()) || !v.CanSet() {
		return nil
	}
	if err := s.fetch(p, inner.Interface().(pyvalue.Ref).ID); err != nil {
		return err
	}
	v.Set(reflect.ValueOf(p))
	return nil
}

// walkMap takes all values out and puts them back: the elements of a map cannot
// be set in place, and those under NaN cannot even be found.
func (s *message) walkMap(v reflect.Value, seen map[visit]bool) error {
	type pair struct{ key, elem reflect.Value }
	pairs := make([]pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		e := reflect.New(v.Type().Elem()).Elem()
		e.SetIterValue(it)
		pairs = append(pairs, pair{it.Key(), e})
	}
	for _, p := range pairs {
		if err := s.walk(p.elem, seen); err != nil {
			return err
		}
	}
	v.Clear()
	for _, p := range pairs {
		v.SetMapIndex(p.key, p.elem)
	}
	return nil
}

// mayHoldRef keeps the walk out of long lists of numbers and texts.
func mayHoldRef(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		return true
	}
	return false
}
