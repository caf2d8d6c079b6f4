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
	leaf

	guarded
	writer  store.Owner         // nil: nobody
	readers map[store.Owner]int // how often each reads; none if there is a writer
	line    waitQueue[claim]
	soundness
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

var rwlockClass = class[*rwlock]{"RWLock", map[string]method[*rwlock]{
	"mp.lock":       {function(), replies(func(l *rwlock, c *store.Call) { l.lock(c, claim{sound: true}) })},
	"mp.lockBroken": {function(), replies(func(l *rwlock, c *store.Call) { l.lock(c, claim{}) })},
	"mp.tryLock":    {function(), replies(func(l *rwlock, c *store.Call) { l.tryLock(c, claim{sound: true}) })},
	"mp.unlock":     {function(), replies((*rwlock).unlock)},
	"mp.heal":       {function(), (*rwlock).heal},
	"mp.owner":      {function(), tells((*rwlock).ownerPID)},
	"mp.rLock":      {function(), replies(func(l *rwlock, c *store.Call) { l.lock(c, claim{read: true, sound: true}) })},
	"mp.tryRLock":   {function(), replies(func(l *rwlock, c *store.Call) { l.tryLock(c, claim{read: true, sound: true}) })},
	"mp.rUnlock":    {function(), replies((*rwlock).rUnlock)},
}}

// Call implements store.Object.
func (l *rwlock) Call(c *store.Call) { rwlockClass.call(l, c) }

func (l *rwlock) lock(c *store.Call, want claim) {
	want.grant = func() { c.Return(none) }
	l.acquire(c, want, nil)
}

func (l *rwlock) tryLock(c *store.Call, want claim) {
	want.grant = func() { c.Return(yes) }
	l.acquire(c, want, func() { c.Return(no) })
}

// acquire takes the lock for c, or waits for it, unless refused says otherwise.
func (l *rwlock) acquire(c *store.Call, want claim, refused func()) {
	l.mu.Lock()
	switch {
	case want.sound && l.broken:
		err := l.died("rwmutex")
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
func (l *rwlock) stay(c *store.Call, want claim) {
	me := &queued[claim]{call: c, what: want}
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
func (l *rwlock) heal(c *store.Call, _ []store.Item) (store.Item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer != c.Owner {
		return none, fmt.Errorf("rwmutex: %w", mperr.ErrNotHeld)
	}
	l.broken = false
	return none, nil
}

// ownerPID is the writer's process.
func (l *rwlock) ownerPID() store.Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer == nil {
		return intItem(0)
	}
	return intItem(l.writer.PID())
}

// OwnerGone implements store.Holder: one hold of an owner is over. A writer's
// end breaks the lock, and those in line who want a sound one learn of it.
func (l *rwlock) OwnerGone(o store.Owner) {
	l.mu.Lock()
	var todo answers
	switch {
	case l.writer == o:
		l.writer = nil
		todo = l.breakBy(o, "rwmutex", &l.line)
	case !l.read(o):
		l.mu.Unlock()
		return // it has been given back meanwhile
	}
	todo = append(todo, l.serve()...)
	l.mu.Unlock()
	todo.send()
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
