package codec

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
)

// encoder turns one value into a tree of the types that fxamacker/cbor writes
// as they are: nil, bool, int64, uint64, float32, float64, string, []byte,
// []any, map[string]any and cbor.Tag.
//
// The tree shares memory with the value. Both are left alone until the tree
// is written, which is at once.
type encoder struct {
	session Session
	depth   int // arrays, maps and tags around the place at work
}

// nest must be called before anything that makes the tree one level deeper,
// and unnest after it. Every way through a type that comes back to itself
// makes the tree deeper, so that a cyclic value ends here and not as a
// stack overflow, which no process survives.
func (e *encoder) nest() error {
	if e.depth++; e.depth > maxDepth {
		return fmt.Errorf("the value is cyclic or nested deeper than %d levels", maxDepth)
	}
	return nil
}

func (e *encoder) unnest() { e.depth-- }

// value returns the tree for v, which is addressable and was not reached by
// way of an unexported field; both hold for all values in this file.
func (e *encoder) value(n *node, v reflect.Value) (any, error) {
	switch n.shape {
	case shapeBool:
		return v.Bool(), nil
	case shapeInt:
		return v.Int(), nil
	case shapeUint:
		return v.Uint(), nil
	case shapeFloat:
		if v.Kind() == reflect.Float32 {
			return float32(v.Float()), nil
		}
		return v.Float(), nil
	case shapeString:
		return v.String(), nil
	case shapeMemory:
		return memory(v.Addr().UnsafePointer(), n.typ.Size()), nil
	case shapeCustom:
		return e.custom(n, v)
	case shapeStruct:
		return e.fields(n, v)
	case shapeArray:
		return e.elements(n, v)
	}
	if v.IsNil() {
		return nil, nil
	}
	switch n.shape {
	case shapeBytes:
		return v.Bytes(), nil
	case shapeBlock:
		return memory(v.UnsafePointer(), n.elem.typ.Size()*uintptr(v.Len())), nil
	case shapeSlice:
		return e.elements(n, v)
	case shapeMap:
		return e.pairs(n, v)
	case shapePointer:
		return e.pointer(n, v)
	case shapeHandle:
		return e.handle(v)
	default: // shapeAny
		return e.dynamic(v.Interface())
	}
}

// memory returns size bytes at p. They are never nil, which would be null.
func memory(p unsafe.Pointer, size uintptr) []byte {
	if size == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(p), size)
}

func (e *encoder) custom(n *node, v reflect.Value) (any, error) {
	b, err := n.form.marshal(v.Addr().Interface())
	if err != nil {
		return nil, err
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

func (e *encoder) fields(n *node, v reflect.Value) (any, error) {
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	list := make([]any, len(n.fields))
	for i := range n.fields {
		f := &n.fields[i]
		x, err := e.value(f.node, f.of(v))
		if err != nil {
			return nil, at(err, "."+f.name)
		}
		list[i] = x
	}
	return list, nil
}

func (e *encoder) elements(n *node, v reflect.Value) (any, error) {
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	list := make([]any, v.Len())
	for i := range list {
		x, err := e.value(n.elem, v.Index(i))
		if err != nil {
			return nil, at(err, fmt.Sprintf("[%d]", i))
		}
		list[i] = x
	}
	return list, nil
}

// pairs returns keys and elements in turn: keys of any type fit in a CBOR
// array, and the reader need not have a map whose keys are trees.
func (e *encoder) pairs(n *node, v reflect.Value) (any, error) {
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	list := make([]any, 0, 2*v.Len())
	for it := v.MapRange(); it.Next(); {
		// Both anew for every pair, since the tree may refer to their memory.
		key := reflect.New(n.key.typ).Elem()
		key.SetIterKey(it)
		k, err := e.value(n.key, key)
		if err != nil {
			return nil, at(err, "[key]")
		}
		elem := reflect.New(n.elem.typ).Elem()
		elem.SetIterValue(it)
		x, err := e.value(n.elem, elem)
		if err != nil {
			return nil, atKey(err, key)
		}
		list = append(list, k, x)
	}
	return list, nil
}

func (e *encoder) pointer(n *node, v reflect.Value) (any, error) {
	if !n.elem.nilable() {
		return e.value(n.elem, v.Elem())
	}
	if err := e.nest(); err != nil {
		return nil, err
	}
	defer e.unnest()
	x, err := e.value(n.elem, v.Elem())
	if err != nil {
		return nil, err
	}
	return []any{x}, nil
}

func (e *encoder) handle(v reflect.Value) (any, error) {
	if e.session == nil {
		return nil, errNoSession
	}
	ref, err := e.session.Export(v.Interface().(Handle))
	if err != nil {
		return nil, err
	}
	return cbor.Tag{Number: tagHandle, Content: memory(unsafe.Pointer(unsafe.SliceData(ref)), uintptr(len(ref)))}, nil
}

var errNoSession = errors.New("this message cannot carry shared objects")
