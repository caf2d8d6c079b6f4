package codec

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"multiproc/internal/cbor"
)

// compile makes the graph of t's nodes, or says why t cannot travel.
func (d *Dialect) compile(t reflect.Type) (*Node, error) {
	c := compiler{d, map[reflect.Type]*Node{}}
	root, err := c.node(t)
	if err != nil {
		return nil, err
	}
	for _, n := range c.nodes { // what depends on parts, which may be recursive
		n.Wrap = d.Memory && n.Shape == ShapePointer && n.Elem.Null
		n.fast = fastMapOf(n)
	}
	return root, nil
}

// compiler holds the nodes made so far. A type is entered before its parts
// are looked at, so that recursion ends. It is dropped after the first error,
// with the unfinished nodes in it.
type compiler struct {
	*Dialect
	nodes map[reflect.Type]*Node
}

func (c *compiler) node(t reflect.Type) (*Node, error) {
	if n, ok := c.nodes[t]; ok {
		return n, nil
	}
	n := &Node{Type: t, Size: t.Size(), Opaque: true}
	c.nodes[t] = n
	if own, err := c.Own(n); own || err != nil {
		return n, err
	}
	if r := c.refused(t); r != nil {
		return nil, r
	}
	if r := c.refusedFile(t); r != nil {
		return nil, r
	}
	err := c.shape(n)
	switch n.Shape {
	case ShapeBytes, ShapeBlock, ShapeSlice, ShapeMap, ShapeSet, ShapePointer, ShapeHandle, ShapeAny:
		n.Null = true
	case ShapeBool, ShapeInt, ShapeUint, ShapeFloat, ShapeFloat32, ShapeMemory, ShapeString, ShapeText:
		n.Opaque = false
	}
	return n, err
}

func (c *compiler) shape(n *Node) (err error) {
	t := n.Type
	switch t.Kind() {
	case reflect.Bool:
		n.Shape = ShapeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n.Shape = ShapeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n.Shape = ShapeUint
	case reflect.Float32, reflect.Float64:
		if n.Shape = ShapeFloat; c.Memory && n.Size == 4 {
			n.Shape = ShapeFloat32
		}
	case reflect.Complex64, reflect.Complex128:
		n.Shape = ShapeMemory
	case reflect.String:
		if n.Shape = ShapeText; c.Memory {
			n.Shape = ShapeString
		}
	case reflect.Interface:
		n.Shape = ShapeAny
	case reflect.Pointer:
		if n.Shape = ShapePointer; isHandle(t) {
			n.Shape = ShapeHandle
			return nil
		}
		if from := fileOf(t); from != nil {
			n.Shape, n.File = ShapeHandle, from
			return nil
		}
		n.Elem, err = c.part(t.Elem(), "")
	case reflect.Slice:
		switch elem := t.Elem(); {
		case elem.Kind() == reflect.Uint8:
			n.Shape = ShapeBytes
		case c.Memory && isRaw(elem) && elem.Size() > 0:
			n.Shape = ShapeBlock
		default:
			n.Shape = ShapeSlice
		}
		n.Elem, err = c.part(t.Elem(), "[]")
	case reflect.Array:
		n.Length = t.Len()
		if n.Shape = ShapeArray; c.Memory && isRaw(t) || t.Elem().Kind() == reflect.Uint8 {
			n.Shape = ShapeMemory
		}
		n.Elem, err = c.part(t.Elem(), "[]")
	case reflect.Map:
		err = c.mapping(n)
	case reflect.Struct:
		err = c.structure(n)
	default:
		err = c.refuse(t, "its kind is not known")
	}
	return err
}

var contextType = reflect.TypeFor[context.Context]()

// refused is why values of t itself cannot travel, whatever its parts are; nil
// if they can.
func (c *compiler) refused(t reflect.Type) *refusal {
	switch t.Kind() {
	case reflect.Chan:
		return c.refuse(t, "%s", c.Chan)
	case reflect.Func:
		return c.refuse(t, "%s", c.Func)
	case reflect.Uintptr, reflect.UnsafePointer:
		return c.refuse(t, "addresses mean nothing there; for a mere number use uint64")
	case reflect.Interface:
		if t == contextType {
			return c.refuse(t, "a task is given a context of its own, which ends with the starter's")
		}
	case reflect.Struct:
		switch {
		case c.Memory && isRaw(t):
		case t.PkgPath() == "sync", t.PkgPath() == "sync/atomic":
			return c.refuse(t, "a copy would guard nothing; share a %s instead", c.Lock)
		case isHandle(reflect.PointerTo(t)):
			return c.refuse(t, "use *%v", t)
		}
	}
	return nil
}

