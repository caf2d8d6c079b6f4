package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Why the pool has killed a worker.
var (
	ErrMemoryLimit = errors.New("more memory than Call.MemoryLimit")
	ErrCPULimit    = errors.New("more processor time than Call.CPULimit")
)

// Call says how the items of a Map, Each or Submit are to be treated; see
// Pool.With. The zero value is what a Pool does by itself.
type Call struct {
	// Chunk is how many items go to a worker at once. 0 is as many as take some
	// hundred microseconds, fewer towards the end, and one at a time while items
	// take that long themselves.
	Chunk int

	// Window bounds the items that were taken from the input and have not come
	// out of the loop yet. 0 is four chunks for each worker, 64 items at least, but
	// no more than two for each worker while their arguments take over 64 MiB. If
	// Chunk is set, and small, it is more of them.
	Window int

	// Timeout is how long each item may take, from its begin: then its context
	// ends, and after Grace its worker is killed. Other items do not suffer. 0
	// is no bound.
	Timeout time.Duration

	// Grace is the time between the end of an item's context and SIGKILL. Zero
	// is that of the workers' StartOptions, negative none.
	Grace time.Duration

	// MemoryLimit is how much memory of its own a worker may have while it runs an
	// item, in bytes: when it is seen to have more it is killed, and the error
	// wraps ErrMemoryLimit. It is looked at every 5 ms, and what grows fast is
	// beyond it by then. With Options.Cgroup it is exact, and for the processes
	// that the item starts as well; it counts what the worker was first to touch of
	// memory that it shares with others, but not what the pool shares with it.
	// StartOptions.MemoryLimit is exact, and for the whole life of a worker. 0 is no
	// limit.
	MemoryLimit int64

	// CPULimit is how much processor time an item may use, all threads of the
	// worker together. It is looked at every 5 ms; then the worker is killed, and
	// the error wraps ErrCPULimit. 0 is no limit.
	CPULimit time.Duration

	// Weight is how many workers' share of the machine an item takes: the weights
	// of the items that run add up to no more than Options.Workers, unless one
	// alone is more. 0 is 1.
	Weight int

	// Rate is how many items may begin in a second, and Burst how many of those at
	// once, one if it is 0. 0 is no bound.
	Rate  float64
	Burst int

	// Key says what an item must have for itself: of those with the same key one
	// at a time is carried out, in their order. arg is the item's argument. It is
	// called in the goroutine that runs the input. "" is no key.
	Key func(arg any) string

	// Retry says whether an item runs again whose worker has died.
	Retry Retry

	// MaxFailures ends the call after so many items have failed, with
	// ErrTooManyFailures. 0 is no bound.
	MaxFailures int

	// Observe hears of what happens to the items, as Options.Observe does. When a
	// loop has ended by itself, it has heard of all its items.
	Observe func(Event)
}

// Retry says what becomes of an item whose worker died while it ran it. The zero
// value is at most once: the item has failed.
type Retry struct {
	// Max is how often an item runs again.
	Max int

	// MaxDeaths is how many workers an item may take with it, whatever Max is; 0
	// is three. Of an item that has, one may assume that it takes every worker.
	MaxDeaths int

	// If decides for each death; nil is every one but those of a fault of the
	// program (SIGSEGV, SIGBUS, SIGILL, SIGFPE, a fatal error of the runtime, a
	// panic), of too little memory, and of the item's own timeout, all of which
	// mostly happen again. It must not use the pool.
	If func(*WorkerDiedError) bool

	// Backoff is the time before the first retry. It doubles with each up to
	// MaxBackoff, a minute if that is 0, and up to half of it is taken off at
	// random. Zero runs the item again at once.
	Backoff    time.Duration
	MaxBackoff time.Duration
}

// maxDeaths is the default of Retry.MaxDeaths.
const maxDeaths = 3

func (c *Call) check() error {
	switch {
	case c.Chunk < 0 || c.Window < 0 || c.Timeout < 0 || c.Retry.Max < 0 || c.Retry.MaxDeaths < 0 || c.Retry.Backoff < 0 || c.Retry.MaxBackoff < 0 || c.MaxFailures < 0:
		return errors.New("pool.Call: a negative number")
	case c.MemoryLimit < 0 || c.CPULimit < 0 || c.Weight < 0 || c.Rate < 0 || c.Burst < 0:
		return errors.New("pool.Call: a negative number")
	case c.Rate != 0 && !(c.Rate >= minRate && c.Rate <= maxRate):
		return fmt.Errorf("pool.Call: a Rate of %v items a second", c.Rate)
	case c.Chunk > maxItems:
		return errors.New("pool.Call: Chunk is too large")
	}
	return nil
}

// An item each century, and more than there can be.
const minRate, maxRate = 1. / (100 * 365 * 24 * 60 * 60), 1e12

// delay is the time before retry n, from 0.
func (r *Retry) delay(n int) time.Duration {
	if r.Backoff == 0 {
		return 0
	}
	most := r.MaxBackoff
	if most == 0 {
		most = time.Minute
	}
	d := r.Backoff
	for range n {
		if d >= most/2 {
			d = most
			break
		}
		d *= 2
	}
	d = min(d, most)
	return d - rand.N(d/2+1)
}

// single reports whether a worker may claim one item at a time only, because it
// may have to be killed at one and not at the next.
func (c *Call) single() bool { return c.Timeout > 0 || c.MemoryLimit > 0 || c.CPULimit > 0 }

// weight is Weight or its default.
func (c *Call) weight() int { return max(c.Weight, 1) }
