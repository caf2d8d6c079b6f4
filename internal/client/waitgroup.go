package client

import (
	"context"
	"sync/atomic"

	"multiproc/internal/frames"
	"multiproc/mp/driver"
)

// waitGroupHandle implements driver.WaitGroup. What belongs to the session is lost with
// it; the server has the account.
type waitGroupHandle struct {
	*handle
	// owes is what was added through this handle, less what was done through it: others
	// may have done more. It tells whether a closed handle has something to say.
	owes atomic.Int64
}

var _ driver.WaitGroup = (*waitGroupHandle)(nil)

func (w *waitGroupHandle) Add(ctx context.Context, n int) error {
	if n < 0 {
		return w.settle(ctx, -n, "mp.add", n)
	}
	r := w.request("mp.add").int(n)
	r.undo = undoTake("mp.add", -n)
	err := r.void(ctx)
	if err == nil {
		w.owes.Add(int64(n))
	}
	return err
}

// settle takes n off by a method.
func (w *waitGroupHandle) settle(ctx context.Context, n int, method string, arg int) error {
	err := w.giveBack(ctx, w.owes.Load() > 0, method, arg)
	if err == nil && w.owes.Add(int64(-n)) < 0 {
		w.owes.Store(0)
	}
	return err
}

func (w *waitGroupHandle) Take(ctx context.Context) error {
	got, err := w.request("mp.take").truth(ctx)
	if got {
		w.owes.Add(1)
	}
	return err
}

func (w *waitGroupHandle) Lose(ctx context.Context, pid int) error {
	return w.settle(ctx, 1, "mp.lose", pid)
}

func (w *waitGroupHandle) Wait(ctx context.Context) error { return w.request("mp.wait").void(ctx) }

func (w *waitGroupHandle) Count(ctx context.Context) (int, error) {
	return w.request("mp.count").number(ctx)
}

// onceHandle implements driver.Once.
type onceHandle struct {
	*handle
	does atomic.Bool // Begin has said so, and End was not called
}

var _ driver.Once = (*onceHandle)(nil)

// Identity is the same for all handles to one object of a session.
func (o *onceHandle) Identity() any { return onceIdentity{o.m, o.id} }

type onceIdentity struct {
	m  *Manager
	id uint64
}

var undoBegin = undoTake("mp.end", 0)

func (o *onceHandle) Begin(ctx context.Context) (run bool, err error) {
	r := o.request("mp.begin")
	r.undo = undoBegin
	defer r.free()
	if err := r.do(ctx); err != nil {
		return false, err
	}
	run, ok := frames.Bool(r.reply.value)
	if run {
		o.does.Store(true)
	}
	return run, r.want(ok, "a truth value")
}

func (o *onceHandle) End(ctx context.Context, done bool) error {
	is := 0
	if done {
		is = 1
	}
	return o.giveBack(ctx, o.does.Swap(false), "mp.end", is)
}

func (o *onceHandle) Done(ctx context.Context) (bool, error) {
	return o.request("mp.done").truth(ctx)
}