// part is node, with the place of the part in its whole added to errors.
func (c *compiler) part(t reflect.Type, place string) (*Node, error) {
	n, err := c.node(t)
	if err != nil {
		return nil, At(err, place)
	}
	return n, nil
}

func (c *compiler) mapping(n *Node) (err error) {
	if n.Shape = ShapeMap; !c.Memory && n.Type.Elem() == reflect.TypeFor[struct{}]() {
		n.Shape = ShapeSet
	}
	if err = c.checkKey(n.Type.Key()); err != nil {
		return At(err, "[key]")
	}
	if n.Key, err = c.part(n.Type.Key(), "[key]"); err != nil {
		return err
	}
	n.Elem, err = c.part(n.Type.Elem(), "[]")
	return err
}

// checkKey refuses types whose values cannot be keys.
func (d *Dialect) checkKey(t reflect.Type) error {
	if p := d.pointerIn(t); p != nil {
		return d.refuse(p, "as a key it would not equal any pointer there")
	}
	if !t.Comparable() {
		return d.refuse(t, "as a key it would have no == in Go; use an array or a struct")
	}
	return nil
}

// pointerIn returns the type of a pointer that takes part in the comparison
// of t's values, or nil.
func (d *Dialect) pointerIn(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Pointer:
		return t
	case reflect.Interface:
		if !d.Memory && t == reflect.TypeFor[error]() {
			return t // a pointer, mostly
		}
	case reflect.Array:
		return d.pointerIn(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); !hidden(f) {
				if p := d.pointerIn(f.Type); p != nil {
					return p
				}
			}
		}
	}
	return nil
}

func (c *compiler) structure(n *Node) error {
	raw := c.Memory && isRaw(n.Type)
	if !raw {
		if n.Form = c.FormOf(n.Type); n.Form != nil {
			if n.Shape = ShapeBinary; n.Form == TextForm && !c.Memory {
				n.Shape = ShapeOwnText
			}
			return nil
		}
	}
	switch {
	case raw:
		n.Shape = ShapeMemory
	case c.Memory:
		n.Shape = ShapeRecord
	default:
		n.Shape = ShapeStruct
		n.Index = map[string]int{}
	}
	return c.addFields(n, n.Type, 0)
}

// addFields adds the fields of t, which is n's type or embedded in it at base.
func (c *compiler) addFields(n *Node, t reflect.Type, base uintptr) error {
	for i := range t.NumField() {
		f := t.Field(i)
		if hidden(f) {
			// What cannot travel in an exported field either has advice of its own.
			if r := c.refused(f.Type); r != nil {
				return At(r, "."+f.Name)
			}
			err := c.refuse(f.Type, "%s", AdviceOnHidden(t, f, c.Hidden))
			err.what = "an unexported field"
			return At(err, "."+f.Name)
		}
		if f.Name == "_" {
			continue
		}
		name, tagged := f.Name, false
		if !c.Memory {
			tag, has := f.Tag.Lookup("mp")
			if has {
				name, tagged = tag, true
				if tag == "" || tag == "-" || strings.Contains(tag, ",") {
					return fmt.Errorf("%v.%s has the tag mp:%q, which is no name; every field travels, under its own name or one without a comma", t, f.Name, tag)
				}
			}
			if f.Anonymous && !tagged && c.flat(f.Type) {
				if err := c.addFields(n, f.Type, base+f.Offset); err != nil {
					return At(err, "."+f.Name)
				}
				continue
			}
			if _, taken := n.Index[name]; taken {
				return fmt.Errorf(`%v has two fields named %q on the wire; give one of them another name with a tag mp:"name"`, n.Type, name)
			}
		}
		part, err := c.part(f.Type, "."+f.Name)
		if err != nil {
			return err
		}
		field := Field{Name: name, Offset: base + f.Offset, Node: part}
		if n.Index != nil {
			n.Index[name] = len(n.Fields)
			field.Head = cbor.AppendText(nil, name)
		}
		n.Fields = append(n.Fields, field)
	}
	return nil
}

// flat reports whether the fields of an embedded t stand beside those around
// it.
func (c *compiler) flat(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || isHandle(reflect.PointerTo(t)) || c.FormOf(t) != nil {
		return false
	}
	own, _ := c.Own(&Node{Type: t})
	return !own
}
