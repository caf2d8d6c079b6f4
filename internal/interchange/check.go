package interchange

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/mperr"
)

// Limits bound what Check accepts. The zero value stands for the defaults.
type Limits struct {
	Depth int // arrays and maps inside each other; 0: MaxDepth
	Bytes int // memory that the values take when they are parsed, by an estimate; 0: no limit
}

// Check reports whether src is one item of the dialect and nothing more: what
// Check accepts, ParseValue parses. It is one pass that allocates nothing
// unless parts are shared: 5 ns for a number, 5 to 15 ns for each item of a
// larger value. Its error wraps mperr.ErrCorrupt, or mperr.ErrLimit for
// Limits.Bytes.
func Check(src []byte, l Limits) error { return Scan(src, l, nil) }

// Measure is how much memory the values of an item take that Check accepts, when
// they are parsed, by the estimate of Limits.Bytes and with the bytes of texts.
func Measure(src []byte) int {
	c := checker{src: src}
	n, _ := c.measured()
	return n
}

// CheckMeasured is Check and Measure at once.
func CheckMeasured(src []byte, l Limits) (memory int, err error) {
	c := checker{src: src, room: l.Depth, bytes: l.Bytes, most: l.Bytes}
	return c.measured()
}

func (c *checker) measured() (memory int, err error) {
	if c.bytes <= 0 {
		c.bytes = math.MaxInt
	}
	before := c.bytes
	err = c.all()
	return before - c.bytes + len(c.src), err
}

// Scan is Check, and calls yield with the id of every reference on its way. If
// it fails, yield may have been called for some.
func Scan(src []byte, l Limits, yield func(id uint64)) error {
	c := checker{src: src, room: l.Depth, bytes: l.Bytes, most: l.Bytes, yield: yield}
	return c.all()
}

// Refs yields the ids of the references in an item that Check accepts, one for
// each, until yield returns false.
func Refs(src []byte, yield func(id uint64) bool) {
	if bytes.IndexByte(src, cbor.MajorTag<<5|tagRef) < 0 {
		return
	}
	for i := 0; i < len(src); {
		major, n, next := cbor.Head(src, i)
		switch major {
		case cbor.MajorBytes, cbor.MajorText:
			next += int(n)
		case cbor.MajorTag:
			if n != tagRef {
				break
			}
			_, n, body := cbor.Head(src, next)
			if n < refID || uint64(len(src)-body) < n {
				return // not checked
			}
			if !yield(binary.BigEndian.Uint64(src[body:])) {
				return
			}
			next = body + int(n)
		}
		if next <= i {
			return // not checked
		}
		i = next
	}
}

// Next cuts the first item off src. It follows the structure and looks no
// further: Check tells whether the item is of the dialect. Its error wraps
// mperr.ErrCorrupt.
func Next(src []byte) (item, rest []byte, err error) {
	// What is open are items yet to come, of however many arrays and maps.
	i := 0
	for open := uint64(1); open > 0; open-- {
		major, n, next := cbor.Head(src, i)
		if next == 0 {
			return nil, nil, codec.BadHead(src, i)
		}
		switch major {
		case cbor.MajorBytes, cbor.MajorText:
			if n > uint64(len(src)-next) {
				return nil, nil, codec.Truncated(i)
			}
			next += int(n)
		case cbor.MajorArray, cbor.MajorMap, cbor.MajorTag:
			switch major {
			case cbor.MajorMap:
				n = min(n, uint64(len(src))) * 2
			case cbor.MajorTag:
				n = 1
			}
			if open += min(n, uint64(len(src))+1); open > uint64(len(src)) {
				return nil, nil, codec.Truncated(i)
			}
		}
		i = next
	}
	return src[:i:i], src[i:], nil
}

// facts are what the checker finds out about an item.
type facts uint8

const (
	hashable   facts = 1 << iota // may be a key in Python
	isText                       // a text, as string is a key in Go
	isPlain                      // equal in Go if and only if equal as bytes: a key of map[any]any
	textKeys                     // a map whose keys are all isText
	plainKeys                    // a map whose keys are all isPlain
	referable                    // tag 29 may refer to it; what holds itself, already while it is read
	keysOfMaps = textKeys | plainKeys
)

// mark is an item under tag 28.
type mark struct {
	from, end int
	facts     facts
}

// checker goes over an item once. Whatever reads the item afterwards need not
// look at lengths, nesting or the content of tags again.
type checker struct {
	src   []byte
	room  int // levels left
	bytes int // of memory left
	most  int // Limits.Bytes
	marks []mark
	yield func(id uint64)
}

