package codec

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"multiproc/internal/cbor"
)

// Decoder makes a value of an item, whose bytes need not have been checked: it
// never reads beyond them, and takes no memory that they do not warrant. What is
// in the form that an Encoder of the same type writes it reads itself, all else
// is for Reader.Other.
type Decoder struct {
	Src   []byte
	Hooks Reader // the dialect's part

	dialect *Dialect
	from    Importer
	room    int    // as in an Encoder
	texts   string // the bytes of Src, once a text was read from a short one
}

// Nest must be called before anything that is one level deeper is read, and
// Unnest after it. After an error Unnest need not be called.
func (d *Decoder) Nest() error {
	if d.room--; d.room < 0 {
		return d.dialect.Deep
	}
	return nil
}

// Unnest is the end of Nest.
func (d *Decoder) Unnest() { d.room++ }

// Mismatch says that the item at i is not what values of n are.
func (d *Decoder) Mismatch(n *Node, i int) error {
	return fmt.Errorf("%w: %s for %v", d.dialect.Wrong, describe(d.Src, i, d.dialect.Tag), n.Type)
}

// Value fills the zero value at p, of n's type, from the item at i, and
// returns where the item ends.
func (d *Decoder) Value(n *Node, p unsafe.Pointer, i int) (next int, err error) {
	if uint(i) >= uint(len(d.Src)) {
		return 0, Truncated(i)
	}
	b := d.Src[i]
	major, arg, next := b>>5, uint64(b&31), i+1
	if arg >= 24 {
		if major, arg, next = cbor.LongHead(d.Src, i); next == 0 {
			return 0, BadHead(d.Src, i)
		}
	}
	if b == cbor.Null && n.Null {
		return next, nil
	}
	switch n.Shape {
	case ShapeBool:
		if b == cbor.True || b == cbor.False {
			*(*bool)(p) = b == cbor.True
			return next, nil
		}
	case ShapeInt:
		v := int64(arg)
		if major == cbor.MajorNegative {
			v = ^v
		}
		if major <= cbor.MajorNegative && arg>>63 == 0 && storeInt(p, n.Size, v) {
			return next, nil
		}
	case ShapeUint:
		if major == cbor.MajorUint && storeUint(p, n.Size, arg) {
			return next, nil
		}
	case ShapeFloat:
		if b != cbor.Float64 {
			break
		}
		f := math.Float64frombits(arg)
		if n.Size == 8 {
			*(*float64)(p) = f
			return next, nil
		}
		if !tooWide(f) {
			*(*float32)(p) = float32(f)
			return next, nil
		}
	case ShapeFloat32:
		if b == cbor.Float32 {
			*(*uint32)(p) = uint32(arg)
			return next, nil
		}
	case ShapeString, ShapeText:
		if major == cbor.MajorText {
			if arg > uint64(len(d.Src)-next) {
				return 0, Truncated(i)
			}
			end := next + int(arg)
			*(*string)(p) = d.Text(next, end)
			return end, nil
		}
	case ShapeMemory, ShapeBytes, ShapeBlock, ShapeBinary:
		if major == cbor.MajorBytes {
			return d.bytes(n, p, i, next, arg)
		}
	case ShapeRecord:
		if major == cbor.MajorArray && arg == uint64(len(n.Fields)) {
			return d.Record(n, p, next)
		}
	case ShapeSlice, ShapeArray:
		if major == cbor.MajorArray && (n.Shape == ShapeSlice || arg == uint64(n.Length)) {
			return d.Elements(n, p, i, next, arg)
		}
	case ShapeMap:
		if major == cbor.MajorMap {
			return d.pairs(n, p, i, next, arg)
		}
	case ShapePointer: // to what the tags of shared items stand before may be null
		if major != cbor.MajorTag || arg != TagShareable && arg != TagShared {
			return d.pointer(n, p, i)
		}
	case ShapeAny:
		*(*any)(p), next, err = d.Hooks.Any(i)
		return next, err
	case ShapeOwnText:
		if major == cbor.MajorText && arg <= uint64(len(d.Src)-next) {
			end := next + int(arg)
			return end, d.OwnForm(n, p, d.Src[next:end])
		}
	case ShapeHandle:
		if major == cbor.MajorTag && arg == TagRef {
			return d.handle(n, p, i, next)
		}
	}
	return d.Hooks.Other(n, p, i)
}

// shortMessage is how long a message may be whose texts share their memory: to
// keep one of them keeps all.
const shortMessage = 256

