package robust

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/mperr"
)

// crowd is one that waits for a word to become large enough.
func newCrowd(t *testing.T) (c *Crowd, e *Event, reaches func(ctx context.Context, n uint64) error, set func(n uint64)) {
	t.Helper()
	m := newMemory(t)
	e, c = m.event(8), &Crowd{}
	c.Init(e)
	reaches = func(ctx context.Context, n uint64) error {
		return c.Wait(ctx, func() bool { return m.load(9) >= n })
	}
	set = func(n uint64) {
		atomic.StoreUint64(m.word(9), n)
		e.NotifyAll()
	}
	return c, e, reaches, set
}

// members waits until so many goroutines wait.
func members(c *Crowd, n int) {
	for {
		c.mu.Lock()
		k := len(c.list)
		c.mu.Unlock()
		if k == n {
			return
		}
		runtime.Gosched()
	}
}

// Those whose conditions hold go on, whoever came first.
func TestCrowd(t *testing.T) {
	noNet(t)
	c, _, reaches, set := newCrowd(t)
	const many = 50
	went := make(chan uint64, many)
	for i := uint64(many); i > 0; i-- { // the last one leads
		go func() {
			if err := reaches(patient(t), i); err != nil {
				t.Error(err)
			}
			went <- i
		}()
		members(c, int(many-i)+1)
	}
	for i := uint64(1); i <= many; i++ {
		set(i)
		if got := <-went; got != i {
			t.Errorf("%d goes at %d", got, i)
		}
	}
	members(c, 0)
}

// One who gives up, the one who sleeps for all or another, is nothing to the others.
func TestCrowdGivesUp(t *testing.T) {
	noNet(t)
	c, e, reaches, set := newCrowd(t)
	ctx, cancel := context.WithCancel(patient(t))
	ends := make(chan error)
	wait := func(ctx context.Context, n uint64) {
		before := len(c.list)
		go func() { ends <- reaches(ctx, n) }()
		members(c, before+1)
	}
	wait(ctx, 1)
	wait(patient(t), 1)
	wait(ctx, 1)
	cancel()
	for range 2 {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	set(1)
	if err := <-ends; err != nil {
		t.Error(err)
	}
	wait(patient(t), 2)
	wait(patient(t), 2)
	e.Abort()
	for range 2 {
		if err := <-ends; !errors.Is(err, mperr.ErrClosed) {
			t.Error(err)
		}
	}
	members(c, 0)
}

// Rounds of goroutines that let each other go.
func TestCrowdOfRounds(t *testing.T) {
	noNet(t)
	c, e, _, _ := newCrowd(t)
	const crowd, rounds = 8, 200
	var here, round atomic.Int64
	var all sync.WaitGroup
	for range crowd {
		all.Go(func() {
			for range rounds {
				mine := round.Load()
				if here.Add(1) == crowd {
					here.Store(0)
					round.Add(1)
					e.NotifyAll()
					continue
				}
				if err := c.Wait(patient(t), func() bool { return round.Load() != mine }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}
