package interchange

import (
	"math"
	"math/big"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
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

// decoder reads what is not in the form that the engine writes. Its parser makes
// what goes into an any.
type decoder struct {
	codec.Decoder
	parser
	expanded int // bytes
	repeats  int
	scanned  int
	gauge    gauge
	exact    *parser // for *pyvalue.List and *pyvalue.Dict
}

// Open implements codec.Reader: whatever reads the item afterwards need not look
// at lengths, nesting or the content of tags again.
func (d *decoder) Open() error {
	c := checker{src: d.Src}
	if err := c.all(); err != nil {
		return err
	}
	d.src, d.marks, d.golike = d.Src, c.marks, true
	return nil
}

// maxStack is how much of a parser's stack is kept for the next message.
const maxStack = 256

// Reset implements codec.Reader.
func (d *decoder) Reset() {
	d.parser = parser{stack: d.stack[:0:min(cap(d.stack), maxStack)]}
	d.expanded, d.repeats, d.scanned, d.gauge, d.exact = 0, 0, 0, gauge{}, nil
}

// Any implements codec.Reader.
func (d *decoder) Any(i int) (v any, next int, err error) {
	v, next = d.item(i)
	if len(d.marks) > 0 {
		err = d.gauge.check(v)
	}
	return v, next, err
}

// Other implements codec.Reader.
func (d *decoder) Other(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	if n.Shape == shapeData { // to which the tags of shared items matter
		return d.data(n, p, i)
	}
	major, arg, next := cbor.Head(d.src, i)
	if major == cbor.MajorTag {
		switch arg {
		case tagShareable:
			return d.shareable(n, p, next)
		case tagShared:
			return d.expand(n, p, next)
		}
	}
	switch n.Shape {
	case codec.ShapeStruct:
		return d.structure(n, p, i)
	case codec.ShapeFloat:
		f, next, ok := d.float(i)
		switch {
		case !ok, n.Size == 4 && tooWide(f):
			return 0, d.Mismatch(n, i)
		case n.Size == 4:
			*(*float32)(p) = float32(f)
		default:
			*(*float64)(p) = f
		}
		return next, nil
	case codec.ShapeText:
		b, next, ok := d.text(i)
		if !ok {
			return 0, d.Mismatch(n, i)
		}
		*(*string)(p) = string(b)
		return next, nil
	case codec.ShapeOwnText:
		b, next, ok := d.text(i)
		if !ok {
			return 0, d.Mismatch(n, i)
		}
		return next, d.OwnForm(n, p, b)
	case codec.ShapeBytes, codec.ShapeMemory:
		if major == cbor.MajorTag && arg == tagByteArray {
			return d.Value(n, p, next)
		}
		return d.list(n, p, i) // of numbers
	case codec.ShapeSlice, codec.ShapeArray:
		return d.list(n, p, i)
	case codec.ShapeMap, codec.ShapeSet:
		return d.mapping(n, p, i)
	}
	return d.special(n, p, i)
}

// shareable reads the item under the tag of a shareable one.
func (d *decoder) shareable(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	if n.Shape == codec.ShapePointer && d.src[i] == cbor.Null {
		return i + 1, nil
	}
	return d.Value(n, p, i)
}

// expand is value for a reference to an item that stands elsewhere.
func (d *decoder) expand(n *codec.Node, p unsafe.Pointer, i int) (next int, err error) {
	_, number, next := cbor.Head(d.src, i)
	m := d.marks[number]
	if n.Shape == codec.ShapeText { // which may be shared in Go, too
		if s, ok := d.shared(int(number)).(string); ok {
			*(*string)(p) = s
			return next, nil
		}
	}
	if err := d.repeat(m.end - m.from); err != nil {
		return 0, err
	}
	if err := d.Nest(); err != nil {
		return 0, err
	}
	_, err = d.Value(n, p, m.from)
	d.Unnest()
	return next, err
}

// repeat is called before n bytes are gone over for one more time.
func (d *decoder) repeat(n int) error {
	d.repeats++
	d.expanded += n
	if d.expanded > maxExpansion+2*len(d.src) || d.repeats > maxRepeats+len(d.src)/2 {
		return codec.Corrupt("a value that refers to its own parts too often")
	}
	return nil
}

// rescan is called when n bytes, whose values are made once, are gone over for
// one more time. Objects in the arguments of objects would have it done at each
// level; all of them together may cost so many times the whole.
func (d *decoder) rescan(n int) error {
	const times = 64
	if d.scanned += n; d.scanned > times*len(d.src)+maxExpansion {
		return codec.Corrupt("objects that are nested too deep in what others were made of")
	}
	return nil
}

// tooWide reports whether a number would become an infinity as a float32.
func tooWide(f float64) bool { return math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) }

// float reads a float, also where an integer stands.
func (d *decoder) float(i int) (f float64, next int, ok bool) {
	major, arg, next := cbor.Head(d.src, i)
	switch {
	case d.src[i] == cbor.Float64:
		return math.Float64frombits(arg), next, true
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
