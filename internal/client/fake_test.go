package client

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/pyconn"
)

// fakeServer speaks frames and has no objects: a test says what it answers.
type fakeServer struct {
	t       testing.TB
	address string
	key     []byte
	answer  func(c *fakeConn, f *frames.Frame) // calls that the default does not answer
	batch   bool                               // answer null to calls of objects, many at once

	mu    sync.Mutex
	store [frames.IdentitySize]byte
	typ   string // of all its objects
	conns []*fakeConn
	log   []string // methods and other frames, in order
	more  chan struct{}
}

// fakeConn is one connection to it.
type fakeConn struct {
	s    *fakeServer
	conn net.Conn
	mu   sync.Mutex // over writes
	peer framestest.Peer
}

// testTimeout is how long a state may take to come about.
const testTimeout = 10 * time.Second

var fakeKey = []byte("fake key")

// newFake starts a server of objects of one type.
func newFake(t testing.TB, typ string, answer func(c *fakeConn, f *frames.Frame)) *fakeServer {
	t.Helper()
	s := &fakeServer{t: t, typ: typ, answer: answer, key: fakeKey, address: filepath.Join(t.TempDir(), "s"), more: make(chan struct{}, 1)}
	s.store[0] = 1
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		s.cut()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

// cut ends all connections.
func (s *fakeServer) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.conn.Close()
	}
	s.conns = nil
}

func (s *fakeServer) serve(nc net.Conn) {
	defer func() { _ = nc.Close() }()
	in := pyconn.New(nc)
	if pyconn.ServerHandshake(in, s.key) != nil {
		return
	}
	var f frames.Frame
	if b, err := in.ReadFrame(1 << 20); err != nil || frames.Parse(b, &f) != nil || f.Kind != frames.Hello {
		return
	}
	c := &fakeConn{s: s, conn: nc, peer: framestest.Peer{C: in}}
	s.mu.Lock()
	s.conns = append(s.conns, c)
	store := s.store
	s.mu.Unlock()
	// Without a grace the session ends with its connection.
	if in.WriteFrame(frames.AppendServerHello(nil, frames.ServerHello{Session: frames.SessionID{1}, Store: store, Frame: 1 << 20, Direct: true})) != nil {
		return
	}
	var out []byte
	for {
		b, err := c.peer.ReadFrame(1 << 20)
		if err != nil {
			return
		}
		if err := frames.Parse(b, &f); err != nil {
			s.t.Errorf("a client sent what is no frame: %v", err)
			return
		}
		if s.batch && f.Object != 0 {
			out = c.batch(out, f.Seq, in.Buffered())
			continue
		}
		s.note(&f)
		c.handle(&f)
	}
}

// batch answers a call with those that came with it.
func (c *fakeConn) batch(out []byte, seq uint64, more bool) []byte {
	start := len(out)
	out = frames.AppendTaken(frames.AppendNull(frames.AppendReturn(frames.Begin(out), seq)), false)
	c.peer.Sent++
	frames.End(out, start, c.peer.Sent, c.peer.Got.Load())
	if more {
		return out
	}
	_, _ = c.conn.Write(out)
	return out[:0]
}

// note writes the frame into the log.
func (s *fakeServer) note(f *frames.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Kind == frames.Call {
		s.log = append(s.log, string(f.Method))
	} else {
		s.log = append(s.log, f.Kind.String())
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// wait returns when the last frames of the log are those.
func (s *fakeServer) wait(last ...string) {
	s.t.Helper()
	s.until(func(log []string) bool {
		if len(log) < len(last) {
			return false
		}
		for i, what := range last {
			if log[len(log)-len(last)+i] != what {
				return false
			}
		}
		return true
	}, last)
}

// count returns when the log has n frames of a name.
func (s *fakeServer) count(what string, n int) {
	s.t.Helper()
	s.until(func(log []string) bool {
		have := 0
		for _, w := range log {
			if w == what {
				have++
			}
		}
		return have == n
	}, what)
}

func (s *fakeServer) until(ok func(log []string) bool, want any) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), testTimeout)
	defer cancel()
	for {
		s.mu.Lock()
		log := append([]string(nil), s.log...)
		s.mu.Unlock()
		if ok(log) {
			return
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			s.t.Fatalf("the server has seen %q, want %v", log, want)
		}
	}
}

func (c *fakeConn) handle(f *frames.Frame) {
	if f.Kind == frames.Call {
		switch string(f.Method) {
		case storeOpen, storeCreate:
			c.give(f.Seq, frames.AppendUint(frames.AppendBool(frames.AppendText(frames.AppendUint(frames.AppendArray(nil, 4), fakeID), c.s.typ), true), 0))
			return
		case storeRedeem:
			c.give(f.Seq, frames.AppendUint(frames.AppendText(frames.AppendUint(frames.AppendArray(nil, 3), fakeID), c.s.typ), 0))
			return
		case storeTicket:
			c.give(f.Seq, frames.AppendUint(nil, 99))
			return
		case storeRelease, storePing:
			c.give(f.Seq, frames.AppendNull(nil))
			return
		case storeAttach:
			if c.s.answer == nil {
				c.give(f.Seq, frames.AppendUint(frames.AppendText(frames.AppendArray(nil, 2), c.s.typ), 0))
				return
			}
		}
	}
	if f.Kind == frames.Call && strings.HasPrefix(string(f.Method), "mp.") && f.Object != fakeID {
		c.s.t.Errorf("%s is called of object %d", f.Method, f.Object)
	}
	if c.s.answer != nil {
		c.s.answer(c, f)
	}
}

// fakeID is the id of every object.
const fakeID = 7

// send sends a payload.
func (c *fakeConn) send(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.peer.WriteFrame(payload) // an error is what the test is about
}

func (c *fakeConn) give(seq uint64, value []byte) { c.reply(seq, value, false) }

func (c *fakeConn) reply(seq uint64, value []byte, taken bool) {
	b := append(frames.AppendReturn(nil, seq), value...)
	c.send(frames.AppendTaken(b, taken))
}

func (c *fakeConn) fail(seq uint64, class string, names ...string) {
	b := frames.AppendError(nil, seq, "builtins", class, 1)
	c.send(frames.AppendNames(frames.AppendText(b, "told so"), names))
}

func (c *fakeConn) event(seq uint64, value []byte) {
	c.send(append(frames.AppendEvent(nil, seq), value...))
}

// dialFake connects to a fake server.
func dialFake(t testing.TB, s *fakeServer) *Manager {
	t.Helper()
	m, err := Dial(t.Context(), s.address, Options{Authkey: s.key})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func wantIs(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: %v, want %v", what, err, target)
		}
	}
}
