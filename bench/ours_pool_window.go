package main

import (
	"context"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"multiproc/bench/internal/procfs"
	"multiproc/pool"
)

// How often, and how long, who takes the results does something else.
const (
	windowPauses = 10
	windowPause  = 20 * time.Millisecond
)

// generator maps n numbers with a window. look is called whenever one was taken from the input, with how many that are
// and how many results have come out.
func generator(ctx context.Context, p *pool.Pool, n int, look func(taken, seen int)) error {
	var seen atomic.Int64
	var inputs iter.Seq[int] = func(yield func(int) bool) {
		for i := range n {
			look(i+1, int(seen.Load()))
			if !yield(i) {
				return
			}
		}
	}
	for _, err := range plusOne.Map(ctx, p.With(pool.Call{Window: poolWindow}), inputs) {
		if err != nil {
			return err
		}
		if seen.Add(1)%int64(max(n/windowPauses, 1)) == 0 {
			time.Sleep(windowPause)
		}
	}
	return nil
}

// poolAhead returns the most inputs that were taken and have not come out.
func poolAhead(ctx context.Context, n int) (float64, error) {
	return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
		most := 0
		err := generator(ctx, p, n, func(taken, seen int) { most = max(most, taken-seen) })
		return float64(most), err
	})
}

// poolGrowth returns what this process and its children grow by, after a tenth of the inputs: until the first collection
// of garbage every Go program grows.
func poolGrowth(ctx context.Context, n int) (float64, error) {
	return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
		children, err := procfs.Children()
		if err != nil {
			return 0, err
		}
		pids := append(children, os.Getpid())
		if err := generator(ctx, p, n/10+1, func(int, int) {}); err != nil {
			return 0, err
		}
		before, err := residentOfAll(pids)
		if err != nil {
			return 0, err
		}
		most := before
		var failed error
		measure := func() {
			now, err := residentOfAll(pids)
			if err != nil {
				failed = err
			}
			most = max(most, now)
		}
		err = generator(ctx, p, n, func(taken, _ int) {
			if taken%max(n/20, 1) == 0 {
				measure()
			}
		})
		if err != nil {
			return 0, err
		}
		measure()
		return float64(most - before), failed
	})
}

func residentOfAll(pids []int) (total int64, err error) {
	for _, pid := range pids {
		n, err := procfs.ResidentOf(pid)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
