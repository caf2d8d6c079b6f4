package main

import (
	"context"
	"errors"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// court is where two processes play: the ball is with the one whose number Ball says.
type court struct {
	Cond *mp.Cond
	Ball *mp.RawValue[int64]
}

var player = mp.Proc(playerTask)

// playerTask plays on the other side, until it is cancelled.
func playerTask(ctx context.Context, c court) error {
	for {
		if err := c.play(ctx, 1); err != nil {
			return nil // it is the end
		}
	}
}

// play waits for the ball, and plays it to the other side.
func (c court) play(ctx context.Context, me int64) error {
	if err := c.Cond.Lock(ctx); err != nil {
		return err
	}
	defer c.Cond.Unlock()
	if err := c.Cond.WaitFor(ctx, func() bool { return c.Ball.Load() == me }); err != nil {
		return err
	}
	c.Ball.Store(1 - me)
	return c.Cond.Signal(ctx)
}

// condHandOver is a ball there and back: n times in a row for the mean, or with a pause before each, which both sides
// sleep through, for the median.
func condHandOver(parked bool) harness.Run {
	return func(ctx context.Context, n int) (v float64, err error) {
		var c court
		if c.Cond, err = mp.NewCond(nil); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.Cond.Close()) }()
		if c.Ball, err = mp.NewRawValue[int64](0); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.Ball.Close()) }()
		p, err := player.Start(ctx, c)
		if err != nil {
			return 0, err
		}
		defer func() {
			p.Cancel(nil)
			err = errors.Join(err, p.Wait(ctx))
		}()
		trip := func() error {
			if err := c.play(ctx, 0); err != nil {
				return err
			}
			if err := c.Cond.Lock(ctx); err != nil {
				return err
			}
			defer c.Cond.Unlock()
			return c.Cond.WaitFor(ctx, func() bool { return c.Ball.Load() == 0 })
		}
		if parked {
			return medianOf(n, time.Millisecond, trip)
		}
		return mean(n, trip)
	}
}
