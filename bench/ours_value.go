package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

type updateArgs struct {
	Station station
	Value   *mp.Value[int64]
}

var updater = mp.Proc(updateTask)

func updateTask(ctx context.Context, a updateArgs) error {
	return a.Station.shifts(ctx, func(share, _ int) (tally, error) { return tally{}, increment(ctx, a.Value, share) })
}

func increment(ctx context.Context, v *mp.Value[int64], n int) error {
	add := func(p *int64) error { *p++; return nil }
	for range n {
		if err := v.Update(ctx, add); err != nil {
			return err
		}
	}
	return nil
}

// updateValue makes n increments altogether, by processes that contend for the value.
func updateValue(processes int) harness.Run {
	return func(ctx context.Context, n int) (perUpdate float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		value, err := mp.NewValue[int64](0)
		if err != nil {
			return 0, err
		}
		c.owns(value)
		for range processes {
			err := c.hire(func(s station) (mp.Child, error) { return updater.Start(ctx, updateArgs{s, value}) })
			if err != nil {
				return 0, err
			}
		}
		share, warm := n/processes, n/processes/10+1
		if _, _, err := c.run(ctx, func(int) int { return warm }); err != nil {
			return 0, err
		}
		_, took, err := c.run(ctx, func(int) int { return share })
		if err != nil {
			return 0, err
		}
		got, err := value.Load(ctx)
		if err != nil {
			return 0, err
		}
		if want := int64((share + warm) * processes); got != want {
			return 0, fmt.Errorf("the value is %d after %d increments", got, want)
		}
		return took.Seconds() / float64(share*processes), nil
	}
}

// addCounter adds to a Counter in one process, as bareAdd does to a variable.
func addCounter(_ context.Context, n int) (perAdd float64, err error) {
	c, err := mp.NewCounter(0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	start := time.Now()
	for range n {
		c.Add(1)
	}
	perAdd = perOp(start, n)
	if got := c.Load(); got != int64(n) {
		return 0, fmt.Errorf("the counter is %d after %d additions", got, n)
	}
	return perAdd, nil
}
