package objects

import (
	"fmt"
	"maps"
	"slices"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
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
		if keys, vals, err = merge(s, args.Loan, args.Pos[0]); err != nil {
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
func merge(s *store.Store, loan *budget.Loan, it store.Item) (keys []hashed, vals []store.Item, err error) {
	raw, vals, ok, err := mappingOf(s, loan, it)
	if err == nil && !ok {
		raw, vals, err = sequenceOfPairs(s, loan, it)
	}
	if err != nil {
		return nil, nil, err
	}
	keys, err = newLoops(s, loan).hashAll(raw)
	return keys, vals, err
}

// mappingOf returns the entries of a dict, or of a subclass of it, plain or
// shared.
func mappingOf(s *store.Store, loan *budget.Loan, it store.Item) (keys, vals []store.Item, ok bool, err error) {
	switch v := it.Value().(type) {
	case *pyvalue.Dict:
		keys, vals, err = entriesOf(loan, it, v.Entries)
		return keys, vals, true, err
	case *pyvalue.Object:
		if len(v.Entries) > 0 {
			keys, vals, err = entriesOf(loan, it, v.Entries)
			return keys, vals, true, err
		}
	case pyvalue.Ref:
		o, _ := s.Object(v.ID)
		if d, ok := o.(*dict); ok {
			_, err = s.Carry(v.ID, func() []store.Item {
				keys, vals = d.snapshot()
				return slices.Concat(keys, vals)
			})
			return keys, vals, true, err
		}
	}
	return nil, nil, false, nil
}

// entriesOf are the keys and values of a plain dict, in the form in which it
// came.
func entriesOf(loan *budget.Loan, it store.Item, entries []pyvalue.Entry) (keys, vals []store.Item, err error) {
	if err := loan.Take(3 * itemCost * len(entries)); err != nil {
		return nil, nil, err
	}
	parts := make([]pyvalue.Value, 0, 2*len(entries))
	for _, e := range entries {
		parts = append(parts, e.Key, e.Value)
	}
	items, err := store.OfAll(parts)
	if err != nil {
		return nil, nil, memoryError(err)
	}
	if raw, ok := it.CBOR(); ok && sizeOf(items) > maxWritten+100*len(raw) {
		return nil, nil, memoryError(nil) // each would be written out
	}
	keys, vals = make([]store.Item, len(entries)), make([]store.Item, len(entries))
	for i, e := range entries {
		keys[i], vals[i] = inForm(it, e.Key), inForm(it, e.Value)
	}
	return keys, vals, nil
}

// maxWritten is how large the entries of a dict may become beyond what its
// length explains.
const maxWritten = 64 << 20

func sequenceOfPairs(s *store.Store, loan *budget.Loan, it store.Item) (keys, vals []store.Item, err error) {
	all := newLoops(s, loan)
	items, err := all.over(it)
	if err != nil {
		return nil, nil, err
	}
	for i, pair := range items {
		kv, err := all.over(pair)
		if all.room < 0 {
			return nil, nil, err
		}
		if err != nil {
			return nil, nil, pyvalue.TypeError(fmt.Sprintf("cannot convert dictionary update sequence element #%d to a sequence", i))
		}
		if len(kv) != 2 {
			return nil, nil, pyvalue.ValueError(fmt.Sprintf("dictionary update sequence element #%d has length %d; 2 is required", i, len(kv)))
		}
		keys, vals = append(keys, own(kv[0])), append(vals, own(kv[1]))
	}
	return keys, vals, nil
}

// rowCost is what an entry takes in a row and in the index.
const rowCost = 200

// union is a plain dict with the entries of a, and then those of b.
func union(c *store.Call, aKeys, aVals, bKeys, bVals []store.Item) (store.Item, error) {
	if err := spend(c, treesOf(aKeys)+treesOf(aVals)+treesOf(bKeys)+treesOf(bVals)+2*rowCost*(len(aKeys)+len(bKeys))); err != nil {
		return none, err
	}
	var e entries
	keys, err := newLoops(nil, c.Args.Loan).hashAll(slices.Concat(aKeys, bKeys))
	if err != nil {
		return none, err
	}
	if err := undecided(keys); err != nil {
		return none, err
	}
	for i, k := range keys {
		if i < len(aVals) {
			e.set(k, aVals[i])
		} else {
			e.set(k, bVals[i-len(aVals)])
		}
	}
	return store.Of(&pyvalue.Dict{Entries: pairs(e.all())}), nil
}

// pyOr is d | x.
func (d *dict) pyOr(c *store.Call, a []store.Item) (store.Item, error) {
	bKeys, bVals, ok, err := mappingOf(d.store, c.Args.Loan, a[0])
	if !ok || err != nil {
		return notImplemented, err
	}
	aKeys, aVals := d.snapshot()
	return union(c, aKeys, aVals, bKeys, bVals)
}

// pyROr is x | d.
func (d *dict) pyROr(c *store.Call, a []store.Item) (store.Item, error) {
	aKeys, aVals, ok, err := mappingOf(d.store, c.Args.Loan, a[0])
	if !ok || err != nil {
		return notImplemented, err
	}
	bKeys, bVals := d.snapshot()
	return union(c, aKeys, aVals, bKeys, bVals)
}

// pyIOr is d |= x, which returns d; clients of CPython drop it.
func (d *dict) pyIOr(c *store.Call, a []store.Item) (store.Item, error) {
	if _, err := d.pyUpdate(c, a); err != nil {
		return none, err
	}
	return store.Of(d.plain()), nil
}

// pyFromKeys makes a plain dict: it is a method of the class in Python.
func (d *dict) pyFromKeys(c *store.Call, a []store.Item) (store.Item, error) {
	keys, err := iterate(d.store, c.Args.Loan, a[0])
	if err != nil {
		return none, err
	}
	return union(c, nil, nil, keys, slices.Repeat([]store.Item{second(c)}, len(keys)))
}
