package objects

import (
	"fmt"
	"maps"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// lock is what Lock, RLock and Condition are made of. It goes from one owner
// straight to the next in line, so whoever comes later cannot overtake.
type lock struct {
	recursive bool // RLock: one owner may take it many times, and nobody else release it

	guarded
	owner store.Owner // nil: nobody
	depth int         // of a recursive one
	line  waitQueue[claim]

	soundness // for Go's Mutex and Cond
}

// claim is what a call in the line of a lock wants.
type claim struct {
	depth int    // of a recursive lock
	read  bool   // of an rwlock: to read only
	grant func() // answers, with the lock held
	sound bool   // not if the lock is broken
}

// soundness is whether what a lock protects may be half changed.
type soundness struct {
	broken   bool // an owner died, and nobody has healed it
	deceased int  // its process
}

// breakBy notes the death of an owner, and fails those in line who want a sound
// lock. The others go on.
func (s *soundness) breakBy(o store.Owner, object string, line *waitQueue[claim]) (todo answers) {
	s.broken, s.deceased = true, o.PID()
	err := s.died(object)
	for p := line.first; p != nil; {
		next := p.next
		if p.what.sound {
			p.leave()
			call := p.call // p is the next one by the time that this runs
			todo = append(todo, func() { call.Fail(err) })
		}
		p = next
	}
	return todo
}

func (s *soundness) died(object string) error {
	return &mperr.OwnerDiedError{Object: object, PID: s.deceased}
}

// ownedBy reports whether o may act as owner: of a plain lock everybody may
// who acts at all while it is held, as in Python.
func (l *lock) ownedBy(o store.Owner) bool {
	if l.recursive {
		return l.owner == o
	}
	return l.owner != nil
}

// giveTo makes the owner of a call the lock's.
func (l *lock) giveTo(c *store.Call, depth int) {
	l.owner, l.depth = c.Owner, depth
	c.Hold(l)
}

// free makes nobody the owner, and then the first in line.
func (l *lock) free() (todo answers) {
	if l.owner != nil {
		l.owner.Drop(l)
	}
	l.owner, l.depth = nil, 0
	return l.serve()
}

// serve gives a free lock to the first in line.
func (l *lock) serve() (todo answers) {
	if l.owner == nil {
		if p := l.line.pop(); p != nil {
			l.giveTo(p.call, p.what.depth)
			todo = append(todo, p.what.grant)
		}
	}
	return todo
}

// acquire takes the lock for c, or waits for it. want.grant
// answers, or refused when its time is up.
func (l *lock) acquire(c *store.Call, want claim, p timeLimit, refused func()) {
	l.mu.Lock()
	switch {
	case want.sound && l.broken:
		err := l.died("mutex")
		l.mu.Unlock()
		c.Fail(err)
	case l.owner == nil:
		l.giveTo(c, want.depth)
		l.mu.Unlock()
		want.grant()
	case l.recursive && l.owner == c.Owner:
		l.depth++
		l.mu.Unlock()
		want.grant()
	case p.try:
		l.mu.Unlock()
		refused()
	default:
		l.line.wait(&l.mu, c, want, p, refused)
		l.mu.Unlock()
	}
}

// release gives the lock back, once.
func (l *lock) release(c *store.Call) {
	l.mu.Lock()
	if !l.ownedBy(c.Owner) {
		l.mu.Unlock()
		c.Fail(l.notHeld())
		return
	}
	var todo answers
	if l.depth--; !l.recursive || l.depth == 0 {
		todo = l.free()
	}
	l.mu.Unlock()
	c.Return(none)
	todo.send()
}

func (l *lock) notHeld() error {
	if l.recursive {
		return pyvalue.NotHeld("cannot release un-acquired lock")
	}
	return pyvalue.NotHeld("release unlocked lock")
}

// OwnerGone implements store.Holder. Those in line who want a sound lock learn
// that it is not; the others go on.
func (l *lock) OwnerGone(o store.Owner) {
	l.mu.Lock()
	if l.owner != o {
		l.mu.Unlock()
		return // it was released meanwhile, by another
	}
	var todo answers
	if !l.recursive {
		todo = l.breakBy(o, "mutex", &l.line)
	}
	todo = append(todo, l.free()...)
	l.mu.Unlock()
	todo.send()
}

// locked reports whether somebody holds the lock.
func (l *lock) locked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner != nil
}

// acquireMethod is acquire(blocking=True, timeout=-1) of a lock.
func (l *lock) acquireMethod(c *store.Call, a []store.Item) {
	p, err := lockLimit(a[0], a[1])
	if err != nil {
		c.Fail(err)
		return
	}
	want := claim{depth: 1, grant: func() { c.Return(yes) }}
	l.acquire(c, want, p, func() { c.Return(no) })
}

// lockLimit is what the arguments of acquire mean.
func lockLimit(blocking, timeout store.Item) (timeLimit, error) {
	try := !pyvalue.Truth(blocking.Value())
	if timeout.IsNone() { // Python's proxies say so for -1
		return timeLimit{try: try}, nil
	}
	d, err := seconds(timeout)
	unbounded := d == -1e9
	switch {
	case err != nil:
		return timeLimit{}, err
	case try && !unbounded:
		return timeLimit{}, pyvalue.ValueError("can't specify a timeout for a non-blocking call")
	case d < 0 && !unbounded:
		return timeLimit{}, pyvalue.ValueError("timeout value must be a non-negative number")
	case try || unbounded:
		return timeLimit{try: try}, nil
	}
	return within(timeout)
}

