package main

import (
	"context"
	"errors"
	"math"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// upheaval is what one process does to a dict while another one uses a key of it: it makes so many entries, deletes nine
// of ten, and clears it. Without a dict it does something else for as long.
type upheaval struct {
	Dict    *mp.Dict[int, int]
	Private bool
	Entries int
}

var upheave = mp.Proc(upheaveTask)

func upheaveTask(ctx context.Context, u upheaval) error {
	private := map[int]int{}
	set := func(i int) error {
		if u.Private {
			private[i] = i
			return nil
		}
		return u.Dict.Set(ctx, i, i)
	}
	for i := range u.Entries {
		if err := set(i); err != nil {
			return err
		}
	}
	for i := range u.Entries {
		switch {
		case i%10 == 0:
		case u.Private:
			delete(private, i)
		default:
			if _, err := u.Dict.Delete(ctx, i); err != nil {
				return err
			}
		}
	}
	if u.Private {
		return nil
	}
	return u.Dict.Clear(ctx)
}

// longestGap is the longest time between two calls of f on a dict in which another process makes so many entries and
// takes them out again.
func longestGap(private bool, f func(ctx context.Context, d *mp.Dict[int, int], key int) error) harness.Run {
	return func(ctx context.Context, n int) (seconds float64, err error) {
		d, err := mp.NewDict[int, int]()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, d.Close()) }()
		p, err := upheave.Start(ctx, upheaval{d, private, n})
		if err != nil {
			return 0, err
		}
		longest, last := time.Duration(0), time.Now()
		for key := math.MaxInt32; ; key++ { // all shards in turn
			select {
			case <-p.Done():
				return longest.Seconds(), p.Wait(ctx)
			default:
			}
			if err := f(ctx, d, key); err != nil {
				return 0, err
			}
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
			if key > math.MaxInt32+1000 {
				key = math.MaxInt32
			}
		}
	}
}

func gapRead(ctx context.Context, d *mp.Dict[int, int], key int) error {
	_, err := d.Has(ctx, key)
	return err
}

func gapWrite(ctx context.Context, d *mp.Dict[int, int], key int) error { return d.Set(ctx, key, key) }
