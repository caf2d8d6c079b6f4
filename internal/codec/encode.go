package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
	"unsafe"

	"multiproc/internal/cbor"
)

// Tags that the engine knows itself.
const (
	TagRef       = 6   // bytes: what an Exporter returned
	TagTuple     = 7   // an array: an array or struct as a key
	TagShareable = 28  // an item that others refer to, in a dialect that has such
	TagShared    = 29  // a reference to one
	TagSet       = 258 // an array: a map[K]struct{}
)

// Encoder writes one item. It is for one goroutine and one message.
type Encoder struct {
	B     []byte
	Key   bool   // what is written is a key or part of one
	Marks int    // parts that the dialect has marked: their order must stay
	Hooks Writer // the dialect's part

	dialect *Dialect
	to      Exporter
	room    int // for more arrays, maps and tags around the place at work
	spans   []span
	sorted  []byte // room for Sorter
}

// Nest must be called before anything that makes the item one level deeper, and
// Unnest after it. Every way through a type that comes back to itself makes the
// item deeper, so that a cyclic value ends here and not as a stack overflow,
// which no process survives.
func (e *Encoder) Nest() error {
	if e.room--; e.room < 0 {
		return e.errDeep()
	}
	return nil
}

// Unnest is the end of Nest. After an error it need not be called.
func (e *Encoder) Unnest() { e.room++ }

func (e *Encoder) errDeep() error {
	return fmt.Errorf("the value is cyclic or nested deeper than %d levels", e.dialect.Depth)
}

// Value writes the value of n's type at p.
func (e *Encoder) Value(n *Node, p unsafe.Pointer) error {
	switch n.Shape {
	case ShapeBool:
		e.B = cbor.AppendBool(e.B, *(*bool)(p))
	case ShapeInt:
		e.B = cbor.AppendInt(e.B, loadInt(p, n.Size))
	case ShapeUint:
		e.B = cbor.AppendHead(e.B, cbor.MajorUint, loadUint(p, n.Size))
	case ShapeFloat:
		if n.Size == 4 {
			e.B = cbor.AppendFloat(e.B, float64(*(*float32)(p)))
		} else {
			e.B = cbor.AppendFloat(e.B, *(*float64)(p))
		}
	case ShapeFloat32:
		e.B = binary.BigEndian.AppendUint32(append(e.B, cbor.Float32), *(*uint32)(p))
	case ShapeMemory:
		e.B = cbor.AppendBytes(e.B, unsafe.Slice((*byte)(p), n.Size))
	case ShapeString:
		e.B = cbor.AppendText(e.B, *(*string)(p))
	case ShapeText:
		s := *(*string)(p)
		if !utf8.ValidString(s) {
			return e.Hooks.Other(n, p)
		}
		e.B = cbor.AppendText(e.B, s)
	case ShapeBytes:
		if b := *(*[]byte)(p); b == nil {
			e.B = append(e.B, cbor.Null)
		} else {
			e.B = cbor.AppendBytes(e.B, b)
		}
	case ShapeBlock:
		if s := (*slice)(p); s.p == nil {
			e.B = append(e.B, cbor.Null)
		} else {
			e.B = cbor.AppendBytes(e.B, unsafe.Slice((*byte)(s.p), uintptr(s.len)*n.Elem.Size))
		}
	case ShapeRecord, ShapeStruct:
		return e.fields(n, p)
	case ShapeSlice:
		s := (*slice)(p)
		if s.p == nil {
			e.B = append(e.B, cbor.Null)
			return nil
		}
		return e.elements(n.Elem, s.p, s.len)
	case ShapeArray:
		if e.Key {
			e.B = cbor.AppendHead(e.B, cbor.MajorTag, TagTuple)
		}
		return e.elements(n.Elem, p, n.Length)
	case ShapePointer:
		return e.pointer(n, *(*unsafe.Pointer)(p))
	case ShapeMap, ShapeSet:
		return e.mapping(n, p)
	case ShapeAny:
		return e.Hooks.Any(*(*any)(p))
	case ShapeBinary, ShapeOwnText:
		return e.custom(n, p)
	case ShapeHandle:
		return e.handle(n, p)
	default:
		return e.Hooks.Other(n, p)
	}
	return nil
}

// slice is how a slice of any type lies in memory.
type slice struct {
	p        unsafe.Pointer
	len, cap int
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

func (e *Encoder) fields(n *Node, p unsafe.Pointer) error {
	if err := e.Nest(); err != nil {
		return err
	}
	names := false
	switch {
	case e.Key:
		e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, TagTuple), cbor.MajorArray, uint64(len(n.Fields)))
	case n.Shape == ShapeStruct:
		e.B = cbor.AppendHead(e.B, cbor.MajorMap, uint64(len(n.Fields)))
		names = true
	default:
		e.B = cbor.AppendHead(e.B, cbor.MajorArray, uint64(len(n.Fields)))
	}
	for i := range n.Fields {
		f := &n.Fields[i]
		if names {
			e.B = append(e.B, f.Head...)
		}
		if err := e.Value(f.Node, unsafe.Add(p, f.Offset)); err != nil {
			return At(err, "."+f.Name)
		}
	}
	e.Unnest()
	return nil
}

