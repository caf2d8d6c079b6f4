package store

import (
	"context"
	"sync"
)

// ownership is what an Owner points to: who waits and who holds. Its mutex
// also guards the calls that it owns, from Park or ReturnTaken on.
type ownership struct {
	session *Session

	mu    sync.Mutex
	gone  bool
	first *Call // calls that wait, run elsewhere or are not acknowledged
	holds map[Holder]hold
}

// hold is how often something is held, and by which object's id it was last
// asked for.
type hold struct {
	id uint64
	n  int
}

// PID is the owner's process if it is on this machine and known, else 0.
func (o *ownership) PID() int { return o.session.client.PID }

// Gone reports whether the owner has ended.
func (o *ownership) Gone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone
}

// Holding reports whether the owner holds anything.
func (o *ownership) Holding() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.holds) > 0
}

// Drop takes one Hold back, for objects that let others release what an owner
// holds. Without a Hold it does nothing. An object may call it with its mutex
// held.
func (o *ownership) Drop(h Holder) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x, ok := o.holds[h]
	if !ok {
		return
	}
	if x.n--; x.n > 0 {
		o.holds[h] = x
		return
	}
	delete(o.holds, h)
}

// hold counts one Hold. If the owner is gone it tells the holder at once, on
// another goroutine, for the holder's mutex may be held.
func (o *ownership) hold(h Holder, id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		go o.tell(h, id)
		return
	}
	if o.holds == nil {
		o.holds = map[Holder]hold{}
	}
	o.holds[h] = hold{id, o.holds[h].n + 1}
}

// link adds a call to the owner's; the mutex is held.
func (o *ownership) link(c *Call) {
	c.next = o.first
	if c.next != nil {
		c.next.prev = c
	}
	o.first = c
	c.linked = true
	o.session.linked.Add(1)
}

// unlink is the inverse of link, and ends the call's timer; the mutex is held.
func (o *ownership) unlink(c *Call) {
	if !c.linked {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		o.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next, c.linked = nil, nil, false
	if c.timer != nil {
		c.timer.Stop()
	}
	o.session.keeps.Give(c.charged)
	if c.framed {
		o.session.store.frame.Add(-callCost)
		c.framed = false
	}
	c.charged = 0
	c.unpark, c.putBack, c.cancel, c.keep = nil, nil, nil, Item{}
	o.session.linked.Add(-1)
}

// duty is what the end of an owner has to do about one of its calls.
type duty struct {
	call    *Call
	unpark  func() bool
	putBack func()
	cancel  context.CancelFunc
}

// end is EndOwner's part.
func (o *ownership) end(left func(id uint64) bool) {
	o.session.store.withinEpoch(func() { o.endInside(left) })
}

func (o *ownership) endInside(left func(id uint64) bool) {
	o.mu.Lock()
	if o.gone {
		o.mu.Unlock()
		return
	}
	o.gone = true
	var duties []duty
	for c := o.first; c != nil; c = c.next {
		duties = append(duties, duty{c, c.unpark, c.putBack, c.cancel})
	}
	for _, d := range duties {
		if d.putBack != nil { // nobody else may put it back from here on
			d.call.state.Store(done)
			o.unlink(d.call)
		}
	}
	o.mu.Unlock()

	for _, d := range duties {
		d.fulfil(o)
	}
	o.release(left)
}

// release tells the holders of all that is held.
func (o *ownership) release(left func(id uint64) bool) {
	o.mu.Lock()
	holds := o.holds
	o.holds = nil
	o.mu.Unlock()
	for h, x := range holds {
		if left != nil && left(x.id) {
			continue
		}
		for range x.n {
			o.tell(h, x.id)
		}
	}
}

// tell tells a holder of the owner's end.
func (o *ownership) tell(h Holder, id uint64) {
	s := o.session.store
	b := s.guard(s.table.get(id), "the end of a client", func() { h.OwnerGone(o) })
	if h, ok := h.(Breakable); ok && b != nil {
		h.Break(b)
	}
}

// fulfil is called without locks. A call that its object is about to answer
// stays: the answer finds out that the owner is gone.
func (d duty) fulfil(o *ownership) {
	switch {
	case d.putBack != nil:
		d.call.within("putting back", d.putBack)
	case d.cancel != nil:
		d.cancel()
	case d.unpark != nil && d.leaves():
		o.mu.Lock()
		d.call.state.Store(done)
		o.unlink(d.call)
		o.mu.Unlock()
	}
}

// leaves takes a call out of its object's waiters. One whose object is broken is
// nobody's any more.
func (d duty) leaves() (left bool) {
	return !d.call.within("the end of a client", func() { left = d.unpark() }) || left
}
