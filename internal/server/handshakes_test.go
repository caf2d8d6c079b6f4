package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
	"multiproc/mptest"
)

// Thousands who connect and say nothing are bounded, and keep nobody out.
func TestHalfOpen(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			const half, crowd = 50, 4000
			s := serveTest(t, kind, func(o *Options) { o.Limits = Limits{HalfOpen: half, Handshake: time.Hour} })
			before := memory()
			network, _ := endpoint.Network(s.address)
			for i := range crowd {
				c, err := net.Dial(network, s.address)
				if err != nil {
					t.Fatal(err)
				}
				// Half of them stay as long as they are let, half say something.
				if i%2 == 0 {
					_, _ = c.Write([]byte{0, 0, 0, 9, 'x'})
				}
				t.Cleanup(func() { _ = c.Close() })
				if i%500 == 0 {
					_ = s.join(t) // somebody with the key, in the middle of them
				}
			}
			mptest.Eventually(t, func() bool { return s.handshakes.len() <= half }, "%d at most are half open", half)
			mptest.Eventually(t, func() bool { return s.connections() <= half+crowd/500+1 }, "the others are gone")
			if grown := memory() - before; grown > 16<<20 {
				t.Errorf("%d half-open connections cost %d KiB", crowd, grown>>10)
			}
		})
	}
}

func (l *handshakeLimiter) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.young.Len() + len(l.old)
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// Who says nothing in time is cut off.
func TestHandshakeTime(t *testing.T) {
	s := serveTest(t, "tcp", func(o *Options) { o.Limits.Handshake = 50 * time.Millisecond })
	c := s.dial(t)
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("ended with %v", err)
	}
	mptest.Eventually(t, func() bool { return s.connections() == 0 }, "the connection is gone")
}

func TestWrongKey(t *testing.T) {
	s := serveTest(t, "unix")
	for _, key := range []string{"wrong", string(testKey) + "x", "a"} {
		err := pyconn.ClientHandshake(pyconn.New(s.dial(t)), []byte(key))
		if !errors.Is(err, mperr.ErrAuth) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	_ = s.join(t)
	mptest.Eventually(t, func() bool { return s.log.String() != "" }, "the refusal is logged")
}

// Frames of a handshake are short, whatever they announce.
func TestLongHandshake(t *testing.T) {
	s := serveTest(t, "unix")
	for _, header := range [][]byte{{0x7f, 0xff, 0xff, 0xff}, {0, 0, 1, 1}, {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 0}, {0x80, 0, 0, 0}} {
		c := s.dial(t)
		if _, err := c.Write(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Logf("ended with %v", err)
		}
	}
}

// After the handshake there is a limit as well: a longer frame is read past,
// and the peer told why nobody listens to it.
func TestLongFrame(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Frame = 1000 })
	c := s.join(t)
	if _, err := c.NetConn().Write(append([]byte{0, 0, 3, 0xe9}, make([]byte, 1001)...)); err != nil {
		t.Fatal(err)
	}
	if b, err := c.ReadFrame(1 << 20); err != nil || !bytes.Contains(b, []byte("limit of 1000")) {
		t.Errorf("a frame above the limit is answered with %q, %v", b, err)
	}
	if b, err := c.ReadFrame(1 << 20); err == nil {
		t.Errorf("and then with %q", b)
	}
}

// One more than there may be is turned away, and told by the end.
func TestConnectionLimit(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Connections = 3 })
	first := s.join(t)
	for range 2 {
		_ = s.join(t)
	}
	mptest.Eventually(t, func() bool { return s.clientCount() == 3 }, "all have proved themselves")
	if err := pyconn.ClientHandshake(pyconn.New(s.dial(t)), testKey); err == nil {
		t.Error("a fourth is let in")
	}
	_ = first.Close()
	mptest.Eventually(t, func() bool { return s.connections() == 2 }, "there is room again")
	_ = s.join(t)
}

// Who proves nothing keeps nobody out where few may connect, either.
func TestHalfOpenBelowLimit(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits = Limits{Connections: 4, Handshake: time.Hour} })
	held := s.join(t)
	for range 10 {
		s.dial(t)
	}
	for range 2 {
		_ = s.join(t)
	}
	send(t, held, nil, "dummy", nil)
	if _, err := held.ReadFrame(1000); err != nil {
		t.Errorf("somebody with the key was dropped: %v", err)
	}
}

