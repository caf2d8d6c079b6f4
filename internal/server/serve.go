package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/endpoint"
	"multiproc/internal/objects"
	"multiproc/internal/peer"
	"multiproc/internal/registry"
	"multiproc/internal/store"
)

// Serve runs a server until ctx ends or a client asks for that: see
// manager.Serve.
func Serve(ctx context.Context, l net.Listener, o Options) error {
	s, err := New(ctx, o)
	if err != nil {
		_ = l.Close()
		return fmt.Errorf("serve: %w", err)
	}
	return s.Serve(l)
}

// Server is one run of Serve.
type Server struct {
	ctx    context.Context // the server's life
	cancel context.CancelFunc
	key    []byte
	limits Limits
	opaque bool // keep what is not known
	tls    *tls.Config
	log    *slog.Logger
	id     [16]byte // the identity of the store, for handles
	store  *store.Store

	program    *registry.Program // its types and functions
	handshakes handshakeLimiter
	pythons    pythons
	oversize   logLimiter   // tells the log of messages above Limits.Frame
	peers      *peer.Finder // of processes that connect by TCP; nil: they count as elsewhere

	sessions sessions // of Go clients

	wg      sync.WaitGroup // one for each connection, and each watched process
	mu      sync.Mutex
	conns   map[net.Conn]*conn // nil but for Go clients
	clients int                // those of conns that have proved themselves
	over    bool               // no more connections

	endTimeout time.Duration // how long the end may take: maxWindUp, but for tests
}

// New makes a server that ends with ctx.
func New(ctx context.Context, o Options) (*Server, error) {
	key, err := o.secret().OfServer()
	if err != nil {
		return nil, err
	}
	limits := o.Limits.withDefaults()
	if files := maxFiles(); files > 0 {
		limits.HalfOpen = min(limits.HalfOpen, files/4)
		limits.Connections = min(limits.Connections, files-limits.HalfOpen)
	}
	s := &Server{
		key: key, limits: limits, opaque: !o.RefuseOpaque, tls: o.TLS, log: o.log(),
		conns: map[net.Conn]*conn{}, peers: &peer.Finder{}, endTimeout: maxWindUp,
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	_, _ = rand.Read(s.id[:]) // never fails
	s.handshakes.limit = limits.HalfOpen
	s.sessions.limit = limits.Connections
	s.store = store.New(store.Limits{
		Objects: limits.Objects, Bytes: limits.Bytes, Calls: limits.Waiting,
	})
	for _, doubt := range o.secret().Doubts(key) {
		s.log.Warn(doubt)
	}
	s.store.OnPanic(s.panicked)
	objects.Register(s.store)
	var handles codec.Exporter
	if o.Handles != nil {
		handles = o.Handles(s.id)
	}
	s.program = registry.Offer(s.ctx, s.store, handles, s.log)
	if err := s.preset(o.Objects); err != nil {
		s.cancel()
		s.store.Close()
		return nil, err
	}
	return s, nil
}

// Serve accepts connections from l until the server ends.
func (s *Server) Serve(l net.Listener) error {
	stop := context.AfterFunc(s.ctx, func() { _ = l.Close() })
	s.wg.Go(s.tend)
	err := s.acceptAll(l)
	stop()
	if s.ctx.Err() != nil {
		err = nil
	}
	s.cancel()
	_ = l.Close()
	s.closeAll()
	s.sessions.close()
	s.pythons.close()
	s.windUp()
	return err
}

// Waiting is how many calls wait in the store, where no call passes unseen from
// one state to the next. It is for tests.
func (s *Server) Waiting() int { return s.store.Waiting() }

// lastWords bounds the end of a connection: how long the last frames may take to be
// written, and what was sent before it ended to be read.
const lastWords = time.Second

// maxWindUp bounds how long a server takes to end. Long work is told to stop,
// and does within some milliseconds; but a comparison of two large values, or
// the code of the program's own types, goes on to its end.
const maxWindUp = 5 * time.Second

// windUp waits for the ends of all connections, and lets the objects go.
func (s *Server) windUp() {
	done := make(chan struct{})
	s.background("the end of the server", func() {
		defer close(done)
		s.wg.Wait()
		s.store.Close()
	})
	limit := time.NewTimer(s.endTimeout)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
		s.log.Warn("the server ends although calls are still under way: they took too long", "waited", s.endTimeout)
	}
}

// longMessage is from what length on it takes long to take a message apart.
const longMessage = 1 << 20

// weighty runs f in a place for long work, if it is that.
func (s *Server) weighty(long bool, f func()) {
	if long {
		giveBack, err := s.store.Heavy(s.ctx)
		if err == nil {
			defer giveBack()
		} // else the server ends: it is about to be told
	}
	f()
}

