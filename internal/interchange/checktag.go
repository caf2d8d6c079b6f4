package interchange

import (
	"encoding/binary"
	"unicode/utf8"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
)

// tag checks the content of tag n, which stands at next.
func (c *checker) tag(i int, n uint64, next int) (end int, f facts, err error) {
	switch n {
	case tagShareable:
		return c.shareable(next)
	case tagShared:
		return c.shared(next)
	case tagTuple, tagSet, tagFrozenSet:
		return c.collection(n, next)
	case tagSlice, tagRange, tagGlobal, tagObject, tagException, tagComplex:
		return c.record(n, next)
	case tagTime, tagPositive, tagNegative, tagRef, tagRawText, tagByteArray:
	default:
		return 0, 0, codec.Corrupt("tag %d at byte %d", n, i)
	}

	major, length, body := cbor.Head(c.src, next)
	want := byte(cbor.MajorBytes)
	if n == tagTime {
		want = cbor.MajorText
	}
	if body == 0 || major != want || length > uint64(len(c.src)-body) {
		return 0, 0, badContent(n, i)
	}
	end = body + int(length)
	b := c.src[body:end]
	ok, f := true, hashable
	switch n {
	case tagTime:
		_, ok = parseTime(b)
	case tagPositive, tagNegative:
		ok = len(b) > 8 && b[0] != 0
	case tagRawText:
		ok = !utf8.Valid(b)
		f |= isText | isPlain
	case tagByteArray:
		f = 0
	case tagRef:
		if ok = isRef(b); ok && c.yield != nil {
			c.yield(binary.BigEndian.Uint64(b))
		}
	}
	if !ok {
		return 0, 0, badContent(n, i)
	}
	return end, f, nil
}

func badContent(tag uint64, i int) error {
	return codec.Corrupt("the item at byte %d is marked as %s and is none", i, tagNames[tag])
}

// array reads the head of an array.
func (c *checker) array(tag uint64, i int) (n uint64, next int, err error) {
	major, n, next := cbor.Head(c.src, i)
	if next == 0 || major != cbor.MajorArray {
		return 0, 0, badContent(tag, i)
	}
	return n, next, nil
}

func (c *checker) collection(tag uint64, i int) (end int, f facts, err error) {
	n, next, err := c.array(tag, i)
	if err != nil {
		return 0, 0, err
	}
	if end, f, err = c.items(next, n); err != nil {
		return 0, 0, err
	}
	if tag == tagTuple {
		return end, f, nil
	}
	if f&hashable == 0 {
		return 0, 0, unhashable(next)
	}
	if tag == tagSet {
		f = 0
	}
	return end, f, nil
}

// record checks an array whose elements have meanings of their own. It looks at
// each as it comes: to go over them twice, at each of a thousand levels, would
// take minutes.
func (c *checker) record(tag uint64, i int) (end int, f facts, err error) {
	n, i, err := c.array(tag, i)
	if err != nil {
		return 0, 0, err
	}
	r := layouts[tag]
	if tag == tagObject && n > uint64(len(r)) && n <= maxObject || n == uint64(len(r)) {
		r = append(make([]byte, 0, maxObject), r...)
	} else {
		return 0, 0, badContent(tag, i)
	}
	if err := c.nest(); err != nil {
		return 0, 0, err
	}
	for k := 0; k < int(n); k++ {
		if k >= len(r) || i >= len(c.src) || !fits(r[k], c.src[i]) {
			return 0, 0, badContent(tag, i)
		}
		if tag == tagObject && k == objectFlags {
			r = c.objectLayout(r, i)
		}
		if i, _, err = c.item(i); err != nil {
			return 0, 0, err
		}
	}
	c.room++
	if len(r) != int(n) {
		return 0, 0, badContent(tag, i)
	}
	switch tag {
	case tagSlice:
		return i, 0, nil
	case tagComplex:
		return i, hashable | isPlain, nil
	}
	return i, hashable, nil
}

// What an element of a record can be: a major type, or one of these.
const (
	anything = 0xff
	aFloat   = 0xfe
	anInt    = 0xfd // or a bool, which Python takes for one
	maybeInt = 0xfc // or null
)

// fits tells by the first byte of an item whether it is what is wanted.
func fits(want, first byte) bool {
	switch want {
	case anything:
		return true
	case aFloat:
		return first == cbor.Float64
	case anInt, maybeInt:
		return first>>5 <= cbor.MajorNegative || first == cbor.MajorTag<<5|tagPositive || first == cbor.MajorTag<<5|tagNegative ||
			first == cbor.False || first == cbor.True || want == maybeInt && first == cbor.Null
	}
	return want == first>>5
}

// layouts are the elements of records; those of an object go on.
var layouts = map[uint64][]byte{
	tagSlice:     {maybeInt, maybeInt, maybeInt},
	tagRange:     {anInt, anInt, anInt},
	tagComplex:   {aFloat, aFloat},
	tagGlobal:    {cbor.MajorText, cbor.MajorText},
	tagException: {cbor.MajorText, cbor.MajorText, cbor.MajorArray},
	tagObject:    {anything, anything, cbor.MajorUint},
}

// objectLayout appends the elements that an object's flags, at i, mention.
func (c *checker) objectLayout(r []byte, i int) []byte {
	_, flags, _ := cbor.Head(c.src, i)
	if flags >= objectEnd {
		return nil
	}
	for _, part := range objectParts {
		if flags&part.flag != 0 {
			r = append(r, part.is)
		}
	}
	return r
}

// skip returns where the item at i ends, which is known to be one. It does not
// recurse: what is inside of what does not matter.
func skip(src []byte, i int) int {
	for open := 1; open > 0; open-- {
		major, n, next := cbor.Head(src, i)
		switch major {
		case cbor.MajorBytes, cbor.MajorText:
			next += int(n)
		case cbor.MajorArray:
			open += int(n)
		case cbor.MajorMap:
			open += 2 * int(n)
		case cbor.MajorTag:
			open++
		}
		i = next
	}
	return i
}

// shareable checks the content of tag 28. Things that can hold themselves may
// be referred to by their own parts.
func (c *checker) shareable(i int) (end int, f facts, err error) {
	number := len(c.marks)
	c.marks = append(c.marks, mark{from: i, end: len(c.src)})
	major, n, next := cbor.Head(c.src, i)
	if next != 0 {
		switch major {
		case cbor.MajorArray, cbor.MajorMap:
			c.marks[number].facts = referable
		case cbor.MajorTag:
			switch n {
			case tagShareable, tagShared:
				return 0, 0, codec.Corrupt("a shared item in a shared item at byte %d", i)
			case tagObject, tagFrozenSet, tagException:
				c.marks[number].facts = referable | hashable
			case tagTuple, tagSet:
				c.marks[number].facts = referable
			}
		}
	}
	if end, f, err = c.item(i); err != nil {
		return 0, 0, err
	}
	c.marks[number].end = end
	c.marks[number].facts = f | referable
	return end, f, nil
}

// shared checks the content of tag 29.
func (c *checker) shared(i int) (end int, f facts, err error) {
	major, n, next := cbor.Head(c.src, i)
	if next == 0 || major != cbor.MajorUint || n >= uint64(len(c.marks)) || c.marks[n].facts&referable == 0 {
		return 0, 0, codec.Corrupt("byte %d refers to a shared item that is not there", i)
	}
	return next, c.marks[n].facts &^ (referable | keysOfMaps), nil
}
