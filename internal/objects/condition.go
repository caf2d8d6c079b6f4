package objects

import (
	"context"
	"fmt"
	"maps"
	"math"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// condition is Python's threading.Condition, over a lock of its own or one that
// is shared. It is guarded by the mutex of that lock.
type condition struct {
	*lock
	of      uint64 // the lock's id if it is an object of its own, else 0
	waiting waitQueue[*wait]
}

// wait is a call of wait: first in the condition's line, then in the lock's.
type wait struct {
	call  *store.Call
	until time.Time // zero: forever
	depth int       // of the lock, to be had again
	place queued[claim]
}

func conditionTypes() []*store.Type {
	return []*store.Type{{
		ID: "Condition", Proxy: "ConditionProxy",
		Exposed: []string{"acquire", "release", "locked", "wait", "notify", "notify_all"},
		New:     newCondition,
	}}
}

func newCondition(s *store.Store, args store.Args) (store.Object, error) {
	a, err := bindArgs("Condition", args, "lock?")
	if err != nil {
		return nil, err
	}
	if a[0].IsNone() {
		return &condition{lock: &lock{recursive: true}}, nil
	}
	v := a[0].Value()
	ref, ok := v.(pyvalue.Ref)
	if !ok {
		return nil, pyvalue.TypeError("Condition: the lock must be a Lock or an RLock of this manager, not " + pyvalue.TypeName(v))
	}
	o, _ := s.Object(ref.ID)
	switch l := o.(type) {
	case *mutex:
		return &condition{lock: &l.lock, of: ref.ID}, nil
	case *rlock:
		return &condition{lock: &l.lock, of: ref.ID}, nil
	case nil:
		return nil, pyvalue.KeyError(store.Ident(ref.ID))
	}
	return nil, pyvalue.TypeError("Condition: the lock must be a Lock or an RLock of this manager, not a " + ref.Type)
}

var conditionClass = func() class[*condition] {
	of := func(k *condition) *lock { return k.lock }
	all := lockMethods(of, goLockMethods("cond", of))
	maps.Copy(all, map[string]method[*condition]{
		"wait":       {function("timeout?"), repliesTo((*condition).wait)},
		"notify":     {function("n?"), repliesTo((*condition).notify)},
		"notify_all": {function(), replies((*condition).notifyAll)},
		"notifyAll":  {function(), replies((*condition).notifyAll)},

		// Those of mp.Cond. Those of its lock are as those of a Lock.
		"mp.wait":      {function(), replies((*condition).mpWait)},
		"mp.sound":     {function(), replies((*condition).mpSound)},
		"mp.signal":    {function(), replies(func(k *condition, c *store.Call) { k.mpNotify(c, 1) })},
		"mp.broadcast": {function(), replies(func(k *condition, c *store.Call) { k.mpNotify(c, math.MaxInt64) })},
	})
	return class[*condition]{"Condition", all}
}()

// Call implements store.Object.
func (k *condition) Call(c *store.Call) { conditionClass.call(k, c) }

// wait gives the lock up, waits to be notified, and answers when it has the
// lock again: True, or False if the time was over first.
func (k *condition) wait(c *store.Call, a []store.Item) {
	p, err := within(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	k.mu.Lock()
	if !k.ownedBy(c.Owner) {
		k.mu.Unlock()
		c.Fail(pyvalue.NotHeld("cannot wait on un-acquired lock"))
		return
	}
	w := &wait{call: c, until: p.until, depth: k.depth}
	me := &queued[*wait]{call: c, what: w}
	unpark := func() bool { return k.unpark(me) }
	var todo answers
	// The lock is given up only when the call is sure to be answered: if it
	// cannot wait it has failed, and the lock is still held.
	if k.waiting.park(c, p, unpark, nil) {
		k.waiting.push(me)
		todo = k.free()
	}
	k.mu.Unlock()
	todo.send()
}

// unpark is called when the time of a wait is over, when its client cancels,
// and when its client is gone. Then it is not answered at all; in the other cases
// it is when it has the lock, for the caller believes that it holds it.
func (k *condition) unpark(me *queued[*wait]) bool {
	k.mu.Lock()
	w := me.what
	if !me.leave() {
		k.mu.Unlock()
		return false // it was notified, and is in the lock's line
	}
	var todo answers
	if k.reacquire(w, false, w.finish()) {
		todo = k.serve()
	}
	k.mu.Unlock()
	todo.send()
	return false
}

// finish is the answer to a wait that was not notified.
func (w *wait) finish() func() {
	now := time.Now()
	switch c := w.call; {
	case !w.until.IsZero() && !now.Before(w.until):
		return func() { c.Return(no) }
	case !c.Deadline.IsZero() && !now.Before(c.Deadline):
		return func() { c.Fail(context.DeadlineExceeded) }
	default:
		return func() { c.Fail(context.Canceled) }
	}
}

// reacquire puts a wait into the lock's line. False: its client is gone.
func (k *condition) reacquire(w *wait, notified bool, answer func()) bool {
	w.place = queued[claim]{call: w.call, what: claim{depth: w.depth, grant: answer}}
	if !w.call.Park(func() bool { return k.withdraw(w, notified) }) {
		return false
	}
	k.line.push(&w.place)
	return true
}

// withdraw takes a wait out of the lock's line if its client is gone. Whoever
// was notified hands that on, or the notification would be lost.
func (k *condition) withdraw(w *wait, notified bool) bool {
	if !w.call.Gone() {
		return false
	}
	k.mu.Lock()
	if !w.place.leave() {
		k.mu.Unlock()
		return false
	}
	if notified {
		k.wake(1)
	}
	k.mu.Unlock()
	return true
}

// wake lets up to n waits go on to the lock's line.
func (k *condition) wake(n int64) {
	for n > 0 {
		p := k.waiting.pop()
		if p == nil {
			return
		}
		c := p.call
		if k.reacquire(p.what, true, func() { c.Return(yes) }) {
			n--
		}
	}
}

func (k *condition) notify(c *store.Call, a []store.Item) {
	n, err := optionalInt(a[0], 1)
	if err != nil {
		c.Fail(err)
		return
	}
	k.notifyUpTo(c, n)
}

func (k *condition) notifyAll(c *store.Call) { k.notifyUpTo(c, math.MaxInt64) }

func (k *condition) notifyUpTo(c *store.Call, n int64) {
	k.mu.Lock()
	if !k.ownedBy(c.Owner) {
		k.mu.Unlock()
		c.Fail(pyvalue.NotHeld("cannot notify on un-acquired lock"))
		return
	}
	k.wake(n)
	k.mu.Unlock()
	c.Return(none)
}

var errCondNotHeld = fmt.Errorf("cond: %w", mperr.ErrNotHeld)

// mpNotify is notifyUpTo for the owner of the lock alone.
func (k *condition) mpNotify(c *store.Call, n int64) {
	if k.owns(c, errCondNotHeld) {
		k.notifyUpTo(c, n)
	}
}

// mpWait gives the lock up and answers, with the lock, when it was notified. A
// wait that is given up before that is answered at once, without the lock: Go
// clients take it again by themselves, and those whose handle is closed do not
// want it.
func (k *condition) mpWait(c *store.Call) {
	k.mu.Lock()
	if k.owner != c.Owner {
		k.mu.Unlock()
		c.Fail(errCondNotHeld)
		return
	}
	me := &queued[*wait]{call: c, what: &wait{call: c, depth: k.depth}}
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
	if !k.owns(c, errCondNotHeld) {
		return
	}
	k.mu.Lock()
	broken, err := k.broken, k.died("mutex")
	k.mu.Unlock()
	if broken {
		c.Fail(err)
		return
	}
	c.Return(none)
}

// Refs implements store.Object.
func (k *condition) Refs(yield func(id uint64) bool) {
	if k.of != 0 {
		yield(k.of)
	}
}

// Repr implements store.Object.
func (k *condition) Repr() string {
	text := k.describe()
	k.mu.Lock()
	defer k.mu.Unlock()
	return fmt.Sprintf("<Condition(%s, %d)>", text, k.waiting.n)
}

// Snapshot implements store.Object: a condition cannot be copied.
func (k *condition) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose implements store.Object.
func (k *condition) Dispose() {}
