package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
)

func TestUnknownObject(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	if n, err := begin(ss, 0xabc, "add").answered(); n != 1 || !errors.Is(err, mperr.ErrNoKey) {
		t.Errorf("%d answers, %v", n, err)
	}
}

// A call that waits is answered by exactly one of those who could answer it.
func TestParkedCallsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ss *Session, b *box, r *reply)
		want error
		n    int
	}{
		"answered":            {func(_ *Session, b *box, _ *reply) { b.pop().Return(Item{}) }, nil, 1},
		"cancelled":           {func(_ *Session, _ *box, r *reply) { r.Cancel(); r.Cancel() }, context.Canceled, 1},
		"out of time":         {func(*Session, *box, *reply) { <-time.After(2 * time.Hour) }, context.DeadlineExceeded, 1},
		"client gone":         {func(ss *Session, _ *box, _ *reply) { ss.End(nil) }, nil, 0},
		"answered, cancelled": {func(_ *Session, b *box, r *reply) { b.pop().Return(Item{}); r.Cancel() }, nil, 1},
		"cancelled amid":      {func(_ *Session, b *box, r *reply) { w := b.pop(); r.Cancel(); w.Return(Item{}) }, nil, 1},
		"gone amid":           {func(ss *Session, b *box, _ *reply) { w := b.pop(); ss.End(nil); w.Return(Item{}) }, nil, 0},
		"late amid":           {func(_ *Session, b *box, _ *reply) { w := b.pop(); <-time.After(2 * time.Hour); w.Return(Item{}) }, nil, 1},
		"answered twice":      {func(_ *Session, b *box, _ *reply) { w := b.pop(); w.Return(Item{}); w.Fail(errors.New("x")) }, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, Limits{})
				ss := s.Join(Client{})
				id, b := create(t, s.Join(Client{}))
				r := &reply{}
				r.Method, r.Deadline = "wait", time.Now().Add(time.Hour)
				ss.Begin(&r.Call, id, replier{r})
				if n, _ := r.answered(); n != 0 {
					t.Fatal("answered at once")
				}
				c.end(ss, b, r)
				synctest.Wait()
				if n, err := r.answered(); n != c.n || !errors.Is(err, c.want) {
					t.Errorf("%d answers, %v; want %d, %v", n, err, c.n, c.want)
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if len(b.waiting) != 0 || ss.linked.Load() != 0 {
					t.Errorf("%d still wait, %d are linked", len(b.waiting), ss.linked.Load())
				}
			})
		})
	}
}

func TestParkUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		id, _ := create(t, ss)
		r := begin(ss, id, "wait")
		still, expired := true, 0
		unpark := func() bool { was := still; still = false; return was }
		if !r.ParkUntil(time.Now().Add(time.Second), unpark, func() { expired++; r.Return(Item{}) }) {
			t.Fatal("refused")
		}
		<-time.After(time.Minute)
		if n, err := r.answered(); n != 1 || err != nil || expired != 1 {
			t.Errorf("%d answers, %v, expired %d times", n, err, expired)
		}
	})
}

// A call that is parked a second time has nothing to do with the first
// timeout.
func TestParkAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		id, _ := create(t, ss)
		r := begin(ss, id, "wait")
		r.ParkUntil(time.Now().Add(time.Second), func() bool { return true }, func() { t.Error("the first timeout") })
		r.Park(func() bool { return false })
		<-time.After(time.Minute)
		r.Cancel() // declined
		if n, _ := r.answered(); n != 0 {
			t.Error("answered")
		}
		r.Return(Item{})
		if n, _ := r.answered(); n != 1 || ss.linked.Load() != 0 {
			t.Errorf("%d answers, %d linked", n, ss.linked.Load())
		}
	})
}

func TestWaitingCallsAreBounded(t *testing.T) {
	s := newStore(t, Limits{Calls: 2})
	ss, other := s.Join(Client{}), s.Join(Client{})
	id, b := create(t, ss)
	first := begin(ss, id, "wait")
	begin(ss, id, "wait")
	if n, err := begin(ss, id, "wait").answered(); n != 1 || !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("%d answers, %v", n, err)
	}
	if n, _ := begin(other, id, "wait").answered(); n != 0 {
		t.Error("another client suffers")
	}
	b.pop().Return(Item{})
	if n, _ := first.answered(); n != 1 {
		t.Error("the first is not the first")
	}
	if n, _ := begin(ss, id, "wait").answered(); n != 0 {
		t.Error("there is room again")
	}
}

