package pymp

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Proxy stands for an object that a manager's server keeps. It holds one
// reference to it, until Close. Any number of goroutines may use one Proxy at
// once: each call under way has a channel of its own, and so a thread of its own
// in the server. For locks that belong to whoever took them see Channel.
//
// A Proxy may be part of arguments and of results, at any depth. The zero Proxy
// is usable only to receive one.
type Proxy struct {
	o       *object
	exposed []string
	class   pyvalue.Global // of Python's proxy, if this one came from there
	bound   *Channel       // nil: calls go over any channel
	parent  *Proxy         // of a bound one: it holds the reference
}

// object is one reference to an object of the server.
type object struct {
	m             *Manager
	typeid, ident string
	released      atomic.Bool
}

// Kwargs are keyword arguments: a Kwargs that is the last argument of a call
// names arguments for Python.
type Kwargs map[string]any

// adopt makes the proxy of a reference that the server has counted already.
func (m *Manager) adopt(typeid, ident string, exposed []string, class pyvalue.Global) *Proxy {
	p := new(Proxy)
	m.fill(p, typeid, ident, exposed, class)
	return p
}

func (m *Manager) fill(p *Proxy, typeid, ident string, exposed []string, class pyvalue.Global) {
	o := &object{m: m, typeid: typeid, ident: ident}
	m.mu.Lock()
	m.live[o] = struct{}{}
	m.mu.Unlock()
	p.o, p.exposed, p.class = o, exposed, class
	runtime.AddCleanup(p, func(o *object) { o.m.forget(o) }, o)
}

// attach makes p a proxy of an object whose reference has to be counted first.
func (m *Manager) attach(ctx context.Context, p *Proxy, r reference) error {
	at := &message{ctx: ctx, m: m}
	o := origin{method: "incref", ident: r.ident}
	if _, err := m.roundTrip(ctx, at, mperr.ErrUnknownFate, o, "incref", pyvalue.Tuple{r.ident}, &pyvalue.Dict{}); err != nil {
		return err
	}
	m.fill(p, r.typeid, r.ident, r.exposed, r.class)
	if r.exposed != nil {
		return nil
	}
	exposed, err := m.methods(ctx, r)
	if err != nil {
		_ = p.Close()
		return err
	}
	p.exposed = exposed
	return nil
}

// methods asks for the names that an object exposes.
func (m *Manager) methods(ctx context.Context, r reference) ([]string, error) {
	t := &pyvalue.Object{
		Func: tokenClass, Args: pyvalue.Tuple{}, New: true,
		State: pyvalue.Tuple{r.typeid, m.self().python(), r.ident}, HasState: true,
	}
	a, err := m.server(ctx, errNoAnswer, "get_methods", pyvalue.Tuple{t})
	if err != nil {
		return nil, err
	}
	exposed, err := names(a.value)
	if err != nil {
		return nil, fmt.Errorf("get_methods: %w", err)
	}
	slices.Sort(exposed) // they come out of a set
	return exposed, nil
}

// MultiprocHandle marks a Proxy as something that a message may mention.
func (p *Proxy) MultiprocHandle() codec.Carrier { return nil }

// ID returns the object's ident at its server, with which Attach finds it.
func (p *Proxy) ID() string { return p.of().ident }

// Typeid returns the name under which the object's type is registered.
func (p *Proxy) Typeid() string { return p.of().typeid }

// Manager returns the manager whose object it is.
func (p *Proxy) Manager() *Manager { return p.of().m }

// of spares the zero Proxy a crash.
func (p *Proxy) of() *object {
	if p == nil || p.o == nil {
		return new(object)
	}
	return p.o
}

// Methods returns the names of the methods that the server offers.
func (p *Proxy) Methods() []string { return slices.Clone(p.exposed) }

// String says what p stands for, without asking the server.
func (p *Proxy) String() string {
	if p == nil || p.o == nil {
		return "pymp.Proxy(nil)"
	}
	return fmt.Sprintf("pymp.Proxy(%s %s at %s)", p.o.typeid, p.o.ident, p.o.m.addr)
}

// Repr returns Python's repr() of the object.
func (p *Proxy) Repr(ctx context.Context) (string, error) {
	return Call[string](ctx, p, "__repr__")
}

// Close gives the reference back; the server drops the object with its last
// one. It takes a connection of its own and some seconds at most; there is no
// error if the server has gone. Closing twice does nothing, and so does closing
// a Proxy that Channel.Bind returned.
//
// A Proxy that the program forgets is closed some time later.
func (p *Proxy) Close() error {
	if p == nil || p.o == nil || p.parent != nil {
		return nil
	}
	return p.o.release()
}

// release counts the reference down. Only the first call does.
func (o *object) release() error {
	if o.released.Swap(true) {
		return nil
	}
	o.m.mu.Lock()
	delete(o.m.live, o)
	closed := o.m.closed
	o.m.mu.Unlock()
	if closed {
		return nil // Manager.Close has given all back, as far as it could
	}
	ctx, cancel := context.WithTimeout(context.Background(), o.m.o.handshake)
	defer cancel()
	return o.m.decref(ctx, o)
}

func (m *Manager) decref(ctx context.Context, o *object) error {
	_, err := m.server(ctx, mperr.ErrUnknownFate, "decref", pyvalue.Tuple{o.ident})
	if err == nil || isGone(err) {
		return nil
	}
	return fmt.Errorf("close %s %s: %w", o.typeid, o.ident, err)
}

// forget is called by the garbage collector: it must not wait.
func (m *Manager) forget(o *object) {
	if o.released.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.garbage = append(m.garbage, o)
	if !m.reaping && !m.closed {
		m.reaping = true
		go m.reap()
	}
}

func (m *Manager) reap() {
	for {
		m.mu.Lock()
		n := len(m.garbage)
		if n == 0 || m.closed {
			m.reaping, m.garbage = false, nil
			m.mu.Unlock()
			return
		}
		o := m.garbage[n-1]
		m.garbage = m.garbage[:n-1]
		m.mu.Unlock()
		_ = o.release()
	}
}

// releaseAll gives back every reference, until one cannot be given back.
func (m *Manager) releaseAll() {
	m.mu.Lock()
	live := m.live
	m.live = map[*object]struct{}{}
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), m.o.handshake)
	defer cancel()
	for o := range live {
		if o.released.Swap(true) {
			continue
		}
		if _, err := m.server(ctx, errNoAnswer, "decref", pyvalue.Tuple{o.ident}); err != nil && !isRefusal(err) {
			return // the server has gone, and the references with it
		}
	}
}
