package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// The methods of driver.List that Python's list does not have.

// at finds element i, which is the first argument. The mutex is held.
func (l *list) at(c *store.Call) (i int, err error) {
	v := c.Args.Pos[0].Value()
	i, ok, err := pyvalue.Position(v, len(l.items), "list index out of range")
	if !ok {
		err = l.noIndex(v)
	}
	return i, err
}

func (l *list) goGet(c *store.Call, a []store.Item) (store.Item, error) {
	l.mu.Lock()
	i, err := l.at(c)
	var x listed
	if err == nil {
		x = l.items[i]
	}
	l.mu.Unlock()
	if err != nil {
		return none, err
	}
	return join(c, x.v, uintItem(x.version)), nil
}

// setIf sets element i, the first argument, to v if may says so.
func (l *list) setIf(c *store.Call, v store.Item, may func(now listed) (bool, error)) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, err := l.at(c)
	if err != nil {
		return none, err
	}
	if ok, err := may(l.items[i]); !ok || err != nil {
		return no, err
	}
	if err := l.set(i, v); err != nil {
		return none, err
	}
	l.changed("set", i, &v)
	return yes, nil
}

func (l *list) goSet(c *store.Call, a []store.Item) (store.Item, error) {
	_, err := l.setIf(c, a[1], func(listed) (bool, error) { return true, nil })
	return none, err
}

func (l *list) goSetVersion(c *store.Call, a []store.Item) (store.Item, error) {
	version, err := versionArg(a[2])
	if err != nil {
		return none, err
	}
	return l.setIf(c, a[1], func(now listed) (bool, error) { return now.version == version, nil })
}

func (l *list) goCompareAndSwap(c *store.Call, a []store.Item) (store.Item, error) {
	m := newMatcher(a[1])
	return l.setIf(c, own(a[2]), func(now listed) (bool, error) { return m.equals(now.v) })
}

func (l *list) goAdd(c *store.Call, a []store.Item) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, err := l.at(c)
	if err != nil {
		return none, err
	}
	v, err := plus(l.items[i].v, a[1])
	if err != nil {
		return none, err
	}
	if err := l.set(i, v); err != nil {
		return none, err
	}
	l.changed("set", i, &v)
	return v, nil
}

func (l *list) goExtend(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := batch(a[0])
	if err != nil {
		return none, err
	}
	return none, l.extend(items)
}

func (l *list) goPop(c *store.Call, a []store.Item) (store.Item, error) {
	i, err := integer(a[0])
	if err != nil {
		return none, err
	}
	return l.pop("pop", i)
}

func (l *list) goDelete(c *store.Call, a []store.Item) (store.Item, error) {
	i, err := integer(a[0])
	if err == nil {
		_, err = l.pop("delete", i)
	}
	return none, err
}

func (l *list) goSort(c *store.Call, a []store.Item) (store.Item, error) {
	return none, l.sort(c, pyvalue.Truth(a[0].Value()))
}

// sliceArgs is the slice that three arguments make.
func sliceArgs(a []store.Item) pyvalue.Slice {
	return pyvalue.Slice{Start: a[0].Value(), Stop: a[1].Value(), Step: a[2].Value()}
}

func (l *list) goSlice(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := l.slice(sliceArgs(a))
	if err != nil {
		return none, err
	}
	return joined(c, items)
}

func (l *list) goSetSlice(c *store.Call, a []store.Item) (store.Item, error) {
	items, err := batch(a[3])
	if err != nil {
		return none, err
	}
	return none, l.setSlice(sliceArgs(a), items)
}

func (l *list) goDeleteSlice(c *store.Call, a []store.Item) (store.Item, error) {
	return none, l.deleteSlice(sliceArgs(a))
}

func (l *list) goRepeat(c *store.Call, a []store.Item) (store.Item, error) {
	n, err := repetitions(a[0])
	if err != nil {
		return none, err
	}
	return none, l.repeat(n)
}

func (l *list) goWatch(c *store.Call, a []store.Item) (store.Item, error) { return l.watch(&l.mu, c) }
