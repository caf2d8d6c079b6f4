package pyconn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"multiproc/internal/mperr"
)

// script is a connection whose peer has said all that it will ever say.
type script struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error) { return s.out.Write(p) }

func framed(payloads ...[]byte) []byte {
	var all []byte
	for _, p := range payloads {
		all = append(appendHeader(all, len(p)), p...)
	}
	return all
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7 >> 3)
	}
	return p
}

var sizes = []int{0, 1, 3, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 70000, 1 << 20}

// However the bytes arrive, the frames are those that were sent.
func TestFramesArrive(t *testing.T) {
	var payloads [][]byte
	for _, n := range sizes {
		payloads = append(payloads, pattern(n))
	}
	stream := framed(payloads...)
	readers := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "in bytes": iotest.OneByteReader,
		"in halves": iotest.HalfReader, "with the end": iotest.DataErrReader,
	}
	for name, wrap := range readers {
		c := New(&script{in: wrap(bytes.NewReader(stream))})
		for i, want := range payloads {
			got, err := c.ReadFrame(1 << 20)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: frame %d of %d bytes arrived as %d bytes, %v", name, i, len(want), len(got), err)
			}
		}
		if _, err := c.ReadFrame(1); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
		c = New(&script{in: wrap(bytes.NewReader(stream))})
		var taken [][]byte
		for range payloads {
			p, err := c.TakeFrame(1 << 20)
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, p)
		}
		for i := range taken {
			if !bytes.Equal(taken[i], payloads[i]) {
				t.Errorf("%s: TakeFrame gave other bytes, or took them back", name)
			}
		}
	}
}

func TestFramesAreWritten(t *testing.T) {
	for _, n := range sizes {
		p := pattern(n)
		s := &script{}
		c := New(s)
		if err := c.WriteFrame(p); err != nil {
			t.Fatal(err)
		}
		if err := c.WriteReserved(append([]byte("room"), p...)); err != nil {
			t.Fatal(err)
		}
		if want := framed(p, p); !bytes.Equal(s.out.Bytes(), want) {
			t.Errorf("%d bytes are written otherwise", n)
		}
	}
	if got := appendHeader(nil, 1<<31); !bytes.Equal(got, []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0}) {
		t.Errorf("header of 2 GiB: % x", got)
	}
}

func TestBadFrames(t *testing.T) {
	long := func(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{0xff, 0xff, 0xff, 0xff}, n) }
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"nothing", nil, io.EOF},
		{"half a header", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"a header and nothing else", []byte{0, 0, 0, 5}, io.EOF}, // Python's EOFError
		{"half a payload", []byte{0, 0, 0, 5, 1}, io.ErrUnexpectedEOF},
		{"half a long payload", append([]byte{0, 0, 0xff, 0xff}, pattern(5000)...), io.ErrUnexpectedEOF},
		{"half a long header", []byte{0xff, 0xff, 0xff, 0xff, 0}, io.ErrUnexpectedEOF},
		{"no long header", []byte{0xff, 0xff, 0xff, 0xff}, io.ErrUnexpectedEOF},
		{"negative", []byte{0xff, 0xff, 0xff, 0xfe}, mperr.ErrCorrupt},
		{"most negative", []byte{0x80, 0, 0, 0}, mperr.ErrCorrupt},
		{"over the limit", []byte{0, 1, 0, 1}, mperr.ErrTooLarge},
		{"long over the limit", long(1 << 40), mperr.ErrTooLarge},
		{"long beyond an int", long(1 << 63), mperr.ErrTooLarge},
		{"long but small", append(long(1), 'x'), nil},
	} {
		_, err := New(&script{in: bytes.NewReader(c.in)}).ReadFrame(1 << 16)
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) || c.want == io.EOF && err != io.EOF {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := New(&script{in: bytes.NewReader(framed(nil, []byte("x")))}).ReadFrame(-1); err != nil {
		t.Errorf("an empty frame is over a negative limit: %v", err)
	}
}

// A frame that is announced takes no memory before it comes.
func TestAnnouncedLengthIsNotTrusted(t *testing.T) {
	in := append([]byte{0x40, 0, 0, 0}, pattern(100_000)...) // 1 GiB, of which little comes
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := New(&script{in: bytes.NewReader(in)}).ReadFrame(2 << 30)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 2<<20 {
		t.Errorf("a frame that was announced with 1 GiB and ended after 100 kB took %d bytes", took)
	}
}

// The buffer of a long frame is not kept for ever.
func TestLongFrameIsForgotten(t *testing.T) {
	c := New(&script{in: bytes.NewReader(framed(pattern(1<<20), []byte("x")))})
	for range 2 {
		if _, err := c.ReadFrame(1 << 20); err != nil {
			t.Fatal(err)
		}
	}
	if cap(c.big) > keep {
		t.Errorf("%d bytes are kept", cap(c.big))
	}
}

