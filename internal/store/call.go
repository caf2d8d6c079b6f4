package store

import (
	"context"
	"sync/atomic"
	"time"

	"multiproc/internal/pyvalue"
)

// Call is one call of a method under way. A front end fills in the exported
// fields, passes it to Session.Begin and keeps it for Cancel, Acknowledge and
// Lost; it may be part of a larger struct, to save an allocation. A Call is
// used once and never copied.
type Call struct {
	Method string
	Args   Args
	Owner  Owner // nil: the session
	// Deadline is the client's time limit, zero if it has none. The store answers
	// a parked call with context.DeadlineExceeded when it has passed. Timeouts
	// that are arguments of a Python method are the object's: see ParkUntil.
	Deadline time.Time
	// Python says that the caller speaks pickle and expects Python's behaviour
	// where the two differ.
	Python bool

	session *Session
	entry   *entry
	long    context.Context // of Long
	reply   Replier
	state   atomic.Uint32

	// Guarded by Owner.mu.
	prev, next *Call
	linked     bool
	cancelled  bool // before it was parked
	turn       int  // counts Parks: a timer of an earlier one does nothing
	timer      *time.Timer
	until      time.Time // when the timer ends it
	unpark     func() bool
	putBack    func()
	cancel     context.CancelFunc // of Go
	keep       Item               // what was taken: its references count until it is acknowledged
	charged    int                // for the arguments of a call that waits, or what it took
	framed     bool               // callCost is among that
}

// The states of a call. Only Begin's goroutine and the object have it while it
// is running, so leaving that state needs no lock.
const (
	running uint32 = iota
	parked         // linked; the object's waiters have it, or a goroutine of Go
	taken          // linked; answered, not acknowledged
	done
)

// Begin passes a call to the object with that id, which answers to reply, at
// once or later. An unknown id is answered with KeyError. It does not block.
func (ss *Session) Begin(c *Call, id uint64, reply Replier) {
	c.session, c.reply = ss, reply
	if c.Owner == nil {
		c.Owner = ss.main
	}
	e := ss.store.table.get(id)
	if e == nil {
		c.Fail(unknown(id))
		return
	}
	c.entry = e
	if c.Args.mayRefer() {
		ss.store.note(e, c.Args)
	}
	if !e.refers.Load() {
		c.run()
		return
	}
	epoch := ss.store.epochs.enter()
	c.run()
	ss.store.epochs.leave(epoch)
}

// run carries the call out. A panic is its answer, and the object's end.
func (c *Call) run() {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				c.Fail(c.session.store.breakEntry(c.entry, c.Method, v))
			}
		}
	}()
	if b := c.entry.broken.Load(); b != nil {
		c.Fail(b)
	} else {
		c.entry.obj.Call(c)
	}
	returned = true
}

// within runs f, which lets the object go on with the call: unpark, or what
// puts back. It reports false if the object is broken.
func (c *Call) within(what string, f func()) bool {
	if c.entry.broken.Load() != nil {
		return false
	}
	return c.session.store.guard(c.entry, what, f) == nil
}

// PID is the client's process if it is on this machine and known, else 0.
func (c *Call) PID() int { return c.Owner.PID() }

// Store is where the object lives.
func (c *Call) Store() *Store { return c.session.store }

// ID is the id of the object that is called.
func (c *Call) ID() uint64 { return c.entry.id }

// claim makes the caller the one who answers. The others are nobody, or an end
// of the owner that came first.
func (c *Call) claim() bool {
	if c.state.CompareAndSwap(running, done) {
		return true
	}
	o := c.Owner
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.state.Load() != parked {
		return false
	}
	c.state.Store(done)
	o.unlink(c)
	return !o.gone
}

// Return answers with a value.
func (c *Call) Return(v Item) {
	if c.claim() {
		c.Store().touch(v)
		c.reply.Return(v, false)
	}
}

