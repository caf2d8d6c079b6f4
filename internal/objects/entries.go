package objects

import (
	"sort"
	"unsafe"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// entries are keys with values in the order in which the keys came: a dict, or
// a set, whose values are none. Setting, finding and removing an entry take a
// constant time. The mutex of the object that they belong to guards them.
type entries struct {
	index  map[string]int // of rows, by hash
	rows   []row          // in order, with those that were removed, whose hash is empty
	first  int            // all rows before it were removed
	live   int            // those that were not
	doubts pyvalue.Doubts // of the rows that are loose
	last   uint64         // the last place or version that was given
}

// row is an entry. Its place says where it stands in the order: places grow
// from row to row, and none is given twice.
type row struct {
	hash       string // see store.Item.Key; empty: removed
	key, value store.Item
	place      uint64
	version    uint64
	loose      *pyvalue.Loose // see sure
}

// rowOverhead is what an entry takes beside its key and its value.
const rowOverhead = 80

func (r *row) hashed() hashed { return hashed{r.hash, r.key, r.loose} }

func (r *row) size() int { return r.hashed().size() + r.value.Size() }

// hashed is a key that is ready to be looked up.
type hashed struct {
	hash  string
	key   store.Item
	loose *pyvalue.Loose
}

// size is what the key takes in a row. A hash may be much longer than its key.
func (k hashed) size() int {
	size := rowOverhead + k.key.Size()
	if raw, ok := k.key.CBOR(); !ok || !interchange.OneForm(raw) {
		size += len(k.hash) // otherwise the two are the same memory
	}
	return size
}

// hashOf prepares a key, or returns Python's TypeError. A key in the form that
// is its own hash shares the memory of that.
func hashOf(key store.Item) (hashed, error) { return hashBy(nil, key) }

// hashBy is hashOf for many keys that may share parts, with one Keyer.
func hashBy(keyer *pyvalue.Keyer, key store.Item) (hashed, error) {
	k, err := key.KeyedBy(keyer)
	if err != nil {
		return hashed{}, err
	}
	hash := k.Key
	if raw, ok := key.CBOR(); ok {
		if len(raw) == len(hash) && string(raw) == hash && interchange.OneForm(raw) {
			key = store.Raw(unsafe.Slice(unsafe.StringData(hash), len(hash)))
		} else {
			key = own(key)
		}
	}
	return hashed{hash, key, k.Loose()}, nil
}

// hashAll prepares many keys.
func hashAll(keys []store.Item) ([]hashed, error) { return newLoops(nil, nil).hashAll(keys) }

// at returns the row of a hash, nil if there is none. It is good until the
// entries change.
func (e *entries) at(hash string) *row {
	if i, ok := e.index[hash]; ok {
		return &e.rows[i]
	}
	return nil
}

// look finds the row of a key, without an allocation if the key is of CBOR
// and simple.
func (e *entries) look(key store.Item) (*row, error) {
	if raw, ok := key.CBOR(); ok && interchange.OneForm(raw) {
		if i, ok := e.index[string(raw)]; ok {
			return &e.rows[i], nil
		}
		if e.doubts == nil {
			return nil, nil
		}
	}
	k, err := key.Keyed()
	if err != nil {
		return nil, err
	}
	if r := e.at(k.Key); r != nil {
		return r, nil
	}
	return nil, e.sure(hashed{k.Key, key, k.Loose()})
}

// delta is by how much the size grows if k is set to v.
func (e *entries) delta(k hashed, v store.Item) int {
	if r := e.at(k.hash); r != nil {
		return v.Size() - r.value.Size()
	}
	return k.size() + v.Size()
}

// set sets the value of a key. A key that is there stays as it was.
func (e *entries) set(k hashed, v store.Item) *row {
	r := e.at(k.hash)
	if r == nil {
		if e.index == nil {
			e.index = map[string]int{}
		}
		e.last++
		e.index[k.hash] = len(e.rows)
		e.rows = append(e.rows, row{hash: k.hash, key: k.key, place: e.last, loose: k.loose})
		e.doubts.Note(k.loose, 1)
		e.live++
		r = &e.rows[len(e.rows)-1]
	}
	e.last++
	r.value, r.version = v, e.last
	return r
}

// remove takes out a row, which it returns as it was.
func (e *entries) remove(r *row) row {
	was := *r
	delete(e.index, r.hash)
	e.doubts.Note(r.loose, -1)
	*r = row{place: r.place}
	e.live--
	for n := len(e.rows); n > e.first && e.rows[n-1].hash == ""; n-- {
		e.rows = e.rows[:n-1]
	}
	for e.first < len(e.rows) && e.rows[e.first].hash == "" {
		e.first++
	}
	dead, room := len(e.rows)-e.live, cap(e.rows)
	if dead > 32 && dead > e.live || room > 1024 && e.live < room/8 {
		e.compact()
	}
	return was
}

// compact forgets the rows that were removed, and the room for what is not
// there any more. It costs as much as the removals since the last time.
func (e *entries) compact() {
	rows := make([]row, 0, e.live+e.live/2)
	index := make(map[string]int, e.live)
	for _, r := range e.rows[e.first:] {
		if r.hash != "" {
			index[r.hash] = len(rows)
			rows = append(rows, r)
		}
	}
	e.rows, e.index, e.first = rows, index, 0
}

func (e *entries) clear() { *e = entries{last: e.last} }

// firstRow and lastRow return nil if there are no entries.
func (e *entries) firstRow() *row {
	if e.live == 0 {
		return nil
	}
	return &e.rows[e.first]
}

func (e *entries) lastRow() *row {
	if e.live == 0 {
		return nil
	}
	return &e.rows[len(e.rows)-1]
}

// after returns the first row behind a place, nil if there is none.
func (e *entries) after(place uint64) *row {
	for i := e.behind(place); i < len(e.rows); i++ {
		if e.rows[i].hash != "" {
			return &e.rows[i]
		}
	}
	return nil
}

// behind is the index of the first row behind a place.
func (e *entries) behind(place uint64) int {
	if place == 0 {
		return e.first
	}
	return sort.Search(len(e.rows), func(i int) bool { return e.rows[i].place > place })
}

// each calls f for every row, in order.
func (e *entries) each(f func(r *row)) {
	for i := e.first; i < len(e.rows); i++ {
		if e.rows[i].hash != "" {
			f(&e.rows[i])
		}
	}
}

// all returns the keys and values as they are now.
func (e *entries) all() (keys, values []store.Item) {
	keys, values = make([]store.Item, 0, e.live), make([]store.Item, 0, e.live)
	e.each(func(r *row) { keys, values = append(keys, r.key), append(values, r.value) })
	return keys, values
}

// pageBytes is how much a page with a limit holds, about.
const pageBytes = 1 << 20

// page returns up to limit entries behind a place, or all of them if limit is
// 0. next is the place of the last one, 0 if there are no more.
func (e *entries) page(place uint64, limit int) (keys, values []store.Item, next uint64) {
	next = e.some(place, limit, (*row).size, func(r *row) { keys, values = append(keys, r.key), append(values, r.value) })
	return keys, values, next
}

// some yields what makes a page: its rows are about as long together as size
// says.
func (e *entries) some(place uint64, limit int, size func(*row) int, yield func(*row)) (next uint64) {
	n, bytes, last := 0, 0, uint64(0)
	for i := e.behind(place); i < len(e.rows); i++ {
		r := &e.rows[i]
		if r.hash == "" {
			continue
		}
		if limit > 0 && (n == limit || bytes > pageBytes) {
			return last
		}
		yield(r)
		n, bytes, last = n+1, bytes+size(r), r.place
	}
	return 0
}

// pageKeys answers with a page of keys alone. mu guards the entries.
func (e *entries) pageKeys(mu *store.Mutex, c *store.Call) (store.Item, error) {
	cursor, limit, err := pageArgs(c)
	if err != nil {
		return none, err
	}
	var keys []store.Item
	mu.Lock()
	next := e.some(cursor, limit, func(r *row) int { return r.key.Size() }, func(r *row) { keys = append(keys, r.key) })
	mu.Unlock()
	if err := spend(c, 2*copyCost(c, keys)); err != nil {
		return none, err
	}
	return join(c, join(c, keys...), uintItem(next)), nil
}

// pageArgs are a cursor and a limit.
func pageArgs(c *store.Call) (cursor uint64, limit int, err error) {
	cursor, err = versionArg(c.Args.Pos[0])
	if err != nil {
		return 0, 0, err
	}
	n, err := integer(c.Args.Pos[1])
	return cursor, int(max(n, 0)), err
}

// pairs are items two by two: keys and their values.
func pairs(keys, vals []store.Item) []pyvalue.Entry {
	out := make([]pyvalue.Entry, len(keys))
	for i, k := range keys {
		out[i] = pyvalue.Entry{Key: k.Value(), Value: vals[i].Value()}
	}
	return out
}

// What pyvalue.Doubts and pyvalue.Classes say of the keys of a container.

// sure fails if it cannot be told whether a key is there.
func (e *entries) sure(k hashed) error {
	if k.loose == nil && e.doubts == nil || e.at(k.hash) != nil {
		return nil
	}
	if e.doubts.Sure(k.hash, k.loose, func(hash string) bool { return e.at(hash) != nil }) {
		return nil
	}
	return pyvalue.Undecided(k.key.Value())
}

// sureOf is sure for many keys, and fails if it cannot be told whether two of
// them are one.
func (e *entries) sureOf(keys []hashed) error {
	if e.doubts == nil && !anyLoose(keys) {
		return nil
	}
	for _, k := range keys {
		if err := e.sure(k); err != nil {
			return err
		}
	}
	return undecided(keys)
}

func anyLoose(keys []hashed) bool {
	for i := range keys {
		if keys[i].loose != nil {
			return true
		}
	}
	return false
}

// undecided fails if it cannot be told whether two of all keys are one.
func undecided(lists ...[]hashed) error {
	some := false
	for _, keys := range lists {
		some = some || anyLoose(keys)
	}
	if !some {
		return nil
	}
	var classes pyvalue.Classes
	for _, keys := range lists {
		for _, k := range keys {
			if !classes.Add(k.hash, k.loose) {
				return pyvalue.Undecided(k.key.Value())
			}
		}
	}
	return nil
}
