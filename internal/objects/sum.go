package objects

import (
	"multiproc/internal/data"
	"multiproc/internal/store"
)

// plus is Python's a + b for numbers, texts, bytes, lists and tuples, in the
// form in which b came. Anything else is a TypeError.
func plus(a, b store.Item) (store.Item, error) {
	v, err := data.Sum(a.Value(), b.Value())
	if err != nil {
		return none, err
	}
	return inForm(b, v), nil
}

// summand is the sum of nothing and b: b, if it can be added to anything.
func summand(b store.Item) (store.Item, error) {
	if err := data.Summand(b.Value()); err != nil {
		return none, err
	}
	return own(b), nil
}

// inForm makes an item of v: of CBOR if like is, so that it need not be encoded
// each time that a Go client reads it.
func inForm(like store.Item, v data.Value) store.Item {
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
