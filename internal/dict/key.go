package dict

import (
	"encoding/binary"
	"math/bits"

	"multiproc/internal/cell"
)

// Key is a key, ready to be looked for.
type Key struct {
	hash  uint64
	equal cell.Cell // what it equals: the same for all keys that are equal
	given []byte    // as it was given, if that is not the same
}

// Key makes a key. All that are equal have the same equal; given is what is kept of it,
// nil if that is the same.
func (d *Dict) Key(equal cell.Cell, given []byte) Key {
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

func identity(c cell.Cell) Identity {
	if c.Word != 0 {
		return Identity{word: c.Word}
	}
	return Identity{bytes: string(c.Bytes)}
}

// Identity is that of the key.
func (k *Key) Identity() Identity { return identity(k.equal) }

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
