package fdbroker

import (
	"context"
	"errors"
	"syscall"

	"multiproc/internal/fdpass"
	"multiproc/internal/table"
	"multiproc/internal/wire"
)

// serve answers one process until it closes its end or sends what is no
// message; it closes conn.
func (r *Root) serve(conn *fdpass.Conn, m *member) {
	defer func() { _ = conn.Close() }()
	for {
		payload, fds, err := conn.ReadFrame()
		lost := errors.Is(err, fdpass.ErrLost)
		if err != nil && !lost {
			return
		}
		request, err := wire.Decode(payload)
		if err != nil {
			closeAll(fds)
			return
		}
		if lost {
			err = r.refuse(conn, request)
		} else {
			err = r.answer(conn, m, request, fds)
		}
		if err != nil {
			return
		}
	}
}

// errNoRequest ends the conversation.
var errNoRequest = errors.New("what was sent is no request")

// errShort is the error of requests whose descriptors were lost on arrival, or
// would leave too few for the program.
var errShort = errors.New("the first process of the family, which keeps what is under way, may not open more descriptors; take out what lies in queues and pipes, close handles there, or raise its limit (ulimit -n)")

// refuse answers a request whose descriptors were lost on arrival.
func (r *Root) refuse(conn *fdpass.Conn, request wire.Message) error {
	switch q := request.(type) {
	case *wire.Offer:
		return acknowledge(conn, q.Request, errShort)
	case *wire.Adopt:
		return acknowledge(conn, q.Request, errShort)
	}
	return errNoRequest
}

// answer handles one request. It takes fds over.
func (r *Root) answer(conn *fdpass.Conn, m *member, request wire.Message, fds []int) error {
	ctx := context.Background()
	switch q := request.(type) {
	case *wire.Offer:
		if len(fds) == len(q.Handles) && len(fds) > 0 {
			if !fdpass.Roomy(fds) {
				closeAll(fds)
				return acknowledge(conn, q.Request, errShort)
			}
			err := r.offer(ctx, m, Parcel{ID: q.Parcel, To: q.To, Entries: q.Handles, FDs: fds})
			return acknowledge(conn, q.Request, err)
		}
	case *wire.Adopt:
		call(r.Nested)
		if len(fds) == 1 {
			if !fdpass.Roomy(fds) {
				closeAll(fds)
				return acknowledge(conn, q.Request, errShort)
			}
			theirs, err := fdpass.FromFD(fds[0])
			if err == nil {
				r.adopt(theirs, table.Ref{Slot: q.Slot, Gen: q.Gen})
				return acknowledge(conn, q.Request, nil)
			}
		}
	case *wire.Fetch:
		if len(fds) == 0 {
			return r.lend(ctx, conn, m, q)
		}
	case *wire.Settle:
		if len(fds) == 0 {
			return r.settled(m, q)
		}
	case *wire.Hold:
		if len(fds) == 0 {
			r.Hold(table.Ref{Slot: q.Slot, Gen: q.Gen}, q.Carrier, int(q.Delta))
			return nil
		}
	case *wire.Reaped:
		if len(fds) == 0 {
			r.reaped(m, table.Ref{Slot: q.Slot, Gen: q.Gen}, q.Parcel)
			return nil
		}
	}
	closeAll(fds)
	return errNoRequest
}

func (r *Root) lend(ctx context.Context, conn *fdpass.Conn, m *member, q *wire.Fetch) error {
	p, done, err := r.fetch(ctx, m, q.Parcel)
	reply := &wire.Fetched{Request: q.Request, Parcel: q.Parcel}
	if err != nil {
		if !errors.Is(err, ErrRevoked) {
			reply.Error, reply.Errno = told(err)
		}
		return conn.WriteFrame(wire.Append(nil, reply), nil)
	}
	defer done()
	reply.Found, reply.Handles = true, p.Entries
	err = conn.WriteFrame(wire.Append(nil, reply), p.FDs)
	if errors.Is(err, syscall.EPIPE) || err == nil {
		return err
	}
	// The kernel refused the descriptors: too many are under way.
	r.settle(m, q.Parcel, false, nil, all)
	reply.Found, reply.Handles = false, nil
	reply.Error, reply.Errno = told(err)
	return conn.WriteFrame(wire.Append(nil, reply), nil)
}

func (r *Root) settled(m *member, q *wire.Settle) error {
	switch q.What {
	case wire.Committed:
		r.commit(m, q.Parcel)
	case wire.Revoked:
		r.revoke(m, q.Parcel)
	case wire.Taken:
		r.settle(m, q.Parcel, true, q.Unused, all)
	case wire.Returned:
		r.settle(m, q.Parcel, false, nil, all)
	default:
		return errNoRequest
	}
	return nil
}

func acknowledge(conn *fdpass.Conn, request uint32, err error) error {
	reply := &wire.Ack{Request: request}
	if err != nil {
		reply.Error, reply.Errno = told(err)
	}
	return conn.WriteFrame(wire.Append(nil, reply), nil)
}

// told is an error as it travels.
func told(err error) (text string, number uint32) {
	var errno syscall.Errno
	if errors.Is(err, errShort) {
		errno = syscall.EMFILE
	} else {
		_ = errors.As(err, &errno)
	}
	return err.Error(), uint32(errno)
}
