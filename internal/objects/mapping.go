package objects

import (
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// mapping is what dicts and namespaces have in common: driver.Dict.
type mapping struct {
	guarded // guards all of the following
	account
	watchers
	entries
	texts bool       // keys are texts: a namespace
	lives *lifetimes // nil: entries live until they are deleted
}

// What happened, as watchers are told.
const (
	changeSet = iota
	changeDelete
	changeClear
)

// mappingClass are the methods of driver.Dict.
var mappingClass = class[*mapping]{"dict", map[string]method[*mapping]{
	"mp.get":            {ours(1), (*mapping).goGet},
	"mp.set":            {ours(2), (*mapping).goSet},
	"mp.setFor":         {ours(3), (*mapping).goSetFor},
	"mp.setVersion":     {&params{form: formOurs, least: 2, most: 3}, (*mapping).goSetVersion},
	"mp.setDefault":     {ours(2), (*mapping).goSetDefault},
	"mp.compareAndSwap": {ours(3), (*mapping).goCompareAndSwap},
	"mp.add":            {ours(2), (*mapping).goAdd},
	"mp.delete":         {ours(1), (*mapping).goDelete},
	"mp.pop":            {ours(1), (*mapping).goPop},
	"mp.popItem":        {ours(0), (*mapping).popItem},
	"mp.has":            {ours(1), (*mapping).has},
	"mp.len":            {ours(0), (*mapping).len},
	"mp.clear":          {ours(0), (*mapping).clearAll},
	"mp.setAll":         {ours(2), (*mapping).goSetAll},
	"mp.page":           {ours(2), (*mapping).goPage},
	"mp.pageKeys":       {ours(2), (*mapping).goPageKeys},
	"mp.watch":          {ours(0), (*mapping).goWatch},
}}

// key is the first argument, made ready.
func (m *mapping) key(c *store.Call) (hashed, error) {
	key := c.Args.Pos[0]
	if err := m.admits(key); err != nil {
		return hashed{}, err
	}
	return hashOf(key)
}

// admits fails if a key cannot be one here.
func (m *mapping) admits(key store.Item) error {
	if !m.texts {
		return nil
	}
	if raw, ok := key.CBOR(); ok && len(raw) > 0 && raw[0]>>5 == 3 {
		return nil // a text
	}
	if _, ok := key.Value().(string); !ok {
		return notAName(key)
	}
	return nil
}

// look finds the row of a key, see entries.look.
func (m *mapping) look(key store.Item) (*row, error) {
	if err := m.admits(key); err != nil {
		return nil, err
	}
	return m.entries.look(key)
}

// put sets one entry; the mutex is held.
func (m *mapping) put(k hashed, v store.Item) error {
	if err := m.sure(k); err != nil {
		return err
	}
	if err := m.charge(m.delta(k, v)); err != nil {
		return err
	}
	m.place(k, v)
	return nil
}

// delta is by how much the account grows if k is set to v.
func (m *mapping) delta(k hashed, v store.Item) int {
	delta := m.entries.delta(k, v)
	if m.lives != nil && m.at(k.hash) == nil {
		delta += lifetimeCost
	}
	return delta
}

// place is put for what has been charged.
func (m *mapping) place(k hashed, v store.Item) {
	r := m.set(k, v)
	if m.lives != nil {
		m.lives.begin(k.hash, m.lives.own)
	}
	key, version := r.key, r.version
	m.emit(func() []store.Item { return []store.Item{intItem(changeSet), key, v, uintItem(version)} })
}

// putAll sets many entries, all of them or none; the mutex is held. Keys that
// occur twice may count twice when the limit is near.
func (m *mapping) putAll(keys []hashed, vals []store.Item) error {
	if err := m.sureOf(keys); err != nil {
		return err
	}
	want := 0
	for i, k := range keys {
		want += m.delta(k, vals[i])
	}
	if err := m.charge(want); err != nil {
		return err
	}
	used := 0
	for i, k := range keys {
		used += m.delta(k, vals[i])
		m.place(k, vals[i])
	}
	m.refund(want - used)
	return nil
}

// take removes a row and returns it; the mutex is held.
func (m *mapping) take(r *row) row {
	was := m.remove(r)
	m.refund(was.size())
	if m.lives != nil {
		m.lives.end(was.hash)
		m.refund(lifetimeCost)
	}
	m.last++
	version := m.last
	m.emit(func() []store.Item { return []store.Item{intItem(changeDelete), was.key, none, uintItem(version)} })
	return was
}

// takeAll removes everything; the mutex is held.
func (m *mapping) takeAll() {
	m.refund(m.size)
	m.entries.clear()
	if m.lives != nil {
		m.lives.clear()
	}
	m.last++
	version := m.last
	m.emit(func() []store.Item { return []store.Item{intItem(changeClear), none, none, uintItem(version)} })
}

// find is the value of a key; ok is false if there is none.
func (m *mapping) find(key store.Item) (v store.Item, ok bool, err error) {
	m.lock()
	defer m.mu.Unlock()
	r, err := m.look(key)
	if r == nil {
		return none, false, err
	}
	return r.value, true, nil
}

// pop removes a key and returns its value.
func (m *mapping) pop(key store.Item) (v store.Item, ok bool, err error) {
	m.lock()
	defer m.mu.Unlock()
	r, err := m.look(key)
	if r == nil {
		return none, false, err
	}
	return m.take(r).value, true, nil
}

func noKey(key store.Item) error { return pyvalue.KeyError(key.Value()) }

// snapshot returns the keys and values as they are now, so that they can be
// looked at without the mutex.
func (m *mapping) snapshot() (keys, vals []store.Item) {
	m.lock()
	defer m.mu.Unlock()
	return m.all()
}

// plain is the mapping as a value.
func (m *mapping) plain() *pyvalue.Dict { return &pyvalue.Dict{Entries: pairs(m.snapshot())} }

// Cost implements store.Costly.
func (m *mapping) Cost(text bool) int {
	keys, vals := m.snapshot()
	if text {
		return textCost(keys) + textCost(vals)
	}
	return treesOf(keys) + treesOf(vals)
}

// repr is the mapping's entries as Python writes those of a dict.
func (m *mapping) repr(open, end string) string {
	keys, vals := m.snapshot()
	text := []byte(open)
	for i, k := range keys {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = append(text, pyvalue.ReprWithin(k.Value(), max(maxText-len(text), 0))...)
		text = append(text, ": "...)
		text = append(text, pyvalue.ReprWithin(vals[i].Value(), max(maxText-len(text), 0))...)
		if len(text) > maxText {
			return string(text[:maxText]) + "..."
		}
	}
	return string(append(text, end...))
}

// popItem is popitem of both languages.
func (m *mapping) popItem(c *store.Call, a []store.Item) (store.Item, error) {
	m.lock()
	r := m.lastRow()
	if r == nil {
		m.mu.Unlock()
		return none, pyvalue.KeyError("popitem(): dictionary is empty")
	}
	was := m.take(r)
	m.mu.Unlock()
	if isOurs(c) || !c.Python {
		return join(c, was.key, was.value), nil
	}
	return store.Of(pyvalue.Tuple{was.key.Value(), was.value.Value()}), nil
}

func (m *mapping) has(c *store.Call, a []store.Item) (store.Item, error) {
	_, ok, err := m.find(a[0])
	return boolItem(ok), err
}

func (m *mapping) len(*store.Call, []store.Item) (store.Item, error) {
	m.lock()
	defer m.mu.Unlock()
	return intItem(m.live), nil
}

func (m *mapping) clearAll(*store.Call, []store.Item) (store.Item, error) {
	m.lock()
	defer m.mu.Unlock()
	m.takeAll()
	return none, nil
}

// Refs implements store.Object.
func (m *mapping) Refs(yield func(id uint64) bool) {
	m.mu.Lock()
	var items []store.Item
	m.each(func(r *row) {
		if r.key.MayRefer() {
			items = append(items, r.key)
		}
		if r.value.MayRefer() {
			items = append(items, r.value)
		}
	})
	m.mu.Unlock()
	refs(items, yield)
}

// Dispose implements store.Object.
func (m *mapping) Dispose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.close()
	m.end()
}
