package pymp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// Conn is a connection to a Python program, which has the other end as a
// multiprocessing.connection.Connection: what one sends the other receives, in
// order. Make one by Connect or by Listener.Accept; the zero Conn is not usable.
//
// Any number of goroutines may use one; those that send take turns, and so do
// those that receive. Each message arrives whole, at one of them.
type Conn struct {
	c      *pyconn.Conn
	limit  int
	broken atomic.Pointer[error] // why the connection was ended here, but by Close
	reader chan struct{}         // each holds a token while nobody uses that side
	writer chan struct{}
}

// Connect connects to the Listener of a Python program: "host:port", "/path" or
// "@name". With a nil authkey there is no handshake, as in Python; otherwise both
// ends make sure that the other knows the key.
func Connect(ctx context.Context, addr string, authkey []byte, opts ...Option) (*Conn, error) {
	o, err := collect(opts)
	if err != nil {
		return nil, fmt.Errorf("pymp.Connect: %w", err)
	}
	a, err := parseAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("pymp.Connect: %w", err)
	}
	if err := checkKey(authkey); err != nil {
		return nil, fmt.Errorf("pymp.Connect: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.handshake,
		fmt.Errorf("no connection and handshake within %v: %w", o.handshake, context.DeadlineExceeded))
	defer cancel()
	c, err := handshake(ctx, a, authkey)
	if err != nil {
		return nil, err
	}
	return newConn(c, o), nil
}

// checkKey tells no key from an empty one, which would protect nothing.
func checkKey(key []byte) error {
	if key != nil && len(key) == 0 {
		return fmt.Errorf("the authkey is empty; pass nil for none: %w", mperr.ErrAuth)
	}
	return nil
}

func newConn(c *pyconn.Conn, o options) *Conn {
	conn := &Conn{c: c, limit: o.maxFrame, reader: make(chan struct{}, 1), writer: make(chan struct{}, 1)}
	conn.reader <- struct{}{}
	conn.writer <- struct{}{}
	return conn
}

// Send sends a value: see the package comment for what becomes of Go's types. It
// waits while the other end does not read and the system's buffers are full.
//
// An error means that the message was not sent. If the context ended when a part
// of it was out, nothing more can be sent, and later calls say so.
func (c *Conn) Send(ctx context.Context, v any) error {
	s := &message{ctx: ctx}
	value, err := s.value(v)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	frame, err := s.encode(value)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return c.write(ctx, func() error { return c.c.WriteReserved(frame) })
}

// SendBytes sends bytes as they are: Python receives them by recv_bytes(). It
// waits as Send does. The bytes are not kept.
func (c *Conn) SendBytes(ctx context.Context, b []byte) error {
	return c.write(ctx, func() error { return c.c.WriteFrame(b) })
}

func (c *Conn) write(ctx context.Context, write func() error) error {
	if err := turn(ctx, c.writer); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	defer func() { c.writer <- struct{}{} }()
	stop := c.c.InterruptWrite(ctx)
	err := write()
	stop()
	return c.failed(ctx, "send", err)
}

// Recv receives a value that Python sent by send(): see the package comment for
// which Go types take which of Python's. It waits for one; at the end of the
// connection the error is io.EOF.
//
// When ctx ends first nothing is lost: the next call receives the message. A
// message that does not fit R is gone. One that is longer than MaxFrame ends the
// connection, for both ends, and all later calls say so.
func Recv[R any](ctx context.Context, c *Conn) (R, error) {
	var r R
	b, err := c.RecvBytes(ctx)
	if err != nil {
		return r, err
	}
	s := &message{ctx: ctx}
	v, err := s.decode(b)
	if err == nil {
		err = s.into(v, &r)
	}
	if err != nil {
		var zero R
		return zero, fmt.Errorf("receive: %w", err)
	}
	return r, nil
}

// RecvBytes receives the bytes of a message: of one that Python sent by
// send_bytes(). It waits as Recv does. The bytes are the caller's.
func (c *Conn) RecvBytes(ctx context.Context) ([]byte, error) {
	if err := turn(ctx, c.reader); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	defer func() { c.reader <- struct{}{} }()
	stop := c.c.InterruptRead(ctx)
	b, err := c.c.TakeFrame(c.limit)
	stop()
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, mperr.ErrTooLarge), errors.Is(err, mperr.ErrCorrupt):
		err = c.ruin(err)
	}
	return b, c.failed(ctx, "receive", err)
}

// turn waits for one side of the connection.
func turn(ctx context.Context, side chan struct{}) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-side:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ruin ends the connection because of a message that cannot be read: the other
// end, which may be waiting until all of it is out, learns it by its next call.
func (c *Conn) ruin(err error) error {
	var large *pyconn.TooLargeError
	if errors.As(err, &large) {
		err = fmt.Errorf("a message of %d bytes is over the limit of %d, which pymp.MaxFrame raises; the connection is ended: %w",
			large.Size, large.Limit, mperr.ErrTooLarge)
	}
	c.broken.CompareAndSwap(nil, &err)
	_ = c.c.Close()
	return err
}

func (c *Conn) failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case c.broken.Load() != nil:
		err = *c.broken.Load()
	case errors.Is(err, net.ErrClosed):
		return fmt.Errorf("%s: the connection: %w", what, mperr.ErrClosed)
	case ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Close ends the connection. Python's recv() raises EOFError once it has received
// what was sent before. Calls under way return an error that wraps mp.ErrClosed.
func (c *Conn) Close() error {
	if err := c.c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// NetConn returns the connection underneath, for its addresses and options.
// Whoever reads or writes there takes messages apart.
func (c *Conn) NetConn() net.Conn { return c.c.NetConn() }