// ReturnTaken answers with something that was taken out of an object. putBack
// is called, once and on any goroutine, if it turns out that the client never
// got it; perhaps before ReturnTaken returns. So the object's mutex must not be
// held. Until then v counts as kept, see Charge.
func (c *Call) ReturnTaken(v Item, putBack func()) {
	o := c.Owner
	o.mu.Lock()
	if state := c.state.Load(); o.gone || state > parked {
		if state == parked {
			c.state.Store(done)
			o.unlink(c)
		}
		o.mu.Unlock()
		c.within("putting back", putBack)
		return
	}
	if !c.linked {
		if err := c.session.crowded(); err != nil { // its client acknowledges nothing
			o.mu.Unlock()
			c.within("putting back", putBack)
			c.Fail(err)
			return
		}
		o.link(c)
	}
	c.state.Store(taken)
	c.charge(v.Size()) // until unlink
	if c.timer != nil {
		c.timer.Stop()
	}
	c.unpark, c.putBack, c.keep = nil, putBack, v
	o.mu.Unlock()
	c.Store().touch(v)
	c.reply.Return(v, true)
}

// charge counts what was taken, although there may be no room: it was there
// before. The owner's mutex is held.
func (c *Call) charge(size int) {
	if !c.framed {
		c.framed = true
		size += callCost
		c.session.store.frame.Add(callCost)
	}
	c.session.keeps.Force(size)
	c.charged += size
}

// Acknowledge says that the client has what was taken for it.
func (c *Call) Acknowledge() { c.settle() }

// Lost says that the client will never have what was taken for it: it is put
// back. After Acknowledge, or the end of the owner, it does nothing. No object's
// mutex may be held.
func (c *Call) Lost() {
	c.Owner.session.store.withinEpoch(func() {
		if putBack := c.settle(); putBack != nil {
			c.within("putting back", putBack)
		}
	})
}

func (c *Call) settle() (putBack func()) {
	o := c.Owner
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.state.Load() != taken {
		return nil
	}
	putBack = c.putBack
	c.state.Store(done)
	o.unlink(c)
	return putBack
}

// ReturnNew answers with a new object, which lives as long as the client
// refers to it. typ is the id of its type, which is known to the store.
func (c *Call) ReturnNew(typ string, obj Object) {
	s := c.Store()
	t := s.Type(typ)
	if t == nil {
		obj.Dispose()
		c.Fail(unsupported(typ))
		return
	}
	if !c.claim() {
		obj.Dispose()
		return
	}
	e, err := s.adopt(c.session, t, "", obj, c.entry.refers.Load(), Args{})
	if err != nil {
		c.reply.Fail(err)
		return
	}
	c.reply.New(e.typ, e.id)
}

// ReturnShared answers with an object that the store has already, as ReturnNew
// does with a new one.
func (c *Call) ReturnShared(id uint64) {
	typ, err := c.session.Incref(id)
	if err != nil {
		c.Fail(pyvalue.RuntimeError(c.Method + "() returned a handle to an object that the server has forgotten"))
		return
	}
	if !c.claim() {
		_ = c.session.Decref(id)
		return
	}
	c.reply.New(typ, id)
}

// Fail answers with an error. A *pyvalue.Exception keeps its class, others become
// the nearest one for Python clients.
func (c *Call) Fail(err error) {
	if c.claim() {
		c.reply.Fail(err)
	}
}

// Emit sends one item of a stream to a parked call. False: the client's buffer
// is full or it is gone; the object forgets the call and calls
// Fail(mperr.ErrOverrun).
func (c *Call) Emit(v Item) bool {
	if c.state.Load() != parked {
		return false
	}
	c.Store().touch(v)
	return c.reply.Emit(v)
}

// Hold says that the owner now holds h. Owners hold a thing once or several
// times: Holds are counted. If the owner is gone, h learns of it soon.
func (c *Call) Hold(h Holder) { c.Owner.hold(h, c.entry.id) }

// Drop takes one Hold back.
func (c *Call) Drop(h Holder) { c.Owner.Drop(h) }
