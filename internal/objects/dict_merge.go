package objects

import (
	"fmt"
	"maps"
	"slices"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// mergeArgs are the entries that dict(…) and update(…) are called with: those
// of a mapping or pairs, and then the named ones in the order of the call, or
// by the alphabet if that is not known.
func mergeArgs(s *store.Store, method string, args store.Args) (keys []hashed, vals []store.Item, err error) {
	if len(args.Pos) > 1 {
		return nil, nil, wrongCount(method, len(args.Pos), 0, 1)
	}
	if len(args.Pos) == 1 {
		if keys, vals, err = merge(s, args.Pos[0]); err != nil {
			return nil, nil, err
		}
	}
	names := args.Order
	if len(names) != len(args.Named) {
		names = slices.Sorted(maps.Keys(args.Named))
	}
	for _, name := range names {
		k, err := hashOf(store.Of(name))
		if err != nil {
			return nil, nil, err
		}
		keys, vals = append(keys, k), append(vals, args.Named[name])
	}
	return keys, vals, nil
}

// merge returns the entries of a mapping, or of something that yields pairs.
func merge(s *store.Store, it store.Item) (keys []hashed, vals []store.Item, err error) {
	raw, vals, ok := mappingOf(s, it)
	if !ok {
		if raw, vals, err = sequenceOfPairs(s, it); err != nil {
			return nil, nil, err
		}
	}
	keys, err = hashAll(raw)
	return keys, vals, err
}

// mappingOf returns the entries of a dict, or of a subclass of it, plain or
// shared.
func mappingOf(s *store.Store, it store.Item) (keys, vals []store.Item, ok bool) {
	var entries []data.Entry
	switch v := it.Value().(type) {
	case *data.Dict:
		entries = v.Entries
	case *data.Object:
		if len(v.Entries) == 0 {
			return nil, nil, false
		}
		entries = v.Entries
	case data.Ref:
		o, _ := s.Object(v.ID)
		d, ok := o.(*dict)
		if !ok {
			return nil, nil, false
		}
		keys, vals = d.snapshot()
		return keys, vals, true
	default:
		return nil, nil, false
	}
	keys, vals = make([]store.Item, len(entries)), make([]store.Item, len(entries))
	for i, e := range entries {
		keys[i], vals[i] = inForm(it, e.Key), inForm(it, e.Value)
	}
	return keys, vals, true
}

func sequenceOfPairs(s *store.Store, it store.Item) (keys, vals []store.Item, err error) {
	items, err := iterate(s, it)
	if err != nil {
		return nil, nil, err
	}
	for i, pair := range items {
		kv, err := iterate(s, pair)
		if err != nil {
			return nil, nil, data.TypeError(fmt.Sprintf("cannot convert dictionary update sequence element #%d to a sequence", i))
		}
		if len(kv) != 2 {
			return nil, nil, data.ValueError(fmt.Sprintf("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv)))
		}
		keys, vals = append(keys, own(kv[0])), append(vals, own(kv[1]))
	}
	return keys, vals, nil
}

// union is a plain dict with the entries of a, and then those of b.
func union(aKeys, aVals, bKeys, bVals []store.Item) (store.Item, error) {
	var e entries
	keys, err := hashAll(slices.Concat(aKeys, bKeys))
	if err != nil {
		return none, err
	}
	for i, k := range keys {
		if i < len(aVals) {
			e.set(k, aVals[i])
		} else {
			e.set(k, bVals[i-len(aVals)])
		}
	}
	return store.Of(&data.Dict{Entries: pairs(e.all())}), nil
}

// pyOr is d | x.
func (d *dict) pyOr(c *store.Call) (store.Item, error) {
	bKeys, bVals, ok := mappingOf(d.store, c.Args.Pos[0])
	if !ok {
		return notImplemented, nil
	}
	aKeys, aVals := d.snapshot()
	return union(aKeys, aVals, bKeys, bVals)
}

// pyROr is x | d.
func (d *dict) pyROr(c *store.Call) (store.Item, error) {
	aKeys, aVals, ok := mappingOf(d.store, c.Args.Pos[0])
	if !ok {
		return notImplemented, nil
	}
	bKeys, bVals := d.snapshot()
	return union(aKeys, aVals, bKeys, bVals)
}

// pyIOr is d |= x, which returns d; clients of CPython drop it.
func (d *dict) pyIOr(c *store.Call) (store.Item, error) {
	if _, err := d.pyUpdate(c); err != nil {
		return none, err
	}
	return store.Of(d.plain()), nil
}

// pyFromKeys makes a plain dict: it is a method of the class in Python.
func (d *dict) pyFromKeys(c *store.Call) (store.Item, error) {
	keys, err := iterate(d.store, c.Args.Pos[0])
	if err != nil {
		return none, err
	}
	return union(nil, nil, keys, slices.Repeat([]store.Item{second(c)}, len(keys)))
}