// all checks that src is one item.
func (c *checker) all() error {
	if c.room <= 0 {
		c.room = MaxDepth
	}
	if c.bytes <= 0 {
		c.bytes = math.MaxInt
	}
	end, _, err := c.item(0)
	if err != nil {
		return err
	}
	if end != len(c.src) {
		return codec.Corrupt("%d bytes after the end of a value", len(c.src)-end)
	}
	return nil
}

// item checks the item at i and returns where it ends.
func (c *checker) item(i int) (end int, f facts, err error) {
	if i >= len(c.src) {
		return 0, 0, codec.Truncated(i)
	}
	if c.bytes -= placeBytes; c.bytes < 0 {
		return 0, 0, c.tooMuch()
	}
	b := c.src[i] // head, spelled out: it is here that the time goes
	major, n, next := b>>5, uint64(b&31), i+1
	if n >= 24 {
		if major, n, next = cbor.LongHead(c.src, i); next == 0 {
			return 0, 0, codec.BadHead(c.src, i)
		}
	}
	switch major {
	case cbor.MajorUint, cbor.MajorNegative:
		if n>>63 == 0 {
			return next, hashable | isPlain, nil
		}
		return next, hashable, nil
	case cbor.MajorText:
		if n > uint64(len(c.src)-next) {
			return 0, 0, codec.Truncated(i)
		}
		end = next + int(n)
		if !utf8.Valid(c.src[next:end]) {
			return 0, 0, codec.Corrupt("the text at byte %d is not UTF-8", i)
		}
		return end, hashable | isText | isPlain, nil
	case cbor.MajorBytes:
		if n > uint64(len(c.src)-next) {
			return 0, 0, codec.Truncated(i)
		}
		return next + int(n), hashable, nil
	case cbor.MajorArray:
		end, _, err = c.items(next, n)
		return end, 0, err
	case cbor.MajorMap:
		return c.pairs(next, n)
	case cbor.MajorTag:
		return c.tag(i, n, next)
	}
	switch c.src[i] {
	case cbor.False, cbor.True, cbor.Null, cbor.Float64:
		return next, hashable | isPlain, nil
	}
	return 0, 0, codec.BadHead(c.src, i)
}

// items checks n items from i on. They have in common what f says.
func (c *checker) items(i int, n uint64) (end int, f facts, err error) {
	if n > uint64(len(c.src)-i) {
		return 0, 0, codec.Truncated(i)
	}
	if err := c.nest(); err != nil {
		return 0, 0, err
	}
	f = hashable
	for ; n > 0; n-- {
		var g facts
		if i, g, err = c.item(i); err != nil {
			return 0, 0, err
		}
		f &= g
	}
	c.room++
	return i, f, nil
}

// pairs checks n keys and values from i on.
func (c *checker) pairs(i int, n uint64) (end int, f facts, err error) {
	if n > uint64(len(c.src)-i)/2 {
		return 0, 0, codec.Truncated(i)
	}
	if err := c.nest(); err != nil {
		return 0, 0, err
	}
	keys := hashable | isText | isPlain
	for ; n > 0; n-- {
		from := i
		var g facts
		if i, g, err = c.item(i); err != nil {
			return 0, 0, err
		}
		if g&hashable == 0 {
			return 0, 0, unhashable(from)
		}
		keys &= g
		if i, _, err = c.item(i); err != nil {
			return 0, 0, err
		}
	}
	c.room++
	if keys&isText != 0 {
		f |= textKeys
	}
	if keys&isPlain != 0 {
		f |= plainKeys
	}
	return i, f, nil
}

// nest enters one more value that holds others.
func (c *checker) nest() error {
	if c.room--; c.room < 0 {
		return tooDeep()
	}
	if c.bytes -= containerBytes; c.bytes < 0 {
		return c.tooMuch()
	}
	return nil
}

// What a value takes in memory is about so much, beside the bytes of texts and
// numbers, which are no more than those of the item.
const (
	placeBytes     = 24
	containerBytes = 72
)

func (c *checker) tooMuch() error {
	return fmt.Errorf("the values of an item of %d bytes take more than %d bytes: %w", len(c.src), c.most, mperr.ErrLimit)
}

func tooDeep() error { return codec.Corrupt("a value that is nested too deep") }

func unhashable(i int) error {
	return codec.Corrupt("the item at byte %d cannot be a key or member, since it can change", i)
}
