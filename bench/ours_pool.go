package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/payload"
	"multiproc/mp"
	"multiproc/mp/executor"
	"multiproc/pool"
)

var (
	plusOne   = mp.Func(plusOneTask)
	whoAmI    = mp.Func(whoAmITask)
	spinItem  = mp.Func(spinTask)
	checkSize = mp.Func(checkSizeTask)
)

func plusOneTask(_ context.Context, n int) (int, error) { return n + 1, nil }

// whoAmITask takes so long that another worker gets the next item.
func whoAmITask(_ context.Context, _ int) (int, error) {
	time.Sleep(time.Millisecond)
	return os.Getpid(), nil
}

func spinTask(_ context.Context, turns int) (uint64, error) { return spin(turns), nil }

// checkSizeTask is the size of a block, whose cache lines all say the same.
func checkSizeTask(_ context.Context, block []byte) (int, error) {
	return len(block), payload.Check(block, int(block[0]), poolBlock)
}

func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// withPool calls f with a pool whose workers are all there.
func withPool(ctx context.Context, o pool.Options, f func(*pool.Pool) (float64, error)) (v float64, err error) {
	p, err := pool.New(o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Stop(ctx)) }()
	if err := allThere(ctx, p, o.Workers); err != nil {
		return 0, err
	}
	return f(p)
}

// allThere waits until so many workers have answered.
func allThere(ctx context.Context, p *pool.Pool, workers int) error {
	seen := map[int]bool{}
	for {
		for pid, err := range whoAmI.Each(ctx, p.With(pool.Call{Chunk: 1}), upTo(2*workers)) {
			if err != nil {
				return err
			}
			seen[pid] = true
		}
		if len(seen) >= workers {
			return nil
		}
	}
}

// poolNumbers maps n numbers, after a tenth of them to warm up.
func poolNumbers(c pool.Call) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
			var start time.Time
			for _, n := range []int{n/10 + 1, n} {
				start = time.Now()
				if err := incrementAll(ctx, p.With(c), n); err != nil {
					return 0, err
				}
			}
			return perOp(start, n), nil
		})
	}
}

func incrementAll(ctx context.Context, ex executor.Executor, n int) error {
	sum := 0
	for r, err := range plusOne.Map(ctx, ex, upTo(n)) {
		if err != nil {
			return err
		}
		sum += r
	}
	if want := n * (n + 1) / 2; sum != want {
		return fmt.Errorf("the sum of the results is %d, want %d", sum, want)
	}
	return nil
}

// poolSubmit awaits each of n numbers before the next.
func poolSubmit(ctx context.Context, n int) (float64, error) {
	return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
		var start time.Time
		for i := -n/10 - 1; i < n; i++ {
			if i == 0 {
				start = time.Now()
			}
			if r, err := plusOne.RunOn(ctx, p, i); err != nil || r != i+1 {
				return 0, fmt.Errorf("the result of %d is %d, %w", i, r, err)
			}
		}
		return perOp(start, n), nil
	})
}

// poolSpin maps n items of a millisecond.
func poolSpin(workers int) harness.Run {
	return func(ctx context.Context, n int) (float64, error) {
		return withPool(ctx, pool.Options{Workers: workers}, func(p *pool.Pool) (float64, error) {
			turns := millisecond()
			var start time.Time
			for _, n := range []int{n/10 + 1, n} {
				start = time.Now()
				for _, err := range spinItem.Map(ctx, p, repeat(turns, n)) {
					if err != nil {
						return 0, err
					}
				}
			}
			return perOp(start, n), nil
		})
	}
}

func repeat[T any](v T, n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for range n {
			if !yield(v) {
				return
			}
		}
	}
}

// poolBlocks maps n large blocks to numbers.
func poolBlocks(ctx context.Context, n int) (float64, error) {
	var both [2][]byte
	for i := range both {
		both[i] = make([]byte, poolBlock)
		payload.Stamp(both[i], i)
	}
	blocks := func(n int) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for i := range n {
				if !yield(both[i&1]) {
					return
				}
			}
		}
	}
	return withPool(ctx, pool.Options{Workers: poolWorkers}, func(p *pool.Pool) (float64, error) {
		var start time.Time
		for _, n := range []int{n/10 + 2, n} {
			start = time.Now()
			for size, err := range checkSize.Map(ctx, p, blocks(n)) {
				if err != nil || size != poolBlock {
					return 0, fmt.Errorf("a block of %d bytes: %w", size, err)
				}
			}
		}
		return perOp(start, n), nil
	})
}
