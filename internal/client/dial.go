package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// Options are those of manager.Options that concern a client: see there.
type Options struct {
	Authkey     []byte
	AuthkeyFile string
	TLS         *tls.Config
	Name        string

	Heartbeat time.Duration // how often to look whether the server lives; 0: the default
}

// Dial is manager.Dial.
func Dial(ctx context.Context, address string, o Options) (*Manager, error) {
	m, err := newManager(address, o)
	if err != nil {
		return nil, fmt.Errorf("dial the manager at %s: %w", address, err)
	}
	if _, err := m.connected(ctx); err != nil {
		_ = m.Close() // it may be about to succeed after all
		return nil, fmt.Errorf("dial the manager at %s: %w", address, err)
	}
	remember(m)
	return m, nil
}

// newManager prepares a Manager that is not connected.
func newManager(address string, o Options) (*Manager, error) {
	if _, err := endpoint.Network(address); err != nil {
		return nil, err
	}
	key, err := endpoint.Secret{Key: o.Authkey, File: o.AuthkeyFile}.OfClient()
	if err != nil {
		return nil, err
	}
	o.Authkey = key
	if address[0] != '@' && strings.Contains(address, "/") {
		// Handles take the address to processes with other working directories.
		if address, err = filepath.Abs(address); err != nil {
			return nil, err
		}
	}
	if o.Name == "" {
		o.Name = filepath.Base(os.Args[0])
	}
	return &Manager{address: address, options: o, attaching: make(chan struct{}, 1)}, nil
}

// dialling is an attempt to connect, which any number of calls wait for.
type dialling struct {
	cancel context.CancelFunc
	done   chan struct{}
	link   *link // once done
	err    error
}

// dialTimeout bounds an attempt to connect.
const dialTimeout = 10 * time.Second

// connected returns the connection, a new one if the last has ended.
func (m *Manager) connected(ctx context.Context) (*link, error) {
	if l := m.link.Load(); l != nil && !l.broken.Load() {
		return l, nil
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, mperr.ErrClosed
	}
	if l := m.link.Load(); l != nil && !l.broken.Load() {
		m.mu.Unlock()
		return l, nil
	}
	d := m.dialling
	if d == nil {
		d = &dialling{done: make(chan struct{})}
		var own context.Context
		own, d.cancel = context.WithTimeout(context.Background(), dialTimeout)
		m.dialling = d
		go m.dial(own, d)
	}
	m.mu.Unlock()
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, mperr.Ended(ctx)
	}
}

// dial makes the attempt. It does not hear the contexts of those who wait: the
// next one may want the connection.
func (m *Manager) dial(ctx context.Context, d *dialling) {
	defer d.cancel()
	l, err := m.begin(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && m.closed {
		l.fail(mperr.ErrClosed)
		err = mperr.ErrClosed
	}
	if err != nil {
		l = nil
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no connection after %v: %w", dialTimeout, err)
		}
	} else {
		m.link.Store(l)
		go l.pump()
	}
	d.link, d.err = l, err
	m.dialling = nil
	close(d.done)
}

// begin makes a connection and a session on it.
func (m *Manager) begin(ctx context.Context) (*link, error) {
	w, hello, err := m.connect(ctx, frames.SessionID{}, 0)
	if err != nil {
		return nil, err
	}
	l := newLink(m, w)
	l.session, l.store, l.direct = hello.Session, hello.Store, hello.Direct
	l.frame = int(min(hello.Frame, math.MaxInt32))
	l.grace = time.Duration(min(hello.Grace, maxGrace)) * time.Millisecond
	return l, nil
}

// maxGrace is the longest grace that a server may ask for, in milliseconds.
const maxGrace = 1 << 32

// connect makes a connection for a session of which so many frames have come; the
// zero session is a new one.
func (m *Manager) connect(ctx context.Context, session frames.SessionID, got uint64) (*wire, frames.ServerHello, error) {
	var none frames.ServerHello
	network, err := endpoint.Network(m.address)
	if err != nil {
		return nil, none, err
	}
	socket, err := new(net.Dialer).DialContext(ctx, network, m.address)
	if err != nil {
		return nil, none, err
	}
	w, hello, err := m.join(ctx, socket, session, got)
	if err != nil {
		_ = socket.Close()
		return nil, none, err
	}
	return w, hello, nil
}

// join authenticates both ends and exchanges Hellos.
func (m *Manager) join(ctx context.Context, socket net.Conn, session frames.SessionID, got uint64) (*wire, frames.ServerHello, error) {
	var none frames.ServerHello
	endpoint.TuneTCP(socket)
	conn := socket
	if m.options.TLS != nil {
		t := tls.Client(socket, m.tlsConfig())
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, none, err
		}
		conn = t
	}
	c := pyconn.New(conn)
	stop := c.Interrupt(ctx)
	hello, err := m.hello(c, session, got)
	if !stop() && err == nil {
		err = mperr.Ended(ctx)
	}
	if err != nil {
		return nil, none, err
	}
	endpoint.WatchTCP(socket)
	w := newWire(conn)
	w.in.buf = c.Rest()
	w.in.w = len(w.in.buf)
	return w, hello, nil
}

func (m *Manager) tlsConfig() *tls.Config {
	config := m.options.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(m.address)
	}
	return config
}

func (m *Manager) hello(c *pyconn.Conn, session frames.SessionID, got uint64) (frames.ServerHello, error) {
	var none frames.ServerHello
	if err := pyconn.ClientHandshake(c, m.options.Authkey); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the server hung up: it may want TLS, have enough clients, or be another user's: %w", err)
		}
		return none, err
	}
	mine := frames.AppendClientHello(nil, frames.ClientHello{
		PID: uint64(os.Getpid()), Name: strings.ToValidUTF8(m.options.Name, "?"), Host: endpoint.Host(), Session: session, Got: got,
	})
	if err := c.WriteFrame(mine); err != nil {
		return none, err
	}
	b, err := c.ReadFrame(firstRead)
	if err != nil {
		return none, fmt.Errorf("no answer to our hello: is it a manager of Python? pymp.Dial is for those: %w", err)
	}
	var f frames.Frame
	if err := frames.Parse(b, &f); err != nil {
		return none, fmt.Errorf("the answer to our hello: is it a manager of Python? pymp.Dial is for those: %w", err)
	}
	switch {
	case f.Kind == frames.Bye && session != frames.SessionID{}:
		return none, fmt.Errorf("%s: %w", f.Reason, errForgotten)
	case f.Kind == frames.Bye:
		return none, fmt.Errorf("the server refuses: %s", f.Reason)
	}
	his, ok := f.ServerHello()
	if !ok {
		return none, errStrange
	}
	return his, nil
}
