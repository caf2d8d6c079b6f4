package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NumberOfObjects returns how many objects are counted: those to which a
// session, a name or a ticket refers. First it disposes of what nobody can
// reach.
func (s *Store) NumberOfObjects() int {
	s.sweepNow()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counted
}

// Size returns how many objects there are, those included to which only other
// objects refer.
func (s *Store) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Waiting returns how many calls wait in objects.
func (s *Store) Waiting() int {
	n := 0
	s.eachCall(func(c *Call) {
		if c.state.Load() == parked {
			n++
		}
	})
	return n
}

// Named is an object with a name.
type Named struct {
	Name string
	Type *Type
	ID   uint64
}

// Names returns the named objects, sorted by name.
func (s *Store) Names() []Named {
	s.mu.Lock()
	list := make([]Named, 0, len(s.names))
	for name, e := range s.names {
		list = append(list, Named{name, e.typ, e.id})
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b Named) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// DebugInfo describes all counted objects in the words of CPython's
// debug_info: two lines for each.
func (s *Store) DebugInfo() string {
	s.sweepNow()
	type line struct {
		ident string
		refs  int
		entry *entry
	}
	var lines []line
	entries := s.table.all()
	s.mu.Lock()
	for _, e := range entries {
		if e.refs > 0 && !e.gone {
			lines = append(lines, line{Ident(e.id), e.refs, e})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(lines, func(a, b line) int { return strings.Compare(a.ident, b.ident) })
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		repr, err := s.reprOf(l.entry, abridged)
		if err != nil {
			repr = "<" + err.Error() + ">"
		}
		text := []rune(repr)
		fmt.Fprintf(&b, "  %s:       refcount=%d\n    %s", l.ident, l.refs, string(text[:min(len(text), debugWidth)]))
	}
	return b.String()
}

// debugWidth is how many characters of an object DebugInfo shows, as CPython
// does.
const debugWidth = 75

// abridged is what DebugInfo needs of an object's repr.
func abridged(o Object) string {
	if a, ok := o.(Abridged); ok {
		return a.ReprWithin(debugWidth)
	}
	return o.Repr()
}

// NamesCost is about how much memory Names and an answer made of it take.
func (s *Store) NamesCost() (cost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.names {
		cost += 400 + 4*len(name)
	}
	return cost
}
