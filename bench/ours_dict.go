package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// dictWork is what is done with a dict: Sets in a hundred calls, the others are Gets, of random keys of the first Keys
// ones.
type dictWork struct {
	Keys, Sets int
}

// draws is how many random keys are drawn before the time is taken.
const draws = 1 << 16

// keyed draws keys, which key makes of numbers.
func keyed[K any](n int, key func(i int) K) []K {
	keys := make([]K, draws)
	for i := range keys {
		keys[i] = key(rand.IntN(n))
	}
	return keys
}

func number(i int) int            { return i }
func text(i int) string           { return fmt.Sprint("key number ", i) }
func hundredBytes(int) []byte     { return []byte(strings.Repeat("x", 100)) }
func (w dictWork) set(i int) bool { return i%100 < w.Sets }

// dictCalls does that in this process, with so many entries.
func dictCalls[K comparable, V any](w dictWork, key func(int) K, value func(int) V) harness.Run {
	return func(ctx context.Context, n int) (v float64, err error) {
		d, err := mp.NewDict[K, V]()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		for i := range w.Keys {
			if err := d.Set(ctx, key(i), value(i)); err != nil {
				return 0, err
			}
		}
		keys, set := keyed(w.Keys, key), value(7)
		return timed(n, func(i int) error {
			if k := keys[i%draws]; w.set(i) {
				return d.Set(ctx, k, set)
			} else {
				_, err := d.Get(ctx, k)
				return err
			}
		})
	}
}

// timed calls f n times, with numbers from 0 on, after a tenth of that.
func timed(n int, f func(i int) error) (float64, error) {
	var start time.Time
	for i := -n/10 - 1; i < n; i++ {
		if i == 0 {
			start = time.Now()
		}
		if err := f(i + n/10 + 1); err != nil {
			return 0, err
		}
	}
	return perOp(start, n), nil
}

// mapCalls is dictCalls with a sync.Map, which is this process's own.
func mapCalls[K comparable, V any](w dictWork, key func(int) K, value func(int) V) harness.Run {
	return func(_ context.Context, n int) (float64, error) {
		var m sync.Map
		for i := range w.Keys {
			m.Store(key(i), value(i))
		}
		keys, set := keyed(w.Keys, key), value(7)
		return timed(n, func(i int) error {
			if k := keys[i%draws]; w.set(i) {
				m.Store(k, set)
			} else if _, ok := m.Load(k); !ok {
				return fmt.Errorf("key %v is gone", k)
			}
			return nil
		})
	}
}

// dictArgs are those of one of several processes on a dict.
type dictArgs struct {
	station
	Work dictWork
	Dict *mp.Dict[int, int]
}

var dictWorker = mp.Proc(dictTask)

// dictTask does shifts of work on a dict.
func dictTask(ctx context.Context, a dictArgs) error {
	keys := keyed(a.Work.Keys, number)
	return a.shifts(ctx, func(share, before int) (tally, error) {
		for i := before; i < before+share; i++ {
			var err error
			if k := keys[i%draws]; a.Work.set(i) {
				err = a.Dict.Set(ctx, k, i)
			} else {
				_, err = a.Dict.Get(ctx, k)
			}
			if err != nil {
				return tally{}, err
			}
		}
		return tally{Count: int64(share)}, nil
	})
}

// dictTogether is dictCalls by so many processes on one dict, whose first keys are used.
func dictTogether(processes int, w dictWork) harness.Run {
	return func(ctx context.Context, n int) (perCall float64, err error) {
		c, err := newCrew()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, c.dismiss(ctx)) }()
		d, err := mp.NewDict[int, int]()
		if err != nil {
			return 0, err
		}
		c.owns(d)
		for i := range 100_000 {
			if err := d.Set(ctx, i, i); err != nil {
				return 0, err
			}
		}
		for range processes {
			err := c.hire(func(s station) (mp.Child, error) { return dictWorker.Start(ctx, dictArgs{s, w, d}) })
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
