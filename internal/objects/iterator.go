package objects

import (
	"multiproc/internal/data"
	"multiproc/internal/store"
)

// dictIterator is Python's iterator over the keys of a dict. It belongs to the
// client that asked for it; the dict lives as long as it does, though in the
// store it may be gone.
type dictIterator struct {
	plain
	d *dict

	guarded        // taken before the dict's
	place   uint64 // of the last key
	size    int    // of the dict when the iterator was made
	left    int    // of its keys
	state   iteration
}

type iteration uint8

const (
	iterating iteration = iota
	disturbed           // the dict changed its size: that is an error for ever
	exhausted
)

// iteratorType is the type of all iterators; those over dicts are only some of
// them.
func iteratorType() *store.Type {
	return &store.Type{ID: "Iterator", Proxy: "IteratorProxy", Exposed: []string{"__next__", "send", "throw", "close"}}
}

// pyIter makes an iterator, an object of its own. Go has mp.page.
func (d *dict) pyIter(c *store.Call) (store.Item, error) {
	d.mu.Lock()
	it := &dictIterator{d: d, size: d.live, left: d.live}
	d.users++
	d.mu.Unlock()
	c.ReturnNew("Iterator", it)
	return none, errAnswered
}

var iteratorClass = class[*dictIterator]{"dict_keyiterator", map[string]method[*dictIterator]{
	"__next__": {formSlot, 0, 0, (*dictIterator).pyNext},
}}

// Call implements store.Object.
func (it *dictIterator) Call(c *store.Call) { iteratorClass.call(it, c) }

func (it *dictIterator) pyNext(*store.Call) (store.Item, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.state == exhausted {
		return none, data.StopIteration()
	}
	it.d.mu.Lock()
	defer it.d.mu.Unlock()
	if it.state == disturbed || it.d.live != it.size {
		it.state = disturbed
		return none, data.RuntimeError("dictionary changed size during iteration")
	}
	r := it.d.after(it.place)
	switch {
	case r == nil:
		it.state = exhausted
		return none, data.StopIteration()
	case it.left == 0:
		it.state = exhausted
		return none, data.RuntimeError("dictionary keys changed during iteration")
	}
	it.place = r.place
	it.left--
	return r.key, nil
}

// Repr implements store.Object.
func (it *dictIterator) Repr() string { return "<dict_keyiterator object>" }

// Dispose implements store.Object.
func (it *dictIterator) Dispose() {
	it.d.mu.Lock()
	defer it.d.mu.Unlock()
	it.d.leave()
}
