package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

// openFake opens the object of a fake server.
func openFake[O driver.Object](t testing.TB, s *fakeServer) (*Manager, O) {
	t.Helper()
	m := dialFake(t, s)
	o, err := m.Open(t.Context(), driver.Spec{Kind: driver.Kind(s.typ)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runtime.KeepAlive(o) }) // the collector would release it, and the server see that
	return m, o.(O)
}

func ignore(*fakeConn, *frames.Frame) {}

// Many callers on one connection, answers in another order and in pieces.
func TestAnswersFindTheirCallers(t *testing.T) {
	s := newFake(t, "dict", nil)
	s.answer = func(c *fakeConn, f *frames.Frame) {
		key := append([]byte(nil), f.Args.Next()...)
		go c.give(f.Seq, key) // in any order
	}
	_, d := openFake[complete.Dict](t, s)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for j := range 50 {
				size := 1 + i*j
				if i == 0 {
					size = 60_000 + j
				}
				key := frames.AppendBytes(nil, []byte(strings.Repeat(string(rune('a'+i%26)), size)))
				got, err := d.Pop(t.Context(), key)
				if err != nil || string(got) != string(key) {
					t.Errorf("caller %d got %d bytes, %v; sent %d", i, len(got), err, len(key))
					return
				}
			}
		})
	}
	wg.Wait()
}

// A call whose context ends returns when the server has said what became of it.
func TestCancel(t *testing.T) {
	value := frames.AppendUint(nil, 5)
	for name, c := range map[string]struct {
		onCancel func(c *fakeConn, seq uint64)
		want     error
		after    string // what the server sees last
	}{
		"given up":        {func(c *fakeConn, seq uint64) { c.fail(seq, "RuntimeError", "context.Canceled") }, context.Canceled, "Cancel"},
		"failed before":   {func(c *fakeConn, seq uint64) { c.fail(seq, "ValueError", "mp.ErrValue") }, mperr.ErrValue, "Cancel"},
		"answered before": {func(c *fakeConn, seq uint64) { c.give(seq, value) }, nil, "Cancel"},
		"taken before":    {func(c *fakeConn, seq uint64) { c.reply(seq, value, true) }, context.Canceled, "Cancel"},
	} {
		for _, among := range []string{"alone", "among others"} {
			t.Run(name+" "+among, func(t *testing.T) {
				s := newFake(t, "Queue", nil)
				s.answer = func(fc *fakeConn, f *frames.Frame) {
					if f.Kind == frames.Cancel {
						c.onCancel(fc, f.Seq)
					}
				}
				_, q := openFake[complete.Queue](t, s)
				ctx, cancel := context.WithCancel(t.Context())
				if among != "alone" {
					other, stop := context.WithCancel(t.Context())
					done := make(chan struct{})
					go func() { defer close(done); _ = q.Join(other) }()
					defer func() { stop(); <-done }()
					s.wait("mp.join")
				}
				got := make(chan error, 1)
				go func() {
					v, err := q.Get(ctx)
					if err == nil && string(v) != string(value) {
						err = fmt.Errorf("got % x", v)
					}
					got <- err
				}()
				s.wait("mp.get")
				cancel()
				if err := <-got; !errors.Is(err, c.want) || errors.Is(err, mperr.ErrUnknownFate) {
					t.Errorf("%v, want %v", err, c.want)
				}
				s.wait(c.after)
			})
		}
	}
}

// What was taken is acknowledged before the caller has it.
func TestTakenIsAcknowledged(t *testing.T) {
	s := newFake(t, "Queue", nil)
	s.answer = func(c *fakeConn, f *frames.Frame) {
		if f.Kind == frames.Call {
			c.reply(f.Seq, frames.AppendUint(nil, 5), true)
		}
	}
	m, q := openFake[complete.Queue](t, s)
	if _, err := q.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.link.Load().fail(io.EOF) // nothing more is written
	s.wait("mp.get", "Ack")
}

// A call under way when the connection ends has an unknown fate; the next one
// connects again and attaches the handle to the new session.
func TestLostConnection(t *testing.T) {
	s := newFake(t, "dict", nil)
	s.answer = func(c *fakeConn, f *frames.Frame) {
		if string(f.Method) == storeAttach {
			c.give(f.Seq, frames.AppendText(frames.AppendArray(nil, 1), "dict"))
		}
		if string(f.Method) == "mp.len" {
			c.give(f.Seq, frames.AppendUint(nil, 3))
		}
	}
	_, d := openFake[complete.Dict](t, s)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			err := d.Clear(t.Context())
			wantIs(t, "under way", err, mperr.ErrUnknownFate)
			if err != nil && !strings.HasPrefix(err.Error(), "dict 7: ") {
				t.Errorf("%v does not name the object", err)
			}
		})
	}
	s.count("mp.clear", 3)
	s.cut()
	wg.Wait()
	for range 4 {
		wg.Go(func() {
			if n, err := d.Len(t.Context()); n != 3 || err != nil {
				t.Errorf("afterwards: %d, %v", n, err)
			}
		})
	}
	wg.Wait()
	s.count(storeAttach, 1)
}

