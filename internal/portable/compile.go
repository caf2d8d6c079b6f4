package portable

import (
	"fmt"
	"reflect"
	"strings"

	"multiproc/internal/codec"
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
	n := &node{typ: t, size: t.Size()}
	c[t] = n
	if dataTypes[t] {
		n.shape = shapeData
		return n, nil
	}
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
		n.shape = shapeComplex
	case reflect.String:
		n.shape = shapeString
	case reflect.Interface:
		if n.shape = shapeAny; t == errorType {
			n.shape = shapeError
		} else if t.NumMethod() > 0 {
			err = refuse(t, "other programs do not know the types behind it; use a concrete type, error or any")
		}
	case reflect.Pointer:
		if n.shape = shapePointer; isHandle(t) {
			n.shape = shapeHandle
			break
		}
		n.elem, err = c.part(t.Elem(), "")
	case reflect.Slice:
		if n.shape = shapeSlice; t.Elem().Kind() == reflect.Uint8 {
			n.shape = shapeBytes
		}
		n.elem, err = c.part(t.Elem(), "[]")
	case reflect.Array:
		n.length = t.Len()
		if n.shape = shapeArray; t.Elem().Kind() == reflect.Uint8 {
			n.shape = shapeByteArray
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
		return refuse(t, "share a *mp.Queue instead")
	case reflect.Func:
		return refuse(t, "send what it needs to know")
	case reflect.Uintptr, reflect.UnsafePointer:
		return refuse(t, "addresses mean nothing there; for a mere number use uint64")
	case reflect.Struct:
		switch {
		case t.PkgPath() == "sync", t.PkgPath() == "sync/atomic":
			return refuse(t, "a copy would guard nothing; share a *mp.Mutex instead")
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

func (c compiler) mapping(n *node) (err error) {
	if n.shape = shapeMap; n.typ.Elem() == reflect.TypeFor[struct{}]() {
		n.shape = shapeSet
	}
	if err = checkKey(n.typ.Key()); err != nil {
		return at(err, "[key]")
	}
	if n.key, err = c.part(n.typ.Key(), "[key]"); err != nil {
		return err
	}
	n.elem, err = c.part(n.typ.Elem(), "[]")
	return err
}

// checkKey refuses types whose values cannot be keys.
func checkKey(t reflect.Type) error {
	if p := pointerIn(t); p != nil {
		return refuse(p, "as a key it would not equal any pointer there")
	}
	if !t.Comparable() {
		return refuse(t, "as a key it would have no == in Go; use an array or a struct")
	}
	return nil
}

// pointerIn returns the type of a pointer that takes part in the comparison
// of t's values, or nil.
func pointerIn(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Pointer:
		return t
	case reflect.Interface:
		if t == errorType {
			return t // a pointer, mostly
		}
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

func (c compiler) structure(n *node) error {
	t := n.typ
	switch {
	case t == timeType:
		n.shape = shapeTime
		return nil
	case t == bigType:
		n.shape = shapeBig
		return nil
	}
	if n.form = customForm(t); n.form != nil {
		n.shape = shapeCustom
		return nil
	}
	n.shape = shapeStruct
	n.index = map[string]int{}
	return c.addFields(n, t, 0)
}

// addFields adds the fields of t, which is n's type or embedded in it at base.
func (c compiler) addFields(n *node, t reflect.Type, base uintptr) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		if hidden(f) {
			// What cannot travel in an exported field either has advice of its own.
			if r := refused(f.Type); r != nil {
				return at(r, "."+f.Name)
			}
			err := refuse(f.Type, "%s", codec.AdviceOnHidden(t, f, "MarshalText and UnmarshalText"))
			err.what = "an unexported field"
			return at(err, "."+f.Name)
		}
		name, tagged := f.Tag.Lookup("mp")
		if tagged && (name == "" || name == "-" || strings.Contains(name, ",")) {
			return fmt.Errorf("%v.%s has the tag mp:%q, which is no name; every field travels, under its own name or one without a comma", t, f.Name, name)
		}
		if f.Anonymous && !tagged && flat(f.Type) {
			if err := c.addFields(n, f.Type, base+f.Offset); err != nil {
				return at(err, "."+f.Name)
			}
			continue
		}
		if !tagged {
			name = f.Name
		}
		if _, taken := n.index[name]; taken {
			return fmt.Errorf(`%v has two fields named %q on the wire; give one of them another name with a tag mp:"name"`, n.typ, name)
		}
		part, err := c.part(f.Type, "."+f.Name)
		if err != nil {
			return err
		}
		n.index[name] = len(n.fields)
		n.fields = append(n.fields, field{name, appendText(nil, name), base + f.Offset, part})
	}
	return nil
}

// flat reports whether the fields of an embedded t stand beside those around
// it.
func flat(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && t != bigType && !dataTypes[t] &&
		!isHandle(reflect.PointerTo(t)) && customForm(t) == nil
}
