package pickle

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"

	"multiproc/internal/pyvalue"
)

// reader takes the arguments of opcodes from the bytes. Nothing is allocated
// for a length that the bytes do not have.
type reader struct {
	b  []byte
	at int
}

func (r *reader) byte() (byte, error) {
	if r.at >= len(r.b) {
		return 0, errShort
	}
	c := r.b[r.at]
	r.at++
	return c, nil
}

// next returns the next n bytes, which are the reader's.
func (r *reader) next(n int) ([]byte, error) {
	if n < 0 || n > len(r.b)-r.at {
		return nil, errShort
	}
	p := r.b[r.at : r.at+n]
	r.at += n
	return p, nil
}

// size reads an unsigned little-endian number of width bytes. One that is
// larger than any slice is as much too large as the greatest int.
func (r *reader) size(width int) (int, error) {
	p, err := r.next(width)
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	for i, c := range p {
		n |= uint64(c) << (8 * i)
	}
	return int(min(n, math.MaxInt)), nil
}

// sized reads a length of width bytes and as many bytes as it says.
func (r *reader) sized(width int) ([]byte, error) {
	n, err := r.size(width)
	if err != nil {
		return nil, err
	}
	return r.next(n)
}

// line reads up to the end of the line.
func (r *reader) line() ([]byte, error) {
	i := slices.Index(r.b[r.at:], '\n')
	if i < 0 {
		return nil, errShort
	}
	p := r.b[r.at : r.at+i]
	r.at += i + 1
	return p, nil
}

func (r *reader) float() (float64, error) {
	p, err := r.next(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(p)), nil
}

func (d *decoder) number(op byte) error {
	switch op {
	case opBinInt1:
		n, err := d.byte()
		if err != nil {
			return err
		}
		return d.push(int64(n))
	case opBinInt2:
		n, err := d.size(2)
		if err != nil {
			return err
		}
		return d.push(int64(n))
	case opBinInt:
		n, err := d.size(4)
		if err != nil {
			return err
		}
		return d.push(int64(int32(uint32(n))))
	}
	width := 1
	if op == opLong4 {
		width = 4
	}
	p, err := d.sized(width)
	if err != nil {
		return err
	}
	if err := d.charge(4 * len(p)); err != nil { // with what the conversion takes
		return err
	}
	return d.push(long(p))
}

// long is the integer of little-endian bytes in two's complement.
func long(p []byte) pyvalue.Value {
	if len(p) <= 8 {
		n := uint64(0)
		for i, c := range p {
			n |= uint64(c) << (8 * i)
		}
		shift := 64 - 8*len(p) // to carry the sign up; 64 gives 0
		return int64(n<<shift) >> shift
	}
	b := slices.Clone(p)
	slices.Reverse(b)
	x := new(big.Int).SetBytes(b)
	if p[len(p)-1]&0x80 != 0 {
		x.Sub(x, new(big.Int).Lsh(big.NewInt(1), uint(8*len(p))))
	}
	return pyvalue.Norm(x)
}

func (d *decoder) text(op byte) error {
	width := 1
	switch op {
	case opBinUnicode, opBinString:
		width = 4
	case opBinUnicode8:
		width = 8
	}
	p, err := d.sized(width)
	if err != nil {
		return err
	}
	if op == opBinString || op == opShortBinString {
		return d.oldText(p)
	}
	if err := d.charge(16 + len(p)); err != nil {
		return err
	}
	s := string(p)
	if !utf8.ValidString(s) && pyvalue.WTF8(s) != s {
		return corrupt("a text is not UTF-8")
	}
	return d.push(s)
}

// oldText pushes a str of Python 2. Python 3 takes those that are ASCII for
// text, too.
func (d *decoder) oldText(p []byte) error {
	if err := d.charge(16 + len(p)); err != nil {
		return err
	}
	for _, c := range p {
		if c >= utf8.RuneSelf {
			return corrupt("a str of Python 2 is not ASCII; send it as unicode or bytearray")
		}
	}
	return d.push(string(p))
}

func (d *decoder) bytes(op byte) error {
	width := 1
	switch op {
	case opBinBytes:
		width = 4
	case opBinBytes8, opByteArray8:
		width = 8
	}
	p, err := d.sized(width)
	if err != nil {
		return err
	}
	if err := d.charge(24 + len(p)); err != nil {
		return err
	}
	b := append(make([]byte, 0, len(p)), p...)
	if op == opByteArray8 {
		return d.push(&pyvalue.ByteArray{B: b})
	}
	return d.push(b)
}
