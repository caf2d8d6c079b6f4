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
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("frame of %d bytes is over the limit of %d: %v", e.Size, e.Limit, mperr.ErrTooLarge)
}

// Unwrap returns mperr.ErrTooLarge.
func (e *TooLargeError) Unwrap() error { return mperr.ErrTooLarge }

// excess is the frame that was refused and is not read past yet.
type excess struct {
	refused *TooLargeError // nil: there is none
	left    uint64         // bytes of it that were not read
	first   byte           // its first byte, once it is read
}

// Skip reads past the frame that ReadFrame has just refused with a
// *TooLargeError, so that the next one can be read, and returns the first byte
// of its payload. It keeps nothing of it. A frame of more than MaxSkip is not
// read past; the error is that of ReadFrame then. After a deadline the next call
// goes on where this one stopped.
func (c *Conn) Skip() (first byte, err error) {
	over := &c.over
	if over.refused == nil {
		return 0, nil
	}
	if over.refused.Size > MaxSkip {
		return 0, over.refused
	}
	fresh := over.left == over.refused.Size
	var scratch []byte
	for over.left > 0 {
		part := c.buf[c.r:c.w]
		if len(part) == 0 {
			if scratch == nil {
				scratch = make([]byte, keep)
			}
			n, err := c.read(scratch[:min(over.left, keep)], true)
			if n == 0 && err != nil {
				return 0, unexpected(err)
			}
			part = scratch[:n]
		} else {
			part = part[:min(over.left, uint64(len(part)))]
			c.r += len(part)
		}
		if fresh && len(part) > 0 {
			over.first, fresh = part[0], false
		}
		over.left -= uint64(len(part))
	}
	first = over.first
	c.over = excess{}
	return first, nil
}
