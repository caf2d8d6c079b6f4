// Package cell is how containers in shared memory keep an item: what is short enough is a
// word, all else a block of memory.
package cell

import "encoding/binary"

// Cell is an item of CBOR, as a container keeps it.
//
// The two lowest bits of a word say what it is; a word of 0 in them is the offset of a
// block, or 0 for none:
//
//	1  an integer of 62 bits
//	2  an item of up to 7 bytes; the length stands in bits 2 to 4, and they from bit 8 on
//	3  a float64, of which the two lowest bits are 0
type Cell struct {
	Word  uint64 // 0: Bytes
	Bytes []byte
}

const (
	wordInt   = 1
	wordShort = 2
	wordFloat = 3
)

// Null is the item null.
var Null = Cell{Word: 0xf6<<8 | 1<<2 | wordShort}

// IsWord reports whether a word of a container is an item: it is not the offset of a block,
// and not 0.
func IsWord(w uint64) bool { return w&3 != 0 }

// OfInt is an integer; false if it is too large to be a word.
func OfInt(i int64) (Cell, bool) {
	if i<<2>>2 != i {
		return Cell{}, false
	}
	return Cell{Word: uint64(i)<<2 | wordInt}, true
}

// Int is the integer that a cell is.
func (c Cell) Int() (int64, bool) { return int64(c.Word) >> 2, c.Word&3 == wordInt }

// Of is the cell of an item. Its Bytes are the item.
func Of(item []byte) Cell {
	if len(item) == 0 {
		return Cell{Bytes: item}
	}
	switch item[0] >> 5 {
	case 0, 1:
		if n, ok := head(item); ok && n < 1<<61 {
			i := int64(n)
			if item[0]>>5 == 1 {
				i = ^i
			}
			return Cell{Word: uint64(i)<<2 | wordInt}
		}
	}
	if n := len(item); n <= 7 {
		var b [8]byte
		copy(b[1:], item)
		return Cell{Word: binary.LittleEndian.Uint64(b[:]) | uint64(n)<<2 | wordShort}
	}
	if item[0] == 0xfb && len(item) == 9 {
		if f := binary.BigEndian.Uint64(item[1:]); f&3 == 0 {
			return Cell{Word: f | wordFloat}
		}
	}
	return Cell{Bytes: item}
}

// head is the number in the head of an item that has nothing else.
func head(item []byte) (uint64, bool) {
	low := item[0] & 31
	switch {
	case low < 24:
		return uint64(low), len(item) == 1
	case low > 27 || len(item) != 1+1<<(low-24):
		return 0, false
	}
	n := uint64(0)
	for _, b := range item[1:] {
		n = n<<8 | uint64(b)
	}
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}
	return n, n >= least[low-24] // or there is a shorter way to write it
}

// Payload is what stands behind the head of a text (major 0x60) or of bytes (0x40), if
// the cell is that and not a word.
func (c Cell) Payload(major byte) ([]byte, bool) {
	if c.Word != 0 || len(c.Bytes) == 0 || c.Bytes[0]&0xe0 != major {
		return nil, false
	}
	head := 1
	if low := c.Bytes[0] & 31; low >= 24 {
		if low > 27 {
			return nil, false
		}
		head += 1 << (low - 24)
	}
	if head > len(c.Bytes) {
		return nil, false
	}
	return c.Bytes[head:], true
}

// Append appends the item to dst.
func (c Cell) Append(dst []byte) []byte {
	switch c.Word & 3 {
	case wordInt:
		i := int64(c.Word) >> 2
		major := byte(0)
		if i < 0 {
			major, i = 0x20, ^i
		}
		return AppendHead(dst, major, uint64(i))
	case wordShort:
		n := int(c.Word >> 2 & 7)
		for i := range n {
			dst = append(dst, byte(c.Word>>(8+8*i)))
		}
		return dst
	case wordFloat:
		return binary.BigEndian.AppendUint64(append(dst, 0xfb), c.Word&^3)
	}
	return append(dst, c.Bytes...)
}

// AppendHead appends the head of an item of CBOR, of a major type that stands in the
// three highest bits.
func AppendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}
