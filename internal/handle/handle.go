// Package handle brings a shared object's descriptor to a process that has no
// socket in common with the one that holds it.
//
// An object that is put into a queue may be taken out by any process of the
// family, at a time when the one that put it there is long gone. So whoever
// encodes a handle deposits the descriptor with the family's root, which
// outlives everybody, and puts only the object's id into the message; whoever
// decodes it redeems the deposit. Each deposit is one ticket: the root drops
// its descriptor with the last one.
//
// A message that is never taken leaves its tickets with the root until the
// family ends; the object lives as long. That is the price for nothing being
// lost when the sender dies.
package handle

import (
	"fmt"
	"sync"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/wire"
)

// Broker deposits and redeems descriptors. Implementations are safe for
// concurrent use.
type Broker interface {
	// Offer deposits one ticket for the object. It takes fd over.
	Offer(id shm.ID, fd int) error
	// Fetch redeems one ticket. The descriptor is the caller's.
	Fetch(id shm.ID) (fd int, err error)
	// Connect makes a connection to the root for a child of the caller's:
	// the end that the child inherits.
	Connect() (*fdpass.Conn, error)
}

// Root is the broker of a family's first process.
type Root struct {
	// Nested is called when a process that is not the root is about to start
	// another one, and before it may; Ended when a process has closed its
	// connection, which it mostly does by ending. Both may be nil. They are set
	// before the root serves anybody, and do not block.
	Nested, Ended func()

	mu      sync.Mutex
	objects map[shm.ID]*deposit
}

type deposit struct {
	fd      int
	tickets int
}

// NewRoot returns a root that holds nothing.
func NewRoot() *Root { return &Root{objects: map[shm.ID]*deposit{}} }

// Offer deposits one ticket.
func (r *Root) Offer(id shm.ID, fd int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.objects[id]; d != nil {
		d.tickets++
		shm.CloseFD(fd)
		return nil
	}
	r.objects[id] = &deposit{fd: fd, tickets: 1}
	return nil
}

// Fetch redeems one ticket.
func (r *Root) Fetch(id shm.ID) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.objects[id]
	if d == nil {
		return -1, fmt.Errorf("object %s: %w", id, mperr.ErrNoHandle)
	}
	if d.tickets == 1 {
		delete(r.objects, id)
		return d.fd, nil
	}
	fd, err := shm.DupFD(d.fd)
	if err != nil {
		return -1, err
	}
	d.tickets--
	return fd, nil
}

// Len is how many objects the root holds on behalf of messages under way.
func (r *Root) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.objects)
}

// Connect makes a connection that this root serves until its other end is
// closed.
func (r *Root) Connect() (*fdpass.Conn, error) {
	ours, theirs, err := fdpass.Pair()
	if err != nil {
		return nil, err
	}
	go r.Serve(ours)
	return theirs, nil
}

// Serve answers one process until it closes its end or sends what is no
// message; it closes conn.
func (r *Root) Serve(conn *fdpass.Conn) {
	defer func() {
		_ = conn.Close()
		call(r.Ended)
	}()
	for {
		payload, fds, err := conn.ReadFrame()
		if err != nil {
			return
		}
		reply, out := r.answer(payload, fds)
		if reply == nil {
			return
		}
		err = conn.WriteFrame(wire.Append(nil, reply), out)
		closeAll(out)
		if err != nil {
			return
		}
	}
}

// answer handles one request. It takes fds over. A nil reply ends the
// conversation.
func (r *Root) answer(payload []byte, fds []int) (reply wire.Message, out []int) {
	m, err := wire.Decode(payload)
	if err != nil {
		closeAll(fds)
		return nil, nil
	}
	switch m := m.(type) {
	case *wire.Offer:
		if len(fds) == 1 {
			_ = r.Offer(m.ID, fds[0]) // never fails
			return &wire.Ack{}, nil
		}
	case *wire.Fetch:
		closeAll(fds)
		fd, err := r.Fetch(m.ID)
		if err != nil {
			return &wire.Fetched{ID: m.ID}, nil
		}
		return &wire.Fetched{ID: m.ID, Found: true}, []int{fd}
	case *wire.Adopt:
		call(r.Nested)
		if len(fds) == 1 {
			if conn, err := fdpass.FromFD(fds[0]); err == nil {
				go r.Serve(conn)
				return &wire.Ack{}, nil
			}
		}
	}
	closeAll(fds)
	return nil, nil
}

func call(f func()) {
	if f != nil {
		f()
	}
}

func closeAll(fds []int) {
	for _, fd := range fds {
		shm.CloseFD(fd)
	}
}

// Client is the broker of every other process: it asks the root over the
// connection that the process inherited.
type Client struct {
	mu   sync.Mutex // one question at a time
	conn *fdpass.Conn
}

// NewClient takes the inherited connection over.
func NewClient(conn *fdpass.Conn) *Client { return &Client{conn: conn} }

// Offer deposits one ticket, and returns when the root has it: the message
// with the id must not arrive anywhere before.
func (c *Client) Offer(id shm.ID, fd int) error {
	defer shm.CloseFD(fd)
	_, _, err := c.ask(&wire.Offer{ID: id}, []int{fd})
	return err
}

// Fetch redeems one ticket.
func (c *Client) Fetch(id shm.ID) (int, error) {
	m, fds, err := c.ask(&wire.Fetch{ID: id}, nil)
	if err != nil {
		return -1, err
	}
	if f, ok := m.(*wire.Fetched); ok && f.Found && len(fds) == 1 {
		return fds[0], nil
	}
	closeAll(fds)
	return -1, fmt.Errorf("object %s: %w", id, mperr.ErrNoHandle)
}

// Connect makes a connection to the root for a child of this process.
func (c *Client) Connect() (*fdpass.Conn, error) {
	theirs, root, err := fdpass.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	if _, _, err := c.ask(&wire.Adopt{}, []int{root.FD()}); err != nil {
		_ = theirs.Close()
		return nil, err
	}
	return theirs, nil
}

func (c *Client) ask(m wire.Message, fds []int) (wire.Message, []int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.WriteFrame(wire.Append(nil, m), fds); err != nil {
		return nil, nil, fmt.Errorf("ask the family's root: %w", err)
	}
	payload, out, err := c.conn.ReadFrame()
	if err != nil {
		return nil, nil, fmt.Errorf("ask the family's root: %w", err)
	}
	reply, err := wire.Decode(payload)
	if err != nil {
		closeAll(out)
		return nil, nil, err
	}
	return reply, out, nil
}
