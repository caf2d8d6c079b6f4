package pymp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
)

// channel is one authenticated connection. One request is under way on it at a
// time; its user owns it meanwhile.
type channel struct {
	c *pyconn.Conn
}

// errNotSent is wrapped by errors of exchange after which the peer cannot have
// got the whole request, so that it may be sent again on another channel.
var errNotSent = errors.New("the request was not sent")

// errNoAnswer is the loss of a request that changes nothing at the server.
var errNoAnswer = errors.New("the server did not answer")

// exchange sends a frame, which begins with room for its header, and waits for
// the reply. After an error the channel must be closed, and also if it reports
// that ctx ended just after the reply.
//
// Once the request is out, an error wraps lost, which is mperr.ErrUnknownFate
// unless the request changes nothing.
func (ch *channel) exchange(ctx context.Context, frame []byte, limit int, lost error) (reply []byte, usable bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, true, context.Cause(ctx) // nothing was sent, and nothing was broken
	}
	stop := ch.c.Interrupt(ctx)
	err = ch.c.WriteReserved(frame)
	if err != nil {
		stop()
		return nil, false, because(ctx, errNotSent, err)
	}
	reply, err = ch.c.TakeFrame(limit)
	usable = stop()
	switch {
	case err == nil:
		return reply, usable, nil
	case errors.Is(err, mperr.ErrTooLarge):
		return nil, false, fmt.Errorf("the call was carried out, and the reply is over the limit, which pymp.MaxFrame raises: %w", err)
	}
	return nil, false, because(ctx, lost, err)
}

// because joins what an error means with its cause: the context's, if that is
// what ended the operation.
func because(ctx context.Context, meaning, err error) error {
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", meaning, err)
}

// connect dials the server and authenticates both ends.
func (m *Manager) connect(ctx context.Context) (*channel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.o.handshake,
		fmt.Errorf("no connection and handshake within %v: %w", m.o.handshake, context.DeadlineExceeded))
	defer cancel()
	c, err := handshake(ctx, m.addr, m.key)
	if err != nil {
		return nil, err
	}
	m.met(c.NetConn().RemoteAddr())
	return &channel{c: c}, nil
}

// handshake dials an address and does a client's handshake, if there is a key.
func handshake(ctx context.Context, a address, key []byte) (*pyconn.Conn, error) {
	socket, err := a.dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("dial %s: %w", a, err)
	}
	c := pyconn.New(socket)
	if key == nil {
		return c, nil
	}
	stop := c.Interrupt(ctx)
	err = pyconn.ClientHandshake(c, key)
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("handshake with %s: %w", a, err)
	}
	return c, nil
}

// open makes a fresh channel for calls: the server starts a thread for it.
func (m *Manager) open(ctx context.Context) (*channel, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.o.handshake,
		fmt.Errorf("no channel within %v: %w", m.o.handshake, context.DeadlineExceeded))
	defer cancel()
	ch, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	name := "go-" + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(m.channels.Add(1), 10)
	frame, err := new(message).request(nil, "accept_connection", pyvalue.Tuple{name}, &pyvalue.Dict{})
	if err != nil {
		return nil, err
	}
	reply, usable, err := ch.exchange(ctx, frame, m.o.maxFrame, errNoAnswer)
	if err == nil && !usable {
		err = context.Cause(ctx)
	}
	if err == nil {
		_, err = (&message{ctx: ctx, m: m}).answer(reply, origin{method: "accept_connection"})
	}
	if err != nil {
		_ = ch.c.Close()
		return nil, fmt.Errorf("open a channel to %s: %w", m.addr, err)
	}
	return ch, nil
}

// take returns a channel that nobody uses: an idle one that still stands, or a
// fresh one. Idle ones of a server that has gone are found out here, so that
// the first call after its return succeeds.
func (m *Manager) take(ctx context.Context) (*channel, error) {
	for {
		ch, err := m.idleChannel()
		if err != nil {
			return nil, err
		}
		if ch == nil {
			if ch, err = m.open(ctx); err != nil {
				return nil, err
			}
			return ch, m.use(ch)
		}
		if ch.c.Alive() {
			return ch, m.use(ch)
		}
		_ = ch.c.Close()
	}
}

// idleChannel takes the channel that was used last: so the others may be given
// up in the end. Nil: there is none.
func (m *Manager) idleChannel() (*channel, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, m.closedError()
	}
	n := len(m.idle)
	if n == 0 {
		return nil, nil
	}
	ch := m.idle[n-1]
	m.idle = m.idle[:n-1]
	return ch, nil
}

// use notes that a channel is in use, for Close to find it.
func (m *Manager) use(ch *channel) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		_ = ch.c.Close()
		return m.closedError()
	}
	m.busy[ch] = struct{}{}
	return nil
}

// give returns a channel after use.
func (m *Manager) give(ch *channel, usable bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.busy, ch)
	if usable && !m.closed && len(m.idle) < m.o.maxIdle {
		m.idle = append(m.idle, ch)
		return
	}
	_ = ch.c.Close()
}

// call sends a request on some channel and returns the reply's bytes. A request
// that no server can have got is sent once more, on a fresh channel.
func (m *Manager) call(ctx context.Context, frame []byte) ([]byte, error) {
	for again := false; ; again = true {
		ch, err := m.take(ctx)
		if err != nil {
			return nil, err
		}
		reply, usable, err := ch.exchange(ctx, frame, m.o.maxFrame, mperr.ErrUnknownFate)
		m.give(ch, usable)
		if again || ctx.Err() != nil || !errors.Is(err, errNotSent) {
			return reply, m.explain(err)
		}
	}
}
