package objects

import (
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// rwlock is mp.RWMutex: a lock that one writer has, or any number of readers.
// Python has none; its clients can hold references to one, and that is all.
//
// There is one line for both, first come first served: nobody overtakes, so
// neither writers nor readers starve. Readers who stand one behind the other go
// in together. As long as anybody stands in line new readers go there too.
//
// If an owner is gone what it read is given back, and what it wrote is broken
// until it is healed, for readers too.
type rwlock struct {
	plain

	guarded
	writer  store.Owner         // nil: nobody
	readers map[store.Owner]int // how often each reads; none if there is a writer
	line    lineup[rwClaim]

	broken   bool // a writer died, and nobody has healed it
	deceased int  // its process
}

// rwClaim is what a call in line wants.
type rwClaim struct {
	read  bool
	grant func() // answers
	sound bool   // not if the lock is broken
}

func rwlockTypes() []*store.Type {
	return []*store.Type{{
		ID: "RWLock",
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("RWLock", args)
			return &rwlock{readers: map[store.Owner]int{}}, err
		},
	}}
}

var rwlockMethods = methods[*rwlock]{
	"mp.lock":       func(l *rwlock, c *store.Call) { l.lock(c, rwClaim{sound: true}) },
	"mp.lockBroken": func(l *rwlock, c *store.Call) { l.lock(c, rwClaim{}) },
	"mp.tryLock":    func(l *rwlock, c *store.Call) { l.tryLock(c, rwClaim{sound: true}) },
	"mp.unlock":     (*rwlock).unlock,
	"mp.heal":       (*rwlock).heal,
	"mp.owner":      (*rwlock).ownerPID,
	"mp.rLock":      func(l *rwlock, c *store.Call) { l.lock(c, rwClaim{read: true, sound: true}) },
	"mp.tryRLock":   func(l *rwlock, c *store.Call) { l.tryLock(c, rwClaim{read: true, sound: true}) },
	"mp.rUnlock":    (*rwlock).rUnlock,
}

// Call implements store.Object.
func (l *rwlock) Call(c *store.Call) { rwlockMethods.call(l, c, "RWLock") }

func (l *rwlock) lock(c *store.Call, want rwClaim) {
	if noArgs(c) {
		want.grant = func() { c.Return(none) }
		l.acquire(c, want, nil)
	}
}

func (l *rwlock) tryLock(c *store.Call, want rwClaim) {
	if noArgs(c) {
		want.grant = func() { c.Return(yes) }
		l.acquire(c, want, func() { c.Return(no) })
	}
}

// acquire takes the lock for c, or waits for it, unless refused says otherwise.
func (l *rwlock) acquire(c *store.Call, want rwClaim, refused func()) {
	l.mu.Lock()
	switch {
	case want.sound && l.broken:
		err := l.diedError()
		l.mu.Unlock()
		c.Fail(err)
	case l.line.n == 0 && l.free(want.read):
		l.giveTo(c, want.read)
		l.mu.Unlock()
		want.grant()
	case refused != nil:
		l.mu.Unlock()
		refused()
	default:
		l.stay(c, want)
		l.mu.Unlock()
	}
}

// free reports whether a reader, or a writer, could have the lock now.
func (l *rwlock) free(read bool) bool {
	return l.writer == nil && (read || len(l.readers) == 0)
}

func (l *rwlock) giveTo(c *store.Call, read bool) {
	if read {
		l.readers[c.Owner]++
	} else {
		l.writer = c.Owner
	}
	c.Hold(l)
}

// stay puts a call in line. Whoever leaves it may have stood in the way of
// readers.
func (l *rwlock) stay(c *store.Call, want rwClaim) {
	me := &place[rwClaim]{call: c, what: want}
	unpark := func() bool {
		l.mu.Lock()
		left := me.leave()
		todo := l.serve()
		l.mu.Unlock()
		todo.send()
		return left
	}
	if c.Park(unpark) {
		l.line.push(me)
	}
}

// serve gives the lock to those in front who can have it.
func (l *rwlock) serve() (todo answers) {
	for p := l.line.first; p != nil && l.free(p.what.read); p = l.line.first {
		p.leave()
		l.giveTo(p.call, p.what.read)
		todo = append(todo, p.what.grant)
	}
	return todo
}

// unlock gives the lock of a writer back.
func (l *rwlock) unlock(c *store.Call) {
	l.giveBack(c, func() bool {
		if l.writer != c.Owner {
			return false
		}
		l.writer = nil
		return true
	})
}

// rUnlock gives the lock of a reader back, once.
func (l *rwlock) rUnlock(c *store.Call) {
	l.giveBack(c, func() bool { return l.read(c.Owner) })
}

// read takes one of an owner's reads away. It reports whether there was one.
func (l *rwlock) read(o store.Owner) bool {
	n := l.readers[o]
	switch n {
	case 0:
		return false
	case 1:
		delete(l.readers, o)
	default:
		l.readers[o] = n - 1
	}
	return true
}

func (l *rwlock) giveBack(c *store.Call, take func() bool) {
	if !noArgs(c) {
		return
	}
	l.mu.Lock()
	if !take() {
		l.mu.Unlock()
		c.Fail(fmt.Errorf("rwmutex: %w", mperr.ErrNotHeld))
		return
	}
	c.Drop(l)
	todo := l.serve()
	l.mu.Unlock()
	c.Return(none)
	todo.send()
}

// heal says that what the lock protects is in order.
func (l *rwlock) heal(c *store.Call) {
	if !noArgs(c) {
		return
	}
	l.mu.Lock()
	held := l.writer == c.Owner
	if held {
		l.broken = false
	}
	l.mu.Unlock()
	if !held {
		c.Fail(fmt.Errorf("rwmutex: %w", mperr.ErrNotHeld))
		return
	}
	c.Return(none)
}

// ownerPID answers with the writer's process.
func (l *rwlock) ownerPID(c *store.Call) {
	if !noArgs(c) {
		return
	}
	l.mu.Lock()
	pid := 0
	if l.writer != nil {
		pid = l.writer.PID()
	}
	l.mu.Unlock()
	c.Return(intItem(pid))
}

func (l *rwlock) diedError() error {
	return &mperr.OwnerDiedError{Object: "rwmutex", PID: l.deceased}
}

// OwnerGone implements store.Holder: one hold of an owner is over. A writer's
// end breaks the lock, and those in line who want a sound one learn of it.
func (l *rwlock) OwnerGone(o store.Owner) {
	l.mu.Lock()
	var todo answers
	switch {
	case l.writer == o:
		l.writer, l.broken, l.deceased = nil, true, o.PID()
		todo = l.refuseSound()
	case !l.read(o):
		l.mu.Unlock()
		return // it has been given back meanwhile
	}
	todo = append(todo, l.serve()...)
	l.mu.Unlock()
	todo.send()
}

// refuseSound fails those in line who want a sound lock.
func (l *rwlock) refuseSound() (todo answers) {
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

// Repr implements store.Object.
func (l *rwlock) Repr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	state := "unlocked"
	switch {
	case l.writer != nil:
		state = "locked"
	case len(l.readers) > 0:
		state = "read"
	}
	return fmt.Sprintf("<%s RWLock object at %p>", state, l)
}

var _ store.Holder = (*rwlock)(nil)