// A frame that fits the read buffer costs no allocation to read or to write.
func TestSmallFramesAllocateNothing(t *testing.T) {
	stream := framed(pattern(200))
	s := &script{in: bytes.NewReader(stream)}
	c := New(s)
	if n := testing.AllocsPerRun(100, func() {
		s.in.(*bytes.Reader).Reset(stream)
		s.out.Reset()
		p, err := c.ReadFrame(1000)
		if err != nil || c.WriteFrame(p) != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func TestInterrupt(t *testing.T) {
	a, b := tcpPair(t)
	c := New(a)
	ctx, cancel := context.WithCancel(t.Context())
	stop := c.Interrupt(ctx)
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.ReadFrame(1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that was interrupted: %v", err)
	}
	if stop() {
		t.Error("stop does not know that the context ended")
	}
	if stop = c.Interrupt(context.Background()); !stop() {
		t.Error("a context that never ends has ended")
	}
	_ = c.SetDeadline(time.Time{})

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	stop = c.InterruptRead(ctx)
	if _, err := c.ReadFrame(1); !errors.Is(err, os.ErrDeadlineExceeded) || stop() {
		t.Errorf("a read under an ended context: %v", err)
	}
	if _, err := b.Write(framed([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	if p, err := c.ReadFrame(1); err != nil || string(p) != "x" {
		t.Errorf("after an interrupted read: %q, %v", p, err)
	}
}

// lazy is a connection whose every second read meets a deadline.
type lazy struct {
	script
	turn int
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.turn++; l.turn%2 == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	return l.in.Read(p)
}

// A deadline in the middle of a frame loses nothing of it.
func TestReadGoesOnAfterDeadline(t *testing.T) {
	payloads := [][]byte{pattern(10), nil, pattern(5000), pattern(70000), pattern(3)}
	stream := append(framed(payloads...), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 'x')
	c := New(&lazy{script: script{in: iotest.OneByteReader(bytes.NewReader(stream))}})
	for _, want := range append(payloads, []byte("x")) {
		for {
			got, err := c.ReadFrame(1 << 20)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes arrived as %d, %v", len(want), len(got), err)
			}
			break
		}
	}
}

// narrow is a connection that takes so many bytes, and then meets a deadline.
type narrow struct {
	script
	room int
}

func (n *narrow) Write(p []byte) (int, error) {
	if len(p) <= n.room {
		n.room -= len(p)
		return len(p), nil
	}
	took := n.room
	n.room = 0
	return took, os.ErrDeadlineExceeded
}

// After a part of a frame nothing else is written: the peer would take it for
// the rest. After nothing of a frame the connection is as good as before.
func TestNothingFollowsHalfAFrame(t *testing.T) {
	for _, room := range []int{0, 1, HeaderSize, 100, 70_000} {
		for _, write := range []func(c *Conn) error{
			func(c *Conn) error { return c.WriteFrame(pattern(200)) },
			func(c *Conn) error { return c.WriteFrame(pattern(100_000)) },
			func(c *Conn) error { return c.WriteReserved(pattern(100_000)) },
		} {
			n := &narrow{room: room}
			c := New(n)
			if err := write(c); err == nil && room == 70_000 {
				continue // it fitted
			} else if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			n.room = 1000
			if err := c.WriteFrame(nil); (err == nil) != (room == 0) || err != nil && !errors.Is(err, mperr.ErrBrokenPipe) {
				t.Errorf("another frame after %d bytes of one: %v", room, err)
			}
		}
	}
}

func TestAlive(t *testing.T) {
	for _, what := range []string{"closed", "spoke"} {
		a, b := tcpPair(t)
		c := New(a)
		c.AckAtOnce()
		if !c.Alive() {
			t.Fatal("a fresh connection is dead")
		}
		if what == "closed" {
			_ = b.Close()
		} else if _, err := b.Write(framed([]byte("x"))); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for c.Alive() && runtime.GOOS == "linux" {
			if time.Now().After(deadline) {
				t.Fatalf("the peer %s and the connection still looks idle", what)
			}
			runtime.Gosched()
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(framed([]byte("a"), nil, pattern(5000)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3})
	f.Add([]byte{0xff, 0xff, 0xff, 0xfe, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		const limit = 10_000
		whole, bytewise := New(&script{in: bytes.NewReader(in)}), New(&script{in: iotest.OneByteReader(bytes.NewReader(in))})
		for total := 0; ; {
			p, err := whole.ReadFrame(limit)
			q, err2 := bytewise.ReadFrame(limit)
			if !bytes.Equal(p, q) || (err == nil) != (err2 == nil) {
				t.Fatalf("% x %v, and by single bytes % x %v", p, err, q, err2)
			}
			if err != nil {
				return
			}
			if total += len(p) + HeaderSize; len(p) > limit || total > len(in) {
				t.Fatalf("a frame of %d bytes out of %d", len(p), len(in))
			}
		}
	})
}
