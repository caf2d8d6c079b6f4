package manager

import (
	"errors"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// A message above Limits.Frame is an error of its call, and not the end of the
// connection: CPython keeps one connection for each thread, with which all of
// the thread's proxies would break. So the server reads past the message, keeps
// nothing of it, and answers.

// tooLarge reads past a frame that in has refused with err. It logs that, and
// returns the error for the client and the frame's first byte; ok is false if
// err is another error, or the connection is of no more use.
func (c *conn) tooLarge(err error) (first byte, ok bool, refusal error) {
	var large *pyconn.TooLargeError
	if !errors.As(err, &large) {
		return 0, false, nil
	}
	if large.Cause != nil {
		if c.s.oversize.speak() {
			c.s.log.Warn("a message was refused: there is no memory for it", "peer", peerName(c.socket), "bytes", large.Size, "error", large.Cause)
		}
		if first, err = c.in.Skip(); err != nil {
			return 0, false, nil
		}
		return first, true, large.Cause
	}
	if c.s.oversize.speak() {
		c.s.log.Warn("a message was refused: it is above Limits.Frame, the flag --max-frame",
			"peer", peerName(c.socket), "bytes", large.Size, "limit", large.Limit)
	}
	if first, err = c.in.Skip(); err != nil {
		return 0, false, nil
	}
	return first, true, fmt.Errorf("a message of %d bytes is over this server's limit of %d: "+
		"manager.Limits.Frame, or mp serve --max-frame, raises it: %w", large.Size, large.Limit, mperr.ErrTooLarge)
}

// refuseFirst answers a connection whose first frame was not read. Only
// CPython's requests to the server itself, with the arguments of a new object,
// can be as large.
func (c *conn) refuseFirst(err error) {
	first, ok, refusal := c.tooLarge(err)
	if !ok {
		return
	}
	if first != firstPickle {
		c.bye(refusal.Error())
		return
	}
	p := &pyCodec{s: c.s, c: c}
	p.answerLast(kindError, exceptionOf(refusal))
}
