package store

import (
	"cmp"
	"slices"
)

// Counted is what objects implement that hold a number of items and are no
// container to iterate over, as queues.
type Counted interface{ Count() int }

// Listed is a named object as List describes it.
type Listed struct {
	Named
	Size    int // items in it, -1 if it is nothing that holds items
	Cap     int // 0 if there is no bound
	Waiting int // calls that wait in it
}

// List returns the named objects, sorted by name. Each is looked at by itself:
// together they are no snapshot.
func (s *Store) List() []Listed {
	s.mu.Lock()
	entries := make(map[string]*entry, len(s.names))
	for name, e := range s.names {
		entries[name] = e
	}
	waiting := map[*entry]int{}
	s.eachCallLocked(func(c *Call) {
		if c.state.Load() == parked {
			waiting[c.entry]++
		}
	})
	s.mu.Unlock()
	list := make([]Listed, 0, len(entries))
	for name, e := range entries { // without s.mu: an object's mutex comes first
		l := Listed{Named: Named{name, e.typ, e.id}, Size: -1, Waiting: waiting[e]}
		if e.broken.Load() == nil {
			s.guard(e, "len", func() { l.Size, l.Cap = extent(e.obj) })
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// extent is how much an object holds, and can hold.
func extent(o Object) (size, most int) {
	size = -1
	switch o := o.(type) {
	case Sized:
		size = o.Length()
	case Counted:
		size = o.Count()
	}
	if b, ok := o.(Bounded); ok {
		most = b.Cap()
	}
	return size, most
}
