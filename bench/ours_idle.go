package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"multiproc/bench/internal/procfs"
	"multiproc/mp"
)

type parkArgs struct{ Ready, Never *mp.Queue[int] }

var park = mp.Proc(parkTask)

// parkTask waits in Get for what never comes, until nobody puts any more.
func parkTask(ctx context.Context, a parkArgs) error {
	if err := a.Ready.Put(ctx, os.Getpid()); err != nil {
		return err
	}
	if _, err := a.Never.Get(ctx); !errors.Is(err, io.EOF) {
		return fmt.Errorf("get of an empty queue: %w", err)
	}
	return nil
}

// parkedCPU returns the processor time that n processes use altogether while they are parked for 5 s (a tenth of that
// for less than a hundred of them).
func parkedCPU(ctx context.Context, n int) (seconds float64, err error) {
	hold, settle := 5*time.Second, time.Second
	if n < 100 {
		hold, settle = hold/10, settle/10
	}
	ready, err := mp.NewQueue[int](n)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ready.Close()) }()
	never, err := mp.NewQueue[int](1)
	if err != nil {
		return 0, err
	}
	var parked []*mp.Process[mp.None]
	defer func() {
		err = errors.Join(err, never.CloseWrite(ctx))
		for _, p := range parked {
			err = errors.Join(err, p.Wait(ctx))
		}
		err = errors.Join(err, never.Close())
	}()
	for range n {
		p, err := park.Start(ctx, parkArgs{ready, never})
		if err != nil {
			return 0, err
		}
		parked = append(parked, p)
	}
	for range n {
		if _, err := ready.Get(ctx); err != nil {
			return 0, err
		}
	}
	time.Sleep(settle) // the runtimes finish what they do after a start
	kernelBefore, stateBefore, err := cpuOf(parked)
	if err != nil {
		return 0, err
	}
	time.Sleep(hold)
	kernel, state, err := cpuOf(parked)
	return max(kernel-kernelBefore, state-stateBefore).Seconds(), err
}

// cpuOf adds up what the processes used so far, as /proc and as State have it.
func cpuOf(all []*mp.Process[mp.None]) (kernel, state time.Duration, err error) {
	for _, p := range all {
		d, err := procfs.CPUTime(p.PID())
		if err != nil {
			return 0, 0, err
		}
		kernel += d
		s := p.State()
		state += s.User + s.System
	}
	return kernel, state, nil
}
