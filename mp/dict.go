package mp

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"unsafe"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// Dict is a shared map, in the order in which keys were first set: what
// Python's manager.dict() is. It lives in shared memory or in a place.
//
//	n, err := stock.Add(ctx, "apples", -1) // never loses what others add
//
// In memory Get, Has, Keys, Values and All take no lock, write nothing to shared memory
// and wait for nobody, also if who changes the dict is stopped or killed in the middle of
// it: they find an entry as it was or as it is. Changes of different keys hardly meet:
// there are 64 locks, of which a stopped process may hold one. Len, Copy, PopItem,
// SetBatch and Clear are about the whole dict, or several entries, at one moment; they
// may have to wait for those who are changing it. Whoever dies leaves each change made
// or not made: nothing has to be repaired, and no call returns an OwnerDiedError.
//
// Cost: in memory some 40 ns for a Get of a number in a dict of a thousand, 120 ns for a
// Set, and 62 bytes an entry in one of a million; memory grows with what is in it and is
// given back. A value is copied under a lock. In a place a round trip each.
//
// Keys and values are of any type whose values can travel; see In for what
// they are in the place. Two keys are the same if Python calls them equal: 1
// and 1.0, but not 1 and "1". Where programs have put values of several types,
// V is any. Values may be, or hold, handles of objects in the same place, and
// those stay shared: a Dict[string, *List[int]] holds lists that everybody
// appends to. A handle that a method returns is the caller's to close. A dict in memory
// refuses handles: nobody would hold the descriptors of their objects.
//
// After an Add or a Pop whose error says that the result is no V, the sum is
// there, and what was taken is gone.
type Dict[K comparable, V any] struct {
	travels
	h handle[complete.Dict]
	k *interchange.Type[K]
	v *interchange.Type[V]

	near *nearDict // nil: all calls go through the object's interface
}

// Entry is a key of a Dict with its value.
type Entry[K comparable, V any] struct {
	Key   K
	Value V
}

// NewDict makes an empty dict, in memory or In a place; WithTTL says how long entries live
// in it.
func NewDict[K comparable, V any](opts ...Option) (*Dict[K, V], error) {
	d := &Dict[K, V]{}
	o, err := dictOptions(opts)
	if err != nil {
		return nil, fmt.Errorf("new dict: %w", err)
	}
	return made(d, openIn(d.travel(), o, driver.Spec{Kind: driver.KindDict, TTL: o.ttl}))
}

func (d *Dict[K, V]) plan() (err error) {
	if d.k, err = interchange.ForKey[K](); err == nil {
		d.v, err = interchange.For[V]()
	}
	return err
}

func (d *Dict[K, V]) travel() traveller {
	return planned[complete.Dict]{handle: &d.h, types: d.plan, opened: func(obj driver.Object) { d.near = nearOf[K, V](obj) }}
}

// at is the dict and the key as it is there.
func (d *Dict[K, V]) at(ctx context.Context, key K) (complete.Dict, []byte, error) {
	o, err := d.h.access()
	if err != nil {
		return nil, nil, err
	}
	k, err := encode(ctx, o, d.k, key)
	return o, k, err
}

// with is at, with a value.
func (d *Dict[K, V]) with(ctx context.Context, key K, v V) (o complete.Dict, k, b []byte, err error) {
	if o, k, err = d.at(ctx, key); err == nil {
		b, err = encode(ctx, o, d.v, v)
	}
	return o, k, b, err
}

// Get returns the value of a key, or an error that wraps ErrNoKey.
func (d *Dict[K, V]) Get(ctx context.Context, key K) (v V, err error) {
	if n := d.near; n != nil {
		if n.getWord(ctx, unsafe.Pointer(&key), unsafe.Pointer(&v)) {
			return v, nil
		}
		if done, err := n.get(ctx, unsafe.Pointer(&key), unsafe.Pointer(&v)); done {
			return v, err
		}
	}
	o, k, err := d.at(ctx, key)
	if err != nil {
		return v, err
	}
	now, err := o.Get(ctx, k)
	if err != nil {
		return v, err
	}
	return decode(ctx, o, d.v, now.Value)
}

