package manager

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

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
			network, _ := networkOf(s.address)
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
			mptest.Eventually(t, func() bool { return s.gate.len() <= half }, "%d at most are half open", half)
			mptest.Eventually(t, func() bool { return s.connections() <= half+crowd/500+1 }, "the others are gone")
			if grown := memory() - before; grown > 16<<20 {
				t.Errorf("%d half-open connections cost %d KiB", crowd, grown>>10)
			}
		})
	}
}

func (g *gate) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.half.Len()
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
	mptest.Eventually(t, func() bool { return s.gate.len() == 0 }, "all have proved themselves")
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

// Several that prove themselves at once are not more than there may be.
func TestConnectionLimitAtOnce(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Connections = 3 })
	served := make(chan bool)
	const crowd = 20
	var conns [crowd]*pyconn.Conn
	for i := range conns { // all are at the gate before the first is through
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
