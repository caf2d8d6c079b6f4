package mp

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"sync/atomic"

	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// pageSize is how many values an iteration asks for at once.
const pageSize = 500

// All iterates over the entries in order, some hundreds a round trip, so that a
// dict of any size costs little memory. An error is the last pair, as with
// Queue.All:
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
	values := newPage(ctx, d.obj, d.v, p.values)
	defer values.close()
	for i, b := range p.keys {
		var e Entry[K, V]
		key, err := decode(ctx, d.obj, d.k, b)
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
		o, err := d.access()
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
			if !newPage(ctx, d.obj, d.v, p.values).each(yield) {
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
		o, err := d.access()
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

// Copy returns all entries as they are at one moment. The map is the caller's.
// The error wraps ErrType if K is or holds an any, and a key there is none of a
// map's in Go: a Python tuple. All gives these, too.
func (d *Dict[K, V]) Copy(ctx context.Context) (map[K]V, error) {
	o, err := d.access()
	if err != nil {
		return nil, err
	}
	return copyDict(ctx, o, d.k, d.v)
}

func copyDict[K comparable, V any](ctx context.Context, o driver.Dict, kt *portable.Type[K], vt *portable.Type[V]) (map[K]V, error) {
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
func mapKeys[K comparable](ctx context.Context, o driver.Object, t *portable.Type[K], bs [][]byte) ([]K, error) {
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
	// Version is the entry's by that change. The versions of an entry only grow.
	Version uint64
}

// Watch yields every change that is made after it has returned, in order; the
// loop over them may begin later. So whoever calls Watch first and Copy then
// misses nothing. It ends with ctx, whose error is the last pair, with the handle
// and the connection, and with the loop; a second loop gets ErrClosed. A Watch
// without a loop lasts until ctx ends.
// A loop that is too slow gets ErrOverrun as its last pair: the place keeps a
// bounded number of changes for it.
func (d *Dict[K, V]) Watch(ctx context.Context) iter.Seq2[Change[K, V], error] {
	o, err := d.access()
	if err != nil {
		return failing[Change[K, V]](err)
	}
	return watchDict(ctx, o, d.k, d.v)
}

func watchDict[K comparable, V any](ctx context.Context, o driver.Dict, kt *portable.Type[K], vt *portable.Type[V]) iter.Seq2[Change[K, V], error] {
	changes := once(o, o.Watch(ctx))
	return func(yield func(Change[K, V], error) bool) {
		for c, err := range changes {
			out := Change[K, V]{Op: "set", Version: c.Version}
			switch {
			case err != nil:
				out = Change[K, V]{}
			case c.Key == nil:
				out.Op = "clear"
			default:
				out.Key, err = decode(ctx, o, kt, c.Key)
			}
			switch {
			case err != nil || c.Key == nil:
			case c.Value == nil:
				out.Op = "delete"
			default:
				out.Value, err = decode(ctx, o, vt, c.Value)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// once lets one loop have the changes; another, which would wait for ever, gets
// an error.
func once[C any](o driver.Object, changes iter.Seq2[C, error]) iter.Seq2[C, error] {
	var begun atomic.Bool
	return func(yield func(C, error) bool) {
		if begun.Swap(true) {
			yield(*new(C), fmt.Errorf("%v: a second loop over one Watch; call Watch for each: %w", o, ErrClosed))
			return
		}
		changes(yield)
	}
}

// failing yields an error, as an iteration does that cannot begin.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), err) }
}
