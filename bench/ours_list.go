package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"

	"multiproc/bench/internal/harness"
	"multiproc/mp"
)

// listCalls makes a list of so many numbers in memory, and calls f with it and a random index of it.
func listCalls(length int, f func(ctx context.Context, l *mp.List[int], at int) error) harness.Run {
	return func(ctx context.Context, n int) (v float64, err error) {
		l, err := mp.NewList[int]()
		if err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		for i := range length {
			if err := l.Append(ctx, i); err != nil {
				return 0, err
			}
		}
		at := make([]int, draws)
		for i := range at {
			at[i] = rand.IntN(max(length, 1))
		}
		return timed(n, func(i int) error { return f(ctx, l, at[i%draws]) })
	}
}

func listGet(ctx context.Context, l *mp.List[int], at int) error {
	_, err := l.Get(ctx, at)
	return err
}

func listAppend(ctx context.Context, l *mp.List[int], at int) error { return l.Append(ctx, at) }

func listInsert(ctx context.Context, l *mp.List[int], at int) error { return l.Insert(ctx, at, at) }

// sliceCalls is listCalls with a slice, which is this process's own.
func sliceCalls(length int, f func(s []int, at int) []int) harness.Run {
	return func(_ context.Context, n int) (float64, error) {
		s := make([]int, length)
		at := make([]int, draws)
		for i := range at {
			at[i] = rand.IntN(max(length, 1))
		}
		return timed(n, func(i int) error {
			s = f(s, at[i%draws])
			return nil
		})
	}
}

func sliceGet(s []int, at int) []int {
	runtime.KeepAlive(s[at]) // or it would be left out
	return s
}
