//go:build linux

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func increment(_ context.Context, n int) (int, error) { return n + 1, nil }

var Increment = mp.Func(increment)

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func newPool(t testing.TB, o pool.Options) *pool.Pool {
	t.Helper()
	p, err := pool.New(o)
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

func TestMap(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for _, n := range []int{0, 1, 2, 100, 100_000} {
		next := 0
		for r, err := range Increment.Map(t.Context(), p, upTo(n)) {
			if err != nil {
				t.Fatal(err)
			}
			if r != next+1 {
				t.Fatalf("result %d is %d", next, r)
			}
			next++
		}
		if next != n {
			t.Fatalf("%d results of %d", next, n)
		}
	}
}

func TestEach(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	const n = 100_000
	var got []int
	for r, err := range Increment.Each(t.Context(), p, upTo(n)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	slices.Sort(got)
	for i, r := range got {
		if r != i+1 {
			t.Fatalf("result %d is %d", i, r)
		}
	}
	if len(got) != n {
		t.Fatal(len(got))
	}
}

func TestSubmit(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	for i := range 1000 {
		r, err := Increment.RunOn(t.Context(), p, i)
		if err != nil || r != i+1 {
			t.Fatal(r, err)
		}
	}
}

type order struct {
	Name string
	N    int
	Tags []string
}

func describe(_ context.Context, o order) (string, error) {
	switch o.N % 7 {
	case 3:
		return "", fmt.Errorf("order %d: %w", o.N, os.ErrNotExist)
	case 4:
		panic("four")
	}
	return fmt.Sprint(o.Name, o.N, o.Tags), nil
}

var Describe = mp.Func(describe)

func orders(n int) iter.Seq[order] {
	return func(yield func(order) bool) {
		for i := range n {
			if !yield(order{"a", i, []string{"x", "y"}}) {
				return
			}
		}
	}
}

func TestErrors(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2, Start: mp.StartOptions{Stderr: discard{}}})
	i := 0
	for r, err := range Describe.Map(t.Context(), p, orders(5000)) {
		var item *mp.ItemError
		var remote *mp.RemoteError
		switch i % 7 {
		case 3:
			if !errors.As(err, &item) || item.Index != i || !errors.Is(err, os.ErrNotExist) {
				t.Fatal(i, r, err)
			}
		case 4:
			if !errors.As(err, &remote) || !remote.Panic || remote.Stack == "" {
				t.Fatal(i, r, err)
			}
		default:
			if err != nil || r != fmt.Sprint("a", i, []string{"x", "y"}) {
				t.Fatal(i, r, err)
			}
		}
		i++
	}
	if i != 5000 {
		t.Fatal(i)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func die(_ context.Context, n int) (int, error) {
	if n%100 == 50 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return n, nil
}

var Die = mp.Func(die)

func TestDeath(t *testing.T) {
	p := newPool(t, pool.Options{Workers: 2})
	i := 0
	for r, err := range Die.Map(t.Context(), p, upTo(1000)) {
		if i%100 == 50 {
			var died *pool.WorkerDiedError
			if !errors.As(err, &died) || died.Index != i {
				t.Fatal(i, r, err)
			}
		} else if err != nil || r != i {
			t.Fatal(i, r, err)
		}
		i++
	}
	if i != 1000 {
		t.Fatal(i)
	}
}

func doze(ctx context.Context, d time.Duration) (time.Duration, error) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return d, nil
}

var Doze = mp.Func(doze)

func BenchmarkMap(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 2})
	for range Increment.Map(b.Context(), p, upTo(1000)) {
	}
	b.ResetTimer()
	for _, err := range Increment.Map(b.Context(), p, upTo(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunkOfOne(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 2})
	for range Increment.Map(b.Context(), p, upTo(1000)) {
	}
	b.ResetTimer()
	for _, err := range Increment.Map(b.Context(), p.With(pool.Call{Chunk: 1}), upTo(b.N)) {
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSubmit(b *testing.B) {
	p := newPool(b, pool.Options{Workers: 2})
	b.ResetTimer()
	for i := range b.N {
		if _, err := Increment.RunOn(b.Context(), p, i); err != nil {
			b.Fatal(err)
		}
	}
}
