package objects

import (
	"slices"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// dict is Python's dict, and driver.Dict.
type dict struct {
	mapping
	users int // iterators, and the store: the contents count as long as there are some
}

func dictType() *store.Type {
	return &store.Type{
		ID: "dict", Proxy: "DictProxy", New: newDict,
		Exposed: []string{
			"__contains__", "__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__", "clear", "copy", "get",
			"items", "keys", "pop", "popitem", "setdefault", "update", "values",
			"__ior__", "__or__", "__reversed__", "__ror__", "fromkeys",
		},
		Returns: map[string]string{"__iter__": "Iterator"},
	}
}

func newDict(s *store.Store, args store.Args) (store.Object, error) {
	if ttl, ok, err := ttlArgs(args); ok || err != nil {
		if err != nil {
			return nil, err
		}
		return newTimed(s, args, ttl), nil
	}
	d := &dict{mapping: mapping{account: accountOf(s, args)}, users: 1}
	keys, vals, err := mergeArgs(s, "dict", args)
	if err == nil {
		err = d.putAll(keys, vals)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Call implements store.Object.
func (d *dict) Call(c *store.Call) {
	if isOurs(c) {
		mappingClass.call(&d.mapping, c)
		return
	}
	dictClass.call(d, c)
}

// Repr implements store.Object.
func (d *dict) Repr() string { return d.repr("{", "}") }

// ReprWithin implements store.Abridged.
func (d *dict) ReprWithin(n int) string {
	d.lock()
	keys, vals, _ := d.page(0, max(n, 1))
	d.mu.Unlock()
	return pyvalue.ReprWithin(&pyvalue.Dict{Entries: pairs(keys, vals)}, runes(n))
}

// Snapshot implements store.Object.
func (d *dict) Snapshot() (store.Item, bool) { return store.Of(d.plain()), true }

// Dispose implements store.Object.
func (d *dict) Dispose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	if d.lives != nil {
		d.lives.stop()
	}
	d.leave()
}

// leave is for a user who needs the contents no more. The mutex is held.
func (d *dict) leave() {
	if d.users--; d.users == 0 {
		d.close()
	}
}

type dictMethod = method[*dict]

var dictClass = class[*dict]{"dict", map[string]dictMethod{
	"__contains__": {exactly(1), func(d *dict, c *store.Call, a []store.Item) (store.Item, error) { return d.has(c, a) }},
	"__delitem__":  {slot(1), (*dict).pyDelItem},
	"__getitem__":  {exactly(1), (*dict).pyGetItem},
	"__ior__":      {slot(1), (*dict).pyIOr},
	"__iter__":     {slot(0), (*dict).pyIter},
	"__len__":      {slot(0), func(d *dict, c *store.Call, a []store.Item) (store.Item, error) { return d.len(c, a) }},
	"__or__":       {slot(1), (*dict).pyOr},
	"__reversed__": {exactly(0), (*dict).pyReversed},
	"__ror__":      {slot(1), (*dict).pyROr},
	"__setitem__":  {unpacked(2), (*dict).pySetItem},
	"clear":        {exactly(0), func(d *dict, c *store.Call, a []store.Item) (store.Item, error) { return d.clearAll(c, a) }},
	"copy":         {exactly(0), (*dict).pyCopy},
	"fromkeys":     {between(1, 2), (*dict).pyFromKeys},
	"get":          {between(1, 2), (*dict).pyGet},
	"items":        {exactly(0), (*dict).pyItems},
	"keys":         {exactly(0), (*dict).pyKeys},
	"pop":          {between(1, 2), (*dict).pyPop},
	"popitem":      {exactly(0), func(d *dict, c *store.Call, a []store.Item) (store.Item, error) { return d.popItem(c, a) }},
	"setdefault":   {between(1, 2), (*dict).pySetDefault},
	"update":       {open(), (*dict).pyUpdate},
	"values":       {exactly(0), (*dict).pyValues},
}}

func (d *dict) pyGetItem(c *store.Call, a []store.Item) (store.Item, error) {
	v, ok, err := d.find(a[0])
	if !ok && err == nil {
		err = noKey(a[0])
	}
	return v, err
}

func (d *dict) pySetItem(c *store.Call, a []store.Item) (store.Item, error) { return d.goSet(c, a) }

func (d *dict) pyDelItem(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := d.goPop(c, a)
	return none, err
}

// second is the default that a method takes.
func second(c *store.Call) store.Item {
	if len(c.Args.Pos) > 1 {
		return c.Args.Pos[1]
	}
	return none
}

func (d *dict) pyGet(c *store.Call, a []store.Item) (store.Item, error) {
	v, ok, err := d.find(a[0])
	if !ok && err == nil {
		return second(c), nil
	}
	return v, err
}

// pyPop finds in an empty dict that the key is not there before it finds that
// it cannot be one, as CPython does.
func (d *dict) pyPop(c *store.Call, a []store.Item) (store.Item, error) {
	v, ok, err := d.pop(a[0])
	if ok {
		return v, nil
	}
	if err != nil && !d.isEmpty() {
		return none, err
	}
	if len(a) > 1 {
		return a[1], nil
	}
	return none, noKey(a[0])
}

func (d *dict) isEmpty() bool {
	d.lock()
	defer d.mu.Unlock()
	return d.live == 0
}

func (d *dict) pySetDefault(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := d.key(c)
	if err != nil {
		return none, err
	}
	return d.setDefault(k, second(c))
}

func (d *dict) pyUpdate(c *store.Call, a []store.Item) (store.Item, error) {
	keys, vals, err := mergeArgs(d.store, "update", c.Args)
	if err != nil {
		return none, err
	}
	d.lock()
	defer d.mu.Unlock()
	return none, d.putAll(keys, vals)
}

func (d *dict) pyCopy(c *store.Call, a []store.Item) (store.Item, error) {
	if err := spend(c, d.Cost(false)); err != nil {
		return none, err
	}
	return store.Of(d.plain()), nil
}

func (d *dict) pyKeys(c *store.Call, a []store.Item) (store.Item, error) {
	keys, _ := d.snapshot()
	return viewOf(c, keys)
}

func (d *dict) pyValues(c *store.Call, a []store.Item) (store.Item, error) {
	_, vals := d.snapshot()
	return viewOf(c, vals)
}

func (d *dict) pyItems(c *store.Call, a []store.Item) (store.Item, error) {
	if err := spend(c, 2*d.Cost(false)); err != nil {
		return none, err
	}
	keys, vals := d.snapshot()
	items := make([]store.Item, len(keys))
	for i, k := range keys {
		items[i] = store.Of(pyvalue.Tuple{k.Value(), vals[i].Value()})
	}
	return viewOf(c, items)
}

func (d *dict) pyReversed(c *store.Call, a []store.Item) (store.Item, error) {
	keys, _ := d.snapshot()
	if err := spend(c, copyCost(c, keys)); err != nil {
		return none, err
	}
	slices.Reverse(keys)
	if !c.Python {
		return store.Array(keys...), nil
	}
	return iteratorOf(keys), nil
}

// dictIterator is Python's iterator over the keys of a dict. It belongs to the
// client that asked for it; the dict lives as long as it does, though in the
// store it may be gone.
type dictIterator struct {
	leaf
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
func (d *dict) pyIter(c *store.Call, a []store.Item) (store.Item, error) {
	d.lock()
	it := &dictIterator{d: d, size: d.live, left: d.live}
	d.users++
	d.mu.Unlock()
	c.ReturnNew("Iterator", it)
	return none, errAnswered
}

var iteratorClass = class[*dictIterator]{"dict_keyiterator", map[string]method[*dictIterator]{
	"__next__": {slot(0), (*dictIterator).pyNext},
}}

// Call implements store.Object.
func (it *dictIterator) Call(c *store.Call) { iteratorClass.call(it, c) }

func (it *dictIterator) pyNext(*store.Call, []store.Item) (store.Item, error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.state == exhausted {
		return none, pyvalue.StopIteration()
	}
	it.d.lock()
	defer it.d.mu.Unlock()
	if it.state == disturbed || it.d.live != it.size {
		it.state = disturbed
		return none, pyvalue.RuntimeError("dictionary changed size during iteration")
	}
	r := it.d.after(it.place)
	switch {
	case r == nil:
		it.state = exhausted
		return none, pyvalue.StopIteration()
	case it.left == 0:
		it.state = exhausted
		return none, pyvalue.RuntimeError("dictionary keys changed during iteration")
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