// Set sets the value of a key. A key that is there keeps its place in the
// order.
func (d *Dict[K, V]) Set(ctx context.Context, key K, v V) error {
	if n := d.near; n != nil {
		if n.setWord(ctx, unsafe.Pointer(&key), unsafe.Pointer(&v)) {
			return nil
		}
		if done, err := n.set(ctx, unsafe.Pointer(&key), unsafe.Pointer(&v)); done {
			return err
		}
	}
	o, k, b, err := d.with(ctx, key, v)
	if err != nil {
		return err
	}
	return o.Set(ctx, k, b)
}

// SetBatch sets all entries of m at one moment: Python's update.
func (d *Dict[K, V]) SetBatch(ctx context.Context, m map[K]V) error {
	o, err := d.h.access()
	if err != nil {
		return err
	}
	keys, values := make([][]byte, 0, len(m)), make([][]byte, 0, len(m))
	for key, v := range m {
		_, k, b, err := d.with(ctx, key, v)
		if err != nil {
			return err
		}
		keys, values = append(keys, k), append(values, b)
	}
	return o.SetAll(ctx, keys, values)
}

// SetDefault returns the value of a key, which becomes v if there was none.
func (d *Dict[K, V]) SetDefault(ctx context.Context, key K, v V) (now V, err error) {
	o, k, b, err := d.with(ctx, key, v)
	if err != nil {
		return now, err
	}
	if b, err = o.SetDefault(ctx, k, b); err != nil {
		return now, err
	}
	return decode(ctx, o, d.v, b)
}

// Add adds delta to the value of a key, which counts as 0 if there is none,
// and returns the sum. Strings and lists are appended to. The error wraps
// ErrType if there is no such sum. Numbers do not wrap: the value becomes the
// sum, also where V is too small for it and Add returns an error that says so.
func (d *Dict[K, V]) Add(ctx context.Context, key K, delta V) (sum V, err error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return sum, err
	}
	return addAt(ctx, o, d.v, delta, func(b []byte) ([]byte, error) { return o.Add(ctx, k, b) })
}

// CompareAndSwap sets the value of a key to v if it equals old, as Python
// compares, and reports whether it did. It did not if there is no such key;
// SetDefault sets those.
func (d *Dict[K, V]) CompareAndSwap(ctx context.Context, key K, old, v V) (bool, error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return swapAt(ctx, o, d.v, old, v, func(a, b []byte) (bool, error) { return o.CompareAndSwap(ctx, k, a, b) })
}

// Update changes the value of a key by f, with no change by others in between;
// a key that is not there starts from the zero value. f is called again, on
// what the value is by then, if somebody has changed it meanwhile, until ctx
// ends: it should have no other effect than on its argument, which it must not
// keep. If f returns an error, nothing is changed. Handles in the value that
// came from the place are closed when the change is made.
//
// Cost: two round trips, and again as many for each change of somebody else
// that came between. Where Add or CompareAndSwap will do, they cost one.
func (d *Dict[K, V]) Update(ctx context.Context, key K, f func(*V) error) error {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return err
	}
	return update(ctx, spot{
		obj: o,
		get: func(ctx context.Context) (driver.Versioned, error) { return o.Get(ctx, k) },
		set: func(ctx context.Context, v []byte, version uint64) (bool, error) {
			return o.SetVersion(ctx, k, v, version)
		},
	}, d.v, f)
}

// Delete takes a key out, and reports whether it was there.
func (d *Dict[K, V]) Delete(ctx context.Context, key K) (bool, error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return o.Delete(ctx, k)
}

