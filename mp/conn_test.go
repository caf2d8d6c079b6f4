//go:build linux

package mp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"multiproc/mp"
)

func TestPipe(t *testing.T) {
	a, b := pipe[string, int](t)
	must(t, a.Send(t.Context(), "x"))
	must(t, b.Send(t.Context(), 7))
	if s := get(b.Recv(t.Context()))(t); s != "x" {
		t.Errorf("got %q", s)
	}
	if n := get(a.TryRecv())(t); n != 7 {
		t.Errorf("got %d", n)
	}
	if _, err := a.TryRecv(); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("TryRecv: %v", err)
	}
	if _, err := a.Recv(within(t, short)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Recv: %v", err)
	}
	wantErr(t, "Poll", a.Poll(within(t, short)), context.DeadlineExceeded)
	must(t, b.Send(t.Context(), 8))
	must(t, a.Poll(t.Context()))
	must(t, a.Poll(t.Context())) // it has taken nothing
	must(t, b.Close())
	must(t, a.Poll(t.Context()))
	if n, err := a.Recv(t.Context()); n != 8 || err != nil {
		t.Errorf("what was sent before Close: %d, %v", n, err)
	}
	if _, err := a.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := a.TryRecv(); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	must(t, a.Poll(t.Context()))
	wantErr(t, "Send", a.Send(t.Context(), "y"), mp.ErrBrokenPipe)
	must(t, a.Close())
	wantErr(t, "Close again", a.Close(), mp.ErrClosed)
	wantErr(t, "Send", a.Send(t.Context(), "y"), mp.ErrClosed)
	wantErr(t, "Recv", get2(a.Recv(t.Context())), mp.ErrClosed)
	wantErr(t, "Clone", get2(a.Clone()), mp.ErrClosed)
}

func TestOneWay(t *testing.T) {
	recv, send := oneWay[[]byte](t)
	wantErr(t, "Send on the receiving end", recv.Send(t.Context(), mp.None{}), mp.ErrDirection)
	wantErr(t, "CloseWrite of the receiving end", recv.CloseWrite(), mp.ErrDirection)
	wantErr(t, "Recv on the sending end", get2(send.Recv(t.Context())), mp.ErrDirection)
	wantErr(t, "TryRecv on the sending end", get2(send.TryRecv()), mp.ErrDirection)
	wantErr(t, "Poll of the sending end", send.Poll(t.Context()), mp.ErrDirection)
	wantErr(t, "Select of the sending end", get2(mp.Select(t.Context(), send)), mp.ErrDirection)
	// Empty messages are messages (test_empty_string, test_dont_merge).
	for _, m := range []string{"", "", "a", "", "bb"} {
		must(t, send.Send(t.Context(), []byte(m)))
	}
	for _, m := range []string{"", "", "a", "", "bb"} {
		must(t, recv.Poll(t.Context()))
		if b := get(recv.TryRecv())(t); string(b) != m {
			t.Errorf("got %q, want %q", b, m)
		}
	}
	must(t, send.CloseWrite())
	for _, err := range recv.Drain(t.Context()) {
		t.Errorf("an item after the end, %v", err)
	}
}

func TestBigMessage(t *testing.T) {
	a, b := pipe[[]byte, []byte](t)
	p := start(t, Mirror, b)
	big := bytes.Repeat([]byte("sixteen bytes..."), 1<<20)
	must(t, a.Send(t.Context(), big))
	if got := get(a.Recv(t.Context()))(t); !bytes.Equal(got, big) {
		t.Errorf("16 MiB came back as %d bytes", len(got))
	}
	must(t, a.Close())
	finish(t, p)
	small, _ := pipe[[]byte, int](t, mp.MaxBytes(100))
	wantErr(t, "too large", small.Send(t.Context(), big), mp.ErrTooLarge)
	must(t, small.Send(t.Context(), []byte("fits")))
}

// Mirror sends everything back until the end of the pipe.
var Mirror = mp.Proc(func(ctx context.Context, c *mp.Conn[[]byte, []byte]) error {
	for b, err := range c.Drain(ctx) {
		if err != nil {
			return err
		}
		if err := c.Send(ctx, b); err != nil {
			return err
		}
	}
	return nil
}, mp.Named("mirror"))

func TestMoveAndClone(t *testing.T) {
	a, b := pipe[[]byte, []byte](t)
	kept := closing(t, get(b.Clone())(t))
	p := start(t, Mirror, b)
	wantErr(t, "the end that moved", b.Send(t.Context(), nil), mp.ErrClosed)
	must(t, a.Send(t.Context(), []byte("1")))
	if s := get(a.Recv(t.Context()))(t); string(s) != "1" {
		t.Errorf("got %q", s)
	}
	must(t, p.Kill())
	<-p.Done()
	// The clone holds the end open, and works.
	if _, err := a.Recv(within(t, short)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a clone open: %v", err)
	}
	must(t, kept.Send(t.Context(), []byte("2")))
	if s := get(a.Recv(t.Context()))(t); string(s) != "2" {
		t.Errorf("got %q", s)
	}
	must(t, kept.Close())
	if _, err := a.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last handle was closed: %v", err)
	}
}