// Text returns the bytes of Src from one place to another.
func (d *Decoder) Text(from, to int) string {
	switch {
	case from == to:
		return ""
	case len(d.Src) > shortMessage:
		return string(d.Src[from:to])
	case d.texts == "":
		d.texts = string(d.Src)
	}
	return d.texts[from:to]
}

// storeInt stores i unless it has no room there.
func storeInt(p unsafe.Pointer, size uintptr, i int64) bool {
	shift := 64 - 8*size
	if i<<shift>>shift != i {
		return false
	}
	switch size {
	case 1:
		*(*int8)(p) = int8(i)
	case 2:
		*(*int16)(p) = int16(i)
	case 4:
		*(*int32)(p) = int32(i)
	default:
		*(*int64)(p) = i
	}
	return true
}

// storeUint stores u unless it has no room there.
func storeUint(p unsafe.Pointer, size uintptr, u uint64) bool {
	shift := 64 - 8*size
	if u<<shift>>shift != u {
		return false
	}
	switch size {
	case 1:
		*(*uint8)(p) = uint8(u)
	case 2:
		*(*uint16)(p) = uint16(u)
	case 4:
		*(*uint32)(p) = uint32(u)
	default:
		*(*uint64)(p) = u
	}
	return true
}

// bytes reads a byte string whose head is at i and whose content is at next.
func (d *Decoder) bytes(n *Node, p unsafe.Pointer, i, next int, length uint64) (end int, err error) {
	if length > uint64(len(d.Src)-next) {
		return 0, Truncated(i)
	}
	end = next + int(length)
	b := d.Src[next:end]
	switch n.Shape {
	case ShapeMemory:
		if uintptr(len(b)) != n.Size {
			return 0, d.Mismatch(n, i)
		}
		copy(unsafe.Slice((*byte)(p), n.Size), b)
	case ShapeBytes:
		*(*[]byte)(p) = append([]byte{}, b...)
	case ShapeBlock:
		size := int(n.Elem.Size)
		if len(b)%size != 0 {
			return 0, d.Mismatch(n, i)
		}
		// Memory without pointers is aligned for all that it is a multiple of.
		own := append([]byte{}, b...)
		*(*slice)(p) = slice{unsafe.Pointer(unsafe.SliceData(own)), len(b) / size, len(b) / size}
	default: // ShapeBinary
		return end, d.OwnForm(n, p, b)
	}
	return end, nil
}

// OwnForm fills the value at p by its type's own method. That may keep what it is
// given.
func (d *Decoder) OwnForm(n *Node, p unsafe.Pointer, b []byte) error {
	if err := n.Form.unmarshal(reflect.NewAt(n.Type, p).Interface(), append([]byte{}, b...)); err != nil {
		return fmt.Errorf("%w: %w", d.dialect.Wrong, err)
	}
	return nil
}

// Record reads the fields of a struct in their order, from i on.
func (d *Decoder) Record(n *Node, p unsafe.Pointer, i int) (next int, err error) {
	if err := d.Nest(); err != nil {
		return 0, err
	}
	for k := range n.Fields {
		f := &n.Fields[k]
		if i, err = d.Value(f.Node, unsafe.Add(p, f.Offset), i); err != nil {
			return 0, At(err, "."+f.Name)
		}
	}
	d.Unnest()
	return i, nil
}

// A null of one byte, or a map without a field, may stand where an element of a
// megabyte is expected. So memory for large elements is taken as their contents
// turn out to be there.
const largeElement = 256

// Elements reads so many elements of the slice or array at p, from next on.
func (d *Decoder) Elements(n *Node, p unsafe.Pointer, i, next int, count uint64) (end int, err error) {
	if count > uint64(len(d.Src)-next) {
		return 0, Truncated(i)
	}
	if err := d.Nest(); err != nil {
		return 0, err
	}
	length, size, base := int(count), n.Length, p
	grows := n.Shape != ShapeArray && n.Shape != ShapeMemory
	if grows {
		if size = length; n.Elem.Size > largeElement {
			size = min(size, 1)
		}
		*(*slice)(p) = makeSlice(n.Type, size)
		base = (*slice)(p).p
	}
	for k := range length {
		if k == size {
			v := reflect.NewAt(n.Type, p).Elem()
			v.Grow(1)
			size = min(v.Cap(), length)
			v.SetLen(size)
			base = v.UnsafePointer()
		}
		if next, err = d.Value(n.Elem, unsafe.Add(base, uintptr(k)*n.Elem.Size), next); err != nil {
			return 0, At(err, fmt.Sprintf("[%d]", k))
		}
	}
	d.Unnest()
	return next, nil
}

