package drivertest

import (
	"slices"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// entries are what dicts and sets are made of: entries in the order in which
// they came.
type entries struct {
	byKey  map[string]*entry
	order  []*entry
	doubts pyvalue.Doubts
}

type entry struct {
	hashed
	v       []byte
	place   uint64 // in the order: grows
	version uint64
	due     time.Time // when its time is up; zero: never
}

// hashed is a key as it was given, with what makes it equal to others.
type hashed struct {
	given []byte
	of    string // of equal keys the same
	loose *pyvalue.Loose
}

// keyOf makes a key of bytes, or returns the error of what cannot be one.
func keyOf(b []byte) (hashed, error) {
	k, err := interchange.Keyed(b)
	return hashed{b, k.Key, k.Loose()}, err
}

func keysOf(bs [][]byte) ([]hashed, error) {
	keys := make([]hashed, len(bs))
	for i, b := range bs {
		var err error
		if keys[i], err = keyOf(b); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// find returns the entry of a key, nil if there is none, or the error of a key of
// which that cannot be told.
func (e *entries) find(k hashed) (*entry, error) {
	if x := e.byKey[k.of]; x != nil {
		return x, nil
	}
	if e.doubts.Sure(k.of, k.loose, func(of string) bool { return e.byKey[of] != nil }) {
		return nil, nil
	}
	return nil, undecided(k)
}

// sure fails if it cannot be told of some of the keys whether it is there, or
// whether it is another one of them.
func (e *entries) sure(keys []hashed) error {
	for _, k := range keys {
		if _, err := e.find(k); err != nil {
			return err
		}
	}
	var classes pyvalue.Classes
	for _, k := range keys {
		if !classes.Add(k.of, k.loose) {
			return undecided(k)
		}
	}
	return nil
}

func undecided(k hashed) error {
	v, err := parse(k.given)
	if err == nil {
		err = pyvalue.Undecided(v)
	}
	return err
}

func (e *entries) set(s *Store, k hashed, v []byte) *entry {
	x := e.byKey[k.of]
	if x == nil {
		if e.byKey == nil {
			e.byKey = map[string]*entry{}
		}
		x = &entry{hashed: k, place: s.next()}
		e.byKey[k.of] = x
		e.order = append(e.order, x)
		e.doubts.Note(k.loose, 1)
	}
	x.v, x.version = v, s.next()
	return x
}

func (e *entries) delete(x *entry) {
	delete(e.byKey, x.of)
	e.doubts.Note(x.loose, -1)
	e.order = slices.DeleteFunc(e.order, func(y *entry) bool { return x == y })
}

func (e *entries) clear() { *e = entries{} }

// page returns up to limit entries behind cursor; all of them if it is 0.
func (e *entries) page(cursor uint64, limit int) (page []*entry, next uint64) {
	i, _ := slices.BinarySearchFunc(e.order, cursor+1, func(x *entry, place uint64) int { return int(x.place) - int(place) })
	page = slices.Clone(e.order[i:])
	if limit > 0 && len(page) > limit {
		page = page[:limit]
		next = page[limit-1].place
	}
	return page, next
}
