package pymp_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

func channel(t *testing.T, m *pymp.Manager) *pymp.Channel {
	t.Helper()
	c, err := m.Channel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// An RLock and a Condition belong to the channel over which they were taken.
func TestChannelsOwnLocks(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := dial(t, python)
		lock, mine, other := create(t, m, "RLock"), channel(t, m), channel(t, m)
		for range 2 {
			if !call[bool](t, mine.Bind(lock), "acquire") {
				t.Fatal("not acquired")
			}
		}
		if call[bool](t, other.Bind(lock), "acquire", false) {
			t.Error("two channels own one RLock")
		}
		var e *pymp.Error
		if err := other.Bind(lock).Call(t.Context(), "release"); !errors.As(err, &e) || e.Class != "builtins.RuntimeError" {
			t.Errorf("released by a stranger: %v", err)
		}
		for range 2 {
			if err := mine.Bind(lock).Call(t.Context(), "release"); err != nil {
				t.Fatal(err)
			}
		}
		if !call[bool](t, other.Bind(lock), "acquire", false) {
			t.Error("the lock is still held")
		}

		cond, flag := create(t, m, "Condition"), create(t, m, "list")
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				ch, err := m.Channel(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				defer ch.Close()
				c := ch.Bind(cond)
				if err := c.Call(t.Context(), "acquire"); err != nil {
					t.Error(err)
				}
				if err := flag.Call(t.Context(), "append", 1); err != nil {
					t.Error(err)
				}
				if ok, err := pymp.Call[bool](t.Context(), c, "wait", 20); err != nil || !ok {
					t.Errorf("wait: %v, %v", ok, err)
				}
				if err := c.Call(t.Context(), "release"); err != nil {
					t.Error(err)
				}
			})
		}
		c := mine.Bind(cond)
		for n := 0; n < 3; {
			if err := c.Call(t.Context(), "acquire"); err != nil {
				t.Fatal(err)
			}
			if n = call[int](t, flag, "__len__"); n == 3 {
				if err := c.Call(t.Context(), "notify_all"); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Call(t.Context(), "release"); err != nil {
				t.Fatal(err)
			}
		}
		all.Wait()
	})
}

// A bound proxy holds nothing, and its channel ends with the first call that is
// cut off.
func TestChannelEnds(t *testing.T) {
	python := pyconntest.Pythons(t)[0]
	m := dial(t, python)
	ch, event := channel(t, m), create(t, m, "Event")
	bound := ch.Bind(event)
	closeAll(t, bound)
	if objects(t, m) != 1 {
		t.Error("Close of a bound proxy gave the reference back")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := bound.Call(ctx, "wait", 30)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, mperr.ErrUnknownFate) {
		t.Errorf("a wait that was cut off: %v", err)
	}
	if err := bound.Call(t.Context(), "is_set"); !errors.Is(err, mperr.ErrClosed) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call after that: %v", err)
	}
	if call[bool](t, event, "is_set") {
		t.Error("the event is set")
	}
	if err := errors.Join(ch.Close(), ch.Close()); err != nil {
		t.Error(err)
	}
	other := dial(t, python)
	if err := channel(t, other).Bind(event).Call(t.Context(), "set"); !errors.Is(err, mperr.ErrForeign) {
		t.Errorf("a proxy on another manager's channel: %v", err)
	}
}

// The end of a context ends the call, at once, and nothing else.
func TestContextEndsACall(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := dial(t, python)
		event, q := create(t, m, "Event"), create(t, m, "Queue")
		mine := errors.New("mine")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- event.Call(ctx, "wait") }()
		if err := q.Call(t.Context(), "put", 1); err != nil {
			t.Fatal(err)
		}
		cancel(mine)
		if err := <-done; !errors.Is(err, mine) {
			t.Errorf("cancelled: %v", err)
		}
		err := q.Call(ctx, "put", 2) // before it begins
		if !errors.Is(err, mine) || errors.Is(err, mperr.ErrUnknownFate) {
			t.Errorf("a context that has ended: %v", err)
		}
		if n := call[int](t, q, "qsize"); n != 1 {
			t.Errorf("%d items", n)
		}
	})
}
