package objects

import (
	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// set is Python's set, which managers offer from 3.14 on, and driver.Set. Its
// order is that in which its members came.
type set struct {
	guarded // guards all of the following
	account
	entries
}

// setType names no class of proxies: that of CPython 3.14 is unknown to the
// older ones, while all of them can make an AutoProxy.
func setType() *store.Type {
	return &store.Type{
		ID: "set", New: newSet,
		Exposed: []string{
			"__and__", "__class_getitem__", "__contains__", "__iand__", "__ior__", "__isub__", "__iter__", "__ixor__",
			"__len__", "__or__", "__rand__", "__ror__", "__rsub__", "__rxor__", "__sub__", "__xor__", "__ge__", "__gt__",
			"__le__", "__lt__", "add", "clear", "copy", "difference", "difference_update", "discard", "intersection",
			"intersection_update", "isdisjoint", "issubset", "issuperset", "pop", "remove", "symmetric_difference",
			"symmetric_difference_update", "union", "update",
		},
	}
}

func newSet(s *store.Store, args store.Args) (store.Object, error) {
	if len(args.Named) > 0 {
		return nil, pyvalue.TypeError("set() takes no keyword arguments")
	}
	if len(args.Pos) > 1 {
		return nil, wrongCount("set", len(args.Pos), 0, 1)
	}
	o := &set{account: accountOf(s, args)}
	if len(args.Pos) == 1 {
		members, err := membersOf(s, args.Loan, args.Pos[0])
		if err == nil {
			_, err = o.add(members)
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// Call implements store.Object.
func (o *set) Call(c *store.Call) { setClass.call(o, c) }

// membersOf makes the items of something that can be iterated over ready to be
// members.
func membersOf(s *store.Store, loan *budget.Loan, it store.Item) ([]hashed, error) {
	return newLoops(s, loan).members(it)
}

// add puts members in, all of them or none, and returns how many were new. The
// mutex is held, or the set is new.
func (o *set) add(members []hashed) (added int, err error) {
	if err := o.sureOf(members); err != nil {
		return 0, err
	}
	want := 0
	for _, k := range members {
		if o.at(k.hash) == nil {
			want += o.delta(k, none)
		}
	}
	if err := o.charge(want); err != nil {
		return 0, err
	}
	for _, k := range members {
		if o.at(k.hash) == nil {
			want -= o.delta(k, none)
			o.entries.set(k, none)
			added++
		}
	}
	o.refund(want) // what occurred twice
	return added, nil
}

// take removes a row. The mutex is held.
func (o *set) take(r *row) row {
	was := o.remove(r)
	o.refund(was.size())
	return was
}

// drop removes members, and returns how many there were. The mutex is held.
func (o *set) drop(members []hashed) (removed int) {
	for _, k := range members {
		if r := o.at(k.hash); r != nil {
			o.take(r)
			removed++
		}
	}
	return removed
}

// retain removes what is not among members. The mutex is held.
func (o *set) retain(members []hashed) int {
	keep := hashes(members)
	var gone []hashed
	o.each(func(r *row) {
		if _, ok := keep[r.hash]; !ok {
			gone = append(gone, hashed{hash: r.hash})
		}
	})
	return o.drop(gone)
}

func hashes(members []hashed) map[string]struct{} {
	m := make(map[string]struct{}, len(members))
	for _, k := range members {
		m[k.hash] = struct{}{}
	}
	return m
}

// members are those of now; the mutex is held.
func (o *set) members() []hashed {
	all := make([]hashed, 0, o.live)
	o.each(func(r *row) { all = append(all, r.hashed()) })
	return all
}

// snapshot returns the members as they are now, and nothing for each.
func (o *set) snapshot() (keys, vals []store.Item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all()
}

// plain is the set as a value.
func (o *set) plain() *pyvalue.Set {
	keys, _ := o.snapshot()
	return &pyvalue.Set{Items: values(keys)}
}

// member is the first argument, made ready to be looked for: a set stands for
// the frozenset that equals it.
func member(c *store.Call) (hashed, error) {
	it := c.Args.Pos[0]
	if s, ok := it.Value().(*pyvalue.Set); ok {
		k, err := hashOf(store.Of(pyvalue.Member(s)))
		k.key = it
		return k, err
	}
	return hashOf(it)
}

func (o *set) goAdd(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := hashOf(a[0])
	if err != nil {
		return none, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.add([]hashed{k})
	return boolItem(n == 1), err
}

func (o *set) goRemove(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := member(c)
	if err != nil {
		return none, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.sure(k); err != nil {
		return none, err
	}
	return boolItem(o.drop([]hashed{k}) == 1), nil
}

func (o *set) has(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := member(c)
	if err != nil {
		return none, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return boolItem(o.at(k.hash) != nil), o.sure(k)
}

// pop takes the oldest member out. In both languages any will do.
func (o *set) pop(*store.Call, []store.Item) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.firstRow()
	if r == nil {
		e := pyvalue.KeyError("pop from an empty set")
		e.Cause = mperr.ErrEmpty
		return none, e
	}
	return o.take(r).key, nil
}

func (o *set) len(*store.Call, []store.Item) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return intItem(o.live), nil
}

func (o *set) clearAll(*store.Call, []store.Item) (store.Item, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refund(o.size)
	o.entries.clear()
	return none, nil
}

// goBatch is a method that changes the set by a list of values at one moment.
func goBatch(change func(o *set, members []hashed) (int, error)) func(*set, *store.Call, []store.Item) (store.Item, error) {
	return func(o *set, c *store.Call, a []store.Item) (store.Item, error) {
		items, err := batch(a[0])
		if err != nil {
			return none, err
		}
		members, err := newLoops(o.store, c.Args.Loan).hashAll(items)
		if err != nil {
			return none, err
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if err := o.sureOf(members); err != nil {
			return none, err
		}
		n, err := change(o, members)
		return intItem(n), err
	}
}

func (o *set) goPage(c *store.Call, a []store.Item) (store.Item, error) { return o.pageKeys(&o.mu, c) }

// Refs implements store.Object.
func (o *set) Refs(yield func(id uint64) bool) {
	o.mu.Lock()
	var items []store.Item
	o.each(func(r *row) {
		if r.key.MayRefer() {
			items = append(items, r.key)
		}
	})
	o.mu.Unlock()
	refs(items, yield)
}

// Repr implements store.Object.
func (o *set) Repr() string {
	keys, _ := o.snapshot()
	if len(keys) == 0 {
		return "set()"
	}
	return reprOf("{", keys, "}")
}

// Cost implements store.Costly.
func (o *set) Cost(text bool) int {
	keys, _ := o.snapshot()
	if text {
		return textCost(keys)
	}
	return treesOf(keys)
}

// ReprWithin implements store.Abridged.
func (o *set) ReprWithin(n int) string {
	o.mu.Lock()
	keys, _, _ := o.page(0, max(n, 1))
	o.mu.Unlock()
	return pyvalue.ReprWithin(&pyvalue.Set{Items: values(keys)}, runes(n))
}

// Snapshot implements store.Object.
func (o *set) Snapshot() (store.Item, bool) { return store.Of(o.plain()), true }

// Dispose implements store.Object.
func (o *set) Dispose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
}
