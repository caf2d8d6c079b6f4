//go:build soak && linux

package soak

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/mp"
)

var stallFor = flag.Duration("stall", 3*time.Second, "how long TestStalls and TestTurns measure each")

type big [100]int64 // no word: elements and values of it take a lock

// stallJob is what the busy process and the measured one share.
type stallJob struct {
	Kind  string
	Busy  int
	Procs int // of Go's scheduler in the busy process
	Q     *mp.Queue[[]byte]
	V     *mp.Value[int64]
	W     *mp.Value[big]
	A     *mp.Array[big]
	M     *mp.Mutex
	Stop  *mp.Counter
	Ready *mp.Counter
}

// touch is one operation of a kind.
func (j *stallJob) touch(ctx context.Context) error {
	switch j.Kind {
	case "queue":
		if err := j.Q.Put(ctx, make([]byte, 200)); err != nil {
			return err
		}
		_, err := j.Q.Get(ctx)
		return err
	case "value word":
		return j.V.Update(ctx, func(x *int64) error { *x++; return nil })
	case "value wide":
		return j.W.Update(ctx, func(x *big) error { x[0]++; return nil })
	case "value store":
		return j.W.Store(ctx, big{1})
	case "value add":
		_, err := j.V.Add(ctx, 1)
		return err
	case "array element":
		j.A.Store(1, j.A.Load(0))
	}
	return nil
}

// Crowd is a process of many busy goroutines, each of which allocates, computes
// and touches the object.
var Crowd = mp.Proc(func(ctx context.Context, j stallJob) error {
	runtime.GOMAXPROCS(j.Procs)
	var keep [64]atomic.Pointer[[]byte]
	var wg sync.WaitGroup
	for g := range j.Busy {
		wg.Go(func() {
			for i := 0; j.Stop.Load() == 0; i++ {
				b := make([]byte, 10_000)
				keep[(g+i)%len(keep)].Store(&b)
				for k := range 2000 {
					b[k]++
				}
				if j.touch(ctx) != nil {
					return
				}
			}
		})
	}
	j.Ready.Add(1)
	wg.Wait()
	return nil
}, mp.Named("crowd"))

// TestStalls measures how long one operation of this process takes while
// another one is busy.
func TestStalls(t *testing.T) {
	// nothing shows what the machine itself costs.
	for _, kind := range []string{"nothing", "queue", "value word", "value wide", "value store", "value add", "array element"} {
		for _, busy := range []int{10, 100} {
			for _, procs := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/%d/%d", kind, busy, procs), func(t *testing.T) { stall(t, kind, busy, procs) })
			}
		}
	}
}

func stall(t *testing.T, kind string, busy, procs int) {
	j := newStallJob(t)
	j.Kind, j.Busy, j.Procs = kind, busy, procs
	p, err := Crowd.Start(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	for j.Ready.Load() == 0 {
		runtime.Gosched()
	}
	var took []time.Duration
	for end := time.Now().Add(*stallFor); time.Now().Before(end); {
		begin := time.Now()
		if err := j.touch(t.Context()); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	j.Stop.Add(1)
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(took)
	n := 0
	for _, d := range took {
		if d > 20*time.Millisecond {
			n++
		}
	}
	t.Logf("%d operations, 99.9 %% %v, longest %v, %d above 20 ms", len(took), took[len(took)*999/1000], took[len(took)-1], n)
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func newStallJob(t *testing.T) stallJob {
	t.Helper()
	q, err1 := mp.NewQueue[[]byte](0)
	v, err2 := mp.NewValue[int64](0)
	w, err3 := mp.NewValue(big{})
	a, err4 := mp.NewArray[big](10)
	m, err5 := mp.NewMutex()
	s, err6 := mp.NewCounter(0)
	r, err7 := mp.NewCounter(0)
	for _, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return stallJob{Q: q, V: v, W: w, A: a, M: m, Stop: s, Ready: r}
}

// Turn holds the mutex for 2 ms again and again, and returns how long it waited.
var Turn = mp.Func(func(ctx context.Context, j stallJob) ([]time.Duration, error) {
	var mu sync.Mutex
	var waited []time.Duration
	var wg sync.WaitGroup
	for range j.Busy {
		wg.Go(func() {
			for j.Stop.Load() == 0 {
				begin := time.Now()
				if j.M.Lock(ctx) != nil {
					return
				}
				d := time.Since(begin)
				for held := time.Now(); time.Since(held) < 2*time.Millisecond; {
					runtime.Gosched()
				}
				j.M.Unlock()
				mu.Lock()
				waited = append(waited, d)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return waited, nil
}, mp.Named("turn"))

// TestTurns measures how long those wait who hold a mutex for 2 ms in turn:
// processes of one goroutine, and one of several against one of one.
func TestTurns(t *testing.T) {
	for _, goroutines := range [][]int{{1, 1}, {1, 1, 1, 1}, {3, 1}} {
		t.Run(fmt.Sprint(goroutines), func(t *testing.T) {
			j := newStallJob(t)
			var calls []*mp.Process[[]time.Duration]
			for _, n := range goroutines {
				j.Busy = n
				c, err := Turn.Start(context.Background(), j)
				if err != nil {
					t.Fatal(err)
				}
				calls = append(calls, c)
			}
			<-within(t, *stallFor).Done()
			j.Stop.Add(1)
			for i, c := range calls {
				w, err := c.Result(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				slices.Sort(w)
				t.Logf("process %d: %d turns, median %v, 99.9 %% %v, longest %v", i, len(w), w[len(w)/2], w[len(w)*999/1000], w[len(w)-1])
			}
		})
	}
}