func TestTaken(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ss *Session, r *reply)
		back bool
	}{
		"acknowledged":       {func(_ *Session, r *reply) { r.Acknowledge() }, false},
		"lost":               {func(_ *Session, r *reply) { r.Lost() }, true},
		"lost twice":         {func(_ *Session, r *reply) { r.Lost(); r.Lost() }, true},
		"acknowledged, lost": {func(ss *Session, r *reply) { r.Acknowledge(); r.Lost(); ss.End(nil) }, false},
		"client gone":        {func(ss *Session, r *reply) { ss.End(nil); r.Acknowledge(); r.Lost() }, true},
		"gone, lost":         {func(ss *Session, r *reply) { ss.End(nil); r.Lost() }, true},
		"gone before":        {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Limits{})
			ss := s.Join(Client{})
			id, b := create(t, s.Join(Client{}))
			call(t, ss, id, "add", Of("x"))
			if c.end == nil {
				ss.End(nil)
			}
			r := begin(ss, id, "take")
			if c.end != nil {
				if n, _ := r.answered(); n != 1 || !r.taken || b.len() != 0 {
					t.Fatalf("%d answers, taken %t, %d left", n, r.taken, b.len())
				}
				c.end(ss, r)
			}
			if n := b.len(); (n == 1) != c.back || n > 1 {
				t.Errorf("%d items in the box", n)
			}
		})
	}
}

func TestEmit(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, s.Join(Client{}))
	r := &reply{room: 2}
	r.Method = "stream"
	ss.Begin(&r.Call, id, replier{r})
	for i, want := range []bool{true, true, false} {
		if r.Emit(Item{}) != want {
			t.Errorf("number %d: %t", i, !want)
		}
	}
	w := b.pop()
	w.Fail(mperr.ErrOverrun)
	if w.Emit(Item{}) {
		t.Error("emitted after the end")
	}
	if n, err := r.answered(); n != 1 || !errors.Is(err, mperr.ErrOverrun) {
		t.Errorf("%d answers, %v", n, err)
	}
}

// A method that runs on its own goroutine learns that it is not wanted.
func TestGo(t *testing.T) {
	for name, end := range map[string]func(ss *Session, r *reply){
		"cancelled":   func(_ *Session, r *reply) { r.Cancel() },
		"client gone": func(ss *Session, _ *reply) { ss.End(nil) },
		"deadline":    func(*Session, *reply) { <-time.After(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, Limits{})
				ss := s.Join(Client{})
				id, b := create(t, s.Join(Client{}))
				r := &reply{}
				r.Method, r.Deadline = "run", time.Now().Add(time.Hour)
				ended := make(chan error, 1)
				b.funcs <- func(ctx context.Context) {
					<-ctx.Done()
					ended <- ctx.Err()
					r.Call.Fail(ctx.Err())
				}
				ss.Begin(&r.Call, id, replier{r})
				end(ss, r)
				if err := <-ended; err == nil {
					t.Error("no error")
				}
				synctest.Wait()
				if n, _ := r.answered(); n != 1 && name != "client gone" || ss.linked.Load() != 0 {
					t.Errorf("%d answers, %d linked", n, ss.linked.Load())
				}
			})
		})
	}
}

func TestReturnNew(t *testing.T) {
	s := newStore(t, Limits{Objects: 2})
	ss := s.Join(Client{})
	id, _ := create(t, ss)
	r := begin(ss, id, "iter")
	if n, err := r.answered(); n != 1 || err != nil || r.typ.ID != "box" || ss.Refs(r.id) != 1 {
		t.Fatalf("%d answers, %v", n, err)
	}
	if n, err := begin(ss, id, "iter").answered(); n != 1 || !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("a third object: %d answers, %v", n, err)
	}
}

func TestInvoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		id, b := create(t, ss)
		ctx := context.Background()
		if _, err := s.Invoke(ctx, id, "add", Args{Pos: []Item{Of("x")}}); err != nil {
			t.Error(err)
		}
		if v, err := s.Invoke(ctx, id, "take", Args{}); err != nil || v.Value() != "x" {
			t.Error(v, err)
		}
		if _, err := s.Invoke(ctx, id, "iter", Args{}); err == nil || s.Size() != 1 {
			t.Error("a new object stays", err)
		}
		ctx, cancel := context.WithCancel(ctx)
		go func() { synctest.Wait(); cancel() }()
		if _, err := s.Invoke(ctx, id, "wait", Args{}); !errors.Is(err, context.Canceled) || len(b.waiting) != 0 {
			t.Error(err)
		}
	})
}
