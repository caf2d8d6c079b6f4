package client

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// handle is this process's reference to one object of a server: what all
// implementations of driver.Object have in common.
type handle struct {
	m        *Manager
	id       uint64
	typ      string // type id
	named    string // empty: it has no name, or none that we know
	capacity int    // of a queue, 0: unbounded
	store    [frames.IdentitySize]byte
	guest    *arrivals // what the handle keeps open; nil: a Manager of the program's

	on     atomic.Pointer[link] // the connection whose session holds the reference
	closed atomic.Bool

	mu     sync.Mutex // over changes of what follows, and of on
	forgot runtime.Cleanup
}

// orphan is what is left of a handle: its reference at the server.
type orphan struct {
	m     *Manager
	on    *link
	id    uint64
	guest *arrivals
}

func (m *Manager) newHandle(on *link, id uint64, typ, name string, capacity int, guest *arrivals) *handle {
	h := &handle{m: m, id: id, typ: typ, named: name, capacity: capacity, store: on.store, guest: guest}
	h.hold(on)
	return h
}

// hold notes that the session of a connection holds a reference for h. A
// handle that is dropped without Close gives it back all the same, some time.
func (h *handle) hold(on *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed.Load() {
		go orphan{h.m, on, h.id, nil}.release()
		return
	}
	h.forgot.Stop()
	h.on.Store(on)
	h.forgot = runtime.AddCleanup(h, func(o orphan) { go o.release() }, orphan{h.m, on, h.id, h.guest})
}

// release gives the reference back, unless it has ended with its session.
func (o orphan) release() {
	if !o.on.broken.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		r := o.m.request(storeRelease).uint(o.id)
		r.urgent = true
		_ = o.on.call(ctx, r) // an error: the session ends, and gives it back
		r.free()
	}
	if o.guest != nil {
		o.guest.leave()
	}
}

// Close implements driver.Object. It returns when the server has taken the
// handle back, or does not answer.
func (h *handle) Close() error {
	h.mu.Lock()
	if h.closed.Swap(true) {
		h.mu.Unlock()
		return fmt.Errorf("%s: %w", h, mperr.ErrClosed)
	}
	h.forgot.Stop()
	on := h.on.Load()
	h.mu.Unlock()
	on.cancelAll(h, mperr.ErrClosed)
	orphan{h.m, on, h.id, h.guest}.release()
	return nil
}

// attach makes sure that the session of a connection holds a reference for h:
// it is another session after the connection broke.
func (h *handle) attach(ctx context.Context, l *link) error {
	if h.on.Load() == l {
		return nil
	}
	select {
	case h.m.attaching <- struct{}{}:
		defer func() { <-h.m.attaching }()
	case <-ctx.Done():
		return mperr.Ended(ctx)
	}
	if h.on.Load() == l {
		return nil
	}
	if h.store != l.store {
		return fmt.Errorf("%w: the server was started anew since: open it again", mperr.ErrNoHandle)
	}
	r := h.m.request(storeAttach).uint(h.id)
	r.undo = undoAttach(h.id)
	defer r.free()
	err := l.call(ctx, r)
	if errors.Is(err, mperr.ErrNoKey) {
		return fmt.Errorf("%w: the server forgot it when the connection broke, for it has no name and nobody else had a handle", mperr.ErrNoHandle)
	}
	if err == nil {
		h.hold(l)
	}
	return err
}

// Reference implements driver.Object. The bytes contain the key of the server.
func (h *handle) Reference(ctx context.Context) (name string, ref []byte, err error) {
	r := h.request(storeTicket).uint(h.id)
	r.id = 0
	defer r.free()
	if err := r.do(ctx); err != nil {
		return "", nil, err
	}
	ticket, ok := frames.Uint(r.reply.value)
	if !ok {
		return "", nil, r.want(false, "a number")
	}
	out := reference{
		address: h.m.address, key: h.m.options.Authkey, tls: h.m.options.TLS != nil,
		store: h.store, ticket: ticket, id: h.id, typ: h.typ, name: h.named,
	}
	return driverName, out.append(nil), nil
}

// String implements driver.Object.
func (h *handle) String() string { return label(h.typ, h.named, h.id) }

func label(typ, name string, id uint64) string {
	if name != "" {
		return typ + " " + name
	}
	return fmt.Sprintf("%s %x", typ, id)
}

// base is the handle within the implementations of driver.Object.
func (h *handle) base() *handle { return h }

// Place implements driver.Object.
func (h *handle) Place() driver.Place { return h.m }

// Embed implements driver.Object.
func (h *handle) Embed(into driver.Place) ([]byte, error) {
	ok := false
	switch into := into.(type) {
	case *Manager:
		l := into.link.Load()
		ok = l != nil && l.store == h.store
	case *served:
		ok = into.store == h.store
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("%s is in %s and cannot be kept in %v: %w", h, h.m, into, mperr.ErrForeign)
	case h.closed.Load():
		return nil, fmt.Errorf("%s: %w", h, mperr.ErrClosed)
	}
	return interchange.AppendRef(nil, h.id, h.typ), nil
}
