package pyconn

import (
	"fmt"

	"multiproc/internal/mperr"
)

// MaxSkip is the longest frame that Skip reads past. It costs the reader as
// much as a thousand frames of 64 MiB, and no memory.
const MaxSkip = 64 << 30

// TooLargeError is a frame that is longer than its reader accepts. It wraps
// mperr.ErrTooLarge.
type TooLargeError struct {
	Size  uint64 // of the frame's payload, as its header announces it
	Limit int    // the reader's
	Cause error  // of Charge, which has refused the memory; nil: it is the limit
}

func (e *TooLargeError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("frame of %d bytes: %v", e.Size, e.Cause)
	}
	return fmt.Sprintf("frame of %d bytes is over the limit of %d: %v", e.Size, e.Limit, mperr.ErrTooLarge)
}

// Unwrap returns the cause, or mperr.ErrTooLarge.
func (e *TooLargeError) Unwrap() error {
	if e.Cause != nil {
		return e.Cause
	}
	return mperr.ErrTooLarge
}

// Charge has f asked before memory is taken for a frame that does not fit into
// the small buffer, and told by a negative number when it is given back. An error
// of f refuses the frame by a *TooLargeError, though a part of it was read.
func (c *Conn) Charge(f func(delta int) error) { c.charge = f }

// hold asks for the memory of a buffer.
func (c *Conn) hold(n int) error {
	if c.charge == nil || n == 0 {
		return nil
	}
	err := c.charge(n)
	if err == nil {
		c.charged += n
	}
	return err
}

// Release gives the memory of the last frame back, unless it is little.
func (c *Conn) Release() {
	if cap(c.big) > keep {
		c.big = nil
		_ = c.hold(-c.charged)
	}
	c.big = c.big[:0]
}

// Forget gives all that was charged back: nothing more is read.
func (c *Conn) Forget() {
	c.big = nil
	_ = c.hold(-c.charged)
}

// refuse gives up a frame of n bytes of which a part was read.
func (c *Conn) refuse(n int, cause error) error {
	c.over = excess{refused: &TooLargeError{Size: uint64(n), Cause: cause}, left: uint64(n - len(c.big))}
	c.need = -1
	return c.over.refused // Skip shows what there is in big, and lets it go
}

// grown is the size of the next buffer for a frame of n bytes of which one has
// been read that fills the buffer: eight times that, so that a frame that is only
// announced costs little, and then all at once, so that a frame is never held
// twice.
func grown(got, n int) int {
	const times = 8
	if got >= n/times {
		return n
	}
	return min(max(times*got, keep), max(n/times, keep))
}

// excess is the frame that was refused and is not read past yet.
type excess struct {
	refused *TooLargeError // nil: there is none
	left    uint64         // bytes of it that were not read
}

// Skip reads past the frame that ReadFrame has just refused with a
// *TooLargeError, so that the next one can be read. It shows all bytes of its
// payload to seen, in order and in parts that are valid only meanwhile, and keeps
// nothing of it. A frame of more than MaxSkip is not read past; the error is that
// of ReadFrame then. After a deadline the next call goes on where this one stopped.
func (c *Conn) Skip(seen func(part []byte)) error {
	over := &c.over
	if over.refused == nil {
		return nil
	}
	if over.refused.Size > MaxSkip {
		return over.refused
	}
	if len(c.big) > 0 {
		seen(c.big)
		c.Forget()
	}
	var scratch []byte
	for over.left > 0 {
		part := c.buf[c.r:c.w]
		if len(part) == 0 {
			if scratch == nil {
				scratch = make([]byte, keep)
			}
			n, err := c.read(scratch[:min(over.left, keep)], true)
			if n == 0 && err != nil {
				return unexpected(err)
			}
			part = scratch[:n]
		} else {
			part = part[:min(over.left, uint64(len(part)))]
			c.r += len(part)
		}
		seen(part)
		over.left -= uint64(len(part))
	}
	c.over = excess{}
	return nil
}
