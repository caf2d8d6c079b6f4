package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// Manager is a session with a server: see package manager/client.
type Manager struct {
	address string
	options Options // with the key

	end func(ctx context.Context) error // ends the server, if Start started it; nil otherwise

	link atomic.Pointer[link] // the last session, perhaps broken

	mu        sync.Mutex
	closed    bool
	dialling  *dialling
	attaching chan struct{} // a token, held while a handle attaches to a new connection
}

// The methods of the store, object 0.
const (
	storeOpen     = "open"
	storeAttach   = "attach"
	storeRelease  = "release"
	storeTicket   = "ticket"
	storeRedeem   = "redeem"
	storeCreate   = "create"
	storeCount    = "count"
	storeDebug    = "debug"
	storeNames    = "names"
	storeList     = "list"
	storePing     = "ping"
	storeShutdown = "shutdown"
)

// Address returns the address that was dialled, in the form that Dial takes.
func (m *Manager) Address() string { return m.address }

// Authkey returns a copy of the key, for other clients of the server. Do not
// print it.
func (m *Manager) Authkey() []byte { return bytes.Clone(m.options.Authkey) }

// String names the manager in messages, without its key.
func (m *Manager) String() string { return "manager " + m.address }

// GoString is String: formatting with %#v must not show the key.
func (m *Manager) GoString() string { return m.String() }

// Close ends the session: calls under way and handles to its objects return
// mp.ErrClosed, and locks that are held are given up as by a death. If Start
// made the Manager, the server's process is ended as well. A second Close
// returns mp.ErrClosed.
func (m *Manager) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return m.close(ctx)
}

// closeTimeout is how long the end of a server process may take.
const closeTimeout = 10 * time.Second

// OwnServer makes the end of m the end of a server, by a function that waits for
// that.
func OwnServer(m *Manager, end func(context.Context) error) { m.end = end }

func (m *Manager) close(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("%s: %w", m, mperr.ErrClosed)
	}
	m.closed = true
	if m.dialling != nil {
		m.dialling.cancel()
	}
	m.mu.Unlock()
	forget(m)
	if l := m.link.Load(); l != nil {
		l.cancelAll(nil, mperr.ErrClosed)
		polite, cancel := context.WithTimeout(ctx, grace)
		l.drain(polite)
		l.leave(polite)
		cancel()
		l.fail(mperr.ErrClosed)
	}
	if m.end != nil {
		return m.end(ctx)
	}
	return nil
}

// Shutdown ends the server, whoever started it, for all of its clients, and
// closes m. When it returns without an error the server has promised to end;
// the process of Start has ended.
func (m *Manager) Shutdown(ctx context.Context) error {
	err := m.request(storeShutdown).void(ctx)
	if errors.Is(err, mperr.ErrUnknownFate) {
		err = nil // the server was faster to end than to answer
	}
	if err != nil {
		return err
	}
	return m.close(ctx)
}

// Objects returns how many objects have users: the number of Python's
// number_of_objects.
func (m *Manager) Objects(ctx context.Context) (int, error) {
	return m.request(storeCount).number(ctx)
}

// Debug returns a text about the objects, a line for each, for people to read:
// that of Python's debug_info.
func (m *Manager) Debug(ctx context.Context) (string, error) {
	b, err := m.request(storeDebug).value(ctx)
	if err != nil {
		return "", err
	}
	text, ok := frames.Text(b)
	if !ok {
		return "", fmt.Errorf("%s: debug: %w", m, errStrange)
	}
	return string(text), nil
}

// Named is an object that has a name.
type Named struct {
	Name string
	Type string // its type id: "dict", "Queue"
}

// Names returns the objects that have names.
func (m *Manager) Names(ctx context.Context) ([]Named, error) {
	all, err := m.request(storeNames).items(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Named, 0, len(all))
	for _, item := range all {
		it, _ := frames.Array(item)
		name, nameOK := frames.Text(it.Next())
		typ, typeOK := frames.Text(it.Next())
		if !nameOK || !typeOK {
			return nil, fmt.Errorf("%s: names: %w", m, errStrange)
		}
		out = append(out, Named{string(name), string(typ)})
	}
	return out, nil
}

// Listed is what List says of a named object.
type Listed struct {
	Named
	Size    int // items in it; -1: it is nothing that holds items
	Cap     int // 0: no bound
	Waiting int // calls that wait in it
}

// List describes the objects that have names, sorted by name.
func (m *Manager) List(ctx context.Context) ([]Listed, error) {
	all, err := m.request(storeList).items(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Listed, 0, len(all))
	for _, item := range all {
		it, _ := frames.Array(item)
		name, nameOK := frames.Text(it.Next())
		typ, typeOK := frames.Text(it.Next())
		it.Next() // its id
		size, sized := frames.Int(it.Next())
		most, _ := frames.Int(it.Next())
		waiting, ok := frames.Int(it.Next())
		if !nameOK || !typeOK || !ok {
			return nil, fmt.Errorf("%s: list: %w", m, errStrange)
		}
		if !sized {
			size = -1
		}
		out = append(out, Listed{Named{string(name), string(typ)}, int(size), int(most), int(waiting)})
	}
	return out, nil
}