// Pop takes a key out and returns its value, or an error that wraps ErrNoKey.
func (d *Dict[K, V]) Pop(ctx context.Context, key K) (v V, err error) {
	o, k, err := d.at(ctx, key)
	if err != nil {
		return v, err
	}
	b, err := o.Pop(ctx, k)
	if err != nil {
		return v, err
	}
	return taken(ctx, o, d.v, b)
}

// PopItem takes the last entry out, or returns an error that wraps ErrNoKey.
func (d *Dict[K, V]) PopItem(ctx context.Context) (key K, v V, err error) {
	o, err := d.h.access()
	if err != nil {
		return key, v, err
	}
	k, b, err := o.PopItem(ctx)
	if err != nil {
		return key, v, err
	}
	if key, err = taken(ctx, o, d.k, k); err != nil {
		return key, v, err
	}
	v, err = taken(ctx, o, d.v, b)
	return key, v, err
}

// Has reports whether a key is there.
func (d *Dict[K, V]) Has(ctx context.Context, key K) (bool, error) {
	if n := d.near; n != nil {
		if has, done, err := n.has(ctx, unsafe.Pointer(&key)); done {
			return has, err
		}
	}
	o, k, err := d.at(ctx, key)
	if err != nil {
		return false, err
	}
	return o.Has(ctx, k)
}

// Len is the number of keys.
func (d *Dict[K, V]) Len(ctx context.Context) (int, error) {
	return ask(ctx, &d.h, complete.Dict.Len)
}

// Clear takes all keys out.
func (d *Dict[K, V]) Clear(ctx context.Context) error { return d.h.do(ctx, complete.Dict.Clear) }

// pageSize is how many values an iteration asks for at once.
const pageSize = 500

// All iterates over the entries in order, some hundreds a round trip, so that a
// dict of any size costs little memory. An error is the last pair, as with
// Queue.Drain:
//
//	for e, err := range d.All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(e.Key, e.Value)
//	}
//
// Others may change the dict meanwhile: keys that stay throughout are seen
// exactly once, those that come or go may be seen or not. Copy is one moment's
// state.
//
// Handles in a value that the loop has come to are the caller's to close. Those
// of some hundred values behind it are open meanwhile, and closed if it ends
// early; opening one is a round trip.
func (d *Dict[K, V]) All(ctx context.Context) iter.Seq2[Entry[K, V], error] {
	return func(yield func(Entry[K, V], error) bool) {
		for p, err := range d.pages(ctx) {
			if err != nil {
				yield(Entry[K, V]{}, err)
				return
			}
			if !d.entries(ctx, p, yield) {
				return
			}
		}
	}
}

// entries yields those of a page, and reports whether the loop goes on.
func (d *Dict[K, V]) entries(ctx context.Context, p dictPage, yield func(Entry[K, V], error) bool) bool {
	values := newPage(ctx, d.h.obj, d.v, p.values)
	defer values.close()
	for i, b := range p.keys {
		var e Entry[K, V]
		key, err := decode(ctx, d.h.obj, d.k, b)
		if err == nil {
			e.Value, err = values.at(i)
		}
		if err == nil {
			e.Key = key
		}
		if !yield(e, err) || err != nil {
			return false
		}
	}
	return true
}

// Keys is All without the values, which stay in the place.
func (d *Dict[K, V]) Keys(ctx context.Context) iter.Seq2[K, error] {
	return func(yield func(K, error) bool) {
		o, err := d.h.access()
		if err != nil {
			yield(*new(K), err)
			return
		}
		eachOfPages(ctx, o, d.k, o.PageKeys, yield)
	}
}

// Values is All without the keys.
func (d *Dict[K, V]) Values(ctx context.Context) iter.Seq2[V, error] {
	return func(yield func(V, error) bool) {
		for p, err := range d.pages(ctx) {
			if err != nil {
				yield(*new(V), err)
				return
			}
			if !newPage(ctx, d.h.obj, d.v, p.values).each(yield) {
				return
			}
		}
	}
}

// dictPage is a page of entries as they are in the place.
type dictPage struct{ keys, values [][]byte }

