package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/mp"
)

// station is a worker's side of a crew: it waits for a share of work, does it and reports, until a share is 0. Every
// worker has a Start queue of its own, so that a fast one cannot take a slow one's share.
type station struct {
	Rank  int
	Start *mp.Queue[int]
	Done  *mp.Queue[tally]
}

// tally is what a worker did: how many items, and the sum of what it saw.
type tally struct{ Count, Sum int64 }

// shifts does one share after another. work gets the size of the share and the number of items done before it.
func (s station) shifts(ctx context.Context, work func(share, before int) (tally, error)) error {
	for before := 0; ; {
		share, err := s.Start.Get(ctx)
		if err != nil || share == 0 {
			return err
		}
		t, err := work(share, before)
		if err != nil {
			return err
		}
		if err := s.Done.Put(ctx, t); err != nil {
			return err
		}
		before += share
	}
}

// crew is the parent's side: it starts workers of any task that has a station, gives out work and takes the time.
type crew struct {
	done    *mp.Queue[tally]
	starts  []*mp.Queue[int]
	members []mp.Child
	closers []interface{ Close() error }
}

func newCrew() (*crew, error) {
	done, err := mp.NewQueue[tally](smallCap)
	if err != nil {
		return nil, err
	}
	c := &crew{done: done}
	c.owns(done)
	return c, nil
}

// owns adds what dismiss shall close.
func (c *crew) owns(x interface{ Close() error }) { c.closers = append(c.closers, x) }

// hire starts the next worker; start is told its station.
func (c *crew) hire(start func(station) (mp.Child, error)) error {
	q, err := mp.NewQueue[int](1)
	if err != nil {
		return err
	}
	c.owns(q)
	p, err := start(station{Rank: len(c.members), Start: q, Done: c.done})
	if err != nil {
		return err
	}
	c.starts = append(c.starts, q)
	c.members = append(c.members, p)
	return nil
}

// run gives worker i shares(i) items and returns what all of them did together and how long that took.
func (c *crew) run(ctx context.Context, shares func(i int) int) (tally, time.Duration, error) {
	start := time.Now()
	for i, q := range c.starts {
		if err := q.Put(ctx, shares(i)); err != nil {
			return tally{}, 0, err
		}
	}
	var total tally
	for range c.starts {
		t, err := c.done.Get(ctx)
		if err != nil {
			return tally{}, 0, c.why(err)
		}
		total.Count += t.Count
		total.Sum += t.Sum
	}
	return total, time.Since(start), nil
}

// why adds what became of workers that ended before their time: they are the likely reason for a missing report.
func (c *crew) why(err error) error {
	for _, p := range c.members {
		select {
		case <-p.Done():
			err = errors.Join(err, p.Wait(context.Background()))
		default:
		}
	}
	return err
}

// dismiss tells the workers to go home, waits for them and closes what the crew owns.
func (c *crew) dismiss(ctx context.Context) error {
	var errs []error
	for i, q := range c.starts {
		if err := q.Put(ctx, 0); err != nil {
			errs = append(errs, fmt.Errorf("worker %d: %w", i, err), c.members[i].Kill())
		}
	}
	for i, p := range c.members {
		if err := p.Wait(ctx); err != nil {
			errs = append(errs, fmt.Errorf("worker %d: %w", i, err), p.Kill())
		}
	}
	for _, x := range c.closers {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}
