package objects

import (
	"bytes"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// matcher compares many items with one, by Python's ==. It translates that one
// once only, and those that it is compared with only if they may be equal.
//
// All its comparisons together may take as much work as pyvalue.MaxWork says: what
// calls it mostly holds a mutex.
type matcher struct {
	cmp   pyvalue.Comparer
	raw   []byte // of a text, bytes or an integer: its only form
	v     pyvalue.Value
	known bool // v is there
	it    store.Item
}

func newMatcher(it store.Item) *matcher {
	m := &matcher{it: it, cmp: pyvalue.Comparer{Work: pyvalue.NewWork(pyvalue.MaxWork, nil)}}
	if raw, ok := it.CBOR(); ok {
		if interchange.OneForm(raw) {
			m.raw = raw
		}
		return m
	}
	switch it.Value().(type) {
	case string, []byte, int64:
		if raw, err := it.EncodeCBOR(nil); err == nil && interchange.OneForm(raw) {
			m.raw = raw
		}
	}
	return m
}

// newSearch is newMatcher for a call that may take long.
func newSearch(c *store.Call, it store.Item) *matcher {
	m := newMatcher(it)
	m.cmp.Work = pyvalue.NewWork(pyvalue.MaxWork, c.Check)
	return m
}

// equals fails if it cannot be told whether the two are equal, see pyvalue.Same.
func (m *matcher) equals(it store.Item) (bool, error) {
	if raw, ok := it.CBOR(); ok && m.raw != nil && interchange.OneForm(raw) {
		return bytes.Equal(raw, m.raw), nil
	}
	if !m.known {
		m.v, m.known = m.it.Value(), true
	}
	return m.cmp.Same(it.Value(), m.v)
}

// plus is Python's a + b for numbers, texts, bytes, lists and tuples, in the
// form in which b came. Anything else is a TypeError.
func plus(a, b store.Item) (store.Item, error) {
	v, err := pyvalue.Sum(a.Value(), b.Value())
	if err != nil {
		return none, err
	}
	return inForm(b, v), nil
}

// summand is the sum of nothing and b: b, if it can be added to anything.
func summand(b store.Item) (store.Item, error) {
	if err := pyvalue.Summand(b.Value()); err != nil {
		return none, err
	}
	return own(b), nil
}

// inForm makes an item of v: of CBOR if like is, so that it need not be encoded
// each time that a Go client reads it.
func inForm(like store.Item, v pyvalue.Value) store.Item {
	it := store.Of(v)
	if _, ok := like.CBOR(); !ok {
		return it
	}
	raw, err := it.EncodeCBOR(nil)
	if err != nil {
		return it
	}
	return store.Raw(raw)
}
