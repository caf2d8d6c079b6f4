package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// The methods of driver.Dict that Python's dict does not have, or not with
// these results.

func (m *mapping) goGet(c *store.Call, a []store.Item) (store.Item, error) {
	key := a[0]
	m.lock()
	r, err := m.look(key)
	var v store.Item
	var version uint64
	if r != nil {
		v, version = r.value, r.version
	}
	m.mu.Unlock()
	switch {
	case err != nil:
		return none, err
	case version == 0:
		return none, noKey(key)
	}
	return join(c, v, uintItem(version)), nil
}

func (m *mapping) goSet(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	m.lock()
	defer m.mu.Unlock()
	return none, m.put(k, a[1])
}

// goSetVersion is called with a key, a value and a version; without the value
// it deletes the entry.
func (m *mapping) goSetVersion(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	last := len(a) - 1
	version, err := versionArg(a[last])
	if err != nil {
		return none, err
	}
	m.lock()
	defer m.mu.Unlock()
	if err := m.sure(k); err != nil {
		return none, err
	}
	r := m.at(k.hash)
	var now uint64
	if r != nil {
		now = r.version
	}
	switch {
	case now != version:
		return no, nil
	case last == 2:
		return yes, m.put(k, own(a[1]))
	case r != nil:
		m.take(r)
	}
	return yes, nil
}

func (m *mapping) goSetDefault(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	return m.setDefault(k, a[1])
}

// setDefault is setdefault of both languages.
func (m *mapping) setDefault(k hashed, v store.Item) (store.Item, error) {
	m.lock()
	defer m.mu.Unlock()
	if r := m.at(k.hash); r != nil {
		return r.value, nil
	}
	return v, m.put(k, v)
}

func (m *mapping) goCompareAndSwap(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	old, v := newMatcher(a[1]), own(a[2])
	m.lock()
	defer m.mu.Unlock()
	r := m.at(k.hash)
	if r == nil {
		return no, m.sure(k)
	}
	if same, err := old.equals(r.value); !same || err != nil {
		return no, err
	}
	return yes, m.put(k, v)
}

func (m *mapping) goAdd(c *store.Call, a []store.Item) (store.Item, error) {
	k, err := m.key(c)
	if err != nil {
		return none, err
	}
	delta := a[1]
	m.lock()
	defer m.mu.Unlock()
	var v store.Item
	if r := m.at(k.hash); r == nil {
		v, err = summand(delta)
	} else {
		v, err = plus(r.value, delta)
	}
	if err == nil {
		err = m.put(k, v)
	}
	return v, err
}

func (m *mapping) goDelete(c *store.Call, a []store.Item) (store.Item, error) {
	_, ok, err := m.pop(a[0])
	return boolItem(ok), err
}

func (m *mapping) goPop(c *store.Call, a []store.Item) (store.Item, error) {
	v, ok, err := m.pop(a[0])
	if !ok && err == nil {
		err = noKey(a[0])
	}
	return v, err
}

func (m *mapping) goSetAll(c *store.Call, a []store.Item) (store.Item, error) {
	keys, err := batch(a[0])
	if err != nil {
		return none, err
	}
	vals, err := batch(a[1])
	if err != nil {
		return none, err
	}
	if len(keys) != len(vals) {
		return none, pyvalue.ValueError("there must be as many values as keys")
	}
	for _, k := range keys {
		if err := m.admits(k); err != nil {
			return none, err
		}
	}
	hashes, err := hashAll(keys)
	if err != nil {
		return none, err
	}
	m.lock()
	defer m.mu.Unlock()
	return none, m.putAll(hashes, vals)
}

func (m *mapping) goPage(c *store.Call, a []store.Item) (store.Item, error) {
	cursor, limit, err := pageArgs(c)
	if err != nil {
		return none, err
	}
	m.lock()
	keys, vals, next := m.page(cursor, limit)
	m.mu.Unlock()
	if err := spend(c, 2*(copyCost(c, keys)+copyCost(c, vals))); err != nil {
		return none, err
	}
	return join(c, join(c, keys...), join(c, vals...), uintItem(next)), nil
}

func (m *mapping) goPageKeys(c *store.Call, a []store.Item) (store.Item, error) {
	m.lock()
	m.mu.Unlock()
	return m.pageKeys(&m.mu, c)
}

func (m *mapping) goWatch(c *store.Call, a []store.Item) (store.Item, error) {
	m.lock() // what is over by now is no news
	m.mu.Unlock()
	return m.watch(&m.mu, c)
}
