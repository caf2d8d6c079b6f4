package codec

import (
	"bytes"
	"slices"

	"multiproc/internal/cbor"
)

// Sorter puts the pairs of a map, or the members of a set, in the order of
// their keys' bytes, so that equal maps become equal bytes. It is told where
// each key and value begins. In a dialect that needs no order it does nothing.
type Sorter struct {
	e     *Encoder
	marks int
	base  int // of its spans among those of the encoder
}

// span is where a pair stands: the key, then the value.
type span struct{ key, value, end int }

// Sorter begins a map or a set of n, and writes the head.
func (e *Encoder) Sorter(n int, set bool) Sorter {
	if set {
		e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, TagSet), cbor.MajorArray, uint64(n))
	} else {
		e.B = cbor.AppendHead(e.B, cbor.MajorMap, uint64(n))
	}
	if e.dialect.Memory {
		return Sorter{}
	}
	return Sorter{e, e.Marks, len(e.spans)}
}

// Key says that a key comes next.
func (s Sorter) Key() {
	if s.e != nil {
		s.end()
		s.e.spans = append(s.e.spans, span{key: len(s.e.B)})
	}
}

// Value says that the key's value comes next; members of sets have none.
func (s Sorter) Value() {
	if s.e != nil {
		s.e.spans[len(s.e.spans)-1].value = len(s.e.B)
	}
}

func (s Sorter) end() {
	if n := len(s.e.spans); n > s.base {
		last := &s.e.spans[n-1]
		last.end = len(s.e.B)
		if last.value == 0 {
			last.value = last.end
		}
	}
}

// Sort ends the map. Pairs stay as they are if something among them was marked:
// marks are numbered in the order in which they stand. It reports whether two
// keys have the same bytes.
func (s Sorter) Sort() (same bool) {
	if s.e == nil {
		return false
	}
	s.end()
	b, spans := s.e.B, s.e.spans[s.base:]
	s.e.spans = s.e.spans[:s.base]
	if len(spans) < 2 {
		return false
	}
	order := func(x, y span) int {
		c := bytes.Compare(b[x.key:x.value], b[y.key:y.value])
		same = same || c == 0
		return c
	}
	if slices.IsSortedFunc(spans, order) {
		return same
	}
	start := spans[0].key
	slices.SortFunc(spans, order) // compares all that become neighbours
	if s.marks != s.e.Marks {
		return same
	}
	sorted := s.e.sorted[:0]
	for _, p := range spans {
		sorted = append(sorted, b[p.key:p.end]...)
	}
	copy(b[start:], sorted)
	if s.e.sorted = sorted; cap(sorted) > maxRoom {
		s.e.sorted = nil
	}
	return same
}

// maxRoom bounds what an encoder keeps for the next message.
const maxRoom = 1 << 16
