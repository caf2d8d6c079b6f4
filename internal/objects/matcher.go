package objects

import (
	"bytes"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// matcher compares many items with one, by Python's ==. It translates that one
// once only, and those that it is compared with only if they may be equal.
//
// All its comparisons together may take as much work as data.MaxWork says: what
// calls it mostly holds a mutex.
type matcher struct {
	cmp   data.Comparer
	raw   []byte // of a text, bytes or an integer: its only form
	v     data.Value
	known bool // v is there
	it    store.Item
}

func newMatcher(it store.Item) *matcher {
	m := &matcher{it: it, cmp: data.Comparer{Work: data.NewWork(data.MaxWork, nil)}}
	if raw, ok := it.CBOR(); ok {
		if oneForm(raw) {
			m.raw = raw
		}
		return m
	}
	switch it.Value().(type) {
	case string, []byte, int64:
		if raw, err := it.EncodeCBOR(nil); err == nil && oneForm(raw) {
			m.raw = raw
		}
	}
	return m
}

// newSearch is newMatcher for a call that may take long.
func newSearch(c *store.Call, it store.Item) *matcher {
	m := newMatcher(it)
	m.cmp.Work = data.NewWork(data.MaxWork, c.Check)
	return m
}

// oneForm reports whether two such items are equal if and only if their bytes
// are: they are integers, bytes or texts.
func oneForm(raw []byte) bool { return len(raw) > 0 && raw[0] < 0x80 }

// equals fails if it cannot be told whether the two are equal, see data.Same.
func (m *matcher) equals(it store.Item) (bool, error) {
	if raw, ok := it.CBOR(); ok && m.raw != nil && oneForm(raw) {
		return bytes.Equal(raw, m.raw), nil
	}
	if !m.known {
		m.v, m.known = m.it.Value(), true
	}
	return m.cmp.Same(it.Value(), m.v)
}