// makeSlice returns a slice of type t with so many zeros.
func makeSlice(t reflect.Type, length int) slice {
	if t.Elem().Kind() == reflect.String { // most slices of pointers are these
		return asSlice(make([]string, length))
	}
	v := reflect.MakeSlice(t, length, length)
	return slice{v.UnsafePointer(), length, length}
}

func asSlice[E any](s []E) slice {
	return slice{unsafe.Pointer(unsafe.SliceData(s)), len(s), cap(s)}
}

// pairs reads so many keys and elements of the map at p, from next on.
func (d *Decoder) pairs(n *Node, p unsafe.Pointer, i, next int, count uint64) (end int, err error) {
	if count > uint64(len(d.Src)-next)/2 {
		return 0, Truncated(i)
	}
	if err := d.Nest(); err != nil {
		return 0, err
	}
	var size int
	if n.fast != nil {
		end, size, err = n.fast.decode(d, n, p, next, int(count))
	} else {
		end, size, err = d.Pairs(n, p, next, int(count), d.Value)
	}
	if err != nil {
		return 0, err
	}
	if size != int(count) && d.dialect.Memory {
		return 0, Corrupt("the same key twice")
	}
	d.Unnest()
	return end, nil
}

// Pairs makes the map at p of so many keys and elements, from i on. What stands
// for an element is read by value.
func (d *Decoder) Pairs(n *Node, p unsafe.Pointer, i, length int, value func(n *Node, p unsafe.Pointer, i int) (int, error)) (next, size int, err error) {
	m := reflect.NewAt(n.Type, p).Elem()
	if size = length; n.Key.Size+n.Elem.Size > largeElement {
		size = 0
	}
	m.Set(reflect.MakeMapWithSize(n.Type, size))
	key, elem := reflect.New(n.Key.Type), reflect.New(n.Elem.Type)
	for range length {
		key.Elem().SetZero()
		if i, err = d.Value(n.Key, key.UnsafePointer(), i); err != nil {
			return 0, 0, At(err, "[key]")
		}
		// A key that is or holds an any may hold a slice, and the map panic.
		if n.Key.Opaque && !key.Elem().Comparable() {
			return 0, 0, At(d.dialect.NoKey, "[key]")
		}
		elem.Elem().SetZero()
		if i, err = value(n.Elem, elem.UnsafePointer(), i); err != nil {
			return 0, 0, AtKey(err, key.Elem())
		}
		m.SetMapIndex(key.Elem(), elem.Elem())
	}
	return i, m.Len(), nil
}

func (d *Decoder) pointer(n *Node, p unsafe.Pointer, i int) (next int, err error) {
	deeper := n.Wrap || n.Elem.Shape == ShapePointer
	if n.Wrap {
		if d.Src[i] != cbor.MajorArray<<5|1 {
			return 0, d.Mismatch(n, i)
		}
		i++
	}
	if deeper {
		if err := d.Nest(); err != nil {
			return 0, err
		}
	}
	v := reflect.New(n.Elem.Type).UnsafePointer()
	if next, err = d.Value(n.Elem, v, i); err != nil {
		return 0, err
	}
	*(*unsafe.Pointer)(p) = v
	if deeper {
		d.Unnest()
	}
	return next, nil
}

func (d *Decoder) handle(n *Node, p unsafe.Pointer, i, body int) (next int, err error) {
	major, length, body := cbor.Head(d.Src, body)
	if body == 0 || major != cbor.MajorBytes {
		return 0, d.Mismatch(n, i)
	}
	if length > uint64(len(d.Src)-body) {
		return 0, Truncated(i)
	}
	if d.from == nil {
		return 0, ErrNoSession
	}
	end := body + int(length)
	ref, into := append([]byte{}, d.Src[body:end]...), reflect.NewAt(n.Type, p).Elem()
	if n.File != nil {
		f := &File{typ: n.Type, from: n.File}
		if err := d.from.Import(f, ref); err != nil {
			return 0, err
		}
		into.Set(reflect.ValueOf(f.open))
		return end, nil
	}
	h := reflect.New(n.Type.Elem()).Convert(n.Type)
	if err := d.from.Import(h.Interface().(Handle), ref); err != nil {
		return 0, err
	}
	into.Set(h)
	return end, nil
}
