package objects

import (
	"fmt"
	"math"
	"slices"

	"multiproc/internal/mperr"
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
//
// Go clients acquire several permits at once; Python's know of one. There is one line for
// all of them, first come first served: as long as anybody stands in it nobody takes
// permits that are there, or who wants many would starve. Without Go clients who want
// several, whoever stands in the line stands there because there is no permit, so that
// Python programs see threading's semaphore.
type semaphore struct {
	leaf
	bounded bool
	initial int64

	guarded
	value int64
	line  waitQueue[want]
	debts []debt // oldest first
	owed  int64  // the sum of debts
}

// want is how many permits a call in the line waits for, and how it is answered.
type want struct {
	n     int64
	reply store.Item
}

// debt is how many permits an owner has, of a semaphore, or what it has to do, of a wait
// group. The owner Holds the object once for it.
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
	"acquire":       {function("blocking=True", "timeout?"), repliesTo((*semaphore).acquire)},
	"release":       {function("n=1"), repliesTo((*semaphore).release)},
	"locked":        {function(), tells((*semaphore).locked)},
	"mp.acquire":    {ours(1), repliesTo((*semaphore).acquireMany)},
	"mp.tryAcquire": {ours(1), repliesTo((*semaphore).tryAcquireMany)},
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

// locked reports whether an acquire would wait.
func (s *semaphore) locked() store.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	return boolItem(s.value == 0 || s.line.n > 0)
}

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
	s.take(c, want{1, yes}, p, try)
}

// acquireMany is mp.acquire: the number of permits is its argument.
func (s *semaphore) acquireMany(c *store.Call, a []store.Item) {
	if n, ok := s.number(c, a[0]); ok {
		s.take(c, want{n, none}, timeLimit{}, false)
	}
}

func (s *semaphore) tryAcquireMany(c *store.Call, a []store.Item) {
	if n, ok := s.number(c, a[0]); ok {
		s.take(c, want{n, yes}, timeLimit{}, true)
	}
}

// number is a number of permits that can be acquired; otherwise it has answered.
func (s *semaphore) number(c *store.Call, a store.Item) (n int64, ok bool) {
	n, err := integer(a)
	switch {
	case err != nil:
	case n < 1 || n > math.MaxInt32:
		err = fmt.Errorf("%d permits are not 1 to %d: %w", n, math.MaxInt32, mperr.ErrValue)
	case s.bounded && n > s.initial:
		err = fmt.Errorf("the semaphore never has more than %d permits, and %d were wanted: %w", s.initial, n, mperr.ErrValue)
	default:
		return n, true
	}
	c.Fail(err)
	return 0, false
}

// take gives c what it wants if that is there, and otherwise lets it wait, unless it
// only tries.
func (s *semaphore) take(c *store.Call, w want, p timeLimit, try bool) {
	s.mu.Lock()
	switch {
	case s.line.n == 0 && s.value >= w.n:
		s.giveTo(c, w.n)
		s.mu.Unlock()
		c.Return(w.reply)
	case try:
		s.mu.Unlock()
		c.Return(no)
	default:
		s.stay(c, w, p)
		s.mu.Unlock()
	}
}

// stay puts a call in the line. Who leaves it may have stood in the way of those who
// want less.
func (s *semaphore) stay(c *store.Call, w want, p timeLimit) {
	me := &queued[want]{call: c, what: w}
	unpark := func() bool {
		s.mu.Lock()
		left := me.leave()
		todo := s.serve()
		s.mu.Unlock()
		todo.send()
		return left
	}
	if s.line.park(c, p, unpark, func() { c.Return(no) }) {
		s.line.push(me)
	}
}

// giveTo gives n permits, which are there, to the owner of a call. As many are owed as
// there were at first, at most, and the latest.
func (s *semaphore) giveTo(c *store.Call, n int64) {
	s.value -= n
	if n = min(n, s.initial); n == 0 {
		return
	}
	for over := s.owed + n - s.initial; over > 0; {
		over -= s.forgive(0, over)
	}
	s.owed += n
	if i := debtOf(s.debts, c.Owner); i >= 0 {
		s.debts[i].n += n
		return
	}
	c.Hold(s)
	s.debts = append(s.debts, debt{c.Owner, n})
}

// forgive takes up to n permits off the i-th debt, and returns how many.
func (s *semaphore) forgive(i int, n int64) int64 {
	d := &s.debts[i]
	n = min(n, d.n)
	if n == d.n {
		d.owner.Drop(s)
	}
	s.pay(i, n)
	return n
}

func (s *semaphore) pay(i int, n int64) {
	s.owed -= n
	if s.debts[i].n -= n; s.debts[i].n == 0 {
		s.debts = append(s.debts[:i], s.debts[i+1:]...)
	}
}

// debtOf returns the place of an owner's debt, -1 if it has none.
func debtOf(debts []debt, o store.Owner) int {
	return slices.IndexFunc(debts, func(d debt) bool { return d.owner == o })
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
	for left := min(n, s.owed); left > 0; {
		left -= s.forgive(max(debtOf(s.debts, c.Owner), 0), left)
	}
	todo := s.add(n)
	s.mu.Unlock()
	c.Return(none)
	todo.send()
}

// add makes permits available.
func (s *semaphore) add(n int64) (todo answers) {
	s.value += n
	return s.serve()
}

// serve gives permits to those in front of the line, as long as there are enough.
func (s *semaphore) serve() (todo answers) {
	for p := s.line.first; p != nil && s.value >= p.what.n; p = s.line.first {
		p.leave()
		s.giveTo(p.call, p.what.n)
		todo = append(todo, func() { p.call.Return(p.what.reply) })
	}
	return todo
}

// OwnerGone implements store.Holder: what the owner has comes back.
func (s *semaphore) OwnerGone(o store.Owner) {
	s.mu.Lock()
	i := debtOf(s.debts, o)
	if i < 0 {
		s.mu.Unlock()
		return // others have released it meanwhile
	}
	n := s.debts[i].n
	s.pay(i, n)
	todo := s.add(n)
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
