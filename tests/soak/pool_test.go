//go:build soak

package soak

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pool"
)

// square spends some microseconds on an item, so that most deaths meet one.
func square(_ context.Context, n int) (int, error) {
	for began := time.Now(); time.Since(began) < time.Duration(n%4)*20*time.Microsecond; {
	}
	return n * n, nil
}

var Square = mp.Func(square)

// name has results of all sizes, up to some hundred kilobytes.
func name(_ context.Context, n int) (string, error) {
	b := make([]byte, n%1000*(n%7)*(n%13))
	for i := range b {
		b[i] = byte('a' + n%26)
	}
	return string(b), nil
}

var Name = mp.Func(name)

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// killing kills a random worker every five milliseconds until the function that it
// returns is called, and then says how many. Of two victims in a row at least one had
// begun: where it takes longer than that until a worker can begin no other would ever be,
// and a pool that has seen enough of these gives its items up, as it should.
func killing(p *pool.Pool) func() int {
	done := make(chan struct{})
	var wg sync.WaitGroup
	killed := 0
	early := false // the last victim had not begun
	wg.Go(func() {
		every := time.NewTicker(5 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
			}
			workers := p.Stats().Workers
			if len(workers) == 0 {
				continue
			}
			w := workers[rand.IntN(len(workers))]
			begins := w.State == "starting" || w.State == "setting up"
			if w.PID != 0 && !(begins && early) && syscall.Kill(w.PID, syscall.SIGKILL) == nil {
				killed++
				early = begins
			}
		}
	})
	return sync.OnceValue(func() int {
		close(done)
		wg.Wait()
		return killed
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(files)
}

// A random worker is killed every 5 ms. With retries every result comes, and is
// right; without, every item has a result or the error of its worker's death, once.
// Nothing is left behind.
func TestPoolStorm(t *testing.T) {
	must(t, warmUp(t))
	before := openFiles(t)
	p, err := pool.New(pool.Options{Workers: 2, Spares: 1})
	must(t, err)
	stop := killing(p)

	const n = 200_000
	t.Run("at least once", func(t *testing.T) {
		// An item that three workers have died of is given up by default.
		again := p.With(pool.Call{Retry: pool.Retry{Max: 1000, MaxDeaths: 1000}})
		i := 0
		for r, err := range Square.Map(t.Context(), again, upTo(n)) {
			if err != nil || r != i*i {
				t.Fatalf("item %d: %d, %v", i, r, err)
			}
			i++
		}
		if i != n {
			t.Errorf("%d of %d", i, n)
		}
	})
	t.Run("at most once", func(t *testing.T) {
		i, died := 0, 0
		for r, err := range Square.Map(t.Context(), p, upTo(n)) {
			var d *pool.WorkerDiedError
			switch {
			case errors.As(err, &d) && d.Index == i:
				died++
			case err != nil || r != i*i:
				t.Fatalf("item %d: %d, %v", i, r, err)
			}
			i++
		}
		if i != n || died == 0 {
			t.Errorf("%d of %d, %d of them died", i, n, died)
		}
		t.Logf("%d items died", died)
	})
	t.Run("results of all sizes", func(t *testing.T) {
		seen := make([]bool, 20_000)
		again := p.With(pool.Call{Retry: pool.Retry{Max: 1000, MaxDeaths: 1000}})
		bytes := 0
		for r, err := range Name.Each(t.Context(), again, upTo(len(seen))) {
			if err != nil {
				t.Fatal(err)
			}
			bytes += len(r)
		}
		want := 0
		for n := range seen {
			want += n % 1000 * (n % 7) * (n % 13)
		}
		if bytes != want {
			t.Errorf("%d bytes of %d", bytes, want)
		}
	})
	t.Run("one by one", func(t *testing.T) {
		again := p.With(pool.Call{Retry: pool.Retry{Max: 1000, MaxDeaths: 1000}})
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for g := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					if r, err := Square.RunOn(t.Context(), again, g*i); err != nil || r != g*i*g*i {
						wrong.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if wrong.Load() > 0 {
			t.Errorf("%d wrong", wrong.Load())
		}
	})
	t.Logf("%d workers were killed\n%v", stop(), p.Stats())
	must(t, p.Close())
	mptest.Eventually(t, func() bool { return openFiles(t) <= before }, "no more than %d files are open", before)
}

// warmUp opens what the family keeps.
func warmUp(t *testing.T) error {
	t.Helper()
	p, err := pool.New(pool.Options{Workers: 1})
	if err != nil {
		return err
	}
	_, err = Square.RunOn(t.Context(), p, 1)
	return errors.Join(err, p.Close())
}
