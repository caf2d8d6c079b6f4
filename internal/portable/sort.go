package portable

import (
	"bytes"
	"slices"

	"multiproc/internal/cbor"
)

// sorter puts the pairs of a map, or the members of a set, in the order of
// their keys' bytes, so that equal maps become equal bytes. It is made with the
// head written, and told where each key and value begins.
type sorter struct {
	e     *encoder
	marks int
	spans []span
}

// span is where a pair stands: the key, then the value.
type span struct{ key, value, end int }

// sorter begins a map of n pairs.
func (e *encoder) sorter(n int) sorter {
	e.b = cbor.AppendHead(e.b, cbor.MajorMap, uint64(n))
	return e.sorterOf(n)
}

// sorterOf begins what has its head already.
func (e *encoder) sorterOf(n int) sorter {
	return sorter{e: e, marks: e.marks, spans: make([]span, 0, n)}
}

// key says that a key comes next.
func (s *sorter) key() {
	s.end()
	s.spans = append(s.spans, span{key: len(s.e.b)})
}

// value says that the key's value comes next; members of sets have none.
func (s *sorter) value() { s.spans[len(s.spans)-1].value = len(s.e.b) }

func (s *sorter) end() {
	if n := len(s.spans); n > 0 {
		last := &s.spans[n-1]
		last.end = len(s.e.b)
		if last.value == 0 {
			last.value = last.end
		}
	}
}

// sort ends the map. Pairs stay as they are if something among them was marked
// as shared: marks are numbered in the order in which they stand. It reports
// whether two keys have the same bytes.
func (s *sorter) sort() (same bool) {
	s.end()
	b := s.e.b
	if len(s.spans) < 2 {
		return false
	}
	order := func(x, y span) int {
		c := bytes.Compare(b[x.key:x.value], b[y.key:y.value])
		same = same || c == 0
		return c
	}
	if slices.IsSortedFunc(s.spans, order) {
		return same
	}
	start := s.spans[0].key
	slices.SortFunc(s.spans, order) // compares all that become neighbours
	if s.marks != s.e.marks {
		return same
	}
	sorted := make([]byte, 0, len(b)-start)
	for _, p := range s.spans {
		sorted = append(sorted, b[p.key:p.end]...)
	}
	copy(b[start:], sorted)
	return same
}
