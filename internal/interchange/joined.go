package interchange

import (
	"bytes"

	"multiproc/internal/cbor"
)

// Joined returns an item that can be read as a whole from one that may be an
// array whose elements were written each by itself, as a manager joins the
// values that it keeps: the numbers of shared parts begin anew in each. Elements
// may be such arrays in turn. An array that was written as a whole stays as it
// is: of what is marked as shared there somebody speaks, and so one element at
// least does not stand alone. What is no item is returned as it is, too.
func Joined(src []byte) []byte { return joined(src, 2) }

func joined(src []byte, levels int) []byte {
	if levels == 0 || bytes.IndexByte(src, tagShared) < 0 {
		return src
	}
	major, n, next := cbor.Head(src, 0)
	if next == 0 || major != cbor.MajorArray {
		return src
	}
	out := append(make([]byte, 0, len(src)+16), src[:next]...)
	marks := 0
	for rest := src[next:]; n > 0; n-- {
		element, after, err := Next(rest)
		if err != nil {
			return src
		}
		element = joined(element, levels-1)
		c := checker{src: element}
		if c.all() != nil {
			return src
		}
		out = appendFrom(out, element, marks)
		marks += len(c.marks)
		rest = after
	}
	return out
}

// appendFrom appends an item in whose front so many parts are marked as shared.
func appendFrom(dst, src []byte, marks int) []byte {
	if marks == 0 {
		return append(dst, src...)
	}
	from := 0
	for i := 0; i < len(src); {
		major, n, next := cbor.Head(src, i)
		switch {
		case major == cbor.MajorBytes || major == cbor.MajorText:
			next += int(n)
		case major == cbor.MajorTag && n == tagShared:
			_, number, end := cbor.Head(src, next)
			dst = cbor.AppendHead(append(dst, src[from:next]...), cbor.MajorUint, number+uint64(marks))
			from, next = end, end
		}
		i = next
	}
	return append(dst, src[from:]...)
}
