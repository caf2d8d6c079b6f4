package client

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// scripted is a connection on which reads return these pieces.
type scripted struct {
	net.Conn
	data []byte
	cuts []byte // how long the next reads are; then all that is left
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := len(s.data)
	if len(s.cuts) > 0 {
		n, s.cuts = 1+int(s.cuts[0]), s.cuts[1:]
	}
	n = copy(p, s.data[:min(n, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

// Frames come out as they went in, however they were cut on the way, and an
// announcement alone takes no memory.
func FuzzReader(f *testing.F) {
	f.Add([]byte("one\x00two"), []byte{0, 1, 2})
	f.Add(bytes.Repeat([]byte("long "), 3000), []byte{255, 255, 0, 1})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, payloads, cuts []byte) {
		var stream []byte
		want := bytes.Split(payloads, []byte{0})
		for _, p := range want {
			start := len(stream)
			stream = append(frames.Begin(stream), p...)
			frames.End(stream, start, 1, 0)
		}
		b := reader{conn: &scripted{data: stream, cuts: cuts}}
		for {
			err := b.fill()
			if errors.Is(err, io.EOF) {
				break
			}
			if len(b.buf) > max(4*len(stream), keepIn) {
				t.Fatalf("a buffer of %d bytes for a stream of %d", len(b.buf), len(stream))
			}
			for {
				var h frames.Head
				p, err := b.next(&h)
				if err != nil {
					t.Fatalf("%v before %q", err, want[0])
				}
				if p == nil {
					break
				}
				if !bytes.Equal(p, want[0]) {
					t.Fatalf("got %q, want %q", p, want[0])
				}
				want = want[1:]
				if len(p)%7 == 0 {
					b.detach()
				}
			}
		}
		if len(want) > 0 {
			t.Errorf("%d frames did not come", len(want))
		}
	})
}

// failing is a connection that takes n bytes and no more; nothing comes on it.
type failing struct {
	net.Conn
	n      int
	closed chan struct{}
}

func (c *failing) Write(p []byte) (int, error) {
	n := min(c.n, len(p))
	c.n -= n
	if n < len(p) || c.n == 0 {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func (c *failing) Read([]byte) (int, error) { <-c.closed; return 0, io.EOF }

func (c *failing) Close() error { close(c.closed); return nil }

// A call can be made again if the connection has not taken all of it.
func TestNotSent(t *testing.T) {
	const size = frames.HeaderSize + 11 // of the call below
	for n, want := range map[int]error{0: errNotSent, 1: errNotSent, size - 1: errNotSent, size: mperr.ErrUnknownFate} {
		m := &Manager{}
		l := newLink(m, newWire(&failing{n: n, closed: make(chan struct{})}))
		l.frame = 1 << 20
		r := m.request("ping")
		err := l.call(t.Context(), r)
		if !errors.Is(err, want) || errors.Is(err, errNotSent) == errors.Is(err, mperr.ErrUnknownFate) {
			t.Errorf("%d bytes of %d taken: %v, want %v", n, size, err, want)
		}
		if err := l.call(t.Context(), m.request("ping")); !errors.Is(err, errNotSent) {
			t.Errorf("the next call: %v", err)
		}
	}
}

// What came with the server's Hello may end anywhere.
func TestFrameBeginsBehindHello(t *testing.T) {
	frame := append(frames.Begin(nil), "payload"...)
	frames.End(frame, 0, 1, 0)
	for n := range frame {
		b := reader{conn: &scripted{data: frame[n:]}, buf: bytes.Clone(frame[:n]), w: n}
		if err := b.fill(); err != nil {
			t.Fatal(err)
		}
		var h frames.Head
		if p, err := b.next(&h); string(p) != "payload" || err != nil {
			t.Errorf("after %d bytes: %q, %v", n, p, err)
		}
	}
}
