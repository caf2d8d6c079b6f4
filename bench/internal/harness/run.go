package harness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options says how much to measure.
type Options struct {
	Rounds   int
	Short    bool
	Limit    time.Duration                     // for one measurement; 0 is none
	Progress func(round int, row, peer string) // called before each measurement; nil is silent
}

// Measure runs every contestant of every row once a round. Contestants of a row follow each other directly, so that a
// slow minute of the machine hits all of them, and each round begins with another one, so that none profits from its
// place. It stops early when ctx ends and returns what it has.
func Measure(ctx context.Context, rows []Row, o Options) []Result {
	results := make([]Result, len(rows))
	for i, row := range rows {
		results[i] = Result{Row: row, Series: make([]Series, len(row.Contestants))}
		for k, c := range row.Contestants {
			results[i].Series[k].Peer = c.Peer
		}
	}
	for round := range o.Rounds {
		for i, row := range rows {
			for k := range row.Contestants {
				k = (k + round) % len(row.Contestants)
				if ctx.Err() != nil {
					return results
				}
				results[i].Series[k].measure(ctx, row, k, round, o)
			}
		}
	}
	return results
}

// measure runs one contestant once. Who was absent in one round is not asked again.
func (s *Series) measure(ctx context.Context, row Row, k, round int, o Options) {
	if errors.Is(s.Err, ErrAbsent) {
		return
	}
	c := row.Contestants[k]
	if o.Progress != nil {
		o.Progress(round, row.Name, c.Peer)
	}
	n := c.N
	if o.Short {
		n = c.Short
	}
	if o.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.Limit, fmt.Errorf("not done after %v", o.Limit))
		defer cancel()
	}
	v, err := c.Run(ctx, n)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		s.Failed++
		s.Err = err
		return
	}
	s.Values = append(s.Values, v)
}
