package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/bench/internal/harness"
)

// spun is where results go, so that they are wanted.
var spun atomic.Uint64

// spin keeps a processor busy for so many turns, which touch no memory.
func spin(turns int) uint64 {
	x := uint64(1)
	for range turns {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x
}

// millisecond is how many turns of spin take a millisecond, at the best of some attempts.
var millisecond = sync.OnceValue(func() int {
	const turns = 100_000
	best := time.Duration(1<<63 - 1)
	for range 100 {
		start := time.Now()
		spun.Store(spin(turns))
		best = min(best, time.Since(start))
	}
	return int(turns * time.Millisecond / max(best, 1))
})

// bareSpin is the peer of a pool's items of a millisecond: goroutines of one process, which have nothing to send. It
// shows what the processors give.
func bareSpin(goroutines int) harness.Run {
	return func(_ context.Context, n int) (float64, error) {
		turns := millisecond()
		var taken atomic.Int64
		var all sync.WaitGroup
		start := time.Now()
		for range goroutines {
			all.Go(func() {
				for taken.Add(1) <= int64(n) {
					spun.Store(spin(turns))
				}
			})
		}
		all.Wait()
		return perOp(start, n), nil
	}
}
