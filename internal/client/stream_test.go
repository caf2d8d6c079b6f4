package client

import (
	"context"
	"errors"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// changeEvent is [op, key, value, version].
func changeEvent(op uint64, key string, v, version uint64) []byte {
	b := frames.AppendText(frames.AppendUint(frames.AppendArray(nil, 4), op), key)
	return frames.AppendUint(frames.AppendUint(b, v), version)
}

func TestWatch(t *testing.T) {
	s := newFake(t, "dict", nil)
	s.answer = func(c *fakeConn, f *frames.Frame) {
		if f.Kind == frames.Call {
			c.event(f.Seq, changeEvent(changeSet, "a", 1, 5))
			c.event(f.Seq, changeEvent(changeDelete, "b", 1, 6))
			c.event(f.Seq, changeEvent(changeClear, "c", 1, 7))
		}
		giveUp(c, f)
	}
	_, d := openFake[complete.Dict](t, s)
	changes := d.Watch(t.Context())
	s.wait("mp.watch", storePing) // before anybody loops
	n := 0
	for c, err := range changes {
		if err != nil {
			t.Fatal(err)
		}
		n++
		if c.Version != uint64(n+4) || (c.Value != nil) != (n == 1) || (c.Key != nil) != (n < 3) {
			t.Errorf("change %d: %+v", n, c)
		}
		if n == 3 {
			break
		}
	}
	s.wait("Cancel")
}

// How a watch ends: the last pair has the error.
func TestWatchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		cause func(s *fakeServer, d complete.Dict, cancel func())
		want  error
	}{
		"context":    {func(_ *fakeServer, _ complete.Dict, cancel func()) { cancel() }, context.Canceled},
		"close":      {func(_ *fakeServer, d complete.Dict, _ func()) { _ = d.Close() }, mperr.ErrClosed},
		"connection": {func(s *fakeServer, _ complete.Dict, _ func()) { s.cut() }, mperr.ErrUnknownFate},
		"server": {func(s *fakeServer, _ complete.Dict, _ func()) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns[0].fail(2, "RuntimeError", "mp.ErrOverrun")
		}, mperr.ErrOverrun},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFake(t, "dict", giveUp)
			_, d := openFake[complete.Dict](t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			changes := d.Watch(ctx)
			c.cause(s, d, cancel)
			n, last := 0, error(nil)
			for _, last = range changes {
				n++
			}
			if !errors.Is(last, c.want) || n != 1 {
				t.Errorf("%d pairs, the last with %v; want %v", n, last, c.want)
			}
		})
	}
}

// Errors of subscribing are the first and last pair.
func TestWatchFails(t *testing.T) {
	s := newFake(t, "list", giveUp)
	m, l := openFake[complete.List](t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range l.Watch(ctx) {
		wantIs(t, "a context that has ended", err, context.Canceled)
	}
	_ = m.Close()
	n := 0
	for _, err := range l.Watch(t.Context()) {
		n++
		wantIs(t, "a closed manager", err, mperr.ErrClosed)
	}
	if n != 1 {
		t.Errorf("%d pairs", n)
	}
}

// A watcher that does not keep up is cut off and told so; the connection
// works on.
func TestOverrun(t *testing.T) {
	big := frames.AppendBytes(nil, make([]byte, 1<<19))
	s := newFake(t, "list", nil)
	s.answer = func(c *fakeConn, f *frames.Frame) {
		switch {
		case string(f.Method) == "mp.watch":
			seq := f.Seq
			go func() {
				for range maxEventBytes>>19 + 2 {
					b := frames.AppendInt(frames.AppendText(frames.AppendArray(nil, 5), "append"), 0)
					c.event(seq, frames.AppendBool(frames.AppendUint(append(b, big...), 1), true))
				}
			}()
		case f.Kind == frames.Call:
			c.give(f.Seq, frames.AppendUint(nil, 1))
		}
		giveUp(c, f)
	}
	_, l := openFake[complete.List](t, s)
	changes := l.Watch(t.Context())
	s.wait("Cancel")
	if _, err := l.Len(t.Context()); err != nil {
		t.Errorf("another call: %v", err)
	}
	var last error
	n := 0
	for _, last = range changes {
		n++
	}
	if !errors.Is(last, mperr.ErrOverrun) || n < 2 {
		t.Errorf("%d pairs, then %v", n, last)
	}
}
