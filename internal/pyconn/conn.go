// Package pyconn is the connection of Python's multiprocessing.connection:
// how messages are framed, and how two ends that share a key prove to each
// other that they know it.
//
// A frame is the length of its payload, four bytes, most significant first,
// and the payload. A payload of 2 GiB or more is announced by four bytes 0xff
// and eight bytes of length. A payload may be empty. Nothing tells what it is:
// a pickle, or raw bytes.
//
// The handshake is in handshake.go, in both of its generations.
//
// # What is relied on
//
// Nothing: the peer may be anybody. A frame's announced length is checked
// against the reader's limit before anything else, and memory is taken only as
// bytes arrive. A peer that says nothing, or one byte now and then, is ended
// by a deadline, which is the caller's to set: [Conn.SetDeadline], or
// [Conn.Interrupt] with a context.
package pyconn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"time"

	"multiproc/internal/busypoll"
	"multiproc/internal/mperr"
)

const (
	// HeaderSize is the size of the header of a frame below 2 GiB: the room
	// that WriteReserved wants.
	HeaderSize = 4

	longHeader = 0xffffffff // announces a length of eight bytes
	readBuffer = 4 << 10    // most frames of a manager fit
	keep       = 64 << 10   // larger buffers are given back after their frame
)

// Conn reads and writes frames on a connection. One goroutine may read while
// another writes; two that read, or two that write, must take turns. Close and
// SetDeadline may be called at any time. The zero Conn is not usable.
//
// An idle Conn takes some 4 KiB once it has read.
type Conn struct {
	c       net.Conn
	in      *busypoll.Reader
	buf     []byte // what was read ahead is buf[r:w]
	r, w    int
	need    int    // length of the frame that has begun, -1 between frames
	big     []byte // holds the frame that does not fit into buf, or its beginning
	out     []byte
	charge  func(delta int) error
	charged int
	over    excess
	torn    bool // a part of a frame was written, and not the rest
	ack     acker
}

// New returns a Conn over c, which belongs to it from now on. c's own
// deadlines apply.
func New(c net.Conn) *Conn {
	return &Conn{c: c, in: busypoll.New(c), need: -1, ack: newAcker(c)}
}

// NetConn returns the connection underneath. Whoever reads from it takes bytes
// away from the frames.
func (c *Conn) NetConn() net.Conn { return c.c }

// Close closes the connection underneath. Reads and writes under way fail.
func (c *Conn) Close() error { return c.c.Close() }

// SetDeadline ends reads and writes at t with an error that wraps
// os.ErrDeadlineExceeded; the zero time takes the deadline away.
func (c *Conn) SetDeadline(t time.Time) error { return c.c.SetDeadline(t) }

// Interrupt makes reads and writes fail as soon as ctx ends. The caller calls
// stop once, when its operation is over. stop reports false if ctx has ended
// meanwhile: the deadline stands then, and the Conn is fit only to be closed.
func (c *Conn) Interrupt(ctx context.Context) (stop func() bool) {
	return interrupt(ctx, c.c.SetDeadline)
}

// InterruptRead is Interrupt for reads alone. After stop the Conn may be read
// again, also if it reports false: a frame that had come in part goes on where
// it was.
func (c *Conn) InterruptRead(ctx context.Context) (stop func() bool) {
	return lift(interrupt(ctx, c.c.SetReadDeadline), c.c.SetReadDeadline)
}

// InterruptWrite is Interrupt for writes alone. After stop the Conn may be
// written to again, unless a part of a frame is out: see WriteFrame.
func (c *Conn) InterruptWrite(ctx context.Context) (stop func() bool) {
	return lift(interrupt(ctx, c.c.SetWriteDeadline), c.c.SetWriteDeadline)
}

func interrupt(ctx context.Context, set func(time.Time) error) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	fired := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(fired)
		_ = set(time.Unix(1, 0))
	})
	return func() bool {
		if forget() {
			return true
		}
		<-fired // or the deadline might be set after all, when something else is under way
		return false
	}
}

