package manager

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
	"multiproc/mp"
)

// Manager is a session with a server, made by Dial or Start: the place to give
// to mp.In. What it opens and locks belongs to the session and is given back
// when that ends, by Close or because this process dies.
//
// It uses one connection for any number of calls at once. If that breaks, it
// makes another and the session goes on: calls under way are carried out once,
// locks stay held, and new calls wait. The session is lost if there is no
// connection within the server's Limits.Grace, or the server has ended: then
// calls under way return errors that wrap mp.ErrUnknownFate, and the next call
// begins a new session. Handles go on working where the server still has the
// object, which without a name or another holder it has not: they return
// mp.ErrNoHandle. Locks that were held are lost, and the next owners are told.
//
// A call whose context ends asks the server to give it up, and returns when
// the server has answered, so that an error means that nothing happened. A
// server that does not answer within two seconds makes it ErrUnknownFate. Calls
// without a context end when the server answers, or when it has said nothing for
// nine seconds and cannot be reached within its grace.
//
// All methods are safe for concurrent use. The zero Manager is not usable.
// A Manager does not travel to other processes; handles to its objects do.
type Manager struct {
	address string
	options Options // with the key

	process mp.Child                        // of the server, if Start started it
	end     func(ctx context.Context) error // ends it; nil otherwise

	link  atomic.Pointer[link] // the last session, perhaps broken
	pulse time.Duration        // how often a link looks whether the server lives; 0: the default

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
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return m.close(ctx)
}

// closePatience is how long the end of a server process may take.
const closePatience = 10 * time.Second

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
