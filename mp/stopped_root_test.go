//go:build linux

package mp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
)

type stopArgs struct {
	Full  *mp.Queue[*mp.Counter] // holds one item
	Empty *mp.Queue[*mp.Counter]
	Out   *mp.Conn[any, int]
	In    *mp.Conn[int, any] // has one item
	Child *mp.Counter
}

// StopRoot asks the root for this and that while it is stopped.
var StopRoot = mp.Proc(stopRoot, mp.Named("stop-root"))

func stopRoot(ctx context.Context, a stopArgs) error {
	child, err := ReturnCounter.Start(ctx, a.Child)
	if err != nil {
		return err
	}
	if err := child.Wait(ctx); err != nil {
		return err
	}
	root := os.Getppid()
	if err := syscall.Kill(root, syscall.SIGSTOP); err != nil {
		return err
	}
	defer func() { _ = syscall.Kill(root, syscall.SIGCONT) }()
	for stopped := false; !stopped; {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", root))
		if err != nil {
			return err
		}
		stopped = bytes.Contains(b, []byte(") T "))
	}
	for name, call := range map[string]func(ctx context.Context) error{
		"Put": func(ctx context.Context) error { return a.Empty.Put(ctx, a.Child) },
		"PutBatch": func(ctx context.Context) error {
			_, err := a.Empty.PutBatch(ctx, []*mp.Counter{a.Child, a.Child})
			return err
		},
		"Get":      func(ctx context.Context) error { _, err := a.Full.Get(ctx); return err },
		"GetBatch": func(ctx context.Context) error { _, err := a.Full.GetBatch(ctx, 3); return err },
		"Send":     func(ctx context.Context) error { return a.Out.Send(ctx, a.Child) },
		"Recv":     func(ctx context.Context) error { _, err := a.In.Recv(ctx); return err },
		"Result":   func(ctx context.Context) error { _, err := child.Result(ctx); return err },
		"Start":    func(ctx context.Context) error { _, err := Nothing.Start(ctx, mp.None{}); return err },
	} {
		for range 2 {
			timeLimit, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			err := call(timeLimit)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if err := syscall.Kill(root, syscall.SIGCONT); err != nil {
		return err
	}
	n, err := a.Empty.Len(ctx)
	if err != nil {
		return err
	}
	m, err := a.Full.Len(ctx)
	if n != 0 || m != 1 || err != nil {
		return fmt.Errorf("%d items where none was put, %d where one was: %w", n, m, err)
	}
	if err := a.Empty.Put(ctx, a.Child); err != nil {
		return err
	}
	for _, q := range []*mp.Queue[*mp.Counter]{a.Empty, a.Full} {
		c, err := q.Get(ctx)
		if err != nil {
			return err
		}
		c.Add(1)
	}
	v, err := a.In.Recv(ctx)
	if err != nil {
		return err
	}
	v.(*mp.Counter).Add(1)
	c, err := child.Result(ctx)
	if err != nil {
		return err
	}
	c.Add(1)
	return nil
}

// ReturnCounter returns what it was given.
var ReturnCounter = mp.Func(func(_ context.Context, c *mp.Counter) (*mp.Counter, error) { return c, nil }, mp.Named("return-counter"))

func init() { mp.RegisterType[*mp.Counter]("mp_test.Counter") }

// stoppable is the program whose first process is stopped.
func stoppable() {
	mp.Init()
	ctx := context.Background()
	fmt.Println(func() error {
		c, err := mp.NewCounter(0)
		if err != nil {
			return err
		}
		var a stopArgs
		a.Child = c
		for _, q := range []**mp.Queue[*mp.Counter]{&a.Full, &a.Empty} {
			if *q, err = mp.NewQueue[*mp.Counter](3); err != nil {
				return err
			}
		}
		out, far, err := mp.Pipe[any, int]()
		if err != nil {
			return err
		}
		in, near, err := mp.Pipe[int, any]()
		if err != nil {
			return err
		}
		a.Out, a.In = out, in
		if err := errors.Join(a.Full.Put(ctx, c), near.Send(ctx, c)); err != nil {
			return err
		}
		p, err := StopRoot.Start(ctx, a)
		if err != nil {
			return err
		}
		if err := p.Wait(ctx); err != nil {
			return err
		}
		for mp.Deposits() != 0 { // the root has not yet read what the child said last
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		if _, err := far.TryRecv(); !errors.Is(err, io.EOF) {
			return fmt.Errorf("something was sent, or: %w", err)
		}
		if n := c.Load(); n != 4 {
			return fmt.Errorf("%d handles came afterwards, want 4", n)
		}
		return nil
	}())
}

// Every call that asks the first process of the family heeds its context, and
// then nothing has happened.
func TestStoppedRoot(t *testing.T) {
	out, stderr, _ := output(t, "stoppable")
	if out != "<nil>\n" {
		t.Errorf("%s\n%s", out, stderr)
	}
}