// A small budget is not spent on those who have proved nothing.
func TestHalfOpenWithinBudget(t *testing.T) {
	const small = 8 << 20
	for bytes, want := range map[int64]int{0: defaultHalfOpen, -1: defaultHalfOpen, 1 << 30: defaultHalfOpen, small: small / 8 / halfOpenCost, 1: 1} {
		l := Limits{Bytes: bytes}
		if bytes == 0 && budget.Default() < 1<<30 {
			continue // a very small machine
		}
		if got := l.withDefaults().HalfOpen; got != want {
			t.Errorf("of %d bytes: %d, want %d", bytes, got, want)
		}
	}
	l := Limits{Bytes: small, HalfOpen: 5000}
	if got := l.withDefaults().HalfOpen; got != 5000 {
		t.Errorf("asked for 5000: %d", got)
	}
}

// Several that prove themselves at once are not more than there may be.
func TestConnectionLimitAtOnce(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Connections = 3 })
	served := make(chan bool)
	const crowd = 20
	var conns [crowd]*pyconn.Conn
	for i := range conns { // all have begun before the first is through
		conns[i] = pyconn.New(s.dial(t))
		mptest.Eventually(t, func() bool { return s.connections() == i+1 }, "one more has come")
	}
	for _, c := range conns {
		go func() {
			err := pyconn.ClientHandshake(c, testKey)
			if err == nil {
				err = c.WriteFrame(frames.AppendClientHello(nil, frames.ClientHello{}))
			}
			if err == nil {
				_, err = c.ReadFrame(1000)
			}
			served <- err == nil
		}()
	}
	n := 0
	for range conns {
		if <-served {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d are served", n)
	}
}

// A thousand clients that do nothing cost little; their own ends, which are in
// this process too, are counted with them.
func TestIdleClients(t *testing.T) {
	s := serveTest(t, "unix")
	before := memory()
	for i := range 1000 {
		if i%2 == 0 {
			s.goPeer(t).call(0, "ping")
		} else {
			s.rawChannel(t)
		}
	}
	grown := memory() - before
	t.Logf("%d KiB for each of 1000 idle clients", grown/1000>>10)
	if grown > 32<<20 {
		t.Errorf("a thousand idle clients cost %d KiB", grown>>10)
	}
}

// knocker is a connection in its handshake, of which the end is seen.
type knocker struct {
	net.Conn
	ip     net.IP
	closed bool
}

func (k *knocker) RemoteAddr() net.Addr { return &net.TCPAddr{IP: k.ip} }
func (k *knocker) Close() error         { k.closed = true; return nil }

// Whoever proves itself before half as many as there is room for have come
// behind it gets in, from whatever address they come; of slower ones a part does:
// 1/e of those behind whom as many have come as there is room for, 74 of 200 on
// average, and fewer than 40 once in a million runs.
func TestKeyHoldersGetIn(t *testing.T) {
	flood := net.IPv4(192, 0, 2, 1)
	for name, c := range map[string]struct {
		ip     net.IP
		behind int // who come until the key is proved
		least  int // of 200 who get in
	}{
		"elsewhere":              {net.IPv4(192, 0, 2, 2), 399, 200},
		"at the flood's address": {flood, 399, 200},
		"slowly, elsewhere":      {net.IPv4(192, 0, 2, 2), 800, 40},
		"slowly, there":          {flood, 800, 40},
	} {
		g := &handshakeLimiter{limit: 800}
		in := 0
		for range 200 {
			k := &knocker{ip: c.ip}
			p := g.enter(k)
			for range c.behind {
				g.enter(&knocker{ip: flood})
			}
			if g.leave(p); !k.closed {
				in++
			}
			if n := g.len(); n > g.limit {
				t.Fatalf("%d are let in", n)
			}
		}
		if in < c.least {
			t.Errorf("%s, with %d behind: %d of 200 get in, want %d", name, c.behind, in, c.least)
		}
	}
}

// One address leaves room for others, however long it has been there.
func TestHandshakesAreShared(t *testing.T) {
	g := &handshakeLimiter{limit: 100}
	var others []*knocker
	for range 50 {
		k := &knocker{ip: net.ParseIP("2001:db8:1::1")}
		others = append(others, k)
		g.enter(k)
	}
	for i := range 10_000 {
		g.enter(&knocker{ip: net.ParseIP(fmt.Sprintf("2001:db8:2::%x", i%1000))})
	}
	for _, k := range others {
		if k.closed {
			t.Fatal("a crowd at one address has pushed others out")
		}
	}
	for range 1000 {
		g.dropOne()
	}
	if g.len() != 0 || len(g.from) != 0 {
		t.Errorf("%d are left, of %d addresses", g.len(), len(g.from))
	}
}

// clientCount is how many have proved themselves, and are served.
func (s *Server) clientCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients
}
