package frames

import (
	"math"
	"unicode/utf8"

	"multiproc/internal/cbor"
)

// AppendUint appends an integer to dst.
func AppendUint(dst []byte, n uint64) []byte { return cbor.AppendHead(dst, cbor.MajorUint, n) }

// AppendInt appends an integer to dst.
func AppendInt(dst []byte, n int64) []byte { return cbor.AppendInt(dst, n) }

// AppendText appends a text to dst. It must be UTF-8, or nobody accepts it.
func AppendText(dst []byte, s string) []byte { return cbor.AppendText(dst, s) }

// AppendBytes appends a byte string to dst.
func AppendBytes(dst, b []byte) []byte { return cbor.AppendBytes(dst, b) }

// AppendBool appends a truth value to dst.
func AppendBool(dst []byte, b bool) []byte { return cbor.AppendBool(dst, b) }

// AppendNull appends null to dst.
func AppendNull(dst []byte) []byte { return append(dst, cbor.Null) }

// AppendArray appends the head of an array to dst; n items must follow.
func AppendArray(dst []byte, n int) []byte { return cbor.AppendHead(dst, cbor.MajorArray, uint64(n)) }

// AppendMap appends the head of a map to dst; n pairs of items must follow.
func AppendMap(dst []byte, n int) []byte { return cbor.AppendHead(dst, cbor.MajorMap, uint64(n)) }

// head reads the head of an item. Lengths that are not the shortest are let
// through; indefinite ones are not.
func head(src []byte) (major byte, n uint64, rest []byte, ok bool) {
	major, n, next := cbor.LooseHead(src, 0)
	return major, n, src[next:], next > 0
}

// Next cuts the first item off src. It finds where the item ends and no more:
// whether it is a value that anybody knows is for others to say. It takes no
// memory, whatever the depth.
func Next(src []byte) (item, rest []byte, err error) {
	rest = src
	for open := uint64(1); open > 0; open-- {
		major, n, after, ok := head(rest)
		if !ok {
			return nil, nil, corrupt("an item is cut off or of indefinite length")
		}
		rest = after
		switch major {
		case cbor.MajorBytes, cbor.MajorText:
			if n > uint64(len(rest)) {
				return nil, nil, corrupt("a string of %d bytes is cut off", n)
			}
			rest = rest[n:]
		case cbor.MajorMap:
			if n > math.MaxInt64 {
				return nil, nil, corrupt("a map of %d pairs", n)
			}
			n *= 2
			fallthrough
		case cbor.MajorArray:
			// Each item that is still to come takes a byte at least, so what is
			// open never exceeds what is left by more than this one.
			if n > uint64(len(rest)) || open-1+n > uint64(len(rest)) {
				return nil, nil, corrupt("an array or map is cut off")
			}
			open += n
		case cbor.MajorTag:
			open++
		}
	}
	return src[: len(src)-len(rest) : len(src)-len(rest)], rest, nil
}

// Items are the items of an array, from first to last.
type Items struct {
	n    int
	rest []byte
}

// Len is how many items are left.
func (it *Items) Len() int { return it.n }

// Raw is what is left, one item behind the other. It shares memory with the
// frame.
func (it *Items) Raw() []byte { return it.rest }

// Next cuts off the next item, which shares memory with the frame. If there is
// none, or what is left is not well formed, it returns nil, which no other
// function of this package takes for an item.
func (it *Items) Next() []byte {
	if it.n == 0 {
		return nil
	}
	item, rest, err := Next(it.rest)
	if err != nil {
		it.n, it.rest = 0, nil
		return nil
	}
	it.n, it.rest = it.n-1, rest
	return item
}

// Array opens an item that must be an array and nothing else.
func Array(item []byte) (Items, bool) {
	major, n, rest, ok := head(item)
	if !ok || major != cbor.MajorArray || n > uint64(len(rest)) {
		return Items{}, false
	}
	return Items{int(n), rest}, true
}

// Uint reads an item that must be a number of at least 0.
func Uint(item []byte) (uint64, bool) {
	major, n, rest, ok := head(item)
	return n, ok && major == cbor.MajorUint && len(rest) == 0
}

// Int reads an item that must be an integer.
func Int(item []byte) (int64, bool) {
	major, n, rest, ok := head(item)
	if !ok || major > cbor.MajorNegative || n > math.MaxInt64 || len(rest) != 0 {
		return 0, false
	}
	if major == cbor.MajorNegative {
		return ^int64(n), true
	}
	return int64(n), true
}

// Text reads an item that must be a text. The bytes share memory with it.
func Text(item []byte) ([]byte, bool) {
	text, rest, ok := str(item, cbor.MajorText)
	return text, ok && len(rest) == 0
}

// Bytes reads an item that must be a byte string. The bytes share memory with
// it.
func Bytes(item []byte) ([]byte, bool) {
	b, rest, ok := str(item, cbor.MajorBytes)
	return b, ok && len(rest) == 0
}

// Bool reads an item that must be true or false.
func Bool(item []byte) (value, ok bool) {
	if len(item) != 1 {
		return false, false
	}
	return item[0] == cbor.True, item[0] == cbor.True || item[0] == cbor.False
}

// IsNull reports whether the item is null.
func IsNull(item []byte) bool { return len(item) == 1 && item[0] == cbor.Null }

// str reads a string of the given major type off src.
func str(src []byte, want byte) (s, rest []byte, ok bool) {
	major, n, rest, ok := head(src)
	if !ok || major != want || n > uint64(len(rest)) {
		return nil, nil, false
	}
	s = rest[:n:n]
	return s, rest[n:], major != cbor.MajorText || utf8.Valid(s)
}
