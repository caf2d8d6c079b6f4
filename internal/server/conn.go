package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"multiproc/internal/budget"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
)

// firstPickle is the first byte of every pickle, and of no message of our
// own protocol.
const firstPickle = 0x80

// conn is a connection whose peer knows the key.
type conn struct {
	s      *Server
	socket net.Conn // the bottom: TCP or Unix
	in     *pyconn.Conn
	out    *outbox
	pid    int // at the other end; 0: not known

	session atomic.Pointer[goSession] // of a Go client that has said Hello
	client  int                       // the process of a Go client; 0: not known
	python  atomic.Int32              // what isPython has found out

	works *budget.Share // what the connection and the work for it take
	loan  budget.Loan   // of the request under way
}

func newConn(s *Server, stream, socket net.Conn, pid int) *conn {
	c := &conn{s: s, socket: socket, in: pyconn.New(stream), out: newOutbox(stream), pid: pid}
	c.works = s.store.Budget().Working()
	c.out.memory.share = c.works
	c.loan.Begin(c.works)
	c.in.Charge(c.works.Take)
	c.in.AckAtOnce()
	return c
}

// challenge lets the peer prove that it knows the key, answer proves that the
// server does: the two halves of pyconn.ServerHandshake.
func (c *conn) challenge() error { return pyconn.Deliver(c.in, c.s.key, rand.Reader) }
func (c *conn) answer() error    { return pyconn.Answer(c.in, c.s.key) }

// serve finds out by the first frame which language the peer speaks.
func (c *conn) serve() {
	if err := c.works.Take(connCost); err != nil {
		if c.s.handshakes.refused.allow() {
			c.s.log.Warn("a connection was turned away", "peer", peerName(c.socket), "error", err)
		}
		return
	}
	defer c.release()
	first, err := c.in.ReadFrame(c.s.limits.Frame)
	if err != nil {
		c.refuseFirst(err)
		return
	}
	if len(first) > 0 && first[0] == firstPickle {
		c.servePython(first)
	} else {
		c.serveGo(first)
	}
}

// connCost is what a connection takes: its buffers, the stack of its goroutine,
// what is known of it, and small requests.
const connCost = 24 << 10

// release gives back what the connection took.
func (c *conn) release() {
	c.loan.End()
	c.in.Forget()
	c.works.Give(connCost)
}

// host is the machine at the other end: Python clients of which no more is
// known are told apart by it.
func (c *conn) host() string {
	if a, ok := c.socket.RemoteAddr().(*net.TCPAddr); ok {
		return a.IP.String()
	}
	return c.socket.RemoteAddr().Network()
}

// loopback reports whether the peer is on this machine, by its address.
func (c *conn) loopback() bool {
	a, ok := c.socket.RemoteAddr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// bye tells a Go client why its session ends.
func (c *conn) bye(reason string) {
	if g := c.session.Load(); g != nil {
		g.out.bye(reason)
		return
	}
	_, _ = c.out.send(func(dst []byte) ([]byte, error) { return frames.AppendBye(dst, reason), nil })
}

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
		if c.s.oversize.allow() {
			c.s.log.Warn("a message was refused: there is no memory for it", "peer", peerName(c.socket), "bytes", large.Size, "error", refusal)
		}
	} else {
		if c.s.oversize.allow() {
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
	c.refusePython(refusal)
}