func lift(stop func() bool, set func(time.Time) error) func() bool {
	return func() bool {
		ok := stop()
		if !ok {
			_ = set(time.Time{})
		}
		return ok
	}
}

// AckAtOnce makes every read acknowledge at once what arrives by TCP, instead
// of some 40 ms later. CPython's clients write twice without reading in
// between, and Nagle's algorithm, which they leave on, holds the second write
// back until that acknowledgement. A server calls this; on anything but TCP on
// Linux it does nothing.
//
// Without it only the remainder of a frame that arrived in part is asked for
// in this way: CPython writes the header of a long frame by itself.
func (c *Conn) AckAtOnce() { c.ack.always = true }

// ReadFrame returns the payload of the next frame. The bytes belong to the
// Conn and are overwritten by the next call.
//
// A frame longer than limit is a *TooLargeError; Skip reads past it, and until
// then there is nothing else to read. After a length that makes no sense, which
// is an error that wraps mperr.ErrCorrupt, nothing can be read any more. At the end of the connection the error is io.EOF, also if
// the header of a frame had come but nothing of its payload, as in Python;
// within a header or a payload it wraps io.ErrUnexpectedEOF. After a deadline
// the next call goes on where this one stopped.
func (c *Conn) ReadFrame(limit int) ([]byte, error) {
	if c.over.refused != nil {
		return nil, c.over.refused
	}
	if c.need < 0 {
		c.Release()
		n, err := c.readHeader(limit)
		if err != nil {
			return nil, err
		}
		c.need = n
	}
	p, err := c.readBody(c.need)
	if err != nil {
		return nil, err
	}
	c.need = -1
	return p, nil
}

// Peek returns the next n bytes, and leaves them to be read: a header that has
// more than CPython's length, and can be checked before its frame has come. n is
// a few dozens at most. Errors are those of ReadFrame.
func (c *Conn) Peek(n int) ([]byte, error) {
	if err := c.fill(n, false); err != nil {
		return nil, err
	}
	return c.buf[c.r : c.r+n : c.r+n], nil
}

// Rest returns a copy of what was read ahead, nil if nothing was, for another
// reader of the connection underneath. Nothing more is to be read from c.
func (c *Conn) Rest() []byte { return append([]byte(nil), c.buf[c.r:c.w]...) }

// TakeFrame is ReadFrame, but the bytes belong to the caller.
func (c *Conn) TakeFrame(limit int) ([]byte, error) {
	p, err := c.ReadFrame(limit)
	if err != nil {
		return nil, err
	}
	if len(p) > len(c.buf) { // then it is all of c.big
		c.big = nil
		return p, nil
	}
	return append(make([]byte, 0, len(p)), p...), nil
}

func (c *Conn) readBody(n int) ([]byte, error) {
	if n > len(c.buf) {
		err := c.fillBig(n)
		return c.big, err
	}
	if err := c.fill(n, true); err != nil {
		return nil, err
	}
	p := c.buf[c.r : c.r+n : c.r+n]
	c.r += n
	return p, nil
}

// Buffered reports whether bytes of another frame have been read already.
func (c *Conn) Buffered() bool { return c.r < c.w }

// Ready reports whether the next frame has been read already as a whole, so
// that ReadFrame does not wait for the peer. It may say no of a large one.
func (c *Conn) Ready() bool {
	n := c.w - c.r
	if c.need >= 0 {
		return n >= c.need && c.need <= len(c.buf)
	}
	return n >= HeaderSize && uint64(n-HeaderSize) >= uint64(binary.BigEndian.Uint32(c.buf[c.r:]))
}

func (c *Conn) readHeader(limit int) (int, error) {
	if err := c.fill(HeaderSize, false); err != nil {
		return 0, err
	}
	n, size := uint64(binary.BigEndian.Uint32(c.buf[c.r:])), HeaderSize
	switch {
	case n == longHeader:
		size += 8
		if err := c.fill(size, true); err != nil {
			return 0, err
		}
		n = binary.BigEndian.Uint64(c.buf[c.r+HeaderSize:])
	case n > math.MaxInt32:
		return 0, fmt.Errorf("frame announces a negative length, %d: %w", int32(uint32(n)), mperr.ErrCorrupt)
	}
	c.r += size
	if n > uint64(max(limit, 0)) {
		c.over = excess{refused: &TooLargeError{Size: n, Limit: limit}, left: n}
		return 0, c.over.refused
	}
	return int(n), nil
}

