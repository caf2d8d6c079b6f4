package portable

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"unicode/utf8"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/mperr"
)

// maxExpansion is how many bytes of items a decoder of typed values makes values
// of again, for references to them, beyond twice the length of the whole. For
// the same list in two places makes two slices in Go, and twenty lists of two
// references each would make a million. maxRepeats is how many references that
// may be, beyond one for each two bytes of the whole: that many may be written.
const (
	maxExpansion = 16 << 20
	maxRepeats   = 1 << 18
)

// decoder moves an item that has been checked into a typed value. Its parser
// makes what goes into an any.
type decoder struct {
	parser
	session  codec.Session
	depth    int
	expanded int // bytes
	repeats  int
	scanned  int
	gauge    gauge
	exact    *parser // for *data.List and *data.Dict
}

// dynamic reads what goes into an any.
func (d *decoder) dynamic(i int) (v any, next int, err error) {
	v, next = d.item(i)
	if len(d.marks) > 0 {
		err = d.gauge.check(v)
	}
	return v, next, err
}

func (d *decoder) nest() error {
	if d.depth++; d.depth > MaxDepth {
		return corrupt("a value that holds itself, which %d levels of Go values cannot", MaxDepth)
	}
	return nil
}

func (d *decoder) unnest() { d.depth-- }

// mismatch says that the item at i is not what values of n are.
func (d *decoder) mismatch(n *node, i int) error {
	return fmt.Errorf("%w: %s for %v", mperr.ErrType, describe(d.src, i), n.typ)
}

// value fills the zero value at p, of n's type, from the item at i, and
// returns where the item ends.
func (d *decoder) value(n *node, p unsafe.Pointer, i int) (next int, err error) {
	switch n.shape { // to which the tags of shared items matter
	case shapeAny:
		*(*any)(p), next, err = d.dynamic(i)
		return next, err
	case shapeData:
		return d.data(n, p, i)
	}
	b := d.src[i]
	major, arg, next := b>>5, uint64(b&31), i+1
	if arg >= 24 {
		major, arg, next = cbor.LongHead(d.src, i)
	}
	if major == cbor.MajorTag && arg == tagShareable {
		i = next
		b = d.src[i]
		major, arg, next = cbor.Head(d.src, i)
	}
	if major == cbor.MajorTag && arg == tagShared {
		return d.expand(n, p, next)
	}
	if b == cbor.Null && n.nilable() {
		return next, nil
	}
	ok := false
	switch n.shape {
	case shapeBool:
		if ok = b == cbor.True || b == cbor.False; ok {
			*(*bool)(p) = b == cbor.True
		}
	case shapeInt:
		v := int64(arg)
		if major == cbor.MajorNegative {
			v = ^v
		}
		ok = major <= cbor.MajorNegative && arg>>63 == 0 && storeInt(p, n.size, v)
	case shapeUint:
		ok = major == cbor.MajorUint && storeUint(p, n.size, arg)
	case shapeFloat:
		if b == cbor.Float64 && n.size == 8 {
			*(*float64)(p) = floatOf(arg)
			return next, nil
		}
		var f float64
		if f, next, ok = d.float(i); ok && n.size == 4 {
			*(*float32)(p) = float32(f)
			ok = !tooWide(f)
		} else if ok {
			*(*float64)(p) = f
		}
	case shapeString:
		if s, end, is := d.text(i); is {
			*(*string)(p), next, ok = string(s), end, true
		}
	case shapeBytes, shapeByteArray:
		return d.bytes(n, p, i)
	case shapeStruct:
		return d.structure(n, p, i)
	case shapeSlice, shapeArray:
		return d.list(n, p, i)
	case shapeMap, shapeSet:
		return d.mapping(n, p, i)
	case shapePointer:
		v := reflect.New(n.elem.typ)
		if next, err = d.value(n.elem, v.UnsafePointer(), i); err == nil {
			*(*unsafe.Pointer)(p) = v.UnsafePointer()
		}
		return next, err
	default:
		return d.special(n, p, i)
	}
	if !ok {
		return 0, d.mismatch(n, i)
	}
	return next, nil
}

