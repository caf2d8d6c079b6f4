//go:build linux

package mp_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

func TestSelect(t *testing.T) {
	q := queue[int](t, 0)
	a, b := pipe[int, int](t)
	begun := counter(t, 0)
	p := start(t, Wait, begun)
	want := func(sources ...mp.Source) {
		t.Helper()
		all := []mp.Source{q, a, p}
		got := get(mp.Select(t.Context(), all...))(t)
		if len(got) != len(sources) {
			t.Fatalf("%d ready, want %d", len(got), len(sources))
		}
		for i := range got {
			if all[got[i]] != sources[i] {
				t.Errorf("source %d is %T, want %T", i, all[got[i]], sources[i])
			}
		}
	}
	if _, err := mp.Select(within(t, short), q, a, p); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing is ready: %v", err)
	}
	must(t, b.Send(t.Context(), 1))
	want(a)
	must(t, q.Put(t.Context(), 1))
	want(q, a)
	want(q, a) // it takes nothing
	_ = get(q.TryGet(t.Context()))(t)
	_ = get(a.TryRecv())(t)
	p.Cancel(nil)
	want(p)
	must(t, b.Close())
	want(a, p)
	if _, err := a.TryRecv(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// Readiness that comes while Select waits, from each kind of source.
func TestSelectIsWoken(t *testing.T) {
	q, far := queue[int](t, 0), queue[int](t, 0, mp.In(drivertest.Memory()))
	a, b := pipe[int, int](t)
	begun := counter(t, 0)
	p := start(t, Wait, begun)
	type answer struct {
		s   []int
		err error
	}
	for _, step := range []struct {
		cause func()
		want  int
		take  func()
	}{
		{func() { must(t, q.Put(t.Context(), 1)) }, 1, func() { _ = get(q.TryGet(t.Context()))(t) }},
		{func() { must(t, far.Put(t.Context(), 1)) }, 0, func() { _ = get(far.TryGet(t.Context()))(t) }},
		{func() { must(t, b.Send(t.Context(), 1)) }, 2, func() { _ = get(a.TryRecv())(t) }},
		{func() { p.Cancel(nil) }, 3, func() {}},
	} {
		ch := make(chan answer)
		go func() {
			s, err := mp.Select(context.Background(), far, q, a, p)
			ch <- answer{s, err}
		}()
		waiting(t, 1, "mp.Select(")
		select {
		case x := <-ch:
			t.Fatalf("Select returned %v, %v before anything was ready", x.s, x.err)
		default:
		}
		step.cause()
		if x := <-ch; x.err != nil || len(x.s) != 1 || x.s[0] != step.want {
			t.Errorf("got %v, %v, want %d", x.s, x.err, step.want)
		}
		step.take()
	}
}

// More queues than the kernel waits for with one call (TestWait).
func TestSelectOfMany(t *testing.T) {
	var sources []mp.Source
	var queues []*mp.Queue[int]
	for range 300 {
		q := queue[int](t, 1)
		queues = append(queues, q)
		sources = append(sources, q)
	}
	for _, i := range []int{299, 0, 130} {
		ready := make(chan []int)
		go func() {
			s, err := mp.Select(context.Background(), sources...)
			if err != nil {
				t.Error(err)
			}
			ready <- s
		}()
		must(t, queues[i].Put(t.Context(), i))
		if s := <-ready; len(s) != 1 || s[0] != i {
			t.Errorf("queue %d: %d ready", i, len(s))
		}
		_ = get(queues[i].TryGet(t.Context()))(t)
	}
}

// Every call that waits gives up when its context ends or its handle is
// closed, and the object goes on working for others.
func TestWaitersGiveUp(t *testing.T) {
	type object struct {
		wait  func(context.Context) error
		close func() error
		works func() error
	}
	bg := context.Background()
	for name, make := range map[string]func(t *testing.T) object{
		"Queue.Get": func(t *testing.T) object {
			q := queue[int](t, 1)
			return object{func(c context.Context) error { return get2(q.Get(c)) }, q.Close, func() error { return errors.Join(q.Put(bg, 1), get2(q.Get(bg))) }}
		},
		"Queue.Put": func(t *testing.T) object {
			q := queue[string](t, 1)
			must(t, q.Put(bg, "x"))
			return object{func(c context.Context) error { return q.Put(c, "y") }, q.Close, func() error { return errors.Join(get2(q.Get(bg)), q.Put(bg, "x")) }}
		},
		"Queue.GetBatch": func(t *testing.T) object {
			q := queue[order](t, 1)
			return object{func(c context.Context) error { return get2(q.GetBatch(c, 2)) }, q.Close, func() error { return errors.Join(q.Put(bg, order{}), get2(q.Get(bg))) }}
		},
		"Queue.Join": func(t *testing.T) object {
			q := queue[int](t, 1)
			must(t, q.Put(bg, 1))
			return object{q.Join, q.Close, func() error { return errors.Join(get2(q.Get(bg)), q.TaskDone(t.Context()), q.Join(bg), q.Put(bg, 1)) }}
		},
		"Queue.Get in a place": func(t *testing.T) object {
			q := queue[int](t, 1, mp.In(drivertest.Memory()))
			return object{func(c context.Context) error { return get2(q.Get(c)) }, q.Close, func() error { return errors.Join(q.Put(bg, 1), get2(q.Get(bg))) }}
		},
		"Select in a place": func(t *testing.T) object {
			q, other := queue[int](t, 1, mp.In(drivertest.Memory())), queue[int](t, 1)
			return object{func(c context.Context) error { return get2(mp.Select(c, other, q)) }, q.Close, func() error { return errors.Join(q.Put(bg, 1), get2(q.Get(bg))) }}
		},
		"Mutex.Lock in a place": func(t *testing.T) object {
			m := mutex(t, mp.In(drivertest.Memory()))
			must(t, m.Lock(bg))
			return object{m.Lock, m.Close, func() error { m.Unlock(); return m.Lock(bg) }}
		},
		"Conn.Recv": func(t *testing.T) object {
			a, b := pipe[int, int](t)
			return object{func(c context.Context) error { return get2(a.Recv(c)) }, a.Close, func() error { return errors.Join(b.Send(bg, 1), get2(a.Recv(bg))) }}
		},
		"Conn.Poll": func(t *testing.T) object {
			a, b := pipe[int, int](t)
			return object{a.Poll, a.Close, func() error { return errors.Join(b.Send(bg, 1), a.Poll(bg), get2(a.Recv(bg))) }}
		},
		"Conn.Send": func(t *testing.T) object {
			a, b := pipe[[]byte, int](t, mp.MaxBytes(100))
			must(t, a.Send(bg, []byte("0123456789012345678901234567890123456789012345678901234567890123")))
			big := []byte("01234567890123456789012345678901234567890123456789012345678901234567")
			return object{func(c context.Context) error { return a.Send(c, big) }, a.Close, func() error { return errors.Join(get2(b.Recv(bg)), a.Send(bg, big)) }}
		},
		"Select": func(t *testing.T) object {
			q := queue[int](t, 1)
			other := queue[int](t, 1)
			return object{func(c context.Context) error { return get2(mp.Select(c, other, q)) }, q.Close, func() error { return errors.Join(q.Put(bg, 1), get2(q.Get(bg))) }}
		},
		"Mutex.Lock": func(t *testing.T) object {
			m := mutex(t)
			must(t, m.Lock(bg))
			t.Cleanup(m.Unlock)
			return object{m.Lock, m.Close, func() error { m.Unlock(); return m.Lock(bg) }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := make(t)
			ended := func(c context.Context) chan error {
				ch := newResult()
				go func() { ch <- waitIn(c, o.wait) }()
				return ch
			}
			for range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				first, second := ended(ctx), ended(ctx)
				waiting(t, 2, "mp_test.waitIn(")
				cancel()
				wantErr(t, "after cancel", <-first, context.Canceled)
				wantErr(t, "after cancel", <-second, context.Canceled)
				must(t, o.works())
			}
			first, second := ended(bg), ended(bg)
			waiting(t, 2, "mp_test.waitIn(")
			must(t, o.close())
			wantErr(t, "after Close", <-first, mp.ErrClosed)
			wantErr(t, "after Close", <-second, mp.ErrClosed)
			wantErr(t, "a call after Close", o.wait(bg), mp.ErrClosed)
		})
	}
}

// waitIn has a name of its own in the stacks of those who wait.
//
//go:noinline
func waitIn(ctx context.Context, wait func(context.Context) error) error { return wait(ctx) }

func newResult() chan error { return make(chan error, 1) }