// fill reads until n bytes are in the buffer; within says that they belong to
// a frame of which something has come already.
func (c *Conn) fill(n int, within bool) error {
	if c.buf == nil {
		c.buf = make([]byte, readBuffer)
	}
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.r+n > len(c.buf) {
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
	for c.w-c.r < n {
		m, err := c.read(c.buf[c.w:], within)
		c.w += m
		if err != nil && c.w-c.r < n {
			return ended(err, c.w-c.r)
		}
	}
	return nil
}

// fillBig reads until n bytes are in c.big, from what is there already. It
// trusts n only so far as bytes have arrived: memory stays below nine times
// of those, and 64 KiB.
func (c *Conn) fillBig(n int) error {
	m := min(n-len(c.big), c.w-c.r)
	c.big = append(c.big, c.buf[c.r:c.r+m]...)
	c.r += m
	for len(c.big) < n {
		got := len(c.big)
		if got == cap(c.big) {
			had, size := c.charged, grown(got, n)
			if err := c.hold(size); err != nil {
				return c.refuse(n, err)
			}
			bigger := make([]byte, got, size)
			copy(bigger, c.big)
			c.big = bigger
			_ = c.hold(-had)
		}
		m, err := c.read(c.big[got:min(cap(c.big), n)], true)
		c.big = c.big[:got+m]
		if err != nil && got+m < n {
			return ended(err, got+m)
		}
	}
	return nil
}

// read reads once, at least one byte.
func (c *Conn) read(p []byte, within bool) (int, error) {
	c.ack.beforeRead(within)
	for range 100 {
		if n, err := c.in.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// ended tells an end of file between frames from one within.
func ended(err error, got int) error {
	if got > 0 {
		return unexpected(err)
	}
	return err
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("connection ended within a frame: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// WriteFrame writes p as one frame, by one write to the connection.
//
// An error means that the frame is not out as a whole, so that no peer acts on
// it. If a part of it is, nothing more can be written: later writes say so.
func (c *Conn) WriteFrame(p []byte) error {
	if len(p) > keep {
		return c.writeLong(p)
	}
	c.out = append(appendHeader(c.out[:0], len(p)), p...)
	return c.write(c.out)
}

// WriteReserved writes b[HeaderSize:] as one frame, by one write and without a
// copy: the first HeaderSize bytes of b are room for the header, whatever they
// hold.
func (c *Conn) WriteReserved(b []byte) error {
	n := len(b) - HeaderSize
	if n > math.MaxInt32 {
		return c.writeLong(b[HeaderSize:])
	}
	binary.BigEndian.PutUint32(b, uint32(n))
	return c.write(b)
}

func (c *Conn) write(b []byte) error {
	if c.torn {
		return errTorn
	}
	n, err := c.c.Write(b)
	c.torn = err != nil && n > 0
	return err
}

// writeLong leaves the joining of header and payload to the system.
func (c *Conn) writeLong(p []byte) error {
	if c.torn {
		return errTorn
	}
	parts := net.Buffers{appendHeader(make([]byte, 0, HeaderSize+8), len(p)), p}
	n, err := parts.WriteTo(c.c)
	c.torn = err != nil && n > 0
	return err
}

var errTorn = fmt.Errorf("an earlier frame was cut off in the middle, nothing more can be sent: %w", mperr.ErrBrokenPipe)

func appendHeader(dst []byte, n int) []byte {
	if n <= math.MaxInt32 {
		return binary.BigEndian.AppendUint32(dst, uint32(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, longHeader)
	return binary.BigEndian.AppendUint64(dst, uint64(n))
}