// elements writes length values in a row as an array.
func (e *Encoder) elements(n *Node, p unsafe.Pointer, length int) error {
	if err := e.Nest(); err != nil {
		return err
	}
	e.B = cbor.AppendHead(e.B, cbor.MajorArray, uint64(length))
	for i := range length {
		if err := e.Value(n, unsafe.Add(p, uintptr(i)*n.Size)); err != nil {
			return At(err, fmt.Sprintf("[%d]", i))
		}
	}
	e.Unnest()
	return nil
}

// pointer writes what p points to. A pointer that leads to itself without
// anything in between must end, too.
func (e *Encoder) pointer(n *Node, p unsafe.Pointer) error {
	switch {
	case p == nil:
		e.B = append(e.B, cbor.Null)
		return nil
	case n.Wrap:
		e.B = cbor.AppendHead(e.B, cbor.MajorArray, 1)
	case n.Elem.Shape != ShapePointer && n.Elem.Shape != ShapeAny:
		return e.Value(n.Elem, p)
	}
	if err := e.Nest(); err != nil {
		return err
	}
	if err := e.Value(n.Elem, p); err != nil {
		return err
	}
	e.Unnest()
	return nil
}

func (e *Encoder) custom(n *Node, p unsafe.Pointer) error {
	b, err := n.Form.marshal(reflect.NewAt(n.Type, p).Interface())
	switch {
	case err != nil:
		return err
	case n.Shape == ShapeBinary:
		e.B = cbor.AppendBytes(e.B, b)
		return nil
	}
	return e.Text(string(b))
}

// Text writes a text.
func (e *Encoder) Text(s string) error {
	if e.dialect.Memory || utf8.ValidString(s) {
		e.B = cbor.AppendText(e.B, s)
		return nil
	}
	odd := s
	return e.Hooks.Other(textNode, unsafe.Pointer(&odd))
}

var textNode = &Node{Type: reflect.TypeFor[string](), Shape: ShapeText, Size: unsafe.Sizeof("")}

func (e *Encoder) handle(n *Node, p unsafe.Pointer) error {
	if *(*unsafe.Pointer)(p) == nil {
		e.B = append(e.B, cbor.Null)
		return nil
	}
	if e.to == nil {
		return ErrNoSession
	}
	v := reflect.NewAt(n.Type, p).Elem().Interface()
	var h Handle
	if n.File != nil {
		h = &File{typ: n.Type, open: v.(Open)}
	} else {
		h = v.(Handle)
	}
	ref, err := e.to.Export(h)
	if err != nil {
		return err
	}
	return e.Hooks.Ref(ref)
}

// mapping writes a map or a set.
func (e *Encoder) mapping(n *Node, p unsafe.Pointer) error {
	if *(*unsafe.Pointer)(p) == nil {
		e.B = append(e.B, cbor.Null)
		return nil
	}
	if err := e.Nest(); err != nil {
		return err
	}
	if n.fast != nil {
		if err := n.fast.encode(e, n, p); err != nil {
			return err
		}
		e.Unnest()
		return nil
	}
	v := reflect.NewAt(n.Type, p).Elem()
	s := e.Sorter(v.Len(), n.Shape == ShapeSet)
	key, elem := reflect.New(n.Key.Type), reflect.New(n.Elem.Type)
	for it := v.MapRange(); it.Next(); {
		s.Key()
		key.Elem().SetIterKey(it)
		if n.Key.Opaque {
			if err := e.Hooks.Keyable(n.Key, key.UnsafePointer()); err != nil {
				return At(err, "[key]")
			}
		}
		e.Key = !e.dialect.Memory
		if err := e.Value(n.Key, key.UnsafePointer()); err != nil {
			return At(err, "[key]")
		}
		e.Key = false // a map is never part of a key
		if n.Shape == ShapeSet {
			continue
		}
		s.Value()
		elem.Elem().SetIterValue(it)
		if err := e.Value(n.Elem, elem.UnsafePointer()); err != nil {
			return AtKey(err, key.Elem())
		}
	}
	if same := s.Sort(); same && n.Key.Opaque {
		return At(errors.New("two keys that would be one where they are read"), "[key]")
	}
	e.Unnest()
	return nil
}

// tooWide reports whether a number would become an infinity as a float32.
func tooWide(f float64) bool { return math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) }
