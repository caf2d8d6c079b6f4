//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"multiproc/mp"
	"multiproc/mptest"
)

// settled waits until no more handles wait with the root than before.
func settled(t testing.TB, before int) {
	t.Helper()
	mptest.Eventually(t, func() bool { return mp.Deposits() <= before }, "no more than %d handles wait with the root", before)
}

type carriesEnd struct {
	Carrier *mp.Queue[*mp.Conn[mp.None, int]]
	End     *mp.Conn[mp.None, int]
}

// PutEnd puts an end of a pipe into a queue that is full.
var PutEnd = mp.Proc(func(ctx context.Context, c carriesEnd) error { return c.Carrier.Put(ctx, c.End) }, mp.Named("put-end"))

// A sender that is killed while it waits for room has sent nothing.
func TestSenderKilledBeforeItIsPut(t *testing.T) {
	carrier := queue[*mp.Conn[mp.None, int]](t, 1)
	other, _ := oneWay[int](t)
	must(t, carrier.Put(t.Context(), other))
	before := mp.Deposits()
	recv, send := oneWay[int](t)
	p := start(t, PutEnd, carriesEnd{carrier, recv})
	mptest.Eventually(t, func() bool { return mp.Deposits() == before+1 }, "the child has come to put its end")
	must(t, p.Kill())
	mptest.Eventually(t, func() bool {
		return errors.Is(send.Send(t.Context(), 1), mp.ErrBrokenPipe)
	}, "the sender's death was seen at the other end")
	settled(t, before)
	closing(t, get(carrier.Get(t.Context()))(t))
	if _, err := carrier.TryGet(t.Context()); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("something was put: %v", err)
	}
}

// spoilt is encoded, and cannot be decoded.
type spoilt struct{ b bool }

func (spoilt) MarshalBinary() ([]byte, error) { return []byte("x"), nil }
func (*spoilt) UnmarshalBinary([]byte) error  { return errors.New("spoilt on purpose") }
func (s spoilt) String() string               { return fmt.Sprint(s.b) }

type spoiltMessage struct {
	Before, Beside *mp.Conn[mp.None, int]
	Bad            spoilt
	Behind         *mp.Conn[mp.None, int]
	Any            any
	Queue          *mp.Queue[string]
}

func newSpoilt(t testing.TB) (m spoiltMessage, others []*mp.Conn[int, mp.None]) {
	t.Helper()
	for _, c := range []**mp.Conn[mp.None, int]{&m.Before, &m.Beside, &m.Behind} {
		recv, send := oneWay[int](t)
		*c, others = recv, append(others, send)
	}
	recv, send := oneWay[int](t)
	m.Any, others = recv, append(others, send)
	m.Queue = queue[string](t, 0)
	return m, others
}

func init() { mp.RegisterType[*mp.Conn[mp.None, int]]("mp_test.Receiver") }

// What was in a message that cannot be decoded is given back, in front of the
// spoilt place and behind it.
func TestSpoiltMessageHoldsNothing(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, carrier *mp.Queue[spoiltMessage]) error{
		"Get":      func(t *testing.T, c *mp.Queue[spoiltMessage]) error { _, err := c.Get(t.Context()); return err },
		"TryGet":   func(_ *testing.T, c *mp.Queue[spoiltMessage]) error { _, err := c.TryGet(t.Context()); return err },
		"GetBatch": func(t *testing.T, c *mp.Queue[spoiltMessage]) error { _, err := c.GetBatch(t.Context(), 9); return err },
	} {
		t.Run(name, func(t *testing.T) {
			before := mp.Deposits()
			carrier := queue[spoiltMessage](t, 0)
			m, others := newSpoilt(t)
			fds := get(openFDs())(t) - 4 // the ends that go away
			must(t, carrier.Put(t.Context(), m))
			if err := take(t, carrier); err == nil || !strings.Contains(err.Error(), "spoilt on purpose") {
				t.Errorf("took it: %v", err)
			}
			for i, c := range others {
				wantErr(t, fmt.Sprintf("end %d is held by nobody", i), c.Send(t.Context(), 1), mp.ErrBrokenPipe)
			}
			settled(t, before)
			if n := get(openFDs())(t); n > fds {
				t.Errorf("%d descriptors, want %d", n, fds)
			}
		})
	}
}

