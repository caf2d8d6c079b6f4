package pymp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Manager is a client of a manager that a Python program serves. Make one by
// Dial; the zero Manager is not usable. Any number of goroutines may use it.
//
// It connects when it has something to say, and again after the server has
// come back: no connection is kept for its own sake. See the package comment
// for what that means to calls under way.
type Manager struct {
	addr address
	key  []byte
	o    options

	channels atomic.Uint64 // opened so far, for their names

	mu      sync.Mutex
	closed  bool
	idle    []*channel
	busy    map[*channel]struct{}
	live    map[*object]struct{}
	remote  net.Addr // of the server, by TCP
	name    address  // what the server calls itself, once it is known
	others  map[address]*Manager
	garbage []*object // forgotten by the program, to be given back
	reaping bool
}

// Dial connects to the manager at an address, "host:port", "/path" or "@name",
// and makes sure that both sides know authkey. The key is copied.
//
// An error wraps mp.ErrAuth if the keys differ, or the network's error if there
// is nobody. It blocks for two round trips.
func Dial(ctx context.Context, addr string, authkey []byte, opts ...Option) (*Manager, error) {
	o, err := collect(opts)
	if err != nil {
		return nil, fmt.Errorf("pymp.Dial: %w", err)
	}
	a, err := parseAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("pymp.Dial: %w", err)
	}
	m, err := newManager(a, authkey, o)
	if err != nil {
		return nil, fmt.Errorf("pymp.Dial: %w", err)
	}
	if err := m.Ping(ctx); err != nil {
		return nil, fmt.Errorf("pymp.Dial: %w", err)
	}
	dialled.add(m)
	return m, nil
}

func newManager(a address, authkey []byte, o options) (*Manager, error) {
	if len(authkey) == 0 {
		return nil, fmt.Errorf("manager %s: no authkey was given; it is the one that the Python program serves it with: %w", a, mperr.ErrAuth)
	}
	m := &Manager{addr: a, key: slices.Clone(authkey), o: o}
	m.busy, m.live, m.others = map[*channel]struct{}{}, map[*object]struct{}{}, map[address]*Manager{}
	if len(o.aliases) > 0 {
		m.name = o.aliases[0]
	}
	return m, nil
}

// String names the manager by its address, never by its key.
func (m *Manager) String() string { return "manager " + m.addr.String() }

// GoString keeps the key out of %#v.
func (m *Manager) GoString() string { return m.String() }

// Address returns the address that was dialled.
func (m *Manager) Address() string { return m.addr.String() }

// Ping makes sure that the server is there and knows the key.
func (m *Manager) Ping(ctx context.Context) error {
	_, err := m.server(ctx, errNoAnswer, "dummy", nil)
	return err
}

// NumberOfObjects returns how many objects the server keeps for its clients.
func (m *Manager) NumberOfObjects(ctx context.Context) (int, error) {
	var n int
	a, err := m.server(ctx, errNoAnswer, "number_of_objects", nil)
	if err == nil {
		err = a.into(&n, origin{method: "number_of_objects"})
	}
	return n, err
}

// DebugInfo returns the server's list of its objects: for each its ident, the
// count of references and the beginning of its str().
func (m *Manager) DebugInfo(ctx context.Context) (string, error) {
	var text string
	a, err := m.server(ctx, errNoAnswer, "debug_info", nil)
	if err == nil {
		err = a.into(&text, origin{method: "debug_info"})
	}
	return text, err
}

// Shutdown ends the server, for all of its clients, and closes m.
func (m *Manager) Shutdown(ctx context.Context) error {
	if _, err := m.server(ctx, mperr.ErrUnknownFate, "shutdown", nil); err != nil {
		return err
	}
	m.mu.Lock()
	clear(m.live) // they went with the server
	m.mu.Unlock()
	return m.Close()
}

