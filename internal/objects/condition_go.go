package objects

import (
	"fmt"
	"maps"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// The methods of mp.Cond. Those of its lock are as those of a Lock.

func init() {
	maps.Copy(conditionMethods, methods[*condition]{
		"mp.lock":       func(k *condition, c *store.Call) { k.mpLock(c, true) },
		"mp.lockBroken": func(k *condition, c *store.Call) { k.mpLock(c, false) },
		"mp.tryLock":    (*condition).mpTryLock,
		"mp.unlock":     func(k *condition, c *store.Call) { k.asOwner(c, func() { k.release(c) }) },
		"mp.heal":       (*condition).mpHeal,
		"mp.owner":      (*condition).mpOwner,

		"mp.wait":      (*condition).mpWait,
		"mp.sound":     (*condition).mpSound,
		"mp.signal":    func(k *condition, c *store.Call) { k.asOwner(c, func() { k.notify(c) }) },
		"mp.broadcast": func(k *condition, c *store.Call) { k.asOwner(c, func() { k.notifyAll(c) }) },
	})
}

func (k *condition) mpLock(c *store.Call, sound bool) {
	if noArgs(c) {
		k.acquire(c, claim{depth: 1, sound: sound, grant: func() { c.Return(none) }}, patience{}, nil)
	}
}

func (k *condition) mpTryLock(c *store.Call) {
	if noArgs(c) {
		want := claim{depth: 1, sound: true, grant: func() { c.Return(yes) }}
		k.acquire(c, want, patience{try: true}, func() { c.Return(no) })
	}
}

// asOwner goes on if the lock is c's, and answers if it is not. Only the owner
// gives its lock away, as long as no Python client interferes.
func (k *condition) asOwner(c *store.Call, f func()) {
	if !noArgs(c) {
		return
	}
	k.mu.Lock()
	held := k.owner == c.Owner
	k.mu.Unlock()
	if !held {
		c.Fail(errCondNotHeld)
		return
	}
	f()
}

var errCondNotHeld = fmt.Errorf("cond: %w", mperr.ErrNotHeld)

func (k *condition) mpHeal(c *store.Call) {
	k.asOwner(c, func() {
		k.mu.Lock()
		k.broken = false
		k.mu.Unlock()
		c.Return(none)
	})
}

func (k *condition) mpOwner(c *store.Call) {
	if !noArgs(c) {
		return
	}
	k.mu.Lock()
	pid := 0
	if k.owner != nil {
		pid = k.owner.PID()
	}
	k.mu.Unlock()
	c.Return(intItem(pid))
}

// mpWait gives the lock up and answers, with the lock, when it was notified. A
// wait that is given up before that is answered at once, without the lock: Go
// clients take it again by themselves, and those whose handle is closed do not
// want it.
func (k *condition) mpWait(c *store.Call) {
	if !noArgs(c) {
		return
	}
	k.mu.Lock()
	if k.owner != c.Owner {
		k.mu.Unlock()
		c.Fail(errCondNotHeld)
		return
	}
	me := &place[*wait]{call: c, what: &wait{call: c, depth: k.depth}}
	unpark := func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return me.leave() // false: it is in the lock's line, see withdraw
	}
	var todo answers
	if c.Park(unpark) { // otherwise it has failed, and the lock is still held
		k.waiting.push(me)
		todo = k.free()
	}
	k.mu.Unlock()
	todo.send()
}

// mpSound fails if a holder of the lock died: one who has waited asks, for the
// lock came to him whatever happened.
func (k *condition) mpSound(c *store.Call) {
	k.asOwner(c, func() {
		k.mu.Lock()
		broken, err := k.broken, k.diedError()
		k.mu.Unlock()
		if broken {
			c.Fail(err)
			return
		}
		c.Return(none)
	})
}
