package objects

import (
	"fmt"
	"math"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// semaphore is Python's threading.Semaphore or BoundedSemaphore.
//
// Whose are the permits that are out? A semaphore that guards a resource is
// acquired and released by the same owner, and gets its permits back if that
// dies. One that signals is acquired by one and released by another: its
// permits are used up, nobody owes them. Both are served by this: at most as
// many permits as there were in the beginning are owed, the latest; and a
// release pays the debt of the one who releases, or else the oldest.
type semaphore struct {
	leaf
	bounded bool
	initial int64

	guarded
	value int64
	line  waitQueue[struct{}]
	debts []debt // oldest first
	owed  int64  // the sum of debts
}

// debt is how many permits an owner has.
type debt struct {
	owner store.Owner
	n     int64
}

func semaphoreTypes() []*store.Type {
	exposed := []string{"acquire", "release", "locked"}
	kind := func(id string, bounded bool) *store.Type {
		return &store.Type{
			ID: id, Proxy: "AcquirerProxy", Exposed: exposed,
			New: func(_ *store.Store, args store.Args) (store.Object, error) { return newSemaphore(id, bounded, args) },
		}
	}
	return []*store.Type{kind("Semaphore", false), kind("BoundedSemaphore", true)}
}

func newSemaphore(what string, bounded bool, args store.Args) (store.Object, error) {
	a, err := bindArgs(what, args, "value=1")
	if err != nil {
		return nil, err
	}
	n, err := integer(a[0])
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, pyvalue.ValueError("semaphore initial value must be >= 0")
	}
	return &semaphore{bounded: bounded, initial: n, value: n}, nil
}

var (
	semaphoreClass        = class[*semaphore]{"Semaphore", semaphoreMethods}
	boundedSemaphoreClass = class[*semaphore]{"BoundedSemaphore", semaphoreMethods}
)

var semaphoreMethods = map[string]method[*semaphore]{
	"acquire": {function("blocking=True", "timeout?"), repliesTo((*semaphore).acquire)},
	"release": {function("n=1"), repliesTo((*semaphore).release)},
	"locked":  {function(), tells(func(s *semaphore) store.Item { return boolItem(s.left() == 0) })},
}

// Call implements store.Object.
func (s *semaphore) Call(c *store.Call) {
	if s.bounded {
		boundedSemaphoreClass.call(s, c)
		return
	}
	semaphoreClass.call(s, c)
}

// Cap implements store.Bounded: how many permits may be owed. A client whose
// session broke knows by it how many can have come back.
func (s *semaphore) Cap() int { return int(s.initial) }

func (s *semaphore) left() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.value
}

func (s *semaphore) acquire(c *store.Call, a []store.Item) {
	try := !pyvalue.Truth(a[0].Value())
	if try && !a[1].IsNone() {
		c.Fail(pyvalue.ValueError("can't specify timeout for non-blocking acquire"))
		return
	}
	p, err := within(a[1])
	if err != nil {
		c.Fail(err)
		return
	}
	s.mu.Lock()
	switch {
	case s.value > 0:
		s.giveTo(c)
		s.mu.Unlock()
		c.Return(yes)
	case try:
		s.mu.Unlock()
		c.Return(no)
	default:
		s.line.wait(&s.mu, c, struct{}{}, p, func() { c.Return(no) })
		s.mu.Unlock()
	}
}

// giveTo gives a permit, of which there is one, to the owner of a call.
func (s *semaphore) giveTo(c *store.Call) {
	s.value--
	if s.initial == 0 {
		return
	}
	if s.owed == s.initial {
		s.forgive(0)
	}
	c.Hold(s)
	s.owed++
	for i := range s.debts {
		if s.debts[i].owner == c.Owner {
			s.debts[i].n++
			return
		}
	}
	s.debts = append(s.debts, debt{c.Owner, 1})
}

// forgive takes one permit off the i-th debt.
func (s *semaphore) forgive(i int) {
	s.debts[i].owner.Drop(s)
	s.pay(i)
}

func (s *semaphore) pay(i int) {
	s.owed--
	if s.debts[i].n--; s.debts[i].n == 0 {
		s.debts = append(s.debts[:i], s.debts[i+1:]...)
	}
}

// debtOf returns the place of an owner's debt, -1 if it has none.
func (s *semaphore) debtOf(o store.Owner) int {
	for i := range s.debts {
		if s.debts[i].owner == o {
			return i
		}
	}
	return -1
}

func (s *semaphore) release(c *store.Call, a []store.Item) {
	n, err := integer(a[0])
	if err == nil && n < 1 {
		err = pyvalue.ValueError("n must be one or more")
	}
	if err != nil {
		c.Fail(err)
		return
	}
	s.mu.Lock()
	if n > math.MaxInt64-s.value || s.bounded && s.value+n > s.initial {
		s.mu.Unlock()
		c.Fail(pyvalue.ValueError("Semaphore released too many times"))
		return
	}
	for range min(n, s.owed) {
		s.forgive(max(s.debtOf(c.Owner), 0))
	}
	todo := s.add(n)
	s.mu.Unlock()
	c.Return(none)
	todo.send()
}

// add makes permits available, and gives them to those in line.
func (s *semaphore) add(n int64) (todo answers) {
	s.value += n
	for s.value > 0 {
		p := s.line.pop()
		if p == nil {
			break
		}
		s.giveTo(p.call)
		todo = append(todo, func() { p.call.Return(yes) })
	}
	return todo
}

// OwnerGone implements store.Holder: one permit comes back.
func (s *semaphore) OwnerGone(o store.Owner) {
	s.mu.Lock()
	i := s.debtOf(o)
	if i < 0 {
		s.mu.Unlock()
		return // another has released it meanwhile
	}
	s.pay(i)
	todo := s.add(1)
	s.mu.Unlock()
	todo.send()
}

// Repr implements store.Object.
func (s *semaphore) Repr() string {
	if s.bounded {
		return fmt.Sprintf("<threading.BoundedSemaphore at %p: value=%d/%d>", s, s.left(), s.initial)
	}
	return fmt.Sprintf("<threading.Semaphore at %p: value=%d>", s, s.left())
}
