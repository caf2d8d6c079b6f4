package codec

import (
	"os"
	"reflect"
)

// Shape says what the values of a type are on the wire.
type Shape uint8

// The shapes that the engine writes and reads itself.
const (
	ShapeBool    Shape = iota + 1 // a bool
	ShapeInt                      // an integer
	ShapeUint                     // an integer
	ShapeFloat                    // a float of 8 bytes, of 4 or 8 in memory
	ShapeFloat32                  // a float of 4 bytes
	ShapeMemory                   // bytes: the memory of a type without pointers
	ShapeString                   // a text, perhaps not UTF-8
	ShapeText                     // a text, in UTF-8; others are for Other
	ShapeBytes                    // bytes, or null
	ShapeBlock                    // bytes, or null: the memory of a slice's elements
	ShapeSlice                    // an array, or null
	ShapeArray                    // an array; as a key a tuple
	ShapeRecord                   // an array of a struct's fields
	ShapeStruct                   // a map of a struct's fields; as a key a tuple
	ShapeMap                      // a map, or null
	ShapeSet                      // map[K]struct{}: a set, or null
	ShapePointer                  // what it points to, or null; see Node.Wrap
	ShapeBinary                   // bytes in a form that the type defines
	ShapeOwnText                  // a text in a form that the type defines
	ShapeHandle                   // a reference, or null
	ShapeAny                      // what is in it
	ShapeOwn                      // the first of those that a dialect brings
)

// Node is a type seen by a dialect. Nodes form a graph, for types may be
// recursive; there is one node for each type in it.
type Node struct {
	Type   reflect.Type
	Shape  Shape
	Null   bool // null stands for one of the values
	Wrap   bool // of a pointer: an array of one around what may be null itself
	Opaque bool // values may turn out to have no ==, as those of an any
	Loose  bool // of a shape of the dialect's own: values may hold an any
	Quiet  bool // of a shape of the dialect's own: nobody keeps a pointer to the value who writes it
	Size   uintptr
	Length int                          // of an array
	Form   *Form                        // ShapeBinary, ShapeOwnText
	File   func(*os.File) (Open, error) // of ShapeHandle: what stands for an open file, see File
	Key    *Node                        // of a map
	Elem   *Node                        // of a pointer, slice, array, map
	Fields []Field
	Index  map[string]int // Fields by name, in ShapeStruct

	fast fastMap // of a map of frequent types
}

// Field is a field of a struct that travels.
type Field struct {
	Name   string // on the wire
	Head   []byte // the name as an item, in ShapeStruct
	Offset uintptr
	Node   *Node
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

// traits are what a plan must know about the whole graph below its root.
type traits struct {
	handles bool // there are handles
	dynamic bool // there is an any, or what may hold one
	quiet   bool // nobody keeps a pointer to the value or to its parts who writes it
	methods bool // there are types with a form of their own
}

func traitsOf(root *Node) traits {
	t := traits{quiet: true}
	seen := map[*Node]bool{}
	var look func(n *Node)
	look = func(n *Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		switch s := n.Shape; {
		case s == ShapeHandle:
			t.handles = true
		case s == ShapeAny, n.Loose:
			t.dynamic = true
		case s == ShapeBinary, s == ShapeOwnText:
			t.methods = true
		}
		t.quiet = t.quiet && (n.Shape < ShapeMap || n.Shape == ShapePointer || n.Quiet)
		look(n.Key)
		look(n.Elem)
		for i := range n.Fields {
			look(n.Fields[i].Node)
		}
	}
	look(root)
	return t
}
