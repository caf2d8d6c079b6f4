package store

import (
	"context"
	"time"
)

// Park leaves the call waiting. unpark is called without locks when the client
// cancels, its time limit ends or it dies: it takes the call out of the object's
// list of waiters and reports whether it was still there; if it was, the store
// answers. It may decline, by false, if the object answers later.
//
// Park itself reports false if the store has dealt with the call already,
// because the client is gone, has cancelled or waits too often: then the object
// must not keep the call. It is called with the object's mutex held. A call may
// be parked again while it is parked, to wait for something else.
func (c *Call) Park(unpark func() bool) bool {
	return c.park(time.Time{}, unpark, nil)
}

// ParkUntil is Park with a timeout of the object's own: when it passes and
// unpark reports true, expired is called and answers.
func (c *Call) ParkUntil(t time.Time, unpark func() bool, expired func()) bool {
	return c.park(t, unpark, expired)
}

func (c *Call) park(t time.Time, unpark func() bool, expired func()) bool {
	if err := c.enroll(t, unpark, expired, nil); err != nil {
		if c.claim() {
			c.reply.Fail(err)
		}
		return false
	}
	return true
}

// enroll makes a call wait. An error is the answer, unless the owner is gone.
func (c *Call) enroll(t time.Time, unpark func() bool, expired func(), cancel context.CancelFunc) error {
	o := c.Owner
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.gone:
		c.state.Store(done)
		o.unlink(c)
		return errEnded
	case c.cancelled:
		return context.Canceled
	case c.entry.broken.Load() != nil: // those that wait have been answered
		return c.entry.broken.Load()
	case !c.linked:
		if err := c.session.crowded(); err != nil {
			return err
		}
		if err := c.chargeArgs(); err != nil {
			return err
		}
		o.link(c)
	}
	c.state.Store(parked)
	c.unpark, c.cancel = unpark, cancel
	c.turn++
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !c.Deadline.IsZero() && (t.IsZero() || c.Deadline.Before(t)) {
		if t = c.Deadline; !c.Python {
			expired = nil
		}
	}
	c.until = t
	if !t.IsZero() && cancel == nil {
		turn := c.turn
		c.timer = time.AfterFunc(time.Until(t), func() { c.expire(turn, expired) })
	}
	return nil
}

// callCost is what a call takes that waits, beside its arguments: with its
// place in a line, its timer, and what its front end has of it.
const callCost = 768

// chargeArgs charges what a call keeps as long as it waits; see unlink.
func (c *Call) chargeArgs() error {
	size := callCost + c.Args.size()
	if err := c.session.keeps.Take(size); err != nil {
		return err
	}
	c.framed = true
	c.charged += size
	c.session.store.frame.Add(callCost)
	return nil
}

// Until is when the timeout of a call ends it that waits, or has waited; zero if
// it has none.
func (c *Call) Until() time.Time {
	c.Owner.mu.Lock()
	defer c.Owner.mu.Unlock()
	return c.until
}

// expire is what the timer does.
func (c *Call) expire(turn int, expired func()) {
	left := false
	c.Owner.session.store.withinEpoch(func() {
		left = c.leave(turn)
	})
	switch {
	case !left:
	case expired == nil:
		c.Fail(context.DeadlineExceeded)
	case !c.within("the end of "+c.Method, expired):
		c.failBroken()
	}
}

// leave asks the object to let go of a call that is parked for the turn-th
// time, or for whichever if turn is 0. It reports whether the call was still
// there, and is to be answered.
func (c *Call) leave(turn int) (left bool) {
	unpark := c.parkedIn(turn)
	if unpark != nil {
		c.within("the end of "+c.Method, func() { left = unpark() })
	}
	return left
}

// failBroken answers a call whose object has just been broken.
func (c *Call) failBroken() {
	if b := c.entry.broken.Load(); b != nil {
		c.Fail(b)
	}
}

// parkedIn returns unpark if the call is still parked for the turn-th time, or
// for whichever if turn is 0.
func (c *Call) parkedIn(turn int) func() bool {
	c.Owner.mu.Lock()
	defer c.Owner.mu.Unlock()
	if c.state.Load() != parked || turn != 0 && turn != c.turn {
		return nil
	}
	return c.unpark
}

// Cancel withdraws the call: it is answered with context.Canceled, if it still
// waits. A call whose answer is under way is not touched.
func (c *Call) Cancel() {
	o := c.Owner
	o.mu.Lock()
	var cancel context.CancelFunc
	switch c.state.Load() {
	case running:
		c.cancelled = true
	case parked:
		cancel = c.cancel
	}
	o.mu.Unlock()
	if cancel != nil {
		cancel()
		return
	}
	left := false
	c.Owner.session.store.withinEpoch(func() {
		left = c.leave(0)
	})
	if left {
		c.Fail(context.Canceled)
	}
}

// Gone reports whether the client is gone, for objects whose unpark declines
// as long as it is not.
func (c *Call) Gone() bool { return c.Owner.Gone() }

// Go runs f on a goroutine of its own, for methods that run users' code; f
// answers. ctx ends when the client cancels, its time limit ends, or it is gone.
func (c *Call) Go(f func(ctx context.Context)) {
	ctx, cancel := c.context()
	if err := c.enroll(time.Time{}, nil, nil, cancel); err != nil {
		cancel()
		c.Fail(err)
		return
	}
	go func() {
		defer cancel()
		if !c.within(c.Method, func() { f(ctx) }) {
			c.failBroken()
		}
	}()
}

func (c *Call) context() (context.Context, context.CancelFunc) {
	if c.Deadline.IsZero() {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), c.Deadline)
}
