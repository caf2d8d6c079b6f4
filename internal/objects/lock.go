package objects

import (
	"fmt"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// lock is what Lock, RLock and Condition are made of. It goes from one owner
// straight to the next in line, so whoever comes later cannot overtake.
type lock struct {
	recursive bool // RLock: one owner may take it many times, and nobody else release it

	guarded
	owner store.Owner // nil: nobody
	depth int         // of a recursive one
	line  lineup[claim]

	broken   bool // an owner died, and nobody has healed it; for Go's Mutex
	deceased int  // its process
}

// claim is what a call in line wants.
type claim struct {
	depth int
	grant func() // answers, with the lock held
	sound bool   // not if the lock is broken
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
// answers, or refused when patience ends.
func (l *lock) acquire(c *store.Call, want claim, p patience, refused func()) {
	l.mu.Lock()
	switch {
	case want.sound && l.broken:
		err := l.diedError()
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
		return data.NotHeld("cannot release un-acquired lock")
	}
	return data.NotHeld("release unlocked lock")
}

func (l *lock) diedError() error {
	return &mperr.OwnerDiedError{Object: "mutex", PID: l.deceased}
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
		l.broken, l.deceased = true, o.PID()
		todo = l.refuseSound()
	}
	todo = append(todo, l.free()...)
	l.mu.Unlock()
	todo.send()
}

// refuseSound fails those in line who want a sound lock.
func (l *lock) refuseSound() (todo answers) {
	err := l.diedError()
	for p := l.line.first; p != nil; {
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

// locked reports whether somebody holds the lock.
func (l *lock) locked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner != nil
}

// acquireMethod is acquire(blocking=True, timeout=-1) of a lock.
func (l *lock) acquireMethod(c *store.Call) {
	p, err := lockPatience(c)
	if err != nil {
		c.Fail(err)
		return
	}
	want := claim{depth: 1, grant: func() { c.Return(yes) }}
	l.acquire(c, want, p, func() { c.Return(no) })
}

// lockPatience binds the arguments of acquire.
func lockPatience(c *store.Call) (patience, error) {
	if len(c.Args.Pos)+len(c.Args.Named) == 0 {
		return patience{}, nil
	}
	a, err := bindArgs(c.Method, c.Args, "blocking?", "timeout?")
	if err != nil {
		return patience{}, err
	}
	try := wasGiven(c.Args, 0, "blocking") && !data.Truth(a[0].Value())
	if a[1].IsNone() { // Python's proxies say so for -1
		return patience{try: try}, nil
	}
	d, err := seconds(a[1])
	unbounded := d == -1e9
	switch {
	case err != nil:
		return patience{}, err
	case try && !unbounded:
		return patience{}, data.ValueError("can't specify a timeout for a non-blocking call")
	case d < 0 && !unbounded:
		return patience{}, data.ValueError("timeout value must be a non-negative number")
	case try || unbounded:
		return patience{try: try}, nil
	}
	return within(a[1])
}

// mutex is a Lock: Python's threading.Lock, and mp.Mutex.
type mutex struct {
	plain
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

var mutexMethods = methods[*mutex]{
	"acquire": func(m *mutex, c *store.Call) { m.acquireMethod(c) },
	"release": func(m *mutex, c *store.Call) {
		if noArgs(c) {
			m.release(c)
		}
	},
	"locked": func(m *mutex, c *store.Call) { answerLocked(&m.lock, c) },

	"mp.lock":       func(m *mutex, c *store.Call) { m.mpLock(c, true) },
	"mp.lockBroken": func(m *mutex, c *store.Call) { m.mpLock(c, false) },
	"mp.tryLock":    (*mutex).mpTryLock,
	"mp.unlock":     (*mutex).mpUnlock,
	"mp.heal":       (*mutex).mpHeal,
	"mp.owner":      (*mutex).mpOwner,
}

func answerLocked(l *lock, c *store.Call) {
	if noArgs(c) {
		c.Return(boolItem(l.locked()))
	}
}

// Call implements store.Object.
func (m *mutex) Call(c *store.Call) { mutexMethods.call(m, c, "lock") }

func (m *mutex) mpLock(c *store.Call, sound bool) {
	if noArgs(c) {
		m.acquire(c, claim{sound: sound, grant: func() { c.Return(none) }}, patience{}, nil)
	}
}

func (m *mutex) mpTryLock(c *store.Call) {
	if noArgs(c) {
		want := claim{sound: true, grant: func() { c.Return(yes) }}
		m.acquire(c, want, patience{try: true}, func() { c.Return(no) })
	}
}

// mpUnlock is release for those who hold the lock only.
func (m *mutex) mpUnlock(c *store.Call) {
	if noArgs(c) && m.heldBy(c) {
		m.release(c)
	}
}

// mpHeal says that what the lock protects is in order.
func (m *mutex) mpHeal(c *store.Call) {
	if !noArgs(c) || !m.heldBy(c) {
		return
	}
	m.mu.Lock()
	m.broken = false
	m.mu.Unlock()
	c.Return(none)
}

// heldBy answers if the lock is not c's. Only the owner gives its lock away, as
// long as no Python client interferes, so this stays true.
func (m *mutex) heldBy(c *store.Call) bool {
	m.mu.Lock()
	held := m.owner == c.Owner
	m.mu.Unlock()
	if !held {
		c.Fail(fmt.Errorf("mutex: %w", mperr.ErrNotHeld))
	}
	return held
}

func (m *mutex) mpOwner(c *store.Call) {
	if !noArgs(c) {
		return
	}
	m.mu.Lock()
	pid := 0
	if m.owner != nil {
		pid = m.owner.PID()
	}
	m.mu.Unlock()
	c.Return(intItem(pid))
}

// Repr implements store.Object.
func (m *mutex) Repr() string { return m.describe() }

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