// mutex is a Lock: Python's threading.Lock, and mp.Mutex.
type mutex struct {
	leaf
	lock
}

func lockTypes() []*store.Type {
	exposed := []string{"acquire", "release", "locked"}
	return []*store.Type{{
		ID: "Lock", Proxy: "AcquirerProxy", Exposed: exposed,
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("Lock", args)
			return &mutex{}, err
		},
	}, {
		ID: "RLock", Proxy: "AcquirerProxy", Exposed: exposed,
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("RLock", args)
			return &rlock{lock: lock{recursive: true}}, err
		},
	}}
}

// lockMethods are those of Python's locks, and more.
func lockMethods[T any](of func(o T) *lock, more map[string]method[T]) map[string]method[T] {
	all := map[string]method[T]{
		"acquire": {function("blocking=True", "timeout?"), repliesTo(func(o T, c *store.Call, a []store.Item) { of(o).acquireMethod(c, a) })},
		"release": {function(), replies(func(o T, c *store.Call) { of(o).release(c) })},
		"locked":  {function(), tells(func(o T) store.Item { return boolItem(of(o).locked()) })},
	}
	maps.Copy(all, more)
	return all
}

// goLockMethods are those of mp.Mutex. what is the name of the object in
// messages.
func goLockMethods[T any](what string, of func(o T) *lock) map[string]method[T] {
	notHeld := fmt.Errorf("%s: %w", what, mperr.ErrNotHeld)
	return map[string]method[T]{
		"mp.lock":       {function(), replies(func(o T, c *store.Call) { of(o).mpLock(c, true) })},
		"mp.lockBroken": {function(), replies(func(o T, c *store.Call) { of(o).mpLock(c, false) })},
		"mp.tryLock":    {function(), replies(func(o T, c *store.Call) { of(o).mpTryLock(c) })},
		"mp.unlock":     {function(), replies(func(o T, c *store.Call) { of(o).mpUnlock(c, notHeld) })},
		"mp.heal":       {function(), replies(func(o T, c *store.Call) { of(o).mpHeal(c, notHeld) })},
		"mp.owner":      {function(), tells(func(o T) store.Item { return of(o).mpOwner() })},
	}
}

func (l *lock) mpLock(c *store.Call, sound bool) {
	l.acquire(c, claim{depth: 1, sound: sound, grant: func() { c.Return(none) }}, timeLimit{}, nil)
}

func (l *lock) mpTryLock(c *store.Call) {
	want := claim{depth: 1, sound: true, grant: func() { c.Return(yes) }}
	l.acquire(c, want, timeLimit{try: true}, func() { c.Return(no) })
}

// owns answers if the lock is not c's. Only the owner gives its lock away, as long
// as no Python client interferes, so this stays true.
func (l *lock) owns(c *store.Call, notHeld error) bool {
	l.mu.Lock()
	held := l.owner == c.Owner
	l.mu.Unlock()
	if !held {
		c.Fail(notHeld)
	}
	return held
}

// mpUnlock is release for those who hold the lock only.
func (l *lock) mpUnlock(c *store.Call, notHeld error) {
	if l.owns(c, notHeld) {
		l.release(c)
	}
}

// mpHeal says that what the lock protects is in order.
func (l *lock) mpHeal(c *store.Call, notHeld error) {
	if !l.owns(c, notHeld) {
		return
	}
	l.mu.Lock()
	l.broken = false
	l.mu.Unlock()
	c.Return(none)
}

// mpOwner is the process of the owner, 0 if there is none.
func (l *lock) mpOwner() store.Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner == nil {
		return intItem(0)
	}
	return intItem(l.owner.PID())
}

var mutexClass = func() class[*mutex] {
	of := func(m *mutex) *lock { return &m.lock }
	return class[*mutex]{"lock", lockMethods(of, goLockMethods("mutex", of))}
}()

// Call implements store.Object.
func (m *mutex) Call(c *store.Call) { mutexClass.call(m, c) }

// Repr implements store.Object.
func (m *mutex) Repr() string { return m.describe() }

// rlock is an RLock: its owner, a Python channel or the whole of a Go client,
// may take it again, and gives it back as often.
type rlock struct {
	leaf
	lock
}

var rlockClass = class[*rlock]{"_thread.RLock", lockMethods(func(r *rlock) *lock { return &r.lock }, nil)}

// Call implements store.Object.
func (r *rlock) Call(c *store.Call) { rlockClass.call(r, c) }

// Repr implements store.Object.
func (r *rlock) Repr() string { return r.describe() }

// describe is Python's repr of a lock.
func (l *lock) describe() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := "unlocked"
	if l.owner != nil {
		state = "locked"
	}
	if l.recursive {
		return fmt.Sprintf("<%s _thread.RLock object count=%d at %p>", state, l.depth, l)
	}
	return fmt.Sprintf("<%s _thread.lock object at %p>", state, l)
}