// AnswerSpoilt returns what its starter cannot decode.
var AnswerSpoilt = mp.Func(func(_ context.Context, m spoiltArgs) (spoiltMessage, error) {
	return spoiltMessage{Before: m.Before, Beside: m.Beside, Behind: m.Behind, Any: m.Any, Queue: m.Queue}, nil
}, mp.Named("answer-spoilt"))

type spoiltArgs struct {
	Before, Beside, Behind, Any *mp.Conn[mp.None, int]
	Queue                       *mp.Queue[string]
}

func TestSpoiltResultHoldsNothing(t *testing.T) {
	before := mp.Deposits()
	m, others := newSpoilt(t)
	p := start(t, AnswerSpoilt, spoiltArgs{m.Before, m.Beside, m.Behind, m.Any.(*mp.Conn[mp.None, int]), m.Queue})
	for range 2 {
		if _, err := p.Result(t.Context()); err == nil || !strings.Contains(err.Error(), "spoilt on purpose") {
			t.Errorf("result: %v", err)
		}
	}
	for i, c := range others {
		wantErr(t, fmt.Sprintf("end %d is held by nobody", i), c.Send(t.Context(), 1), mp.ErrBrokenPipe)
	}
	settled(t, before)
}

// What nobody can take any more is given back: with the last handle of what it
// is in, however deep that is.
func TestWhatNobodyTakes(t *testing.T) {
	type inner = *mp.Queue[*mp.Conn[mp.None, int]]
	fill := func(t *testing.T, carrier inner) (others []*mp.Conn[int, mp.None]) {
		for range 5 {
			recv, send := oneWay[int](t)
			must(t, carrier.Put(t.Context(), recv))
			others = append(others, send)
		}
		return others
	}
	made := func(t *testing.T) inner { return queue[*mp.Conn[mp.None, int]](t, 0) }
	for name, lose := range map[string]func(t *testing.T, carrier inner){
		"closed": func(t *testing.T, carrier inner) { must(t, carrier.Close()) },
		"closed in a child as well": func(t *testing.T, carrier inner) {
			finish(t, start(t, TakeNothing, carrier))
			must(t, carrier.Close())
		},
		"its last holder is killed": func(t *testing.T, carrier inner) {
			p := start(t, HoldCarrier, carrier)
			must(t, carrier.Close())
			must(t, p.Kill())
		},
		"in a queue": func(t *testing.T, carrier inner) {
			outer := get(mp.NewQueue[any](0))(t)
			must(t, outer.Put(t.Context(), carrier))
			must(t, carrier.Close())
			must(t, outer.Close())
		},
		"in a pipe": func(t *testing.T, carrier inner) {
			a, b := pipe[inner, int](t)
			must(t, a.Send(t.Context(), carrier))
			must(t, carrier.Close())
			must(t, b.Close())
			must(t, a.Close())
		},
		"in a pipe whose receiver is killed": func(t *testing.T, carrier inner) {
			a, b := pipe[inner, int](t)
			must(t, a.Send(t.Context(), carrier))
			must(t, carrier.Close())
			p := start(t, HoldReceiver, b)
			must(t, p.Kill())
			settled(t, 0) // while the sender's end is there
			must(t, a.Close())
		},
		"in each other": func(t *testing.T, carrier inner) {
			one, two := get(mp.NewQueue[any](0))(t), get(mp.NewQueue[any](0))(t)
			must(t, one.Put(t.Context(), carrier))
			must(t, one.Put(t.Context(), two))
			must(t, two.Put(t.Context(), one))
			must(t, carrier.Close())
			must(t, one.Close())
			must(t, two.Close())
		},
		"in a result": func(t *testing.T, carrier inner) {
			p := start(t, ReturnCarrier, carrier)
			must(t, carrier.Close())
			got := get(p.Result(t.Context()))(t)
			if n := get(got.Len(t.Context()))(t); n != 5 {
				t.Errorf("%d items came back", n)
			}
			must(t, got.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, fds := mp.Deposits(), 0
			for round := range 3 {
				carrier := made(t)
				others := fill(t, carrier)
				lose(t, carrier)
				for _, c := range others {
					mptest.Eventually(t, func() bool { return errors.Is(c.Send(t.Context(), 1), mp.ErrBrokenPipe) },
						"the other end has nobody any more")
					must(t, c.Close())
				}
				settled(t, before)
				if round == 0 {
					fds = get(openFDs())(t)
				}
			}
			mptest.Eventually(t, func() bool { return get(openFDs())(t) <= fds }, "no more than %d descriptors are open", fds)
		})
	}
}

