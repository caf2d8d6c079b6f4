package objects

import (
	"math"
	"slices"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

const maxInt = math.MaxInt

// nowhere is the index of a change that is not of one element.
const nowhere = -1

// What both languages do with lists. All of it takes the mutex.

func (l *list) append(c *store.Call, a []store.Item) (store.Item, error) {
	v := a[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.charge(v.Size()); err != nil {
		return none, err
	}
	l.items = append(l.items, l.fresh(v))
	l.changed("append", len(l.items)-1, &v)
	return none, nil
}

func (l *list) extend(items []store.Item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.replace(len(l.items), len(l.items), items)
	if err == nil {
		l.changed("extend", nowhere, nil)
	}
	return err
}

func (l *list) insert(c *store.Call, a []store.Item) (store.Item, error) {
	i, err := integer(a[0])
	if err != nil {
		return none, err
	}
	v := a[1]
	l.mu.Lock()
	defer l.mu.Unlock()
	at := pyvalue.Clamp(int(i), len(l.items))
	if err := l.replace(at, at, []store.Item{v}); err != nil {
		return none, err
	}
	l.changed("insert", at, &v)
	return none, nil
}

// pop takes element i out. op is what the watchers are told.
func (l *list) pop(op string, i int64) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.items) == 0 {
		return none, pyvalue.IndexError("pop from empty list")
	}
	at, err := pyvalue.Offset(i, len(l.items), "pop index out of range")
	if err != nil {
		return none, err
	}
	v := l.items[at].v
	if err := l.replace(at, at+1, nil); err != nil {
		return none, err
	}
	l.changed(op, at, nil)
	return v, nil
}

// remove looks for the element without the mutex, and then takes it out if it is
// still there.
func (l *list) remove(c *store.Call, a []store.Item) (store.Item, error) {
	m := newSearch(c, a[0])
	for {
		now := l.elementsNow()
		items := make([]store.Item, len(now))
		for i := range now {
			items[i] = now[i].v
		}
		i, err := searchFrom(c, items, m)
		switch {
		case err != nil:
			return none, err
		case i < 0:
			return none, pyvalue.NoValue("list.remove(x): x not in list")
		}
		done, err := l.removeIf(i, now[i].version)
		if done || err != nil {
			return none, err
		}
	}
}

// removeIf removes element i if it is still of that version.
func (l *list) removeIf(i int, version uint64) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i >= len(l.items) || l.items[i].version != version {
		return false, nil
	}
	if err := l.replace(i, i+1, nil); err != nil {
		return false, err
	}
	l.changed("remove", i, nil)
	return true, nil
}

// elementsNow are the elements with their versions, to be looked at without the
// mutex.
func (l *list) elementsNow() []listed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return copied(l.items)
}

// find is where v first stands in [start, stop), or -1.
func (l *list) find(c *store.Call, v store.Item, start, stop int) (int, error) {
	items := l.snapshot()
	start, stop = pyvalue.Clamp(start, len(items)), pyvalue.Clamp(stop, len(items))
	if start >= stop {
		return -1, nil
	}
	i, err := searchFrom(c, items[start:stop], newSearch(c, v))
	if i >= 0 {
		i += start
	}
	return i, err
}

func (l *list) pyContains(c *store.Call, a []store.Item) (store.Item, error) {
	i, err := l.find(c, a[0], 0, maxInt)
	return boolItem(i >= 0), err
}

func (l *list) count(c *store.Call, a []store.Item) (store.Item, error) {
	m, n := newSearch(c, a[0]), 0
	for i, it := range l.snapshot() {
		if i%checkEvery == checkEvery-1 {
			if err := c.Check(); err != nil {
				return none, err
			}
		}
		same, err := m.equals(it)
		if err != nil {
			return none, err
		}
		if same {
			n++
		}
	}
	return intItem(n), nil
}

func (l *list) reverse(*store.Call, []store.Item) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Reverse(l.items)
	l.changed("reverse", nowhere, nil)
	return none, nil
}

// sort is stable in both directions. If two elements have no order, nothing is
// changed. The work is done on a snapshot. If the list has changed meanwhile it
// is done again, and after some times with the mutex held, or a list that changes
// all the time would never be sorted.
func (l *list) sort(c *store.Call, reverse bool) error {
	const tries = 3
	for range tries {
		l.mu.Lock()
		before, version := copied(l.items), l.version
		l.mu.Unlock()
		after, err := sorted(c, before, reverse)
		if err != nil {
			return err
		}
		if l.replaceIf(version, before, after) {
			return nil
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	after, err := sorted(c, l.items, reverse)
	if err != nil {
		return err
	}
	pyvalue.CopyParts(l.items, after)
	l.changed("sort", nowhere, nil)
	return nil
}

// replaceIf sets all elements to the same in another order, if nothing has
// changed since that version.
func (l *list) replaceIf(version uint64, before, after []listed) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version != version || len(l.items) != len(before) {
		return false
	}
	pyvalue.CopyParts(l.items, after)
	l.changed("sort", nowhere, nil)
	return true
}

func (l *list) clear(*store.Call, []store.Item) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.replace(0, len(l.items), nil)
	l.items = nil
	l.changed("clear", nowhere, nil)
	return none, err
}

// repeat makes the list n times what it is.
func (l *list) repeat(n int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = max(n, 0)
	if err := pyvalue.Repeats(len(l.items), n); err != nil {
		return err
	}
	if n == 0 {
		_ = l.replace(0, len(l.items), nil) // takes no memory
	} else {
		items := l.itemsLocked()
		more := sizeOf(items) * (n - 1)
		if err := l.charge(more); err != nil { // before the memory is used
			return err
		}
		l.refund(more)
		if err := l.replace(len(l.items), len(l.items), pyvalue.Repeated(items, n-1)); err != nil {
			return err
		}
	}
	l.changed("repeat", nowhere, nil)
	return nil
}

func (l *list) slice(v pyvalue.Slice) ([]store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := v.Span(len(l.items))
	if err != nil {
		return nil, err
	}
	items := make([]store.Item, s.N)
	for i := range items {
		items[i] = l.items[s.At(i)].v
	}
	return items, nil
}

// setSlice replaces a slice; with a step other than 1 by as many elements.
func (l *list) setSlice(v pyvalue.Slice, items []store.Item) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := v.Span(len(l.items))
	if err == nil {
		err = s.Takes(len(items))
	}
	if err != nil {
		return err
	}
	if i, j, ok := s.Whole(); ok {
		if err := l.replace(i, j, items); err != nil {
			return err
		}
		l.changed("setSlice", nowhere, nil)
		return nil
	}
	delta := sizeOf(items)
	for i := range s.N {
		delta -= l.items[s.At(i)].v.Size()
	}
	if err := l.charge(delta); err != nil {
		return err
	}
	for i, it := range items {
		l.items[s.At(i)] = l.fresh(it)
	}
	l.changed("setSlice", nowhere, nil)
	return nil
}

func (l *list) deleteSlice(v pyvalue.Slice) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := v.Span(len(l.items))
	if err != nil {
		return err
	}
	s = s.Ascending()
	if s.Step == 1 {
		err = l.replace(s.Start, s.Start+s.N, nil)
	} else {
		freed := 0
		l.items = pyvalue.Drop(l.items, s, func(x listed) { freed += x.v.Size() })
		l.refund(freed)
		l.shrink()
	}
	l.changed("deleteSlice", nowhere, nil)
	return err
}
