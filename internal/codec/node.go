package codec

import "reflect"

// shape says what the values of a type are on the wire, in a message of the
// kind Tree.
type shape uint8

const (
	shapeBool    shape = iota + 1 // a bool
	shapeInt                      // an integer
	shapeUint                     // an integer
	shapeFloat                    // a float of the same width
	shapeMemory                   // bytes: the memory of another type without pointers
	shapeString                   // a text, perhaps not UTF-8
	shapeBytes                    // bytes, or null for nil
	shapeBlock                    // bytes, or null: the memory of a slice's elements, which hold no pointers
	shapeSlice                    // an array, or null
	shapeArray                    // an array
	shapeMap                      // an array key, value, key, value…, or null
	shapeStruct                   // an array of the fields in order
	shapePointer                  // what it points to, or null; if that may be null itself, an array of it
	shapeCustom                   // bytes in a form that the type defines
	shapeHandle                   // tag 7 and bytes, or null
	shapeAny                      // see dynamic.go
)

// node is a type seen by the codec. Nodes form a graph, for types may be
// recursive; there is one node for each type in it.
type node struct {
	typ    reflect.Type
	shape  shape
	form   *form   // shapeCustom
	key    *node   // of a map
	elem   *node   // of a pointer, slice, array, map
	fields []field // of a struct, without those named _
}

// field is a field of a struct that travels.
type field struct {
	name   string
	index  int
	offset uintptr
	open   bool // exported, and not an embedded struct of an unexported type
	node   *node
}

// of returns the field in the struct v, which is addressable. It belongs to
// what travels whether or not reflect deems it exported.
func (f *field) of(v reflect.Value) reflect.Value {
	fv := v.Field(f.index)
	if !f.open {
		fv = reflect.NewAt(f.node.typ, fv.Addr().UnsafePointer()).Elem()
	}
	return fv
}

// raw reports whether values travel as memory if they are a message.
func (n *node) raw() bool { return n.shape <= shapeMemory }

// nilable reports whether null stands for one of n's values.
func (n *node) nilable() bool {
	switch n.shape {
	case shapeBytes, shapeBlock, shapeSlice, shapeMap, shapePointer, shapeHandle, shapeAny:
		return true
	}
	return false
}

// isRaw reports whether t is free of pointers and of secrets, so that its
// memory can stand for it.
func isRaw(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	case reflect.Array:
		return isRaw(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); hidden(f) || !isRaw(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}

// hidden reports whether a field is closed to others. Fields named _ hold
// nothing, and an embedded struct is as open as its own fields are.
func hidden(f reflect.StructField) bool {
	return !f.IsExported() && f.Name != "_" && !(f.Anonymous && f.Type.Kind() == reflect.Struct)
}
