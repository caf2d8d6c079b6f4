package interchange

import (
	"fmt"
	"math/big"
	"reflect"
	"time"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// A key of a Go map that is or holds an any arrives as another type than it
// left with: a struct as a tuple, an array of bytes as bytes. Such a key has no
// == at the reader, who could not take it into a map of the same type: the
// whole value would be lost with it. So it is not written.

// readable says whether the key at p, of n's type, can be a key of a Go map
// again where it is read.
func readable(n *codec.Node, p unsafe.Pointer) error {
	switch n.Shape {
	case codec.ShapeAny:
		return readableAny(*(*any)(p))
	case codec.ShapeStruct:
		for i := range n.Fields {
			f := &n.Fields[i]
			if err := readable(f.Node, unsafe.Add(p, f.Offset)); err != nil {
				return codec.At(err, "."+f.Name)
			}
		}
	case codec.ShapeArray:
		for i := range n.Length {
			if err := readable(n.Elem, unsafe.Add(p, uintptr(i)*n.Elem.Size)); err != nil {
				return codec.At(err, fmt.Sprintf("[%d]", i))
			}
		}
	}
	return nil
}

func readableAny(v any) error {
	switch v.(type) {
	case nil, bool, int, int64, float64, complex128, string, time.Time, *big.Int,
		pyvalue.Global, pyvalue.Ref, pyvalue.Range, *pyvalue.FrozenSet, *pyvalue.Object, *pyvalue.Exception:
		return nil
	}
	t := reflect.TypeOf(v)
	switch t.Kind() {
	case reflect.Struct:
		if t == bigType || interchange.FormOf(t) == codec.TextForm {
			return nil
		}
	case reflect.Array, reflect.Pointer:
	default:
		return nil // numbers and texts; what is no key at all is refused where it is written
	}
	return fmt.Errorf("a %v in an any cannot be the key of a map, since it is read as a tuple or bytes; "+
		"make it the type of the map's keys, or use a text or a number", t)
}
