package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// Dial connects to a server, which Serve, Start or the command mp runs, at an
// address in the forms of Listen. It uses the options Authkey, AuthkeyFile,
// TLS and Name. ctx bounds the connecting only, which takes ten seconds at
// most. A wrong key is an error that wraps mp.ErrAuth.
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
	if _, err := networkOf(address); err != nil {
		return nil, err
	}
	key, err := o.clientKey()
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

// dialPatience bounds an attempt to connect.
const dialPatience = 10 * time.Second

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
		own, d.cancel = context.WithTimeout(context.Background(), dialPatience)
		m.dialling = d
		go m.dial(own, d)
	}
	m.mu.Unlock()
	select {
	case <-d.done:
		return d.link, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial makes the attempt. It does not hear the contexts of those who wait: the
// next one may want the connection.
func (m *Manager) dial(ctx context.Context, d *dialling) {
	defer d.cancel()
	l, err := m.connect(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && m.closed {
		l.fail(mperr.ErrClosed)
		err = mperr.ErrClosed
	}
	if err != nil {
		l = nil
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no connection after %v: %w", dialPatience, err)
		}
	} else {
		m.link.Store(l)
		go l.pump()
	}
	d.link, d.err = l, err
	m.dialling = nil
	close(d.done)
}

// connect makes a connection and a session on it.
func (m *Manager) connect(ctx context.Context) (*link, error) {
	network, err := networkOf(m.address)
	if err != nil {
		return nil, err
	}
	socket, err := new(net.Dialer).DialContext(ctx, network, m.address)
	if err != nil {
		return nil, err
	}
	l, err := m.join(ctx, socket)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	return l, nil
}

// join authenticates both ends and exchanges Hellos.
func (m *Manager) join(ctx context.Context, socket net.Conn) (*link, error) {
	tuneTCP(socket)
	conn := socket
	if m.options.TLS != nil {
		t := tls.Client(socket, m.tlsConfig())
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = t
	}
	c := pyconn.New(conn)
	stop := c.Interrupt(ctx)
	hello, err := m.hello(c)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	watchTCP(socket)
	l := newLink(conn)
	l.session, l.store = hello.ID, hello.Store
	l.frame = int(min(hello.Frame, unlimited))
	return l, nil
}

func (m *Manager) tlsConfig() *tls.Config {
	config := m.options.TLS
	if config.ServerName == "" && !config.InsecureSkipVerify {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(m.address)
	}
	return config
}

func (m *Manager) hello(c *pyconn.Conn) (frames.ServerHello, error) {
	var none frames.ServerHello
	if err := pyconn.ClientHandshake(c, m.options.Authkey); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the server hung up: it may want TLS, have enough clients, or be another user's: %w", err)
		}
		return none, err
	}
	mine := frames.AppendClientHello(nil, frames.ClientHello{PID: uint64(os.Getpid()), Name: strings.ToValidUTF8(m.options.Name, "?")})
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
	if f.Kind == frames.Bye {
		return none, fmt.Errorf("the server refuses: %s", f.Reason)
	}
	his, ok := f.ServerHello()
	if !ok || c.Buffered() {
		return none, errStrange
	}
	return his, nil
}
