package dict

import (
	"encoding/binary"
	"math/bits"
)

// Cell is an item of CBOR, as a dict keeps it: what is short enough is a word, all else
// a block of memory.
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

// IntCell is an integer; false if it is too large to be a word.
func IntCell(i int64) (Cell, bool) {
	if i<<2>>2 != i {
		return Cell{}, false
	}
	return Cell{Word: uint64(i)<<2 | wordInt}, true
}

// Int is the integer that a cell is.
func (c Cell) Int() (int64, bool) { return int64(c.Word) >> 2, c.Word&3 == wordInt }

// CellOf is the cell of an item. Its Bytes are the item.
func CellOf(item []byte) Cell {
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

// Key is a key, ready to be looked for.
type Key struct {
	hash  uint64
	equal Cell   // what it equals: the same for all keys that are equal
	given []byte // as it was given, if that is not the same
}

// Key makes a key. All that are equal have the same equal; given is what is kept of it,
// nil if that is the same.
func (d *Dict) Key(equal Cell, given []byte) Key {
	k := Key{equal: equal, given: given}
	if equal.Word != 0 {
		k.hash = d.hashWord(equal.Word)
	} else {
		k.hash = d.hashBytes(equal.Bytes)
	}
	return k
}

// Identity is the same for keys that are equal, and no others.
type Identity struct {
	word  uint64
	bytes string
}

func (c Cell) identity() Identity {
	if c.Word != 0 {
		return Identity{word: c.Word}
	}
	return Identity{bytes: string(c.Bytes)}
}

// Identity is that of the key.
func (k *Key) Identity() Identity { return k.equal.identity() }

// plain reports whether an entry can have the key as a word.
func (k *Key) plain() bool { return k.equal.Word != 0 && k.given == nil }

// blockLen is how long the block of the key is; 0 if it needs none.
func (k *Key) blockLen() uint64 {
	if k.plain() {
		return 0
	}
	return keyBytes + uint64(len(k.equal.Bytes)+len(k.given))
}

// Hashing is that of wyhash (Wang Yi, github.com/wangyi-fudan/wyhash, public domain),
// more or less: products of 128 bits folded to 64, with secrets of the dict.

const (
	prime0 = 0xa0761d6478bd642f
	prime1 = 0xe7037ed1a0b428db
)

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

func (d *Dict) hashWord(w uint64) uint64 {
	return mix(mix(w^d.seed[0], prime1)^w, d.seed[1])
}

func (d *Dict) hashBytes(b []byte) uint64 {
	le := binary.LittleEndian
	h, n := d.seed[0], uint64(len(b))
	for ; len(b) > 16; b = b[16:] {
		h = mix(le.Uint64(b)^d.seed[1], le.Uint64(b[8:])^h)
	}
	var x, y uint64
	switch {
	case len(b) >= 8:
		x, y = le.Uint64(b), le.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(le.Uint32(b)), uint64(le.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	return mix(prime0^n, mix(x^d.seed[1]^prime1, y^h))
}
