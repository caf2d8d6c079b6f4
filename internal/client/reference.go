package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

func init() { driver.Register(driverName, openReference) }

// driverName is how references to objects of managers are marked.
const driverName = "manager"

// clients are the Managers of this process, for handles that arrive. A handle
// that arrives uses a session that the program has with the store it belongs
// to. If there is none, one is made for all such handles to that address; it
// ends soon after the last of them is closed.
var clients = struct {
	sync.Mutex
	open []*Manager             // of the program: dialled, not closed
	own  map[string]*arrivals   // made for handles, by address and key
	tls  map[string]*tls.Config // UseTLS
}{own: map[string]*arrivals{}, tls: map[string]*tls.Config{}}

// arrivals are the handles that share a Manager which was made for them.
type arrivals struct {
	m       *Manager
	handles int // open ones, and references under way to become one
	since   int // changes when handles does, so that a late farewell is told
}

// linger is how long a connection for arrived handles outlives the last of
// them: tasks that get a handle each often follow each other.
const linger = 250 * time.Millisecond

func remember(m *Manager) {
	clients.Lock()
	defer clients.Unlock()
	clients.open = append(clients.open, m)
}

func forget(m *Manager) {
	clients.Lock()
	defer clients.Unlock()
	clients.open = slices.DeleteFunc(clients.open, func(o *Manager) bool { return o == m })
}

// UseTLS tells this process how to connect to the server at an address, where
// handles to its objects arrive. Nil: as before.
func UseTLS(address string, config *tls.Config) {
	clients.Lock()
	defer clients.Unlock()
	if config == nil {
		delete(clients.tls, address)
		return
	}
	clients.tls[address] = config
}

// reference is what a handle is to another process.
type reference struct {
	address string
	key     []byte
	tls     bool
	store   [frames.IdentitySize]byte
	ticket  uint64
	id      uint64
	typ     string
	name    string
}

const referenceParts = 8

func (r *reference) label() string { return label(r.typ, r.name, r.id) }

func (r *reference) append(dst []byte) []byte {
	dst = frames.AppendArray(dst, referenceParts)
	dst = frames.AppendBytes(frames.AppendText(dst, r.address), r.key)
	dst = frames.AppendBytes(frames.AppendBool(dst, r.tls), r.store[:])
	dst = frames.AppendUint(frames.AppendUint(dst, r.ticket), r.id)
	return frames.AppendText(frames.AppendText(dst, r.typ), r.name)
}

func parseReference(b []byte) (r reference, err error) {
	it, isArray := frames.Array(b)
	parts := it.Len()
	address, ok0 := frames.Text(it.Next())
	key, ok1 := frames.Bytes(it.Next())
	secure, ok2 := frames.Bool(it.Next())
	store, ok3 := frames.Bytes(it.Next())
	ticket, ok4 := frames.Uint(it.Next())
	id, ok5 := frames.Uint(it.Next())
	typ, ok6 := frames.Text(it.Next())
	name, ok7 := frames.Text(it.Next())
	if !isArray || parts != referenceParts || !(ok0 && ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) ||
		copy(r.store[:], store) != frames.IdentitySize || len(it.Raw()) > 0 {
		return r, fmt.Errorf("reference to an object of a manager: %w", mperr.ErrCorrupt)
	}
	r.address, r.key, r.tls = string(address), bytes.Clone(key), secure
	r.ticket, r.id, r.typ, r.name = ticket, id, string(typ), string(name)
	return r, nil
}

// openReference is the driver's OpenFunc.
func openReference(ctx context.Context, ref []byte) (driver.Object, error) {
	r, err := parseReference(ref)
	if err != nil {
		return nil, err
	}
	if m := r.known(); m != nil {
		return m.redeem(ctx, &r, nil)
	}
	a, err := r.arrive()
	if err != nil {
		return nil, err
	}
	o, err := a.m.redeem(ctx, &r, a)
	if err != nil {
		a.leave()
		return nil, err
	}
	return o, nil
}

// known is the program's session with the store: one that is connected to it,
// or else one that will be, to the same address.
func (r *reference) known() *Manager {
	clients.Lock()
	defer clients.Unlock()
	for _, m := range clients.open {
		if l := m.link.Load(); l != nil && l.store == r.store && !l.broken.Load() {
			return m
		}
	}
	for _, m := range clients.open {
		if m.address == r.address && bytes.Equal(m.options.Authkey, r.key) {
			return m
		}
	}
	return nil
}

// arrive returns the Manager for handles to that address, with one more of
// them.
func (r *reference) arrive() (*arrivals, error) {
	clients.Lock()
	defer clients.Unlock()
	name := r.address + "\x00" + string(r.key)
	a := clients.own[name]
	if a == nil {
		o := Options{Authkey: r.key}
		if o.TLS = clients.tls[r.address]; o.TLS == nil && r.tls {
			return nil, fmt.Errorf("%s: the server at %s wants TLS, whose configuration cannot travel: call manager.Dial or manager.UseTLS with that address in this process before handles arrive", r.label(), r.address)
		}
		m, err := newManager(r.address, o)
		if err != nil {
			return nil, err
		}
		a = &arrivals{m: m}
		clients.own[name] = a
	}
	a.handles++
	a.since++
	return a, nil
}

// leave counts one handle less.
func (a *arrivals) leave() {
	clients.Lock()
	defer clients.Unlock()
	a.handles--
	a.since++
	if since := a.since; a.handles == 0 {
		time.AfterFunc(linger, func() { a.closeUnlessUsed(since) })
	}
}

func (a *arrivals) closeUnlessUsed(since int) {
	clients.Lock()
	used := a.since != since
	if !used {
		delete(clients.own, a.m.address+"\x00"+string(a.m.options.Authkey))
	}
	clients.Unlock()
	if !used {
		_ = a.m.Close()
	}
}
