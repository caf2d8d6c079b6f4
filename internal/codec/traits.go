package codec

import (
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// traits are what a plan must know about the whole graph below its root.
type traits struct {
	plain   bool // fxamacker/cbor alone does right by the type
	handles bool // there are handles
	dynamic bool // there is an any
}

func traitsOf(root *node) traits {
	var t traits
	seen := map[*node]bool{}
	var look func(n *node)
	look = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		t.handles = t.handles || n.shape == shapeHandle
		t.dynamic = t.dynamic || n.shape == shapeAny
		look(n.key)
		look(n.elem)
		for _, f := range n.fields {
			look(f.node)
		}
	}
	look(root)
	t.plain = isPlain(root, map[*node]bool{})
	return t
}

// isPlain reports whether fxamacker/cbor, given a pointer to a value, writes
// all of it and reads it back unchanged. within holds the nodes around n.
//
// What it gets wrong, or we do better:
//   - recursion has no limit when it encodes, and a cycle would kill the process;
//   - cbor and json tags rename fields, drop them, or drop zeros;
//   - fields of embedded structs are lifted, and two of one name vanish both;
//   - a pointer to nil becomes nil;
//   - an array takes fewer or more elements than it has, in silence;
//   - complex numbers and interfaces cannot be read back;
//   - time.Time loses the seconds of its zone's offset, and years beyond 9999;
//   - types with a MarshalCBOR of their own may do anything;
//   - numbers in a slice are handled one by one: 1000 float64 take 10 µs to
//     write and 30 µs to read, where a copy takes 0.3 and 9 with all around it.
func isPlain(n *node, within map[*node]bool) bool {
	if within[n] || speaksCBOR(n.typ) {
		return false
	}
	within[n] = true
	defer delete(within, n)
	switch n.shape {
	case shapeBool, shapeInt, shapeUint, shapeFloat, shapeString, shapeBytes:
		return true
	case shapePointer:
		return !n.elem.nilable() && isPlain(n.elem, within)
	case shapeSlice:
		return isPlain(n.elem, within)
	case shapeMap:
		switch n.key.shape {
		case shapeBool, shapeInt, shapeUint, shapeString:
			return isPlain(n.key, within) && isPlain(n.elem, within)
		}
		return false
	case shapeStruct, shapeMemory:
		if n.typ.Kind() != reflect.Struct {
			return false
		}
		for i := range n.typ.NumField() {
			f := n.typ.Field(i)
			_, forCBOR := f.Tag.Lookup("cbor")
			_, forJSON := f.Tag.Lookup("json")
			if f.Anonymous || forCBOR || forJSON {
				return false
			}
		}
		for _, f := range n.fields {
			if !isPlain(f.node, within) {
				return false
			}
		}
		return true
	}
	return false
}

// speaksCBOR reports whether fxamacker/cbor would leave t to t's own methods.
func speaksCBOR(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[cbor.Marshaler]()) || p.Implements(reflect.TypeFor[cbor.Unmarshaler]())
}
