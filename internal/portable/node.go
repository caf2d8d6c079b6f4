package portable

import (
	"math/big"
	"reflect"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/data"
)

// shape says what the values of a type are on the wire.
type shape uint8

const (
	shapeBool      shape = iota + 1
	shapeInt             // signed
	shapeUint            // unsigned
	shapeFloat           // 4 or 8 bytes in memory
	shapeComplex         // 8 or 16 bytes in memory
	shapeString          // a text
	shapeBytes           // a slice of bytes
	shapeByteArray       // an array of bytes
	shapeSlice           // an array, or null
	shapeArray           // an array
	shapeMap             // a map, or null
	shapeSet             // map[K]struct{}: a set, or null
	shapeStruct          // a map of the fields; as a key a tuple
	shapePointer         // what it points to, or null
	shapeAny             // see dynamic.go
	shapeHandle          // a reference, or null
	shapeError           // an exception, or null
	shapeTime            // time.Time
	shapeBig             // big.Int
	shapeCustom          // text or bytes in a form that the type defines
	shapeData            // a type of package data
)

// node is a type seen by the codec. Nodes form a graph, for types may be
// recursive; there is one node for each type in it.
type node struct {
	typ    reflect.Type
	shape  shape
	size   uintptr
	length int     // of an array
	form   *form   // shapeCustom
	key    *node   // of a map
	elem   *node   // of a pointer, slice, array, map
	fields []field // of a struct, with those of embedded ones
	index  map[string]int
}

// field is a field of a struct that travels.
type field struct {
	name   string // on the wire
	head   []byte // the name as an item
	offset uintptr
	node   *node
}

// nilable reports whether null stands for one of n's values.
func (n *node) nilable() bool {
	switch n.shape {
	case shapeBytes, shapeSlice, shapeMap, shapeSet, shapePointer, shapeHandle, shapeAny, shapeError:
		return true
	case shapeData:
		return n.typ.Kind() == reflect.Pointer
	}
	return false
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	bigType    = reflect.TypeFor[big.Int]()
	handleType = reflect.TypeFor[codec.Handle]()
)

// dataTypes are the types of package data that stand for themselves.
var dataTypes = map[reflect.Type]bool{
	reflect.TypeFor[data.Tuple]():      true,
	reflect.TypeFor[*data.ByteArray](): true,
	reflect.TypeFor[*data.List]():      true,
	reflect.TypeFor[*data.Dict]():      true,
	reflect.TypeFor[*data.Set]():       true,
	reflect.TypeFor[*data.FrozenSet](): true,
	reflect.TypeFor[data.Slice]():      true,
	reflect.TypeFor[data.Range]():      true,
	reflect.TypeFor[data.Global]():     true,
	reflect.TypeFor[*data.Object]():    true,
	reflect.TypeFor[data.Ref]():        true,
	reflect.TypeFor[*data.Exception](): true,
}

// isHandle reports whether t is a pointer type that implements codec.Handle
// itself. A struct that embeds a handle has the method, too, but by promotion;
// then the struct already has it, and not only its pointer.
func isHandle(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Implements(handleType) && !t.Elem().Implements(handleType)
}

// hidden reports whether a field is closed to others. Fields named _ hold
// nothing, and an embedded struct is as open as its own fields are.
func hidden(f reflect.StructField) bool {
	return !f.IsExported() && f.Name != "_" && !(f.Anonymous && f.Type.Kind() == reflect.Struct)
}