// expand is value for a reference to an item that stands elsewhere.
func (d *decoder) expand(n *node, p unsafe.Pointer, i int) (next int, err error) {
	_, number, next := cbor.Head(d.src, i)
	m := d.marks[number]
	if n.shape == shapeString { // which may be shared in Go, too
		if s, ok := d.shared(int(number)).(string); ok {
			*(*string)(p) = s
			return next, nil
		}
	}
	if err := d.repeat(m.end - m.from); err != nil {
		return 0, err
	}
	if err := d.nest(); err != nil {
		return 0, err
	}
	_, err = d.value(n, p, m.from)
	d.unnest()
	return next, err
}

// repeat is called before n bytes are gone over for one more time.
func (d *decoder) repeat(n int) error {
	d.repeats++
	d.expanded += n
	if d.expanded > maxExpansion+2*len(d.src) || d.repeats > maxRepeats+len(d.src)/2 {
		return corrupt("a value that refers to its own parts too often")
	}
	return nil
}

// rescan is called when n bytes, whose values are made once, are gone over for
// one more time. Objects in the arguments of objects would have it done at each
// level; all of them together may cost so many times the whole.
func (d *decoder) rescan(n int) error {
	const times = 64
	if d.scanned += n; d.scanned > times*len(d.src)+maxExpansion {
		return corrupt("objects that are nested too deep in what others were made of")
	}
	return nil
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

// tooWide reports whether a number would become an infinity as a float32.
func tooWide(f float64) bool { return math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) }

func floatOf(bits uint64) float64 { return math.Float64frombits(bits) }

func valid(b []byte) bool { return utf8.Valid(b) }

// float reads a float, also where an integer stands.
func (d *decoder) float(i int) (f float64, next int, ok bool) {
	major, arg, next := cbor.Head(d.src, i)
	switch {
	case d.src[i] == cbor.Float64:
		return floatOf(arg), next, true
	case major == cbor.MajorUint:
		return float64(arg), next, true
	case major == cbor.MajorNegative:
		return -1 - float64(arg), next, true
	case major == cbor.MajorTag && (arg == tagPositive || arg == tagNegative):
		v, next := d.item(i)
		f, _ := new(big.Float).SetInt(v.(*big.Int)).Float64()
		return f, next, !math.IsInf(f, 0)
	}
	return 0, 0, false
}

// text returns the bytes of a text, which are those of src.
func (d *decoder) text(i int) (b []byte, next int, ok bool) {
	major, n, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && n == tagShareable {
		major, n, next = cbor.Head(d.src, next)
	} else if major == cbor.MajorTag && n == tagShared {
		_, n, next = cbor.Head(d.src, next)
		b, _, ok = d.text(d.marks[n].from)
		return b, next, ok
	}
	if major == cbor.MajorTag && n == tagRawText {
		_, n, next = cbor.Head(d.src, next)
	} else if major != cbor.MajorText {
		return nil, 0, false
	}
	end := next + int(n)
	return d.src[next:end], end, true
}

func (d *decoder) bytes(n *node, p unsafe.Pointer, i int) (next int, err error) {
	major, length, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag && length == tagByteArray {
		major, length, next = cbor.Head(d.src, next)
	}
	if major != cbor.MajorBytes {
		return d.list(n, p, i) // of numbers
	}
	end := next + int(length)
	b := d.src[next:end]
	if n.shape == shapeBytes {
		*(*[]byte)(p) = append([]byte{}, b...)
		return end, nil
	}
	if len(b) != n.length {
		return 0, d.mismatch(n, i)
	}
	copy(unsafe.Slice((*byte)(p), n.length), b)
	return end, nil
}
