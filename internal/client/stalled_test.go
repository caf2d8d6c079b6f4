package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

// stalled is a server that stops reading with the first call of mp.clear, until
// goOn is called. get answers mp.get.
func stalled(t *testing.T, typ string, get func(c *fakeConn, seq uint64)) (s *fakeServer, goOn func()) {
	end := make(chan struct{})
	s = newFake(t, typ, func(c *fakeConn, f *frames.Frame) {
		seq := f.Seq
		switch string(f.Method) {
		case "":
		case "mp.get":
			get(c, seq)
		case "mp.clear":
			<-end
			fallthrough
		default:
			c.give(seq, frames.AppendNull(nil))
		}
	})
	return s, func() { close(end) }
}

// fill stalls a server and makes calls that cannot be written any more: it
// returns when one caller writes and another waits for him.
func fill(t *testing.T, ctx context.Context, s *fakeServer, m *Manager, h driver.Object, got chan<- error) *link {
	d := dictHandle{cells[[]byte]{container{h.(interface{ base() *handle }).base()}}}
	l := m.link.Load()
	begun := l.count()
	go func() { got <- d.Clear(ctx) }()
	s.wait("mp.clear")
	large := frames.AppendBytes(nil, make([]byte, 1<<19))
	go func() { got <- d.Set(ctx, frames.AppendText(nil, "k"), large) }()
	mptest.Eventually(t, func() bool { return l.count() == begun+2 }, "somebody writes")
	go func() { _, err := d.Len(ctx); got <- err }()
	mptest.Eventually(t, func() bool { return l.count() == begun+3 }, "somebody waits for him")
	return l
}

func wantReturns(t *testing.T, got <-chan error, n int) {
	t.Helper()
	for range n {
		select {
		case err := <-got:
			wantIs(t, "a call", err, context.Canceled, mperr.ErrUnknownFate)
		case <-time.After(testTimeout):
			t.Fatal("a call does not return though its context has ended")
		}
	}
}

// A server that does not read keeps nobody: the one who writes to it gives up
// when his context has ended, and so do those whose frames wait behind his.
func TestServerDoesNotRead(t *testing.T) {
	t.Parallel()
	s, goOn := stalled(t, "dict", nil)
	defer goOn()
	m, d := openFake[complete.Dict](t, s)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 3)
	fill(t, ctx, s, m, d, got)
	cancel()
	wantReturns(t, got, 3)
}

// Nor does it keep the one who has his answer and has to say so.
func TestServerDoesNotReadAck(t *testing.T) {
	t.Parallel()
	answer := make(chan func(), 1)
	s, goOn := stalled(t, "Queue", func(c *fakeConn, seq uint64) {
		answer <- func() { c.reply(seq, frames.AppendUint(nil, 5), true) }
	})
	defer goOn()
	m, q := openFake[complete.Queue](t, s)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 4)
	go func() { _, err := q.Get(ctx); got <- err }()
	give := <-answer
	l := fill(t, ctx, s, m, q, got)
	give()
	mptest.Eventually(t, func() bool { return l.count() == 3 }, "the item has come")
	cancel()
	wantReturns(t, got, 4)
}

// pipeLink is a link over a connection on which one cannot try to write, as under
// TLS, with the server's end of it.
func pipeLink(t *testing.T, frame int) (l *link, there net.Conn) {
	t.Helper()
	here, there := net.Pipe()
	l = newLink(new(Manager), newWire(here))
	l.frame = frame
	t.Cleanup(func() { l.fail(net.ErrClosed); _ = there.Close() })
	return l, there
}

// Where one cannot try to write, nobody waits in a write either.
func TestServerDoesNotReadTLS(t *testing.T) {
	t.Parallel()
	l, _ := pipeLink(t, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		r := new(Manager).request("mp.set").raw(frames.AppendBytes(nil, make([]byte, sure)))
		got <- l.call(ctx, r)
	}()
	mptest.Eventually(t, func() bool { return l.count() == 1 }, "somebody writes")
	cancel()
	wantReturns(t, got, 1)
}

// Nor can the many small ones fill the socket and then wait in it.
func TestServerDoesNotReadMoreTLS(t *testing.T) {
	t.Parallel()
	l, there := pipeLink(t, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 2)
	call := func() { got <- l.call(ctx, new(Manager).request("mp.get")) }
	go call()
	if _, err := pyconn.New(there).ReadFrame(100); err != nil {
		t.Fatal(err)
	}
	go call() // the server has not answered the first
	mptest.Eventually(t, func() bool { return l.count() == 2 }, "somebody writes")
	cancel()
	wantReturns(t, got, 2)
}

// What waits to be written is bounded: a caller who comes when it is too much
// waits outside, and when he gives up nothing has happened.
func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	l, _ := pipeLink(t, 64<<20)
	got := make(chan error, 2)
	large := frames.AppendBytes(nil, make([]byte, maxBacklog))
	call := func(ctx context.Context) { got <- l.call(ctx, new(Manager).request("mp.set").raw(large)) }
	go call(t.Context())
	mptest.Eventually(t, func() bool { return l.count() == 1 }, "somebody writes")
	ctx, cancel := context.WithCancel(t.Context())
	go call(ctx)
	cancel()
	select {
	case err := <-got:
		if !errors.Is(err, context.Canceled) || errors.Is(err, mperr.ErrUnknownFate) {
			t.Errorf("one who gives up gets %v", err)
		}
	case <-time.After(testTimeout):
		t.Fatal("a call does not return though its context has ended")
	}
	if n := l.count(); n != 1 {
		t.Errorf("%d calls are under way", n)
	}
	small, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = l.call(small, new(Manager).request(storeRelease).uint(1)) }()
	mptest.Eventually(t, func() bool { return l.count() == 2 }, "a small call is under way")
	go call(t.Context())
	l.fail(net.ErrClosed)
	for range 2 { // one was under way, the other can be made again elsewhere
		if err := <-got; !errors.Is(err, mperr.ErrUnknownFate) && !errors.Is(err, errNotSent) {
			t.Errorf("at the end of the connection: %v", err)
		}
	}
}

// It goes on when the server reads.
func TestBacklogIsWritten(t *testing.T) {
	t.Parallel()
	l, there := pipeLink(t, 64<<20)
	large := frames.AppendBytes(nil, make([]byte, maxBacklog))
	for range 3 {
		go func() { _ = l.call(t.Context(), new(Manager).request("mp.set").raw(large)) }()
	}
	in := pyconn.New(there)
	for range 3 {
		if _, err := in.ReadFrame(l.frame); err != nil {
			t.Fatal(err)
		}
	}
}
