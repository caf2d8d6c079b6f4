package mp

import (
	"context"
	"fmt"
	"unsafe"

	"multiproc/internal/mperr"
)

// Send puts v into the pipe, waiting while MaxBytes are under way. It returns
// ctx's error, and then nothing was sent; ErrBrokenPipe if nobody holds the
// other end any more; ErrClosed after CloseWrite; ErrTooLarge; or the error of
// encoding v. v may be changed afterwards. That Send returned nil does not
// mean that the value was received.
func (c *Conn[S, R]) Send(ctx context.Context, v S) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !c.mem.Enter() {
		return c.mem.ErrClosed()
	}
	r := c.e.send
	if r == nil {
		c.mem.Exit()
		return fmt.Errorf("send on a receiving end: %w", ErrDirection)
	}
	var err error
	if c.out.raw {
		err = r.Put(ctx, unsafe.Pointer(&v), c.out.size)
	} else {
		w := v
		err = c.out.put(ctx, c.e.f, &w, func(p unsafe.Pointer, n int) error { return r.Put(ctx, p, n) })
	}
	c.mem.Exit()
	return err
}

// TrySend is Send that returns ErrFull instead of waiting for room.
func (c *Conn[S, R]) TrySend(v S) error {
	if !c.mem.Enter() {
		return c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	r := c.e.send
	if r == nil {
		return fmt.Errorf("send on a receiving end: %w", ErrDirection)
	}
	w := v
	if c.out.raw {
		return r.TryPut(unsafe.Pointer(&w), c.out.size)
	}
	return c.out.put(context.Background(), c.e.f, &w, r.TryPut)
}

// Recv takes the next value, waiting for it. It returns io.EOF when none is
// left and none can come: the other end called CloseWrite, or every handle to
// it was closed or its holder is dead. It returns ctx's error, and then
// nothing was taken.
func (c *Conn[S, R]) Recv(ctx context.Context) (R, error) {
	var v R
	if ctx.Err() != nil {
		return v, mperr.Ended(ctx)
	}
	if !c.mem.Enter() {
		return v, c.mem.ErrClosed()
	}
	r := c.e.recv
	if r == nil {
		c.mem.Exit()
		return v, fmt.Errorf("receive on a sending end: %w", ErrDirection)
	}
	var err error
	if c.in.raw {
		err = r.Get(ctx, unsafe.Pointer(&v))
	} else {
		w := new(R)
		if err = c.in.get(ctx, c.e.f, r, w); err == nil {
			v = *w
		}
	}
	c.mem.Exit()
	return v, err
}

// TryRecv is Recv that returns ErrEmpty instead of waiting.
func (c *Conn[S, R]) TryRecv() (R, error) {
	var v R
	if !c.mem.Enter() {
		return v, c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	r := c.e.recv
	if r == nil {
		return v, fmt.Errorf("receive on a sending end: %w", ErrDirection)
	}
	w := new(R)
	var err error
	if c.in.raw {
		err = r.TryGet(unsafe.Pointer(w))
	} else {
		err = c.in.tryGet(context.Background(), c.e.f, r, w)
	}
	return *w, err
}

// Poll waits until Recv would return at once, with a value or io.EOF. With a
// deadline in ctx that is "is there anything within a second"; without
// waiting, use TryRecv. It takes nothing.
func (c *Conn[S, R]) Poll(ctx context.Context) error {
	if !c.mem.Enter() {
		return c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	if c.e.recv == nil {
		return fmt.Errorf("poll a sending end: %w", ErrDirection)
	}
	if c.e.recv.Readable() {
		return nil
	}
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	_, err := Select(ctx, c)
	return err
}

func (c *Conn[S, R]) source() (*waitSource, error) {
	if !c.mem.Enter() {
		return nil, c.mem.ErrClosed()
	}
	r := c.e.recv
	if r == nil {
		c.mem.Exit()
		return nil, fmt.Errorf("wait for a sending end: %w", mperr.ErrDirection)
	}
	return lookAt(&c.mem, r), nil
}

// RecvAppend is Recv for a pipe of byte slices that appends the value to buf;
// see GetAppend.
func RecvAppend[S any, B ~[]byte](ctx context.Context, c *Conn[S, B], buf B) (B, error) {
	if ctx.Err() != nil {
		return buf, mperr.Ended(ctx)
	}
	if !c.mem.Enter() {
		return buf, c.mem.ErrClosed()
	}
	defer c.mem.Exit()
	if c.e.recv == nil {
		return buf, fmt.Errorf("receive on a sending end: %w", ErrDirection)
	}
	return c.e.recv.GetAppend(ctx, buf)
}
