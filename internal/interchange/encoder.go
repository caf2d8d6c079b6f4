package interchange

import (
	"math/big"
	"reflect"
	"time"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
)

// encoder writes what only this dialect has.
type encoder struct {
	codec.Encoder
	twice  map[identity]int      // shared parts: their numbers, or unwritten
	keys   map[identity]struct{} // tuples that are keys
	parts  []identity            // room for the finder
	open   map[identity]int      // shared slices and maps that are being written: behind at their beginning
	behind int                   // pointers around the place at work
	loose  int                   // values of an any around the place at work
}

// Reset implements codec.Writer.
func (e *encoder) Reset() {
	e.twice, e.keys, e.open, e.behind, e.loose = nil, nil, nil, 0, 0
}

// Other implements codec.Writer.
func (e *encoder) Other(n *codec.Node, p unsafe.Pointer) error {
	switch n.Shape {
	case codec.ShapeText:
		e.B = appendText(e.B, *(*string)(p))
		return nil
	case shapeComplex:
		if n.Size == 8 {
			e.B = appendComplex(e.B, complex128(*(*complex64)(p)))
		} else {
			e.B = appendComplex(e.B, *(*complex128)(p))
		}
		return nil
	case shapeError:
		return e.error(*(*error)(p))
	case shapeTime:
		return e.time(*(*time.Time)(p))
	case shapeBig:
		e.B = appendBig(e.B, (*big.Int)(p))
		return nil
	default: // shapeData
		return e.Any(reflect.NewAt(n.Type, p).Elem().Interface())
	}
}

// Any implements codec.Writer.
func (e *encoder) Any(v any) error {
	if err := e.find(v); err != nil {
		return err
	}
	return e.item(v)
}

// Keyable implements codec.Writer. In an any a map is read as a dict, which has
// any key.
func (e *encoder) Keyable(n *codec.Node, p unsafe.Pointer) error {
	if e.loose > 0 {
		return nil
	}
	return readable(n, p)
}

// Ref implements codec.Writer.
func (e *encoder) Ref(ref []byte) error {
	if !isRef(ref) {
		return errRef(ref)
	}
	e.B = cbor.AppendBytes(cbor.AppendHead(e.B, cbor.MajorTag, tagRef), ref)
	return nil
}