// A connection that ended while nothing was called costs nobody an error.
func TestLostWhileIdle(t *testing.T) {
	s := newFake(t, "dict", nil)
	s.batch = true
	m, d := openFake[complete.Dict](t, s)
	for range 3 {
		old := m.link.Load()
		s.cut()
		mptest.Eventually(t, old.broken.Load, "the end of an idle connection is noticed")
		if err := d.Clear(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// Not noticed yet: a write into a Unix socket without a reader fails as a
	// whole, and the call is made again.
	s.cut()
	if err := d.Clear(t.Context()); err != nil && !errors.Is(err, mperr.ErrUnknownFate) {
		t.Error(err)
	}
}

// Objects that are gone after a new connection.
func TestGoneAfterReconnect(t *testing.T) {
	for name, change := range map[string]func(s *fakeServer){
		"forgotten":        func(*fakeServer) {},
		"server restarted": func(s *fakeServer) { s.store[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFake(t, "dict", func(c *fakeConn, f *frames.Frame) { c.fail(f.Seq, "KeyError", "mp.ErrNoKey") })
			m, d := openFake[complete.Dict](t, s)
			old := m.link.Load()
			s.mu.Lock()
			change(s)
			s.mu.Unlock()
			s.cut()
			mptest.Eventually(t, old.broken.Load, "the end of the connection is noticed")
			_, err := d.Len(t.Context())
			wantIs(t, "len", err, mperr.ErrNoHandle)
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// No server: an error that says so, and nothing of unknown fate.
func TestServerIsGone(t *testing.T) {
	s := newFake(t, "dict", ignore)
	m, d := openFake[complete.Dict](t, s)
	m.address += ".gone"
	m.link.Load().fail(io.EOF)
	if _, err := d.Len(t.Context()); err == nil || errors.Is(err, mperr.ErrUnknownFate) {
		t.Errorf("len: %v", err)
	}
	if _, err := Dial(t.Context(), m.address, Options{Authkey: fakeKey}); err == nil {
		t.Error("dialled nothing")
	}
}

// endedContext is seen to have ended, and has not started its AfterFuncs yet.
type endedContext struct{ context.Context }

func (endedContext) AfterFunc(func()) (stop func() bool) { return func() bool { return true } }

// Whoever cannot connect again learns it, also if that is noticed before the
// context's own functions run.
func TestGraceEnds(t *testing.T) {
	l := newLink(dialFake(t, newFake(t, "dict", ignore)), nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTooLong)
	l.resumeUntil(endedContext{ctx}, io.EOF)
	if !l.broken.Load() {
		t.Fatal("the link waits for a connection that nobody makes any more")
	}
	wantIs(t, "why", l.err, errTooLong, io.EOF)
}

// A server that does not even answer a Cancel.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	s := newFake(t, "Lock", ignore)
	_, l := openFake[complete.Mutex](t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := l.Lock(ctx)
	wantIs(t, "lock", err, mperr.ErrUnknownFate, context.DeadlineExceeded)
	// It wakes up and grants the lock, which nobody wants any more.
	s.mu.Lock()
	c := s.conns[0]
	s.mu.Unlock()
	s.wait("mp.lock", "Cancel")
	c.give(2, frames.AppendNull(nil))
	s.wait("mp.unlock")
}

// The deadline of a context reaches the server.
func TestDeadline(t *testing.T) {
	timeout := make(chan int64, 1)
	s := newFake(t, "Queue", func(c *fakeConn, f *frames.Frame) {
		timeout <- f.Timeout
		c.fail(f.Seq, "TimeoutError", "context.DeadlineExceeded")
	})
	_, q := openFake[complete.Queue](t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	_, err := q.Get(ctx)
	wantIs(t, "get", err, context.DeadlineExceeded)
	if p := time.Duration(<-timeout) * time.Millisecond; p > time.Hour || p < 59*time.Minute {
		t.Errorf("timeout %v", p)
	}
	_, _ = q.Get(t.Context())
	if p := <-timeout; p != frames.NoTimeout {
		t.Errorf("timeout %d without a deadline", p)
	}
	cancel()
	_, err = q.Get(ctx)
	wantIs(t, "get with a context that has ended", err, context.Canceled)
	s.count("mp.get", 2)
}

func TestTooLarge(t *testing.T) {
	s := newFake(t, "Queue", func(c *fakeConn, f *frames.Frame) { c.give(f.Seq, frames.AppendUint(nil, 1)) })
	_, q := openFake[complete.Queue](t, s)
	wantIs(t, "put", q.Put(t.Context(), frames.AppendBytes(nil, make([]byte, 2<<20))), mperr.ErrTooLarge)
	if n, err := q.Len(t.Context()); n != 1 || err != nil {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}

// Answers that no server gives break the connection, and nothing else.
func TestHostileServer(t *testing.T) {
	for name, frame := range map[string][]byte{
		"no frame":         {1, 2, 3, 4},
		"a pickle":         {0x80, 4, '.'},
		"unknown call":     frames.AppendTaken(frames.AppendNull(frames.AppendReturn(nil, 1<<40)), false),
		"a client's frame": frames.AppendAck(nil, 1, false),
	} {
		t.Run(name, func(t *testing.T) {
			s := newFake(t, "Queue", func(c *fakeConn, f *frames.Frame) { c.send(frame) })
			_, q := openFake[complete.Queue](t, s)
			_, err := q.Len(t.Context())
			wantIs(t, "len", err, mperr.ErrUnknownFate, mperr.ErrCorrupt)
		})
	}
	t.Run("not a number", func(t *testing.T) {
		s := newFake(t, "Queue", func(c *fakeConn, f *frames.Frame) { c.give(f.Seq, []byte{0xff, 0xff}) })
		_, q := openFake[complete.Queue](t, s)
		_, err := q.Len(t.Context())
		wantIs(t, "len", err, mperr.ErrCorrupt)
		_, err = q.GetBatch(t.Context(), 1)
		wantIs(t, "get", err, mperr.ErrCorrupt)
	})
}
