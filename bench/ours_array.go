package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// arrayLen is 64 MiB of int64, more than any cache holds.
const arrayLen = 64 << 20 / 8

type sumArgs struct {
	Station  station
	Array    *mp.Array[int64]
	From, To int
}

var summer = mp.Proc(sumTask)

// sumTask sums its part of the array in place, once a shift.
func sumTask(ctx context.Context, a sumArgs) error {
	return a.Station.shifts(ctx, func(int, int) (tally, error) {
		var sum int64
		err := a.Array.View(ctx, func(all []int64) error {
			for _, v := range all[a.From:a.To] {
				sum += v
			}
			return nil
		})
		return tally{Count: int64(a.To - a.From), Sum: sum}, err
	})
}

// sumArray sums the whole array n times, each process a part.
func sumArray(processes int) harness.Run {
	return func(ctx context.Context, n int) (perPass float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		array, err := mp.NewArray[int64](arrayLen)
		if err != nil {
			return 0, err
		}
		c.owns(array)
		err = array.Update(ctx, func(all []int64) error {
			for i := range all {
				all[i] = int64(i)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		for i := range processes {
			from, to := arrayLen/processes*i, arrayLen/processes*(i+1)
			err := c.hire(func(s station) (mp.Child, error) { return summer.Start(ctx, sumArgs{s, array, from, to}) })
			if err != nil {
				return 0, err
			}
		}
		var start time.Time
		for i := range n + 1 {
			if i == 1 { // the first pass only maps the pages
				start = time.Now()
			}
			got, _, err := c.run(ctx, func(int) int { return 1 })
			if err != nil {
				return 0, err
			}
			if want := (tally{arrayLen, arrayLen * (arrayLen - 1) / 2}); got != want {
				return 0, fmt.Errorf("got %d items with sum %d, want %d with %d", got.Count, got.Sum, want.Count, want.Sum)
			}
		}
		return perOp(start, n), nil
	}
}