// acceptAll accepts until the listener fails for good.
func (s *Server) acceptAll(l net.Listener) error {
	var troubled logLimiter
	for {
		c, err := l.Accept()
		if err == nil {
			s.admit(c)
			continue
		}
		if s.ctx.Err() != nil || !passing(err) {
			return err
		}
		// Without descriptors, for example: who proves nothing goes first.
		if troubled.allow() {
			s.log.Warn("connections cannot be accepted", "error", err)
		}
		s.handshakes.dropOne()
		select {
		case <-s.ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// admit begins to serve a connection, or turns it away.
func (s *Server) admit(c net.Conn) {
	s.mu.Lock()
	switch {
	case s.over:
	case s.crowdedLocked():
	default:
		s.conns[c] = nil
		s.wg.Add(1)
		s.mu.Unlock()
		h := s.handshakes.enter(c)
		go s.handle(c, h)
		return
	}
	s.mu.Unlock()
	_ = c.Close()
}

// crowdedLocked reports whether there are as many clients as there may be. Who
// has not proved to be one does not count, or they would keep others out.
func (s *Server) crowdedLocked() bool {
	crowded := s.clients >= s.limits.Connections
	if crowded && s.handshakes.refused.allow() {
		s.log.Warn("too many connections: one was turned away", "limit", s.limits.Connections)
	}
	return crowded
}

// enter counts one more client, unless there are enough. leave counts it off.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crowdedLocked() {
		return false
	}
	s.clients++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients--
}

// closeAll ends all connections.
func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for c, conn := range s.conns {
		if conn != nil {
			// It is closed when that has been written, see sessions.close.
			_ = c.SetDeadline(time.Now().Add(lastWords))
			conn.bye("the server ends")
			continue
		}
		_ = c.Close()
	}
}

// farewell asks for a Go client to be told when the server ends.
func (s *Server) farewell(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c.socket]; ok {
		s.conns[c.socket] = c
	}
}

// handle serves a connection to its end.
func (s *Server) handle(c net.Conn, h *handshake) {
	defer s.wg.Done()
	defer func() {
		_ = c.Close()
		s.handshakes.leave(h)
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	_ = s.store.Safely("a connection", func() { s.converse(c, h) })
}

// converse serves a connection whose end is the caller's affair. A panic in it
// ends it, and nothing else: whatever belongs to it is given back on the way.
func (s *Server) converse(c net.Conn, h *handshake) {
	conn, err := s.authenticate(c, h)
	s.handshakes.leave(h)
	if err != nil {
		if s.ctx.Err() == nil && s.handshakes.refused.allow() {
			s.log.Info("a connection was refused", "peer", peerName(c), "error", err)
		}
		return
	}
	if s.enter() {
		defer s.leave()
		endpoint.WatchTCP(c)
		conn.serve()
	}
}

// authenticate lets a peer prove that it knows the key, in bounded time. It does
// not count as half open any more as soon as it has, before it asks the server for
// the same.
func (s *Server) authenticate(c net.Conn, h *handshake) (*conn, error) {
	endpoint.TuneTCP(c)
	if err := c.SetDeadline(time.Now().Add(s.limits.Handshake)); err != nil {
		return nil, err
	}
	pid := peerPID(c)
	stream := c
	if s.tls != nil {
		t := tls.Server(c, s.tls)
		if err := t.HandshakeContext(s.ctx); err != nil {
			return nil, err
		}
		stream = t
	}
	conn := newConn(s, stream, c, pid)
	if err := conn.challenge(); err != nil {
		return nil, err
	}
	s.handshakes.leave(h)
	if err := conn.answer(); err != nil {
		return nil, err
	}
	return conn, c.SetDeadline(time.Time{})
}

// panicked logs a panic of the server's own code. It is the end of the call in
// which it came, and of the object, if it was one's.
func (s *Server) panicked(b *store.Broken) {
	s.log.Error("a call panicked: please report this", "object", b.Object, "method", b.Method, "panic", b.Value, "stack", string(b.Stack))
}

// background runs f on a goroutine of its own, where nobody waits for it.
func (s *Server) background(what string, f func()) {
	go func() { _ = s.store.Safely(what, f) }()
}

// shutdown ends the server because a client asked for it.
func (s *Server) shutdown() { s.cancel() }

// peerName names a peer in messages.
func peerName(c net.Conn) string {
	if pid := peerPID(c); pid != 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return c.RemoteAddr().String()
}

// passing reports whether a listener may succeed again after this error: the
// system lacks something, or one connection is broken; see accept(2). A server
// that ends takes its objects with it.
func passing(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	for _, e := range []error{
		syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM, // by a firewall
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOPROTOOPT,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
