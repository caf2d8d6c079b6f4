package portable

import (
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
)

// encoder writes one item.
type encoder struct {
	b       []byte
	session codec.Session
	depth   int                   // arrays and maps around the place at work
	key     bool                  // what is written is a key or part of one
	twice   map[identity]int      // shared parts: their numbers, or unwritten
	marks   int                   // numbers given away
	keys    map[identity]struct{} // tuples that are keys
	parts   []identity            // room for the finder
	open    map[identity]int      // shared slices and maps that are being written: behind at their beginning
	behind  int                   // pointers around the place at work
	loose   int                   // values of an any around the place at work
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// newEncoder returns an encoder that appends to dst.
func newEncoder(dst []byte, s codec.Session, key bool) *encoder {
	e := encoders.Get().(*encoder)
	e.b, e.session, e.key = dst, s, key
	return e
}

// free gives the encoder back. After a panic, in a type's own methods, it is
// left to the collector.
func (e *encoder) free() {
	*e = encoder{parts: e.parts}
	encoders.Put(e)
}

var errDeep = fmt.Errorf("the value is cyclic or nested deeper than %d levels", MaxDepth)

// nest must be called before anything that makes the item one level deeper, and
// unnest after it. So a cyclic value ends here and not as a stack overflow,
// which no process survives.
func (e *encoder) nest() error {
	if e.depth++; e.depth > MaxDepth {
		return errDeep
	}
	return nil
}

func (e *encoder) unnest() { e.depth-- }

var errNoSession = errors.New("this message cannot carry shared objects")

// value writes the value of n's type at p.
func (e *encoder) value(n *node, p unsafe.Pointer) error {
	switch n.shape {
	case shapeBool:
		e.b = cbor.AppendBool(e.b, *(*bool)(p))
	case shapeInt:
		e.b = cbor.AppendInt(e.b, loadInt(p, n.size))
	case shapeUint:
		e.b = cbor.AppendHead(e.b, cbor.MajorUint, loadUint(p, n.size))
	case shapeFloat:
		if n.size == 4 {
			e.b = cbor.AppendFloat(e.b, float64(*(*float32)(p)))
		} else {
			e.b = cbor.AppendFloat(e.b, *(*float64)(p))
		}
	case shapeComplex:
		if n.size == 8 {
			e.b = appendComplex(e.b, complex128(*(*complex64)(p)))
		} else {
			e.b = appendComplex(e.b, *(*complex128)(p))
		}
	case shapeString:
		e.b = appendText(e.b, *(*string)(p))
	case shapeBytes:
		if b := *(*[]byte)(p); b == nil {
			e.b = append(e.b, cbor.Null)
		} else {
			e.b = cbor.AppendBytes(e.b, b)
		}
	case shapeByteArray:
		e.b = cbor.AppendBytes(e.b, unsafe.Slice((*byte)(p), n.size))
	case shapeStruct:
		return e.fields(n, p)
	case shapeSlice:
		return e.slice(n, p)
	case shapeArray:
		if e.key {
			e.b = cbor.AppendHead(e.b, cbor.MajorTag, tagTuple)
		}
		return e.elements(n.elem, p, n.length)
	case shapeMap, shapeSet:
		return e.mapping(n, p)
	case shapePointer:
		return e.pointer(n, *(*unsafe.Pointer)(p))
	case shapeAny:
		return e.dynamic(*(*any)(p))
	default:
		return e.special(n, p)
	}
	return nil
}

// special is value for what is less frequent.
func (e *encoder) special(n *node, p unsafe.Pointer) error {
	switch n.shape {
	case shapeHandle:
		return e.handle(n, p)
	case shapeError:
		return e.error(*(*error)(p))
	case shapeTime:
		return e.time(*(*time.Time)(p))
	case shapeBig:
		e.b = appendBig(e.b, (*big.Int)(p))
		return nil
	case shapeCustom:
		b, err := n.form.marshal(reflect.NewAt(n.typ, p).Interface())
		switch {
		case err != nil:
			return err
		case n.form.text:
			e.b = appendText(e.b, string(b))
		default:
			e.b = cbor.AppendBytes(e.b, b)
		}
		return nil
	default: // shapeData
		return e.dynamic(reflect.NewAt(n.typ, p).Elem().Interface())
	}
}

func loadInt(p unsafe.Pointer, size uintptr) int64 {
	switch size {
	case 1:
		return int64(*(*int8)(p))
	case 2:
		return int64(*(*int16)(p))
	case 4:
		return int64(*(*int32)(p))
	}
	return *(*int64)(p)
}

func loadUint(p unsafe.Pointer, size uintptr) uint64 {
	switch size {
	case 1:
		return uint64(*(*uint8)(p))
	case 2:
		return uint64(*(*uint16)(p))
	case 4:
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

func (e *encoder) fields(n *node, p unsafe.Pointer) error {
	if err := e.nest(); err != nil {
		return err
	}
	if e.key {
		e.b = cbor.AppendHead(cbor.AppendHead(e.b, cbor.MajorTag, tagTuple), cbor.MajorArray, uint64(len(n.fields)))
	} else {
		e.b = cbor.AppendHead(e.b, cbor.MajorMap, uint64(len(n.fields)))
	}
	for i := range n.fields {
		f := &n.fields[i]
		if !e.key {
			e.b = append(e.b, f.head...)
		}
		if err := e.value(f.node, unsafe.Add(p, f.offset)); err != nil {
			return at(err, "."+f.name)
		}
	}
	e.unnest()
	return nil
}

func (e *encoder) slice(n *node, p unsafe.Pointer) error {
	v := reflect.NewAt(n.typ, p).Elem()
	if v.IsNil() {
		e.b = append(e.b, cbor.Null)
		return nil
	}
	return e.elements(n.elem, v.UnsafePointer(), v.Len())
}

// elements writes length values in a row as an array.
func (e *encoder) elements(n *node, p unsafe.Pointer, length int) error {
	if err := e.nest(); err != nil {
		return err
	}
	e.b = cbor.AppendHead(e.b, cbor.MajorArray, uint64(length))
	for i := range length {
		if err := e.value(n, unsafe.Add(p, uintptr(i)*n.size)); err != nil {
			return at(err, fmt.Sprintf("[%d]", i))
		}
	}
	e.unnest()
	return nil
}

func (e *encoder) mapping(n *node, p unsafe.Pointer) error {
	v := reflect.NewAt(n.typ, p).Elem()
	if v.IsNil() {
		e.b = append(e.b, cbor.Null)
		return nil
	}
	if err := e.nest(); err != nil {
		return err
	}
	var s sorter
	if n.shape == shapeSet {
		e.b = cbor.AppendHead(cbor.AppendHead(e.b, cbor.MajorTag, tagSet), cbor.MajorArray, uint64(v.Len()))
		s = e.sorterOf(v.Len())
	} else {
		s = e.sorter(v.Len())
	}
	key, elem := reflect.New(n.key.typ), reflect.New(n.elem.typ)
	for it := v.MapRange(); it.Next(); {
		s.key()
		key.Elem().SetIterKey(it)
		if n.key.opaque() && e.loose == 0 { // in an any it is read as a dict, which has any key
			if err := readable(n.key, key.UnsafePointer()); err != nil {
				return at(err, "[key]")
			}
		}
		e.key = true
		if err := e.value(n.key, key.UnsafePointer()); err != nil {
			return at(err, "[key]")
		}
		e.key = false // a map is never part of a key
		if n.shape == shapeSet {
			continue
		}
		s.value()
		elem.Elem().SetIterValue(it)
		if err := e.value(n.elem, elem.UnsafePointer()); err != nil {
			return atKey(err, key.Elem())
		}
	}
	if same := s.sort(); same && n.key.opaque() {
		return at(errors.New("two keys that would be one where they are read"), "[key]")
	}
	e.unnest()
	return nil
}

// pointer writes what p points to. A pointer that leads to itself without
// anything in between must end, too.
func (e *encoder) pointer(n *node, p unsafe.Pointer) error {
	if p == nil {
		e.b = append(e.b, cbor.Null)
		return nil
	}
	if n.elem.shape != shapePointer && n.elem.shape != shapeAny {
		return e.value(n.elem, p)
	}
	if err := e.nest(); err != nil {
		return err
	}
	if err := e.value(n.elem, p); err != nil {
		return err
	}
	e.unnest()
	return nil
}

func (e *encoder) handle(n *node, p unsafe.Pointer) error {
	v := reflect.NewAt(n.typ, p).Elem()
	if v.IsNil() {
		e.b = append(e.b, cbor.Null)
		return nil
	}
	if e.session == nil {
		return errNoSession
	}
	ref, err := e.session.Export(v.Interface().(codec.Handle))
	if err != nil {
		return err
	}
	return e.ref(ref)
}
