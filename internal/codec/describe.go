package codec

import (
	"fmt"
	"math"

	"multiproc/internal/cbor"
)

// BadHead says why cbor.Head has found none at src[i:].
func BadHead(src []byte, i int) error {
	if i >= len(src) {
		return Truncated(i)
	}
	b := src[i]
	switch width := b & 31; {
	case width > 27:
		return Corrupt("byte %d is %#x: a length that is not definite", i, b)
	case width >= 24 && len(src)-i-1 < 1<<(width-24):
		return Truncated(i)
	case b>>5 == cbor.MajorSimple:
		return Corrupt("byte %d is %#x: no value of the dialect", i, b)
	}
	return Corrupt("byte %d is %#x: a number that is not written in its shortest form", i, b)
}

// Truncated says that the item at byte i is cut off.
func Truncated(i int) error {
	return Corrupt("the item at byte %d of a value is longer than the value", i)
}

// describe says in a few words what the item at src[i:] is, which has a head.
func describe(src []byte, i int, tag func(n uint64) (name string, counted bool)) string {
	major, n, next := cbor.Head(src, i)
	switch major {
	case cbor.MajorUint:
		return fmt.Sprintf("the integer %d", n)
	case cbor.MajorNegative:
		if n>>63 == 0 {
			return fmt.Sprintf("the integer %d", ^int64(n))
		}
		return "a large negative integer"
	case cbor.MajorBytes:
		return fmt.Sprintf("%d bytes", n)
	case cbor.MajorText:
		if n > 40 || n > uint64(len(src)-next) {
			return fmt.Sprintf("a text of %d bytes", n)
		}
		return fmt.Sprintf("the text %q", src[next:next+int(n)])
	case cbor.MajorArray:
		return fmt.Sprintf("a list of %d", n)
	case cbor.MajorMap:
		return fmt.Sprintf("a dict of %d", n)
	case cbor.MajorTag:
		name, counted := tag(n)
		_, length, body := cbor.Head(src, next)
		switch {
		case name == "" && body > 0: // it says nothing about what it stands before
			return describe(src, next, tag)
		case counted:
			return fmt.Sprintf("%s of %d", name, length)
		}
		return name
	}
	switch src[i] {
	case cbor.Null:
		return "null"
	case cbor.True, cbor.False:
		return fmt.Sprintf("the bool %v", src[i] == cbor.True)
	case cbor.Float64:
		return fmt.Sprintf("the float %v", math.Float64frombits(n))
	case cbor.Float32:
		return fmt.Sprintf("the float %v", math.Float32frombits(uint32(n)))
	}
	return fmt.Sprintf("the simple value %d", n)
}
