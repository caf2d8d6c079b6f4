package robust

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"multiproc/internal/futex"
)

// brief is the first part of a sleep: up to briefWait on the condition's own
// word, by futex.WaitHeld, which wakes up three to six times faster than
// futex.Wait but withholds a processor from the scheduler. It is tried where
// sleeps have been short of late. The gate's leader alone touches it.
type brief struct {
	missed int // sleeps in a row that were longer: how many to leave out next
	skip   int // sleeps still to be left out
}

const (
	briefWait = 2 * time.Millisecond
	maxSkip   = 255
)

// holding counts the goroutines of this process in a brief sleep.
var holding atomic.Int32

// wait reports whether ready has become true. It has been false just before,
// and has left the word to sleep on in s.
func (b *brief) wait(ctx context.Context, s *sleep, ready func(*sleep) bool) bool {
	if b.skip > 0 {
		b.skip--
		return false
	}
	if rescue.Load() != nil {
		return false
	}
	// One processor at least stays with the scheduler.
	defer holding.Add(-1)
	if int(holding.Add(1)) >= runtime.GOMAXPROCS(0) {
		return false
	}
	begin := time.Now()
	limit := briefWait
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, end.Sub(begin))
	}
	for left := limit; left > 0; left = limit - time.Since(begin) {
		if atomic.LoadUint32(&s.cancel) != 0 || ctx.Err() != nil {
			return false
		}
		// Whatever it returns, the condition tells.
		s.ranOut = futex.WaitHeld(left, s.word) != nil
		if ready(s) {
			b.missed = 0
			return true
		}
	}
	b.missed = min(2*b.missed+1, maxSkip)
	b.skip = b.missed
	return false
}

// slept learns from a sleep that went on in the ordinary way.
func (b *brief) slept(d time.Duration) {
	if d < briefWait {
		b.missed, b.skip = 0, 0
	}
}
