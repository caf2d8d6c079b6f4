package codec

import (
	"context"
	"reflect"
)

// compile makes the graph of t's nodes, or says why t cannot travel.
func compile(t reflect.Type) (*node, error) {
	return compiler{}.node(t)
}

// compiler holds the nodes made so far. A type is entered before its parts
// are looked at, so that recursion ends. It is dropped after the first error,
// with the unfinished nodes in it.
type compiler map[reflect.Type]*node

func (c compiler) node(t reflect.Type) (*node, error) {
	if n, ok := c[t]; ok {
		return n, nil
	}
	n := &node{typ: t}
	c[t] = n
	if r := refused(t); r != nil {
		return nil, r
	}
	var err error
	switch t.Kind() {
	case reflect.Bool:
		n.shape = shapeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.shape = shapeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n.shape = shapeUint
	case reflect.Float32, reflect.Float64:
		n.shape = shapeFloat
	case reflect.Complex64, reflect.Complex128:
		n.shape = shapeMemory
	case reflect.String:
		n.shape = shapeString
	case reflect.Interface:
		n.shape = shapeAny
	case reflect.Pointer:
		if n.shape = shapePointer; isHandle(t) {
			n.shape = shapeHandle
			break
		}
		n.elem, err = c.part(t.Elem(), "")
	case reflect.Slice:
		err = c.slice(n)
	case reflect.Array:
		if n.shape = shapeArray; isRaw(t) {
			n.shape = shapeMemory
		}
		n.elem, err = c.part(t.Elem(), "[]")
	case reflect.Map:
		err = c.mapping(n)
	case reflect.Struct:
		err = c.structure(n)
	default:
		err = refuse(t, "its kind is not known")
	}
	return n, err
}

// refused is why values of t itself cannot travel, whatever its parts are; nil
// if they can.
func refused(t reflect.Type) *refusal {
	switch t.Kind() {
	case reflect.Chan:
		return refuse(t, "share a *mp.Queue or a *mp.Conn instead")
	case reflect.Func:
		return refuse(t, "make it a task with mp.Func, or send what it needs to know")
	case reflect.Uintptr, reflect.UnsafePointer:
		return refuse(t, "addresses mean nothing there; for a mere number use uint64")
	case reflect.Interface:
		if t == reflect.TypeFor[context.Context]() {
			return refuse(t, "a task is given a context of its own, which ends with the starter's")
		}
	case reflect.Struct:
		switch {
		case isRaw(t):
		case t.PkgPath() == "sync", t.PkgPath() == "sync/atomic":
			return refuse(t, "a copy would guard nothing; share a *mp.Mutex or *mp.Counter instead")
		case isHandle(reflect.PointerTo(t)):
			return refuse(t, "use *%v", t)
		}
	}
	return nil
}

// part is node, with the place of the part in its whole added to errors.
func (c compiler) part(t reflect.Type, place string) (*node, error) {
	n, err := c.node(t)
	if err != nil {
		return nil, at(err, place)
	}
	return n, nil
}

func (c compiler) slice(n *node) (err error) {
	elem := n.typ.Elem()
	switch {
	case elem.Kind() == reflect.Uint8:
		n.shape = shapeBytes
	case isRaw(elem) && elem.Size() > 0:
		n.shape = shapeBlock
	default:
		n.shape = shapeSlice
	}
	n.elem, err = c.part(elem, "[]")
	return err
}

func (c compiler) mapping(n *node) (err error) {
	n.shape = shapeMap
	if p := pointerIn(n.typ.Key()); p != nil {
		return at(refuse(p, "as a map's key it would not equal any pointer there"), "[key]")
	}
	if n.key, err = c.part(n.typ.Key(), "[key]"); err != nil {
		return err
	}
	n.elem, err = c.part(n.typ.Elem(), "[]")
	return err
}

// pointerIn returns the type of a pointer that takes part in the comparison
// of t's values, or nil.
func pointerIn(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Pointer:
		return t
	case reflect.Array:
		return pointerIn(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); !hidden(f) {
				if p := pointerIn(f.Type); p != nil {
					return p
				}
			}
		}
	}
	return nil
}

func (c compiler) structure(n *node) (err error) {
	t := n.typ
	if isRaw(t) {
		n.shape = shapeMemory
	} else {
		n.shape = shapeStruct
		if n.form = customForm(t); n.form != nil {
			n.shape = shapeCustom
			return nil
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if hidden(f) {
			// What cannot travel in an exported field either has advice of its own.
			if r := refused(f.Type); r != nil {
				return at(r, "."+f.Name)
			}
			err := refuse(f.Type, "%s", AdviceOnHidden(t, f, "MarshalBinary and UnmarshalBinary"))
			err.what = "an unexported field"
			return at(err, "."+f.Name)
		}
		if f.Name == "_" {
			continue
		}
		part, err := c.part(f.Type, "."+f.Name)
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{f.Name, i, f.Offset, f.IsExported(), part})
	}
	return nil
}
