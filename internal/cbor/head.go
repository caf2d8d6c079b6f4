// Package cbor writes and reads the heads of CBOR items (RFC 8949): a major
// type and an argument, which is a number or a length. Everything that the
// library writes as CBOR begins its items here: values of both dialects, keys
// and the frames of a manager. What may stand behind a head is for those
// packages to say.
package cbor

import (
	"encoding/binary"
	"math"
)

// The major types.
const (
	MajorUint = iota
	MajorNegative
	MajorBytes
	MajorText
	MajorArray
	MajorMap
	MajorTag
	MajorSimple
)

// First bytes of items without a length.
const (
	False   = MajorSimple<<5 | 20
	True    = MajorSimple<<5 | 21
	Null    = MajorSimple<<5 | 22
	Float32 = MajorSimple<<5 | 26 // 4 bytes follow
	Float64 = MajorSimple<<5 | 27 // 8 bytes follow
)

// AppendHead appends the head of an item in its shortest form.
func AppendHead(dst []byte, major byte, n uint64) []byte {
	if n <= 23 {
		return append(dst, major<<5|byte(n))
	}
	return appendLong(dst, major<<5, n)
}

func appendLong(dst []byte, major byte, n uint64) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, i int64) []byte {
	sign := uint64(i >> 63) // all ones below zero
	return AppendHead(dst, byte(sign)&MajorNegative, uint64(i)^sign)
}

// AppendFloat appends a float of 8 bytes.
func AppendFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, Float64), math.Float64bits(f))
}

// AppendBool appends a truth value.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, True)
	}
	return append(dst, False)
}

// AppendText appends a text. It does not look whether that is UTF-8.
func AppendText(dst []byte, s string) []byte {
	return append(AppendHead(dst, MajorText, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(dst, b []byte) []byte {
	return append(AppendHead(dst, MajorBytes, uint64(len(b))), b...)
}

// Head reads the head of the item at src[i:]: its major type, its argument, and
// where the rest of the item begins. That is 0 if the head is cut off, of
// indefinite length or not in its shortest form. A simple value counts as a head
// only if it has no argument or is a float, whose bits are the argument.
func Head(src []byte, i int) (major byte, n uint64, next int) {
	if uint(i) < uint(len(src)) && src[i]&31 < 24 {
		return src[i] >> 5, uint64(src[i] & 31), i + 1
	}
	return LongHead(src, i)
}

// LongHead is Head for those who have looked at a short one themselves.
func LongHead(src []byte, i int) (major byte, n uint64, next int) {
	if uint(i) >= uint(len(src)) {
		return 0, 0, 0
	}
	b := src[i]
	major = b >> 5
	i++
	rest := src[i:]
	switch b & 31 {
	case 24:
		if len(rest) >= 1 && rest[0] >= 24 && major != MajorSimple {
			return major, uint64(rest[0]), i + 1
		}
	case 25:
		if len(rest) >= 2 && major != MajorSimple {
			if n = uint64(binary.BigEndian.Uint16(rest)); n > math.MaxUint8 {
				return major, n, i + 2
			}
		}
	case 26:
		if len(rest) >= 4 {
			if n = uint64(binary.BigEndian.Uint32(rest)); n > math.MaxUint16 || major == MajorSimple {
				return major, n, i + 4
			}
		}
	case 27:
		if len(rest) >= 8 {
			if n = binary.BigEndian.Uint64(rest); n > math.MaxUint32 || major == MajorSimple {
				return major, n, i + 8
			}
		}
	default:
		if b&31 < 24 {
			return major, uint64(b & 31), i
		}
	}
	return 0, 0, 0
}

// LooseHead is Head for packages that let through what is not in its shortest
// form, and simple values of any width.
func LooseHead(src []byte, i int) (major byte, n uint64, next int) {
	if uint(i) >= uint(len(src)) {
		return 0, 0, 0
	}
	major, n = src[i]>>5, uint64(src[i]&31)
	i++
	if n < 24 {
		return major, n, i
	}
	size := 1 << (n - 24)
	if n > 27 || len(src)-i < size {
		return 0, 0, 0
	}
	n = 0
	for _, b := range src[i : i+size] {
		n = n<<8 | uint64(b)
	}
	return major, n, i + size
}
