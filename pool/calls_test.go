//go:build linux

package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

// The bounded window: an endless input is taken from as results are, and no
// further; leaving the loop stops it.
func TestWindow(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for _, ordered := range []bool{false, true} {
		var mu sync.Mutex
		taken, most, given := 0, 0, 0
		endless := func(yield func(int) bool) {
			for {
				mu.Lock()
				taken++
				most = max(most, taken-given)
				mu.Unlock()
				if !yield(1) {
					return
				}
			}
		}
		loop := Increment.Each(t.Context(), p.With(pool.Call{Window: 64}), endless)
		if ordered {
			loop = Increment.Map(t.Context(), p.With(pool.Call{Window: 64}), endless)
		}
		for _, err := range loop {
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			given++
			n := given
			mu.Unlock()
			if n == 100_000 {
				break
			}
		}
		if most > 64+2 {
			t.Errorf("%d items were taken ahead", most)
		}
	}
}

func TestMaxFailures(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Start: mp.StartOptions{Stderr: discard{}}})
	for _, limit := range []int{1, 3} {
		failed, ended := 0, false
		for _, err := range Describe.Map(t.Context(), p.With(pool.Call{MaxFailures: limit, Chunk: 1}), orders(1000)) {
			var item *mp.ItemError
			switch {
			case errors.As(err, &item):
				failed++
			case errors.Is(err, pool.ErrTooManyFailures):
				ended = true
			}
		}
		if failed != limit || !ended {
			t.Errorf("%d failures of %d, %v", failed, limit, ended)
		}
	}
}