func init() {
	mp.RegisterType[*mp.Queue[*mp.Conn[mp.None, int]]]("mp_test.Ends")
	mp.RegisterType[*mp.Queue[any]]("mp_test.Anything")
}

// TakeNothing has a handle and closes it.
var TakeNothing = mp.Proc(func(_ context.Context, q *mp.Queue[*mp.Conn[mp.None, int]]) error { return q.Close() }, mp.Named("take-nothing"))

// HoldCarrier has a handle until it is killed.
var HoldCarrier = mp.Proc(func(ctx context.Context, _ *mp.Queue[*mp.Conn[mp.None, int]]) error {
	<-ctx.Done()
	return nil
}, mp.Named("hold-carrier"))

// HoldReceiver has the end of a pipe until it is killed.
var HoldReceiver = mp.Proc(func(ctx context.Context, _ *mp.Conn[int, *mp.Queue[*mp.Conn[mp.None, int]]]) error {
	<-ctx.Done()
	return nil
}, mp.Named("hold-receiver"))

// ReturnCarrier returns what it was given.
var ReturnCarrier = mp.Func(func(_ context.Context, q *mp.Queue[*mp.Conn[mp.None, int]]) (*mp.Queue[*mp.Conn[mp.None, int]], error) {
	return q, nil
}, mp.Named("return-carrier"))

// A handle to what a queue is put into stays good: here the queue is on its way
// in another while it has no handle.
func TestCarrierInACarrierLives(t *testing.T) {
	outer := queue[*mp.Queue[*mp.Counter]](t, 0)
	inner := queue[*mp.Counter](t, 0)
	must(t, inner.Put(t.Context(), counter(t, 7)))
	must(t, outer.Put(t.Context(), inner))
	must(t, inner.Close())
	if n := get(TakeTwice.Run(t.Context(), outer))(t); n != 7 {
		t.Errorf("the counter in the queue in the queue is %d", n)
	}
}

// TakeTwice takes a counter out of a queue that it takes out of a queue.
var TakeTwice = mp.Func(func(ctx context.Context, outer *mp.Queue[*mp.Queue[*mp.Counter]]) (int64, error) {
	inner, err := outer.Get(ctx)
	if err != nil {
		return 0, err
	}
	c, err := inner.Get(ctx)
	if err != nil {
		return 0, err
	}
	return c.Load(), nil
}, mp.Named("take-twice"))

// An end that was given away says where it went.
func TestMovedEndSaysWhere(t *testing.T) {
	recv, send := oneWay[int](t)
	p := startWith(t, Read, mp.StartOptions{Name: "use-1"}, reader{recv, counter(t, 0)})
	_, err := Read.Start(t.Context(), reader{recv, counter(t, 0)})
	wantErr(t, "a second child", err, mp.ErrClosed)
	for _, want := range []string{"moved to use-1", "Clone"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	_, err = recv.Recv(t.Context())
	if !errors.Is(err, mp.ErrClosed) || !strings.Contains(err.Error(), "moved to use-1") {
		t.Errorf("Recv: %v", err)
	}
	carrier := queue[*mp.Conn[int, mp.None]](t, 0)
	must(t, carrier.Put(t.Context(), send))
	if err := send.Send(t.Context(), 1); !errors.Is(err, mp.ErrClosed) || !strings.Contains(err.Error(), "moved in a message") {
		t.Errorf("Send: %v", err)
	}
	must(t, get(carrier.Get(t.Context()))(t).Close())
	finish(t, p)
}
