package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// echoArgs is what the second process of a round trip gets; the Conn moves to it.
type echoArgs struct{ Conn *mp.Conn[int64, int64] }

var echo = mp.Proc(echoTask)

// echoTask answers v+1 until the other end is closed.
func echoTask(ctx context.Context, a echoArgs) error {
	for {
		v, err := a.Conn.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := a.Conn.Send(ctx, v+1); err != nil {
			return err
		}
	}
}

// connTrips sends 8 bytes there and back: n times in a row for the mean, or with a pause before each, which both sides
// sleep through, for the median.
func connTrips(pauseUS int) harness.Run {
	return func(ctx context.Context, n int) (perTrip float64, err error) {
		ours, theirs, err := mp.Pipe[int64, int64]()
		if err != nil {
			return 0, err
		}
		p, err := echo.Start(ctx, echoArgs{theirs})
		if err != nil {
			return 0, errors.Join(err, ours.Close(), theirs.Close())
		}
		defer func() { err = errors.Join(err, ours.Close(), p.Wait(ctx)) }()

		var next int64
		trip := func() error {
			next++
			if err := ours.Send(ctx, next); err != nil {
				return err
			}
			v, err := ours.Recv(ctx)
			if err == nil && v != next+1 {
				err = fmt.Errorf("round trip of %d came back as %d", next, v)
			}
			return err
		}
		if pauseUS > 0 {
			return medianOf(n, time.Duration(pauseUS)*time.Microsecond, trip)
		}
		var start time.Time
		for i := -n/10 - 1; i < n; i++ {
			if i == 0 {
				start = time.Now()
			}
			if err := trip(); err != nil {
				return 0, err
			}
		}
		return perOp(start, n), nil
	}
}