// pages iterates over the pages of the dict.
func (d *Dict[K, V]) pages(ctx context.Context) iter.Seq2[dictPage, error] {
	return func(yield func(dictPage, error) bool) {
		o, err := d.h.access()
		if err != nil {
			yield(dictPage{}, err)
			return
		}
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			var p dictPage
			p.keys, p.values, cursor, err = o.Page(ctx, cursor, pageSize)
			if err == nil && len(p.keys) != len(p.values) {
				err = fmt.Errorf("%v: a page of %d keys and %d values: %w", o, len(p.keys), len(p.values), ErrCorrupt)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Copy returns all entries as they are at one moment. The map is the caller's. In
// memory it holds up those who change the dict, if somebody does.
// The error wraps ErrType if K is or holds an any, and a key there is none of a
// map's in Go: a Python tuple. All gives these, too.
func (d *Dict[K, V]) Copy(ctx context.Context) (map[K]V, error) {
	o, err := d.h.access()
	if err != nil {
		return nil, err
	}
	return copyDict(ctx, o, d.k, d.v)
}

func copyDict[K comparable, V any](ctx context.Context, o complete.Dict, kt *interchange.Type[K], vt *interchange.Type[V]) (map[K]V, error) {
	keys, values, _, err := o.Page(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	ks, err := mapKeys(ctx, o, kt, keys)
	if err != nil {
		return nil, err
	}
	vs, err := decodeWhole(ctx, o, vt, values)
	if err != nil {
		return nil, err
	}
	m := make(map[K]V, len(ks))
	for i, k := range ks {
		m[k] = vs[i]
	}
	return m, nil
}

// mapKeys decodes what is to be the keys of a map. In an any may be what cannot,
// and the map would panic.
func mapKeys[K comparable](ctx context.Context, o driver.Object, t *interchange.Type[K], bs [][]byte) ([]K, error) {
	ks, err := decodeWhole(ctx, o, t, bs)
	if err != nil || !t.HasAny() {
		return ks, err
	}
	for i := range ks {
		if !reflect.ValueOf(&ks[i]).Elem().Comparable() {
			return nil, fmt.Errorf("%v: %v has no == in Go and cannot be a map's key; use All: %w", o, ks[i], ErrType)
		}
	}
	return ks, nil
}

// Change is what happened to an entry of a Dict.
type Change[K comparable, V any] struct {
	// Op is "set", "delete", or "clear" for all keys at once; then Key is zero,
	// as Value is unless it was set.
	Op    string
	Key   K
	Value V
	// Version is the entry's by that change. The versions of an entry only grow. Of a
	// "clear" in memory it is 0.
	Version uint64
}

// Watch yields every change that is made after it has returned, in order; the
// loop over them may begin later. So whoever calls Watch first and Copy then
// misses nothing. It ends with ctx, whose error is the last pair, with the handle
// and the connection, and with the loop; a second loop gets ErrClosed. A Watch
// without a loop lasts until ctx ends.
// A loop that is too slow gets ErrOverrun as its last pair: a bounded number of
// changes is kept for it. In memory these are the latest 256 KiB of each of 64 parts of
// the dict, of some 50 bytes and the key and the value each, of whoever watches; more if
// values are larger, but a change of more than 2 MiB overruns every loop. The changes of a
// SetBatch come together, of one key the last alone. A dict in memory has up to 256
// watchers (ErrLimit). While there is one each change costs some more; who makes it waits
// for no watcher, and one that is killed costs nothing.
func (d *Dict[K, V]) Watch(ctx context.Context) iter.Seq2[Change[K, V], error] {
	o, err := d.h.access()
	if err != nil {
		return failing[Change[K, V]](err)
	}
	return watchDict(ctx, o, d.k, d.v)
}

// Close gives the handle back.
func (d *Dict[K, V]) Close() error { return d.h.Close() }

// String names the object.
func (d *Dict[K, V]) String() string { return d.h.String() }
