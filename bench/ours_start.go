package main

import (
	"context"
	"errors"
	"time"

	"multiproc/mp"
)

var empty = mp.Proc(emptyTask)

func emptyTask(context.Context, mp.None) error { return nil }

// startAndWait is one life of a process that does nothing.
func startAndWait(ctx context.Context, o mp.StartOptions) error {
	p, err := empty.With(o).Start(ctx, mp.None{})
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

func startCold(ctx context.Context, n int) (float64, error) {
	return medianOf(n, 0, func() error { return startAndWait(ctx, mp.StartOptions{NoSpare: true}) })
}

// startSpare keeps two spares, so that one stands ready even when the last pause was too short to make another.
func startSpare(ctx context.Context, n int) (perStart float64, err error) {
	if err := mp.KeepSpares(2); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, mp.KeepSpares(0)) }()
	return medianOf(n, spareUS*time.Microsecond, func() error { return startAndWait(ctx, mp.StartOptions{}) })
}
