package pymp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// Listener waits for Python programs that call multiprocessing.connection.Client.
// Make one by Listen. Any number of goroutines may use it.
type Listener struct {
	l   net.Listener
	key []byte
	o   options

	ready chan *Conn // authenticated
	ended chan struct{}

	mu      sync.Mutex
	closed  bool
	shaking []*pyconn.Conn // in their handshake, the oldest first
}

// maxHandshakes is how many strangers may be in their handshakes at once. One
// more, and the one that takes longest is dropped: who knows the key needs some
// milliseconds.
const maxHandshakes = 256

// Listen listens at "host:port", "/path" of a Unix socket that only this user may
// connect to, or "@name" of an abstract one. A port 0 is replaced by a free one:
// see Addr. A path that exists is an error, as in Python.
//
// With a nil authkey there is no handshake, as in Python: then anybody who can
// connect is accepted. Otherwise clients that do not know the key, or do not prove
// it within HandshakeTimeout, are dropped, and nobody waits for them.
func Listen(addr string, authkey []byte, opts ...Option) (*Listener, error) {
	o, err := collect(opts)
	if err != nil {
		return nil, fmt.Errorf("pymp.Listen: %w", err)
	}
	a, err := parseAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("pymp.Listen: %w", err)
	}
	if err := checkKey(authkey); err != nil {
		return nil, fmt.Errorf("pymp.Listen: %w", err)
	}
	config := net.ListenConfig{}
	if a.network == "unix" && a.name[0] != '@' {
		config.Control = private
	}
	socket, err := config.Listen(context.Background(), a.network, a.name)
	if err != nil {
		return nil, fmt.Errorf("pymp.Listen: %w", err)
	}
	l := &Listener{
		l: socket, key: slices.Clone(authkey), o: o, ready: make(chan *Conn), ended: make(chan struct{}),
	}
	go l.serve()
	return l, nil
}

// private makes the socket's file accessible to its owner alone. The kernel gives
// the file the mode that the socket has when it is bound, so that there is no
// moment at which others may connect.
func private(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = ownerOnly(fd) }); err != nil {
		return err
	}
	return failed
}

// Addr returns the address in the form that Connect takes: with the port that was
// chosen for "host:0".
func (l *Listener) Addr() string {
	name := l.l.Addr().String()
	if rest, abstract := strings.CutPrefix(name, "\x00"); abstract {
		return "@" + rest
	}
	return name
}

// serve accepts connections and lets each do its handshake by itself: one that
// takes its time keeps nobody else waiting. Without a key there is no handshake,
// and clients wait for Accept in the system's backlog.
func (l *Listener) serve() {
	pause := time.Millisecond
	for {
		socket, err := l.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors, mostly: it passes
			select {
			case <-l.ended:
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = time.Millisecond
		if c := pyconn.New(socket); l.key == nil {
			l.hand(c)
		} else {
			go l.welcome(c)
		}
	}
}

func (l *Listener) welcome(c *pyconn.Conn) {
	if !l.begin(c) {
		return
	}
	_ = c.SetDeadline(time.Now().Add(l.o.handshake))
	err := pyconn.ServerHandshake(c, l.key)
	l.finish(c)
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		slog.Debug("pymp: a client was refused", "listener", l.Addr(), "error", err)
		_ = c.Close()
		return
	}
	l.hand(c)
}

// hand gives a connection to whoever accepts next.
func (l *Listener) hand(c *pyconn.Conn) {
	select {
	case l.ready <- newConn(c, l.o):
	case <-l.ended:
		_ = c.Close()
	}
}

func (l *Listener) begin(c *pyconn.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return false
	}
	if len(l.shaking) >= maxHandshakes {
		_ = l.shaking[0].Close()
		l.shaking = slices.Delete(l.shaking, 0, 1)
	}
	l.shaking = append(l.shaking, c)
	return true
}

func (l *Listener) finish(c *pyconn.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shaking = slices.DeleteFunc(l.shaking, func(other *pyconn.Conn) bool { return other == c })
}

// Accept waits for the next client that knows the key.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("accept at %s: %w", l.Addr(), context.Cause(ctx))
	case <-l.ended:
		return nil, fmt.Errorf("accept at %s: %w", l.Addr(), mperr.ErrClosed)
	}
}

// Close stops listening, removes the file of a Unix socket and drops the clients
// that nobody has accepted. Connections that were accepted stay.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.ended)
	for _, c := range l.shaking {
		_ = c.Close()
	}
	return l.l.Close()
}
