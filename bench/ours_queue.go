package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/internal/payload"
	"multiproc/mp"
)

// intWorker puts or gets int64s.
type intWorker struct {
	Station station
	Items   *mp.Queue[int64]
}

// blockWorker puts or gets blocks of Size bytes.
type blockWorker struct {
	Station station
	Items   *mp.Queue[[]byte]
	Size    int
}

var (
	putInts   = mp.Proc(putIntsTask)
	getInts   = mp.Proc(getIntsTask)
	leaseInts = mp.Proc(leaseIntsTask)
	putBlocks = mp.Proc(putBlocksTask)
	getBlocks = mp.Proc(getBlocksTask)
)

// putIntsTask puts the numbers of its share: putter 0 the first ones, putter 1 those after them, and so on, so that
// all shares together are 0 to n-1 and the sum shows whether every item came once.
func putIntsTask(ctx context.Context, w intWorker) error {
	return w.Station.shifts(ctx, func(share, _ int) (tally, error) {
		first := int64(w.Station.Rank * share)
		for i := range int64(share) {
			if err := w.Items.Put(ctx, first+i); err != nil {
				return tally{}, err
			}
		}
		return tally{}, nil
	})
}

func getIntsTask(ctx context.Context, w intWorker) error {
	return w.Station.shifts(ctx, func(share, _ int) (tally, error) {
		var sum int64
		for range share {
			v, err := w.Items.Get(ctx)
			if err != nil {
				return tally{}, err
			}
			sum += v
		}
		return tally{Count: int64(share), Sum: sum}, nil
	})
}

// leaseIntsTask has each item lent, and acknowledges it.
func leaseIntsTask(ctx context.Context, w intWorker) error {
	return w.Station.shifts(ctx, func(share, _ int) (tally, error) {
		var sum int64
		for range share {
			d, err := w.Items.Receive(ctx)
			if err == nil {
				err = d.Ack(ctx)
			}
			if err != nil {
				return tally{}, err
			}
			sum += d.Value
		}
		return tally{Count: int64(share), Sum: sum}, nil
	})
}

// queueInts moves n items from putters to getters, all of them processes of their own.
func queueInts(putters, getters int) harness.Run { return queueBy(putters, getters, getInts) }

// queueLeases is queueInts of items that are lent and acknowledged.
func queueLeases(putters, getters int) harness.Run { return queueBy(putters, getters, leaseInts) }

func queueBy(putters, getters int, get *mp.Task[intWorker, mp.None]) harness.Run {
	return func(ctx context.Context, n int) (perItem float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		items, err := mp.NewQueue[int64](smallCap)
		if err != nil {
			return 0, err
		}
		c.owns(items)
		for i := range putters + getters {
			task := putInts
			if i >= putters {
				task = get
			}
			err := c.hire(func(s station) (mp.Child, error) { return task.Start(ctx, intWorker{s, items}) })
			if err != nil {
				return 0, err
			}
		}
		shares := func(n int) func(int) int {
			return func(i int) int {
				if i < putters {
					return n / putters
				}
				return n / getters
			}
		}
		unit := putters * getters // whole shares for both sides
		warm, n := (n/10/unit+1)*unit, max(n/unit, 1)*unit
		if _, _, err := c.run(ctx, shares(warm)); err != nil {
			return 0, err
		}
		got, took, err := c.run(ctx, shares(n))
		if err != nil {
			return 0, err
		}
		if want := (tally{int64(n), int64(n) * int64(n-1) / 2}); got != want {
			return 0, fmt.Errorf("got %d items with sum %d, want %d with %d", got.Count, got.Sum, want.Count, want.Sum)
		}
		return took.Seconds() / float64(n), nil
	}
}

func putBlocksTask(ctx context.Context, w blockWorker) error {
	block := make([]byte, w.Size)
	return w.Station.shifts(ctx, func(share, before int) (tally, error) {
		for i := range share {
			payload.Stamp(block, before+i)
			if err := w.Items.Put(ctx, block); err != nil {
				return tally{}, err
			}
		}
		return tally{}, nil
	})
}

func getBlocksTask(ctx context.Context, w blockWorker) error {
	// Like the other peers in compiled languages: one buffer for all.
	block := make([]byte, 0, w.Size)
	return w.Station.shifts(ctx, func(share, before int) (tally, error) {
		for i := range share {
			var err error
			block, err = mp.GetAppend(ctx, w.Items, block[:0])
			if err != nil {
				return tally{}, err
			}
			if err := payload.Check(block, before+i, w.Size); err != nil {
				return tally{}, err
			}
		}
		return tally{Count: int64(share)}, nil
	})
}

// queueBlocks moves n blocks from one process to another.
func queueBlocks(size, capacity int) harness.Run {
	return func(ctx context.Context, n int) (perItem float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		items, err := mp.NewQueue[[]byte](capacity)
		if err != nil {
			return 0, err
		}
		c.owns(items)
		for _, task := range []*mp.Task[blockWorker, mp.None]{putBlocks, getBlocks} {
			err := c.hire(func(s station) (mp.Child, error) { return task.Start(ctx, blockWorker{s, items, size}) })
			if err != nil {
				return 0, err
			}
		}
		var took time.Duration
		for _, count := range []int{n/10 + 1, n} {
			if _, took, err = c.run(ctx, func(int) int { return count }); err != nil {
				return 0, err
			}
		}
		return took.Seconds() / float64(n), nil
	}
}