func TestCancel(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	first, err := Meet.Submit(t.Context(), p, victim{How: "patient"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := Increment.Submit(t.Context(), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	mptest.Eventually(t, func() bool { return p.Stats().Running > 0 }, "the first runs")
	first.Cancel(nil)
	if _, err := first.Result(t.Context()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if r, err := second.Result(t.Context()); r != 2 || err != nil {
		t.Error(r, err)
	}
	if st := p.Stats(); st.Deaths != 0 {
		t.Errorf("%v", st)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	why := errors.New("enough")
	n := 0
	for _, err := range Doze.Each(ctx, p, slices.Values(slices.Repeat([]time.Duration{time.Microsecond}, 1000))) {
		if n++; n == 5 {
			cancel(why)
		}
		if err != nil {
			if !errors.Is(err, why) {
				t.Error(err)
			}
			break
		}
	}
}

// Large arguments and results.
func TestLarge(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	sizes := []int{0, 1, 1000, 1 << 16, 1<<16 + 1, 1 << 20, 5<<20 + 3, 17 << 20, 3, 1 << 20}
	var in [][]byte
	for i, n := range sizes {
		b := make([]byte, n)
		for j := range b {
			b[j] = byte(i + j)
		}
		in = append(in, b)
	}
	for round := range 3 {
		i := 0
		for out, err := range Twice.Map(t.Context(), p, slices.Values(in)) {
			if err != nil || len(out) != 2*len(in[i]) || !bytes.Equal(out, slices.Concat(in[i], in[i])) {
				t.Fatal(round, i, len(out), err)
			}
			i++
		}
		if i != len(in) {
			t.Fatal(i)
		}
	}
}

func twice(_ context.Context, b []byte) ([]byte, error) { return slices.Concat(b, b), nil }

var Twice = mp.Func(twice)

// A panic of the input is one of the loop.
func TestInputPanics(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 1})
	defer func() {
		if r := recover(); fmt.Sprint(r) != "no more" {
			t.Errorf("%v", r)
		}
	}()
	for _, err := range Increment.Map(t.Context(), p, func(yield func(int) bool) {
		yield(1)
		panic("no more")
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	t.Error("the loop has ended")
}

// Handles go in and come out.
func TestHandles(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	q, err := mp.NewQueue[int](10)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for i := range 20 {
		back, err := Relay.RunOn(t.Context(), p, parcel{q, i})
		if err != nil {
			t.Fatal(err)
		}
		n, err := back.Get(t.Context())
		if err != nil || n != i {
			t.Fatal(n, err)
		}
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	}
	runtime.GC()
}

type parcel struct {
	Q *mp.Queue[int]
	N int
}

func relay(ctx context.Context, p parcel) (*mp.Queue[int], error) { return p.Q, p.Q.Put(ctx, p.N) }

var Relay = mp.Func(relay)

// traceKey is where a trace id is in a context.
type traceKey struct{}

func init() {
	mp.RegisterCarrier(mp.Carrier{
		Inject: func(ctx context.Context, m map[string]string) {
			if id, ok := ctx.Value(traceKey{}).(string); ok {
				m["trace"] = id
			}
		},
		Extract: func(ctx context.Context, m map[string]string) context.Context {
			return context.WithValue(ctx, traceKey{}, m["trace"])
		},
	})
}

func trace(ctx context.Context, n int) (string, error) {
	id, _ := ctx.Value(traceKey{}).(string)
	return fmt.Sprint(id, n), nil
}

var Trace = mp.Func(trace)

func TestCarrier(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for _, id := range []string{"a", "", "b"} {
		ctx := t.Context()
		if id != "" {
			ctx = context.WithValue(ctx, traceKey{}, id)
		}
		i := 0
		for got, err := range Trace.Map(ctx, p, upTo(100)) {
			if want := fmt.Sprint(id, i); got != want || err != nil {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
			i++
		}
		if got, err := Trace.RunOn(ctx, p, 7); got != id+"7" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

var nowhere *pool.Pool // as main's pool is in a worker

// nest calls its own kind, on its own pool if it could, and otherwise where it is.
func nest(ctx context.Context, depth int) (int, error) {
	if depth == 0 {
		return 1, nil
	}
	if _, err := Increment.RunOn(ctx, nowhere, 1); err == nil {
		return 0, errors.New("there is a pool that nobody made")
	}
	sum := 0
	for n, err := range Nest.Map(ctx, pool.Inline, slices.Values([]int{depth - 1, depth - 1})) {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

var Nest *mp.Task[int, int]

func init() { Nest = mp.Func(nest) }

func TestNested(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for n, err := range Nest.Each(t.Context(), p, slices.Values([]int{5, 5, 5, 5})) {
		if n != 32 || err != nil {
			t.Error(n, err)
		}
	}
}

func TestInline(t *testing.T) {
	i := 0
	for r, err := range Describe.Map(t.Context(), pool.Inline, orders(14)) {
		if failed := i%7 == 3 || i%7 == 4; failed != (err != nil) || !failed && r == "" {
			t.Error(i, r, err)
		}
		i++
	}
	for range Increment.Each(t.Context(), pool.Inline, upTo(1<<40)) {
		if i++; i == 20 {
			break
		}
	}
	if _, err := Meet.RunOn(t.Context(), pool.Inline, victim{How: "Goexit"}); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
	defer cancel()
	for _, err := range Meet.Map(ctx, pool.Inline, slices.Values([]victim{{How: "patient"}, {How: "patient"}})) {
		if err == nil {
			t.Error("no error")
		}
	}
}

// Results that a loop is at stay what they are when the call's context ends
// meanwhile and others use the pool.
func TestResultsStayAfterCancel(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for range Increment.Map(t.Context(), p, upTo(10_000)) { // so that chunks are large
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	i, most := 0, 0
	for r, err := range Increment.Map(ctx, p.With(pool.Call{Chunk: 500}), upTo(5000)) {
		if err != nil {
			break
		}
		if r != i+1 {
			t.Fatalf("result %d is %d", i, r)
		}
		if i++; i == 10 {
			cancel()
			mptest.Eventually(t, func() bool { return p.Stats().Running == 0 }, "the call is given up")
			for r, err := range Increment.Map(t.Context(), p.With(pool.Call{Chunk: 500}), upTo(20_000)) {
				if err != nil {
					t.Fatal(err)
				}
				most = r
			}
		}
	}
	if i < 100 || most != 20_000 {
		t.Errorf("the loop saw %d and %d results", i, most)
	}
}

func nap(_ context.Context, d time.Duration) (int, error) {
	if d > 0 {
		<-time.After(d)
	}
	return os.Getpid(), nil
}

var Nap = mp.Func(nap)

// Items that take far longer than those before are shared all the same.
func TestItemsGetLonger(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for range Nap.Map(t.Context(), p, slices.Values(make([]time.Duration, 20_000))) {
	}
	mptest.Eventually(t, func() bool {
		w := p.Stats().Workers
		return len(w) == 2 && w[0].State == "idle" && w[1].State == "idle"
	}, "both workers are idle")
	items := map[int]int{}
	for pid, err := range Nap.Map(t.Context(), p, slices.Values(slices.Repeat([]time.Duration{10 * time.Millisecond}, 40))) {
		if err != nil {
			t.Fatal(err)
		}
		items[pid]++
	}
	for pid, n := range items {
		if n < 10 || n > 30 {
			t.Errorf("process %d had %d items of 40", pid, n)
		}
	}
}
