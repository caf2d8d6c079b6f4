package pymp

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"multiproc/internal/mperr"
)

// Call calls a method of an object and returns its result as an R: see the
// package comment for which Go types stand for which of Python's. The arguments
// are values of any such types; a Kwargs at the end names some. R is *Proxy, or
// any, for methods that return a shared object; the caller closes it.
//
//	n, err := pymp.Call[int](ctx, counter, "increment", 5)
//	v, err := pymp.Call[string](ctx, dict, "pop", "key", pymp.Kwargs{…})
//
// The method's exception is an *Error, which errors.Is compares with the errors
// of mp. When ctx ends first, the channel is closed and the error wraps the
// context's cause; it wraps mp.ErrUnknownFate as well if the request was out,
// for the server cannot be told to stop: it carries the call out, and what a
// get() takes out then is lost. So give a method that waits its own timeout,
// below the context's.
//
// The name "#GETVALUE" fetches a copy of the object, where Python can pickle it.
func Call[R any](ctx context.Context, p *Proxy, method string, args ...any) (R, error) {
	var r R
	a, o, err := p.invoke(ctx, method, args)
	if err == nil {
		err = a.into(&r, o)
	}
	if err != nil {
		var zero R
		return zero, err
	}
	return r, nil
}

// Call calls a method whose result does not matter: see the function Call.
func (p *Proxy) Call(ctx context.Context, method string, args ...any) error {
	a, _, err := p.invoke(ctx, method, args)
	if err == nil && a.proxy != nil {
		_ = a.proxy.Close()
	}
	return err
}

func (p *Proxy) invoke(ctx context.Context, method string, args []any) (*answer, origin, error) {
	if p == nil || p.o == nil {
		return nil, origin{}, fmt.Errorf("%s: the proxy is nil: %w", method, mperr.ErrClosed)
	}
	o := origin{typeid: p.o.typeid, method: method, ident: p.o.ident}
	if p.o.released.Load() {
		return nil, o, fmt.Errorf("%s: the proxy: %w", o, mperr.ErrClosed)
	}
	s := &message{ctx: ctx, m: p.o.m}
	list, kwds, err := s.arguments(args)
	if err != nil {
		return nil, o, fmt.Errorf("%s: %w", o, err)
	}
	frame, err := s.request(p.o.ident, method, list, kwds)
	if err != nil {
		return nil, o, fmt.Errorf("%s: %w", o, err)
	}
	var reply []byte
	if p.bound != nil {
		reply, err = p.bound.call(ctx, p.o.m, frame)
	} else {
		reply, err = p.o.m.call(ctx, frame)
	}
	runtime.KeepAlive(p) // or the reference might be given back under the call,
	runtime.KeepAlive(s) // or those of the proxies among its arguments
	if err != nil {
		return nil, o, fmt.Errorf("%s: %w", o, err)
	}
	a, err := s.answer(reply, o)
	return a, o, err
}

// Channel is one connection to a manager's server, and so one thread of it. What
// Python's locks take for the owner is that thread: an RLock that was acquired
// over a Channel is released over the same one, and a Condition waits only over
// the Channel that holds it. Calls over a Channel take turns.
//
// Proxies that are not bound to a Channel use any, which suits everything else:
// also a Lock and a Semaphore, which anybody may release.
//
// When a Channel ends, by Close, an error or the end of a context in the middle
// of a call, CPython's server does not release what was acquired over it.
type Channel struct {
	m    *Manager
	turn chan struct{} // holds one token while nobody uses the channel
	ch   *channel
	err  error // why it ended
}

// Channel opens a channel of the caller's own.
func (m *Manager) Channel(ctx context.Context) (*Channel, error) {
	ch, err := m.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.use(ch); err != nil {
		return nil, err
	}
	c := &Channel{m: m, turn: make(chan struct{}, 1), ch: ch}
	c.turn <- struct{}{}
	return c, nil
}

// Bind returns a proxy of the same object whose calls go over c. It holds no
// reference of its own: p must stay open.
func (c *Channel) Bind(p *Proxy) *Proxy {
	return &Proxy{o: p.o, exposed: p.exposed, class: p.class, bound: c, parent: p}
}

// Close ends the channel. It waits for a call under way.
func (c *Channel) Close() error {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	c.end(errors.New("it was closed"))
	return nil
}

// end is called by whoever has the turn.
func (c *Channel) end(why error) {
	if c.err == nil {
		c.err = why
		c.m.give(c.ch, false)
	}
}

func (c *Channel) call(ctx context.Context, m *Manager, frame []byte) ([]byte, error) {
	if m != c.m {
		return nil, fmt.Errorf("the channel leads to %s, the object is of %s: %w", c.m, m, mperr.ErrForeign)
	}
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if c.err != nil {
		return nil, fmt.Errorf("the channel has ended (%w): %w", c.err, mperr.ErrClosed)
	}
	reply, usable, err := c.ch.exchange(ctx, frame, m.o.maxFrame, mperr.ErrUnknownFate)
	if !usable {
		why := err
		if why == nil {
			why = context.Cause(ctx)
		}
		c.end(why)
	}
	return reply, m.explain(err)
}
