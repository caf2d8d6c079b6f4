//go:build linux

package pool

import (
	"context"
	"errors"
	"math"
	"os"
	"syscall"
	"testing"

	"multiproc/mp"
	"multiproc/mp/executor"
	"multiproc/mptest"
)

// lock is an argument with a handle in it that a worker cannot decode, or dies of.
type lock struct {
	Q    *mp.Queue[int]
	Bomb bomb
}

type bomb struct{ how string }

func (b bomb) MarshalBinary() ([]byte, error) { return []byte(b.how), nil }

func (b *bomb) UnmarshalBinary(data []byte) error {
	switch b.how = string(data); b.how {
	case "refuse":
		return errors.New("it is a bomb")
	case "explode":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return nil
}

func open(ctx context.Context, l lock) (int, error) { return l.Q.Get(ctx) }

var Open = mp.Func(open)

func testPool(t *testing.T) *Pool {
	t.Helper()
	p, err := New(Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// An argument with handles that a worker cannot decode costs its item, not the call
// and not all workers; so does one of which they die.
func TestArgumentsThatDoNotArrive(t *testing.T) {
	p := testPool(t)
	q, err := mp.NewQueue[int](8)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	items := []string{"", "refuse", "", "explode", ""}
	for i := range items {
		_ = q.Put(t.Context(), i)
	}
	in := func(yield func(lock) bool) {
		for _, b := range items {
			if !yield(lock{q, bomb{b}}) {
				return
			}
		}
	}
	i := 0
	for _, err := range Open.Map(t.Context(), p.With(Call{Retry: Retry{Max: 1}}), in) {
		var died *WorkerDiedError
		switch items[i] {
		case "":
			if err != nil {
				t.Errorf("item %d: %v", i, err)
			}
		case "refuse":
			if err == nil || errors.As(err, &died) {
				t.Errorf("item %d: %v", i, err)
			}
		default:
			if !errors.As(err, &died) || died.Index != i {
				t.Errorf("item %d: %v", i, err)
			}
		}
		i++
	}
	if i != len(items) {
		t.Errorf("%d items", i)
	}
}

// A value that has not come holds up nobody but who waits for it, and he can give
// it up.
func TestValueThatDoesNotCome(t *testing.T) {
	v := &values{over: make(chan struct{})}
	c := make(chan any, 1)
	got := make(chan executor.Results)
	s := &stream{job: executor.Job{Deliver: func(r executor.Results) { got <- r }}}
	p := &Pool{deliveries: []delivery{{s, piece{value: c, values: v}}}}
	s.p = p
	p.mu.Lock()
	p.unlock()
	c <- 7
	if r := <-got; r.Value != 7 || r.Err != nil {
		t.Errorf("%v, %v", r.Value, r.Err)
	}
	given := make(chan struct{})
	close(given)
	if _, err := v.wait(c, given); !errors.Is(err, ErrGivenUp) {
		t.Error(err)
	}
	close(v.over)
	if _, err := v.wait(c, nil); err == nil {
		t.Error("no error, and no value")
	}
}

// The oldest item is taken first, in whatever way it waits.
func TestOldestFirst(t *testing.T) {
	b := &block{first: 3, count: 2, used: 16}
	b.publish()
	s := &stream{
		job: executor.Job{ArgSize: 8}, blocks: []*block{b}, returned: []run{{first: 1, n: 1}},
		values: []run{{first: 0, n: 1}, {first: 2, n: 1}, {first: 5, n: 1}},
	}
	for want := range 6 {
		if r, ok := s.take(1); !ok || r.first != want || r.n != 1 {
			t.Errorf("item %d of %d, want %d", r.first, r.n, want)
		}
	}
	if _, ok := s.take(1); ok {
		t.Error("a seventh")
	}
}

// waits is at its item until it may go on.
func waits(ctx context.Context, q *mp.Queue[int]) (int, error) { return q.Get(ctx) }

var Waits = mp.Func(waits)

// Whatever a worker writes of its items, the pool ends it, and the item that it was
// at is lost and nothing else.
func TestCorruptRegion(t *testing.T) {
	for name, spoil := range map[string]func(region){
		"more items than it has":   func(r region) { r.done.Store(5) },
		"more bytes than it has":   func(r region) { r.done.Store(1 | 1<<50) },
		"results that are nothing": func(r region) { r.done.Store(1 | 3<<placeBits) },
	} {
		t.Run(name, func(t *testing.T) {
			p := testPool(t)
			q, err := mp.NewQueue[int](8)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = q.Close() }()
			f, err := Waits.Submit(t.Context(), p, q)
			if err != nil {
				t.Fatal(err)
			}
			mptest.Eventually(t, func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				for _, h := range p.hands {
					if len(h.orders) > 0 && h.orders[0].running() == 0 {
						spoil(h.orders[0].region)
						return true
					}
				}
				return false
			}, "no worker is at the item")
			if n, err := f.Result(t.Context()); err == nil {
				t.Errorf("%d, and no error", n)
			} else {
				t.Log(err)
			}
			_, _ = q.PutBatch(t.Context(), []int{3, 3}) // it may be at the item still
			if n, err := Waits.RunOn(t.Context(), p, q); n != 3 || err != nil {
				t.Errorf("the next: %d, %v", n, err)
			}
		})
	}
}

func TestRates(t *testing.T) {
	for _, rate := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e-12, 1e15} {
		if err := (&Call{Rate: rate}).check(); err == nil {
			t.Errorf("a rate of %v", rate)
		}
	}
	if err := (&Call{Rate: 0.01}).check(); err != nil {
		t.Error(err)
	}
}

// A panic of an observer is one of whoever it was told by, and the pool can be used
// after it.
func TestObserverPanics(t *testing.T) {
	p := testPool(t)
	call := Call{Observe: func(e Event) {
		if e.Kind == CallBegan {
			panic("no")
		}
	}}
	func() {
		defer func() {
			if r := recover(); r != "no" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = p.With(call).Open(t.Context(), executor.Job{Task: Waits.Name()})
	}()
	q, err := mp.NewQueue[int](8)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	_ = q.Put(t.Context(), 3)
	if n, err := Waits.RunOn(t.Context(), p, q); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
