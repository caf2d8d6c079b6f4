package robust

import (
	"context"
	"slices"
	"sync"

	"multiproc/internal/mperr"
)

// Crowd lets goroutines of one process wait on one event for conditions of their
// own: for the end of different rounds of a barrier, say. Event.Wait looks at one
// condition at a time, and those whose goroutines came later wait behind it, though
// they may hold already.
//
// One goroutine sleeps, for all, and looks at the conditions of all when it is woken:
// however many wait, they need one thread. Who changes what they wait for calls
// NotifyAll of the event.
type Crowd struct {
	event *Event

	mu     sync.Mutex
	list   []*one // whose conditions have not held
	leader *one   // sleeps for all
}

// one is a goroutine that waits.
type one struct {
	cond func() bool
	turn chan bool // true: cond has held; false: it is to sleep for all
}

// Init makes c the crowd that waits for e.
func (c *Crowd) Init(e *Event) { c.event = e }

// Wait sleeps until cond is true. cond is called by any of the goroutines that wait,
// by two at once perhaps, and often; once it is true it stays so. It may wait for a
// lock of the library, which nobody holds for long. After an error it was false.
func (c *Crowd) Wait(ctx context.Context, cond func() bool) error {
	me := &one{cond: cond, turn: make(chan bool, 2)}
	c.mu.Lock()
	c.list = append(c.list, me)
	leads := c.leader == nil
	if leads {
		c.leader = me
		me.turn <- false
	}
	c.mu.Unlock()
	// What changes from here on the leader hears of; what has changed before, it may
	// have looked at without this one.
	if !leads && cond() {
		c.leave(me)
		return nil
	}
	select {
	case held := <-me.turn:
		if held {
			return nil
		}
	case <-ctx.Done():
		if c.leave(me) {
			return nil
		}
		return mperr.Ended(ctx)
	}
	err := c.event.Wait(ctx, func() bool { return c.look(me) })
	if c.leave(me) {
		return nil
	}
	return err
}

// look has those go on whose conditions hold, and reports whether me is one.
func (c *Crowd) look(me *one) (held bool) {
	c.mu.Lock()
	list := slices.Clone(c.list)
	c.mu.Unlock()
	for _, o := range list {
		if !o.cond() {
			continue
		}
		c.mu.Lock()
		if c.remove(o) {
			o.turn <- true
		}
		c.mu.Unlock()
		held = held || o == me
	}
	return held
}

// leave takes a goroutine out that waits no longer, and has another one sleep if it
// was the one that did, or was to. It reports whether its condition has held.
func (c *Crowd) leave(me *one) (held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held = !c.remove(me)
	if c.leader != me {
		return held
	}
	if c.leader = nil; len(c.list) > 0 {
		c.leader = c.list[0]
		c.leader.turn <- false
	}
	return held
}

// remove takes a goroutine off the list, and reports whether it was on it. mu is held.
func (c *Crowd) remove(o *one) bool {
	i := slices.Index(c.list, o)
	if i < 0 {
		return false
	}
	c.list = slices.Delete(c.list, i, i+1)
	return true
}