// The end of a pipe comes at once when its holder is killed, to who waits
// already.
func TestEOFAfterKill(t *testing.T) {
	for range 10 {
		recv, send := oneWay[int](t)
		p := start(t, Hold, send)
		if v := get(recv.Recv(t.Context()))(t); v != 1 {
			t.Fatalf("got %d", v)
		}
		ended := make(chan error)
		go func() { ended <- get2(recv.Recv(context.Background())) }()
		must(t, p.Kill())
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Fatalf("got %v", err)
		}
	}
	// And the other way round.
	recv, send := oneWay[[]byte](t, mp.MaxBytes(1024))
	p := start(t, HoldReader, recv)
	ended := make(chan error)
	go func() {
		for {
			if err := send.Send(context.Background(), make([]byte, 500)); err != nil {
				ended <- err
				return
			}
		}
	}()
	must(t, p.Kill())
	wantErr(t, "a Send that waited", <-ended, mp.ErrBrokenPipe)
}

// Hold sends one value and holds the end.
var Hold = mp.Proc(func(ctx context.Context, c *mp.Conn[int, mp.None]) error {
	if err := c.Send(ctx, 1); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}, mp.Named("hold"))

// HoldReader holds an end and does not read.
var HoldReader = mp.Proc(func(ctx context.Context, c *mp.Conn[mp.None, []byte]) error {
	<-ctx.Done()
	return c.Close()
}, mp.Named("hold-reader"))

// A child whose task is over gives its ends back, though it has not closed
// them.
func TestEOFAfterTaskEnds(t *testing.T) {
	recv, send := oneWay[int](t)
	finish(t, start(t, TakeConn, send))
	if _, err := recv.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

type shared struct {
	C    *mp.Conn[order, order]
	From int
}

// One end, several processes and goroutines, both directions: nothing is torn.
func TestSharedEnd(t *testing.T) {
	const procs, each = 3, 500
	a, b := pipe[order, order](t)
	var running []mp.Child
	for i := range procs {
		c := closing(t, get(b.Clone())(t))
		running = append(running, start(t, SendMany, shared{c, i}))
	}
	must(t, b.Close())
	for i := range procs * each {
		must(t, a.Send(t.Context(), order{ID: i, Data: fill(i)}))
	}
	must(t, a.CloseWrite())
	next := make([]int, procs)
	for o, err := range a.Drain(t.Context()) {
		must(t, err)
		from, n := o.ID/each, o.ID%each
		if n != next[from] || !bytes.Equal(o.Data, fill(o.ID)) {
			t.Fatalf("torn or out of order: %d of %d, want %d", n, from, next[from])
		}
		next[from]++
	}
	for _, p := range running {
		finish(t, p)
	}
	if fmt.Sprint(next) != fmt.Sprint([]int{each, each, each}) {
		t.Errorf("received %v", next)
	}
}

func fill(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i%700) }

// SendMany sends from two goroutines' worth of work: its own numbers, and
// checks what it receives.
var SendMany = mp.Proc(sendMany)

func sendMany(ctx context.Context, s shared) error {
	received := make(chan error)
	go func() {
		for o, err := range s.C.Drain(ctx) {
			if err != nil || !bytes.Equal(o.Data, fill(o.ID)) {
				received <- fmt.Errorf("received %d, torn, or %w", o.ID, err)
				return
			}
		}
		received <- nil
	}()
	for i := range 500 {
		id := s.From*500 + i
		if err := s.C.Send(ctx, order{ID: id, Data: fill(id)}); err != nil {
			return err
		}
	}
	return <-received
}

// A pipe's ends travel over a pipe (test_pickling, test_access).
func TestConnOverConn(t *testing.T) {
	a, b := pipe[*mp.Conn[int, mp.None], mp.None](t)
	recv, send := oneWay[int](t)
	p := start(t, SendOnWhatComes, b)
	must(t, a.Send(t.Context(), send))
	wantErr(t, "the end that moved", send.Send(t.Context(), 1), mp.ErrClosed)
	if v := get(recv.Recv(t.Context()))(t); v != 42 {
		t.Errorf("got %d", v)
	}
	finish(t, p)
	if _, err := recv.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// SendOnWhatComes receives the end of a pipe and uses it.
var SendOnWhatComes = mp.Proc(func(ctx context.Context, c *mp.Conn[mp.None, *mp.Conn[int, mp.None]]) error {
	got, err := c.Recv(ctx)
	if err != nil {
		return err
	}
	return got.Send(ctx, 42)
}, mp.Named("send-on-what-comes"))
