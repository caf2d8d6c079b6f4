package portable

import (
	"encoding/binary"
	"math"
	"math/big"
	"unicode/utf8"

	"multiproc/internal/data"
)

// The major types of CBOR.
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

// The tags of the dialect. 0, 2, 3, 28, 29, 258 and 43000 are IANA's; those
// below 24 take one byte, and the ones that we chose are not assigned.
const (
	tagTime      = 0
	tagPositive  = 2 // 2^64 and up, without leading zeros
	tagNegative  = 3 // below -2^64
	tagRef       = 6
	tagTuple     = 7
	tagRawText   = 8
	tagFrozenSet = 9
	tagByteArray = 10
	tagSlice     = 11
	tagRange     = 12
	tagGlobal    = 13
	tagObject    = 14
	tagException = 15
	tagShareable = 28
	tagShared    = 29
	tagSet       = 258
	tagComplex   = 43000
)

// First bytes of items without a length.
const (
	byteFalse = majorSimple<<5 | 20
	byteTrue  = majorSimple<<5 | 21
	byteNull  = majorSimple<<5 | 22
	byteFloat = majorSimple<<5 | 27 // 8 bytes follow
)

// A reference is an id and a type id.
const (
	refID      = 8   // bytes
	maxRefType = 255 // bytes
)

// MaxDepth is how many arrays and maps may stand inside each other. A value
// deeper than that is taken for one that leads back to itself.
const MaxDepth = data.MaxDepth

// appendHead appends the first bytes of an item: its major type and argument.
func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n <= 23:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendInt(dst []byte, i int64) []byte {
	if i < 0 {
		return appendHead(dst, majorNegative, uint64(^i))
	}
	return appendHead(dst, majorUint, uint64(i))
}

func appendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byteFloat), math.Float64bits(f))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, byteTrue)
	}
	return append(dst, byteFalse)
}

func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		dst = appendHead(appendHead(dst, majorTag, tagRawText), majorBytes, uint64(len(s)))
		return append(dst, s...)
	}
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendHead(dst, majorBytes, uint64(len(b))), b...)
}

func appendComplex(dst []byte, c complex128) []byte {
	dst = appendHead(appendHead(dst, majorTag, tagComplex), majorArray, 2)
	return appendFloat(appendFloat(dst, real(c)), imag(c))
}

func appendBig(dst []byte, i *big.Int) []byte {
	if i.IsInt64() {
		return appendInt(dst, i.Int64())
	}
	// -1-n has the bits of n; a negative number's magnitude is one more.
	major, tag, n := byte(majorUint), uint64(tagPositive), i
	if i.Sign() < 0 {
		major, tag, n = majorNegative, tagNegative, new(big.Int).Not(i)
	}
	if n.IsUint64() {
		return appendHead(dst, major, n.Uint64())
	}
	return appendBytes(appendHead(dst, majorTag, tag), n.Bytes())
}

// AppendRef appends the content of a reference, as the Export of a
// codec.Session returns it, to dst: the object's id, and its type id of at
// most 255 bytes.
func AppendRef(dst []byte, id uint64, typeID string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, id), typeID...)
}

// ParseRef is the inverse of AppendRef, for the Import of a codec.Session. Its
// error wraps mperr.ErrCorrupt.
func ParseRef(ref []byte) (id uint64, typeID string, err error) {
	if !isRef(ref) {
		return 0, "", corrupt("a reference of %d bytes", len(ref))
	}
	return binary.BigEndian.Uint64(ref), string(ref[refID:]), nil
}

func isRef(b []byte) bool {
	return len(b) >= refID && len(b) <= refID+maxRefType && utf8.Valid(b[refID:])
}
