package objects

import (
	"slices"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// list is Python's list, and driver.List.
type list struct {
	guarded // guards all of the following
	account
	watchers
	items   []listed
	front   int    // at most so many elements were taken out before the first, in the same memory
	version uint64 // the last one that was given
	told    uint64 // the last one that the watchers were told
}

// listed is an element of a list. Its version goes with it where it goes.
type listed struct {
	v       store.Item
	version uint64
}

func listType() *store.Type {
	return &store.Type{
		ID: "list", Proxy: "ListProxy", New: newList,
		Exposed: []string{
			"__add__", "__contains__", "__delitem__", "__getitem__", "__len__", "__mul__", "__reversed__", "__rmul__",
			"__setitem__", "append", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort", "__imul__",
			"clear", "copy",
		},
	}
}

func newList(s *store.Store, args store.Args) (store.Object, error) {
	if len(args.Named) > 0 {
		return nil, pyvalue.TypeError("list() takes no keyword arguments")
	}
	if len(args.Pos) > 1 {
		return nil, wrongCount("list", len(args.Pos), 0, 1)
	}
	l := &list{account: accountOf(s, args)}
	if len(args.Pos) == 1 {
		items, err := iterate(s, args.Loan, args.Pos[0])
		if err == nil {
			err = l.replace(0, 0, items)
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Call implements store.Object.
func (l *list) Call(c *store.Call) { listClass.call(l, c) }

// snapshot returns the elements as they are now, so that they can be looked at
// without the mutex.
func (l *list) snapshot() []store.Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.itemsLocked()
}

func (l *list) itemsLocked() []store.Item {
	items := make([]store.Item, len(l.items))
	for i := range l.items {
		items[i] = l.items[i].v
	}
	return items
}

// replace puts new elements in the place of those in [i, j). The mutex is held,
// or the list is new. Both ends are cheap places, as are replacements of the
// same length.
func (l *list) replace(i, j int, items []store.Item) error {
	delta := sizeOf(items)
	for _, x := range l.items[i:j] {
		delta -= x.v.Size()
	}
	if err := l.charge(delta); err != nil {
		return err
	}
	switch {
	case len(items) == 0 && i == 0:
		clear(l.items[:j])
		l.items = l.items[j:]
		l.front += j
	case len(items) == j-i:
	case j == len(l.items):
		clear(l.items[i:])
		l.items = grown(l.items[:i], len(items))[:i+len(items)]
	default:
		l.items = slices.Replace(l.items, i, j, make([]listed, len(items))...)
	}
	for k, it := range items {
		l.items[i+k] = l.fresh(it)
	}
	l.shrink()
	return nil
}

// fresh is a new element.
func (l *list) fresh(v store.Item) listed {
	l.version++
	return listed{v, l.version}
}

// shrink gives memory back when most of it is unused.
func (l *list) shrink() {
	if n := l.front + cap(l.items); n > 1024 && len(l.items) < n/4 {
		less := make([]listed, len(l.items), 2*len(l.items))
		pyvalue.CopyParts(less, l.items)
		l.items = less
		l.front = 0
	}
}

// set puts v in the place of element i.
func (l *list) set(i int, v store.Item) error {
	if err := l.charge(v.Size() - l.items[i].v.Size()); err != nil {
		return err
	}
	l.items[i] = l.fresh(v)
	return nil
}

// changed tells the watchers, in the words of driver.ListChange. A nil value
// is none. The version is that of the element if it was set just now, and
// grows in any case.
func (l *list) changed(op string, index int, v *store.Item) {
	if l.version == l.told {
		l.version++
	}
	l.told = l.version
	l.emit(func() []store.Item {
		value := none
		if v != nil {
			value = *v
		}
		return []store.Item{store.Of(op), intItem(index), value, uintItem(l.version), boolItem(v != nil)}
	})
}

// Refs implements store.Object.
func (l *list) Refs(yield func(id uint64) bool) {
	l.mu.Lock()
	items := only(len(l.items), func(i int) store.Item { return l.items[i].v })
	l.mu.Unlock()
	refs(items, yield)
}

// refs yields what items refer to.
func refs(items []store.Item, yield func(id uint64) bool) {
	more := true
	for i := range items {
		items[i].Refs(func(id uint64) bool {
			more = yield(id)
			return more
		})
		if !more {
			return
		}
	}
}

// Repr implements store.Object.
func (l *list) Repr() string {
	return reprOf("[", l.snapshot(), "]")
}

// Cost implements store.Costly.
func (l *list) Cost(text bool) int {
	items := l.snapshot()
	if text {
		return textCost(items)
	}
	return treesOf(items)
}

// ReprWithin implements store.Abridged.
func (l *list) ReprWithin(n int) string {
	l.mu.Lock()
	head := make([]store.Item, min(n, len(l.items)))
	for i := range head {
		head[i] = l.items[i].v
	}
	l.mu.Unlock()
	return pyvalue.ReprWithin(&pyvalue.List{Items: values(head)}, runes(n))
}

// Snapshot implements store.Object.
func (l *list) Snapshot() (store.Item, bool) { return listItem(l.snapshot()), true }

// Dispose implements store.Object.
func (l *list) Dispose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.close()
	l.end()
}
