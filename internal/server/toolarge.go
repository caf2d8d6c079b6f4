package server

import (
	"errors"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// A message above Limits.Frame, or one for which there is no memory, is an error
// of its call, and not the end of the connection: CPython keeps one connection for
// each thread, with which all of the thread's proxies would break, and a Go client
// has its locks by its session. So the server reads past the message, keeps nothing
// of it, and answers.

// tooLarge reads past a frame that in has refused with err, and shows it to seen.
// It logs that, and returns the error for the client; ok is false if err is
// another error, or the connection is of no more use.
func (c *conn) tooLarge(err error, seen func(part []byte)) (refusal error, ok bool) {
	var large *pyconn.TooLargeError
	if !errors.As(err, &large) {
		return nil, false
	}
	if refusal = large.Cause; refusal != nil {
		if c.s.oversize.speak() {
			c.s.log.Warn("a message was refused: there is no memory for it", "peer", peerName(c.socket), "bytes", large.Size, "error", refusal)
		}
	} else {
		if c.s.oversize.speak() {
			c.s.log.Warn("a message was refused: it is above Limits.Frame, the flag --max-frame",
				"peer", peerName(c.socket), "bytes", large.Size, "limit", large.Limit)
		}
		refusal = fmt.Errorf("a message of %d bytes is over this server's limit of %d: "+
			"manager.Limits.Frame, or mp serve --max-frame, raises it: %w", large.Size, large.Limit, mperr.ErrTooLarge)
	}
	return refusal, c.in.Skip(seen) == nil
}

// refuseFirst answers a connection whose first frame was not read. Only
// CPython's requests to the server itself, with the arguments of a new object,
// can be as large.
func (c *conn) refuseFirst(err error) {
	first := -1
	refusal, ok := c.tooLarge(err, func(part []byte) {
		if first < 0 && len(part) > 0 {
			first = int(part[0])
		}
	})
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
