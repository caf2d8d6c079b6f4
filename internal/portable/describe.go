package portable

import (
	"fmt"

	"multiproc/internal/cbor"
)

// describe says in a few words what the item at src[i:] is, which has been
// checked.
func describe(src []byte, i int) string {
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
		if n > 40 {
			return fmt.Sprintf("a text of %d bytes", n)
		}
		return fmt.Sprintf("the text %q", src[next:next+int(n)])
	case cbor.MajorArray:
		return fmt.Sprintf("a list of %d", n)
	case cbor.MajorMap:
		return fmt.Sprintf("a dict of %d", n)
	case cbor.MajorTag:
		return describeTag(src, n, next)
	}
	switch src[i] {
	case cbor.Null:
		return "null"
	case cbor.Float64:
		return fmt.Sprintf("the float %v", floatOf(n))
	}
	return fmt.Sprintf("the bool %v", src[i] == cbor.True)
}

// tagNames are what the tags stand for.
var tagNames = map[uint64]string{
	tagTime: "a time", tagPositive: "a large integer", tagNegative: "a large negative integer", tagRef: "a shared object",
	tagTuple: "a tuple", tagRawText: "a text that is not UTF-8", tagFrozenSet: "a frozenset", tagByteArray: "a bytearray",
	tagSlice: "a slice", tagRange: "a range", tagGlobal: "the name of a class or function", tagObject: "a Python object",
	tagException: "an exception", tagSet: "a set", tagComplex: "a complex number", tagShared: "an item that is shared",
}

func describeTag(src []byte, n uint64, next int) string {
	switch n {
	case tagShareable:
		return describe(src, next)
	case tagTuple, tagSet, tagFrozenSet:
		_, length, _ := cbor.Head(src, next)
		return fmt.Sprintf("%s of %d", tagNames[n], length)
	}
	return tagNames[n]
}
