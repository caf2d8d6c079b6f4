//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"multiproc/mp"
)

// limit sets how many descriptors this process may have from now on beside
// those that it has, and returns a function that sets it back.
func limit(more int) (func(), error) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	free, err := syscall.Dup(1) // the next one's number
	if err != nil {
		return nil, err
	}
	_ = syscall.Close(free)
	err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(free + more), Max: old.Max})
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }, err
}

type shortArgs struct {
	Queue *mp.Queue[*mp.Counter]
	Many  *mp.Queue[[]*mp.Counter]
	C     *mp.Counter
	N     *mp.Counter
}

// PutUntilShort puts until the root has no more descriptors, and then all that
// asks for none still works.
var PutUntilShort = mp.Proc(func(ctx context.Context, a shortArgs) error {
	for {
		err := a.Queue.Put(ctx, a.C)
		if errors.Is(err, syscall.EMFILE) && strings.Contains(err.Error(), "first process") {
			break
		}
		if err != nil {
			return err
		}
		a.N.Add(1)
	}
	if err := a.Many.Put(ctx, []*mp.Counter{a.C, a.C, a.C, a.C, a.C, a.C, a.C, a.C}); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("eight at once: %w", err)
	}
	c, err := a.Queue.Get(ctx)
	if err != nil {
		return err
	}
	a.N.Add(-1)
	if err := c.Close(); err != nil {
		return err
	}
	err = a.Queue.Put(ctx, a.C) // there is room again
	if err == nil {
		a.N.Add(1)
	}
	return err
}, mp.Named("put-until-short"))

// ShortOnce is short of descriptors for a time.
var ShortOnce = mp.Proc(func(ctx context.Context, a shortArgs) error {
	child, err := ReturnCounter.Start(ctx, a.C)
	if err != nil {
		return err
	}
	if err := child.Wait(ctx); err != nil {
		return err
	}
	many := []*mp.Counter{a.C, a.C, a.C}
	if err := a.Many.Put(ctx, many); err != nil {
		return err
	}
	back, err := limit(1)
	if err != nil {
		return err
	}
	if _, err := a.Many.Get(ctx); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("Get: %w", err)
	}
	if _, err := a.Many.TryGet(ctx); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("TryGet: %w", err)
	}
	if err := a.Many.Put(ctx, many); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("Put: %w", err)
	}
	back()
	if back, err = limit(0); err != nil {
		return err
	}
	if _, err := child.Result(ctx); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("Result: %w", err)
	}
	back()
	if n, err := a.Many.Len(ctx); n != 1 || err != nil {
		return fmt.Errorf("%d items, want the one that could not come: %w", n, err)
	}
	got, err := a.Many.Get(ctx)
	if err != nil || len(got) != 3 {
		return fmt.Errorf("with room again: %d, %w", len(got), err)
	}
	c, err := child.Result(ctx)
	if err != nil {
		return fmt.Errorf("Result, with room again: %w", err)
	}
	c.Add(1)
	if err := a.Many.Put(ctx, got); err != nil {
		return err
	}
	_, err = Nothing.Run(ctx, mp.None{})
	return err
}, mp.Named("short-once"))

// shortage is a program that runs short of descriptors in its first process and
// in others.
func shortage() {
	mp.Init()
	ctx := context.Background()
	if err := runShort(ctx); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("well")
}

func runShort(ctx context.Context) error {
	var a shortArgs
	var errs [4]error
	a.Queue, errs[0] = mp.NewQueue[*mp.Counter](0)
	a.Many, errs[1] = mp.NewQueue[[]*mp.Counter](0)
	a.C, errs[2] = mp.NewCounter(0)
	a.N, errs[3] = mp.NewCounter(0)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if _, err := Nothing.Run(ctx, mp.None{}); err != nil {
		return err
	}
	back, err := limit(100)
	if err != nil {
		return err
	}
	if _, err := PutUntilShort.Run(ctx, a); err != nil {
		return err
	}
	items, err := a.Queue.Len(ctx)
	if n := a.N.Load(); n < 10 || items != int(n) {
		return fmt.Errorf("%d items, %d were put: %w", items, n, err)
	}
	for range a.N.Load() {
		c, err := a.Queue.Get(ctx)
		if err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	back()
	if _, err := ShortOnce.Run(ctx, a); err != nil {
		return err
	}
	// The first process itself.
	if back, err = limit(1); err != nil {
		return err
	}
	if _, err := a.Many.Get(ctx); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("Get in the first process: %w", err)
	}
	back()
	got, err := a.Many.Get(ctx)
	if err != nil || len(got) != 3 || a.C.Load() != 1 {
		return fmt.Errorf("with room again: %d, %w", len(got), err)
	}
	if n := mp.Deposits(); n != 0 {
		return fmt.Errorf("%d handles are left with the root", n)
	}
	return nil
}

// A shortage of descriptors is the error of one message, which stays where it
// is. Nothing is lost, and everything works when it is over.
func TestShortOfDescriptors(t *testing.T) {
	if out, stderr, _ := output(t, "shortage"); out != "well\n" {
		t.Errorf("%s\n%s", out, stderr)
	}
}