// Create makes an object of a registered type, as the method of that name does
// in Python: args are the arguments of the registered callable; a Kwargs at the
// end holds keyword arguments. The object lives until its last proxy is closed,
// here and elsewhere.
//
// A callable that returns the same object each time, a get_queue for example,
// yields another proxy of it.
func (m *Manager) Create(ctx context.Context, typeid string, args ...any) (*Proxy, error) {
	s := &message{ctx: ctx, m: m}
	list, kwds, err := s.arguments(args)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", typeid, err)
	}
	o := origin{method: "create " + typeid}
	a, err := m.roundTrip(ctx, s, mperr.ErrUnknownFate, o, "create", append(pyvalue.Tuple{typeid}, list...), kwds)
	if err != nil {
		return nil, err
	}
	if pair, ok := a.value.(pyvalue.Tuple); ok && len(pair) == 2 {
		ident, ok := pair[0].(string)
		exposed, err := names(pair[1])
		if ok && err == nil {
			return m.adopt(typeid, ident, exposed, pyvalue.Global{}), nil
		}
	}
	return nil, fmt.Errorf("%s: the reply has an unknown form: %w", o, mperr.ErrCorrupt)
}

// Attach makes a proxy of an object that exists already, from its type id and
// its ident: see Proxy.ID. An error wraps mp.ErrNoHandle if there is none.
func (m *Manager) Attach(ctx context.Context, typeid, ident string) (*Proxy, error) {
	p := new(Proxy)
	if err := m.attach(ctx, p, reference{typeid: typeid, ident: ident, addr: m.self()}); err != nil {
		return nil, fmt.Errorf("attach to %s %s: %w", typeid, ident, err)
	}
	return p, nil
}

// server makes one of the requests that a connection serves before it becomes a
// channel: the server closes it after the reply.
func (m *Manager) server(ctx context.Context, lost error, method string, args pyvalue.Tuple) (*answer, error) {
	s := &message{ctx: ctx, m: m}
	return m.roundTrip(ctx, s, lost, origin{method: method}, method, args, &pyvalue.Dict{})
}

func (m *Manager) roundTrip(ctx context.Context, s *message, lost error, o origin, method string, args pyvalue.Tuple, kwds *pyvalue.Dict) (*answer, error) {
	if args == nil {
		args = pyvalue.Tuple{}
	}
	frame, err := s.request(nil, method, args, kwds)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	ch, err := m.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	if err := m.use(ch); err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	reply, _, err := ch.exchange(ctx, frame, m.o.maxFrame, lost)
	m.give(ch, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, m.explain(err))
	}
	return s.answer(reply, o)
}

// Close gives back the references of all proxies that are still open, and closes
// the channels. Calls under way fail. It takes a connection for each reference,
// and some seconds at most.
func (m *Manager) Close() error {
	dialled.remove(m)
	m.releaseAll()
	for _, other := range m.shut() {
		_ = other.Close()
	}
	return nil
}

// shut ends all channels, and returns the managers that belong to this one.
func (m *Manager) shut() map[address]*Manager {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, ch := range m.idle {
		_ = ch.c.Close()
	}
	for ch := range m.busy {
		_ = ch.c.Close()
	}
	others := m.others
	m.idle, m.others = nil, nil
	return others
}

func (m *Manager) closedError() error {
	return fmt.Errorf("%s: %w", m, mperr.ErrClosed)
}

// explain says of an error of a connection that Close was the reason, if so.
func (m *Manager) explain(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%w: %w", m.closedError(), err)
	}
	return err
}

// met remembers the server's side of a connection.
func (m *Manager) met(remote net.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remote = remote
}

// learn remembers by what name the server calls itself: CPython compares names
// to find out whether a proxy is of its own objects.
func (m *Manager) learn(name address) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.o.aliases) == 0 {
		m.name = name
	}
}

// self is the server's name for itself, or the best guess: CPython's servers
// call themselves by the number that they are bound to, not by a host's name.
func (m *Manager) self() address {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.name != (address{}):
		return m.name
	case m.addr.network == "tcp" && m.remote != nil:
		return address{"tcp", m.remote.String()}
	}
	return m.addr
}

// is reports whether a name in a token means this manager's server.
func (m *Manager) is(name address) bool {
	m.mu.Lock()
	remote, known := m.remote, m.name
	m.mu.Unlock()
	if name == m.addr || name == known || slices.Contains(m.o.aliases, name) || remote != nil && name.sees(remote) {
		return true
	}
	if name.network == "unix" && m.addr.network == "unix" && name.name[0] != '@' && m.addr.name[0] != '@' {
		a, err1 := filepath.Abs(name.name)
		b, err2 := filepath.Abs(m.addr.name)
		return err1 == nil && err2 == nil && a == b
	}
	return false
}
