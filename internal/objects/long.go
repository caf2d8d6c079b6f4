package objects

import (
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// Work that grows with what a container holds, or with what a message says, is
// done on a goroutine of its own where that is much: see store.Call.Long. What
// can be is done on a snapshot, without the container's mutex, so that others
// wait for no more than a copy.

// What is much: some milliseconds.
const (
	muchElements = 1 << 12
	muchBytes    = 1 << 18
)

// longMethods are those that may take long, in any container. Others take a
// moment, whatever there is.
var longMethods = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range []string{
		"__add__", "__and__", "__contains__", "__delitem__", "__ge__", "__getitem__", "__gt__", "__iand__", "__imul__",
		"__ior__", "__isub__", "__iter__", "__ixor__", "__le__", "__lt__", "__mul__", "__or__", "__rand__", "__reversed__",
		"__rmul__", "__ror__", "__rsub__", "__rxor__", "__setitem__", "__sub__", "__xor__",
		"clear", "copy", "count", "difference", "difference_update", "extend", "fromkeys", "index", "insert", "intersection",
		"intersection_update", "isdisjoint", "issubset", "issuperset", "items", "keys", "pop", "remove", "reverse", "sort",
		"symmetric_difference", "symmetric_difference_update", "union", "update", "values",
		"mp.addAll", "mp.clear", "mp.count", "mp.deleteSlice", "mp.extend", "mp.has", "mp.index", "mp.insert", "mp.pop",
		"mp.remove", "mp.removeAll", "mp.repeat", "mp.retain", "mp.reverse", "mp.setAll", "mp.setSlice", "mp.slice", "mp.sort",
	} {
		all[name] = true
	}
	return all
}()

// counted is what containers implement whose methods may take long.
type counted interface {
	// elements is how many elements a call may have to do with.
	elements(c *store.Call) int
}

// takesLong reports whether a call may take long.
func takesLong(o any, c *store.Call) bool {
	x, ok := o.(counted)
	if !ok || !longMethods[c.Method] {
		return false
	}
	if x.elements(c) > muchElements {
		return true
	}
	size, refers := 0, false
	for _, it := range c.Args.Pos {
		size += it.Size()
		it.Refs(func(id uint64) bool {
			refers = refers || lengthOf(c, id) > muchElements
			return !refers
		})
	}
	return refers || size > muchBytes
}

// lengthOf is how many elements another container has.
func lengthOf(c *store.Call, id uint64) (n int) {
	o, _ := c.Store().Object(id)
	if x, ok := o.(store.Sized); ok {
		_, _ = c.Store().Carry(id, func() []store.Item { n = x.Length(); return nil })
	}
	return n
}

// Length implements store.Sized.
func (l *list) Length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.items)
}

// elements does not count where all that happens to many elements is that they
// move: a million take a millisecond or two.
func (l *list) elements(c *store.Call) int {
	switch c.Method {
	case "pop", "mp.pop", "insert", "mp.insert":
		return 0
	case "__getitem__", "__setitem__", "__delitem__":
		if len(c.Args.Pos) == 0 {
			return 0
		}
		if raw, ok := c.Args.Pos[0].CBOR(); ok && interchange.OneForm(raw) {
			return 0
		}
		if _, slice := c.Args.Pos[0].Value().(pyvalue.Slice); !slice {
			return 0
		}
	}
	return l.Length()
}

// Length implements store.Sized.
func (m *mapping) Length() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live
}

func (m *mapping) elements(c *store.Call) int {
	switch c.Method {
	case "copy", "items", "keys", "values", "__or__", "__ror__", "__ior__", "__reversed__":
		return m.Length()
	}
	return 0
}

// Length implements store.Sized.
func (o *set) Length() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.live
}

func (o *set) elements(c *store.Call) int {
	switch c.Method {
	case "pop", "remove", "__contains__", "mp.has", "mp.pop", "mp.remove", "clear", "mp.clear":
		return 0
	}
	return o.Length()
}

// copied is a copy of elements, made part by part, see pyvalue.CopyParts.
func copied[E any](from []E) []E {
	to := make([]E, len(from))
	pyvalue.CopyParts(to, from)
	return to
}

// grown has room for n elements more, as slices.Grow makes it.
func grown[E any](s []E, n int) []E {
	if len(s)+n <= cap(s) {
		return s
	}
	more := make([]E, len(s), max(len(s)+n, len(s)+len(s)/4))
	pyvalue.CopyParts(more, s)
	return more
}

// checkEvery is after how many comparisons a loop asks whether it is to go on.
const checkEvery = 1 << 10

// searchFrom is the index of the first element that equals what m wants, or -1.
func searchFrom(c *store.Call, items []store.Item, m *matcher) (int, error) {
	for i := range items {
		if i%checkEvery == checkEvery-1 {
			if err := c.Check(); err != nil {
				return -1, err
			}
		}
		if same, err := m.equals(items[i]); same || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// sorted are elements in their order. The error is that of two elements that have
// no order, or that nobody wants the result.
func sorted(c *store.Call, items []listed, reverse bool) ([]listed, error) {
	return pyvalue.Sorted(items, func(x listed) pyvalue.Value { return x.v.Value() }, reverse, c.Check)
}
