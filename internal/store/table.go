package store

import (
	"strconv"
	"sync"
	"sync/atomic"

	"multiproc/internal/budget"
)

// entry is an object in the store.
type entry struct {
	id  uint64
	typ *Type
	obj Object

	payer *budget.Share // of cost, which is what the entry takes
	cost  int           // guarded by Store.mu

	embedded atomic.Bool  // its reference was in a message: some object may contain it
	refers   atomic.Bool  // there were references in the arguments of its calls
	touched  atomic.Int64 // when its reference last was in a message; see Store.now
	broken   atomic.Pointer[Broken]

	// Guarded by Store.mu.
	refs   int    // of sessions, names and tickets
	name   string // "" if it has none
	gone   bool   // out of the table
	marked uint64 // the last sweep that found it alive; only the sweep uses it
}

// ident is the id of an entry, 0 if there is none.
func (e *entry) ident() uint64 {
	if e == nil {
		return 0
	}
	return e.id
}

// table finds entries by their ids. It is read for each call, so it is split
// into shards; the locks of the shards are held for a few nanoseconds only.
type table struct {
	shards [shards]struct {
		sync.RWMutex
		m    map[uint64]*entry
		most int      // see shrink
		_    [24]byte // each shard has a cache line of its own
	}
}

const shards = 64

func (t *table) init() {
	for i := range t.shards {
		t.shards[i].m = map[uint64]*entry{}
	}
}

// get returns nil for unknown ids.
func (t *table) get(id uint64) *entry {
	s := &t.shards[id%shards]
	s.RLock()
	e := s.m[id]
	s.RUnlock()
	return e
}

func (t *table) put(e *entry) {
	s := &t.shards[e.id%shards]
	s.Lock()
	s.m[e.id] = e
	s.Unlock()
}

func (t *table) remove(e *entry) {
	s := &t.shards[e.id%shards]
	s.Lock()
	s.m = drop(s.m, e.id, &s.most)
	s.Unlock()
}

// drop deletes a key. A map keeps the memory of the most that it ever held, so
// when three quarters of that are gone the rest moves to a smaller one. most is
// what drop knows of that; it belongs to the map. Moving costs as much as the
// deletions before it.
func drop[K comparable, V any](m map[K]V, key K, most *int) map[K]V {
	*most = max(*most, len(m))
	delete(m, key)
	if *most < 1024 || len(m) > *most/4 {
		return m
	}
	*most = len(m)
	small := make(map[K]V, len(m))
	for k, v := range m {
		small[k] = v
	}
	return small
}

// all returns every entry, in no order.
func (t *table) all() []*entry {
	var list []*entry
	for i := range t.shards {
		s := &t.shards[i]
		s.RLock()
		for _, e := range s.m {
			list = append(list, e)
		}
		s.RUnlock()
	}
	return list
}

// Ident is an id as Python clients see it.
func Ident(id uint64) string { return strconv.FormatUint(id, 16) }

// ParseIdent is the inverse of Ident. There is no object with id 0, which
// stands for the store itself.
func ParseIdent(ident string) (id uint64, ok bool) {
	id, err := strconv.ParseUint(ident, 16, 64)
	return id, err == nil && ident == Ident(id)
}
