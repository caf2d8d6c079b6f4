package fdbroker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/wire"
)

// Client is the broker of every other process: it asks the root over the
// connection that the process inherited.
//
// Frames leave in the order of the calls. Who finds the socket free writes
// himself; where it is full, because the root does not read, a goroutine
// writes, and nobody waits for it but those who want to know. One goroutine
// reads, from the first request on.
type Client struct {
	conn *fdpass.Conn

	mu      sync.Mutex
	last    uint32 // request number
	asked   map[uint32]request
	out     []*frame // not written yet
	writing bool     // somebody writes; he goes on until out is empty
	failed  error    // the connection is gone
	reading bool
}

// request is one that waits for its answer.
type request struct {
	answer chan answer // has room for it
}

type answer struct {
	m    wire.Message
	fds  []int
	lost bool // the descriptors beside it were
	err  error
}

// frame is something to be written. Its descriptors are its own.
type frame struct {
	payload []byte
	fds     []int
	written chan struct{} // closed when it is, or never will be; may be nil
}

// NewClient takes the inherited connection over.
func NewClient(conn *fdpass.Conn) *Client {
	return &Client{conn: conn, asked: map[uint32]request{}}
}

// send puts a frame into the row and writes what can be written.
func (c *Client) send(f *frame) {
	c.mu.Lock()
	if c.failed != nil {
		c.mu.Unlock()
		f.done()
		return
	}
	c.out = append(c.out, f)
	if c.writing {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	c.write(false)
}

func (f *frame) done() {
	closeAll(f.fds)
	if f.written != nil {
		close(f.written)
	}
}

// write writes what is in the row. Unless it may wait it leaves that to a
// goroutine.
func (c *Client) write(wait bool) {
	for {
		c.mu.Lock()
		if len(c.out) == 0 {
			c.writing, c.out = false, nil
			c.mu.Unlock()
			return
		}
		f := c.out[0]
		c.out = c.out[1:]
		c.mu.Unlock()
		var sent bool
		var err error
		if wait {
			err, sent = c.conn.WriteFrame(f.payload, f.fds), true
		} else {
			sent, err = c.conn.TryWriteFrame(f.payload, f.fds)
		}
		if !sent && err == nil {
			c.mu.Lock()
			c.out = append([]*frame{f}, c.out...)
			c.mu.Unlock()
			go c.write(true)
			return
		}
		if err != nil {
			c.refused(f, err)
		}
		f.done()
	}
}

// refused tells those who wait for the answer to a frame that the kernel did
// not take.
func (c *Client) refused(f *frame, err error) {
	if errors.Is(err, syscall.EPIPE) {
		c.fail(err)
		return
	}
	m, _ := wire.Decode(f.payload)
	var n uint32
	switch m := m.(type) {
	case *wire.Offer:
		n = m.Request
	case *wire.Adopt:
		n = m.Request
	default:
		c.fail(err) // a frame without descriptors: only a closed socket refuses it
		return
	}
	c.reply(n, answer{err: fmt.Errorf("ask the family's root: %w", err)})
}

// fail ends all requests, now and later.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.failed == nil {
		c.failed = fmt.Errorf("ask the family's root: %w", err)
	}
	for n, q := range c.asked {
		delete(c.asked, n)
		q.answer <- answer{err: c.failed}
	}
	c.mu.Unlock()
}

// reply brings an answer to the one who asked. It reports false if nobody
// waits for it.
func (c *Client) reply(n uint32, a answer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, ok := c.asked[n]
	if !ok {
		return false
	}
	delete(c.asked, n)
	q.answer <- a // with the lock held: who gives up finds it there
	return true
}

// read brings answers to those who asked.
func (c *Client) read() {
	for {
		payload, fds, err := c.conn.ReadFrame()
		lost := errors.Is(err, fdpass.ErrLost)
		if err != nil && !lost {
			c.fail(err)
			return
		}
		m, err := wire.Decode(payload)
		if err != nil {
			closeAll(fds)
			_ = c.conn.Close()
			c.fail(err)
			return
		}
		a := answer{m: m, fds: fds, lost: lost}
		var n uint32
		switch m := m.(type) {
		case *wire.Ack:
			n = m.Request
		case *wire.Fetched:
			n = m.Request
		}
		if c.reply(n, a) {
			continue
		}
		closeAll(fds)
		if f, ok := m.(*wire.Fetched); ok && f.Found {
			c.Returned(f.Parcel) // its asker has given up
		}
	}
}

// ask sends a request, which message makes for its number, and waits for the
// answer. It takes fds over.
func (c *Client) ask(ctx context.Context, fds []int, message func(n uint32) wire.Message) (answer, error) {
	q := request{answer: make(chan answer, 1)}
	c.mu.Lock()
	if err := c.failed; err != nil {
		c.mu.Unlock()
		closeAll(fds)
		return answer{}, err
	}
	c.last++
	n := c.last
	c.asked[n] = q
	if !c.reading {
		c.reading = true
		go c.read()
	}
	c.mu.Unlock()
	f := &frame{payload: wire.Append(nil, message(n)), fds: fds}
	c.send(f)
	select {
	case a := <-q.answer:
		return a, a.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	delete(c.asked, n)
	// What was not written yet need not be.
	for i, other := range c.out {
		if other == f {
			c.out = append(c.out[:i:i], c.out[i+1:]...)
			f.done()
			break
		}
	}
	defer c.mu.Unlock()
	select {
	case a := <-q.answer:
		return a, a.err // it came in the same moment
	default:
		return answer{}, mperr.Ended(ctx)
	}
}
