package main

import (
	"context"
	"errors"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// meeting is what two processes wait with for each other.
type meeting struct {
	There, Back *mp.Semaphore
	Barrier     *mp.Barrier
}

var (
	answer = mp.Proc(answerTask)
	meet   = mp.Proc(meetTask)
)

// answerTask hands back what it was handed, until it is cancelled.
func answerTask(ctx context.Context, m meeting) error {
	for {
		if err := m.There.Acquire(ctx, 1); err != nil {
			return nil // it is the end
		}
		if err := m.Back.Release(ctx, 1); err != nil {
			return err
		}
	}
}

// meetTask comes to the barrier until that is broken.
func meetTask(ctx context.Context, m meeting) error {
	for {
		if _, err := m.Barrier.Wait(ctx); err != nil {
			return nil // it is the end
		}
	}
}

// mean calls f n times, after a tenth of that.
func mean(n int, f func() error) (float64, error) {
	var start time.Time
	for i := -n/10 - 1; i < n; i++ {
		if i == 0 {
			start = time.Now()
		}
		if err := f(); err != nil {
			return 0, err
		}
	}
	return perOp(start, n), nil
}

func semaphoreAlone(ctx context.Context, n int) (float64, error) {
	s, err := mp.NewSemaphore(1)
	if err != nil {
		return 0, err
	}
	v, err := mean(n, func() error {
		if err := s.Acquire(ctx, 1); err != nil {
			return err
		}
		return s.Release(ctx, 1)
	})
	return v, errors.Join(err, s.Close())
}

func recursiveAlone(ctx context.Context, n int) (float64, error) {
	m, err := mp.NewRecursiveMutex()
	if err != nil {
		return 0, err
	}
	v, err := mean(n, func() error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		m.Unlock()
		return nil
	})
	return v, errors.Join(err, m.Close())
}

func eventAlone(ctx context.Context, n int) (float64, error) {
	e, err := mp.NewEvent()
	if err != nil {
		return 0, err
	}
	v, err := mean(n, func() error {
		if err := e.Set(ctx); err != nil {
			return err
		}
		return e.Clear(ctx)
	})
	return v, errors.Join(err, e.Close())
}

// handOver is a permit there and one back: n times in a row for the mean, or with a pause before each, which both sides
// sleep through, for the median.
func handOver(parked bool) harness.Run {
	return func(ctx context.Context, n int) (v float64, err error) {
		var m meeting
		if m.There, err = mp.NewSemaphore(0); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, m.There.Close()) }()
		if m.Back, err = mp.NewSemaphore(0); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, m.Back.Close()) }()
		p, err := answer.Start(ctx, m)
		if err != nil {
			return 0, err
		}
		defer func() {
			p.Cancel(nil)
			err = errors.Join(err, p.Wait(ctx))
		}()
		trip := func() error {
			if err := m.There.Release(ctx, 1); err != nil {
				return err
			}
			return m.Back.Acquire(ctx, 1)
		}
		if parked {
			return medianOf(n, time.Millisecond, trip)
		}
		return mean(n, trip)
	}
}

func barrierTrips(ctx context.Context, n int) (v float64, err error) {
	b, err := mp.NewBarrier(2)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	p, err := meet.Start(ctx, meeting{Barrier: b})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Abort(ctx), p.Wait(ctx)) }()
	return mean(n, func() error { _, err := b.Wait(ctx); return err })
}

func readAlone(ctx context.Context, n int) (float64, error) {
	m, err := mp.NewRWMutex()
	if err != nil {
		return 0, err
	}
	v, err := mean(n, func() error {
		if err := m.RLock(ctx); err != nil {
			return err
		}
		m.RUnlock()
		return nil
	})
	return v, errors.Join(err, m.Close())
}

func writeAlone(ctx context.Context, n int) (float64, error) {
	m, err := mp.NewRWMutex()
	if err != nil {
		return 0, err
	}
	v, err := mean(n, func() error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		m.Unlock()
		return nil
	})
	return v, errors.Join(err, m.Close())
}

type readArgs struct {
	Station station
	M       *mp.RWMutex
}

var reader = mp.Proc(readTask)

func readTask(ctx context.Context, a readArgs) error {
	return a.Station.shifts(ctx, func(share, _ int) (tally, error) {
		for range share {
			if err := a.M.RLock(ctx); err != nil {
				return tally{}, err
			}
			a.M.RUnlock()
		}
		return tally{}, nil
	})
}

// readTogether takes a lock for reading n times altogether, by so many processes.
func readTogether(processes int) harness.Run {
	return func(ctx context.Context, n int) (perRead float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		m, err := mp.NewRWMutex()
		if err != nil {
			return 0, err
		}
		c.owns(m)
		for range processes {
			err := c.hire(func(s station) (mp.Child, error) { return reader.Start(ctx, readArgs{s, m}) })
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
		return took.Seconds() / float64(share*processes), nil
	}
}
