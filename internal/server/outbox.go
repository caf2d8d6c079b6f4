package server

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"sync"
	"syscall"

	"multiproc/internal/budget"
	"multiproc/internal/endpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/registry"
)

// outbox writes frames to a connection for any number of goroutines, none of
// which ever waits for the peer: what the socket does not take at once is
// written by a goroutine of the outbox's own. A client that does not read
// harms nobody but itself: it is not read from either until it has.
type outbox struct {
	conn net.Conn
	try  endpoint.TryWriter // nil where only blocking writes exist, as under TLS
	most int                // the longest frame

	mu      sync.Mutex
	buf     []byte // frames that are not written yet
	corked  bool   // the reader carries out a batch of requests and flushes at its end
	writing int    // bytes that the goroutine is at work on; 0: there is none
	begun   bool   // the header of the next frame has begun, see announce
	err     error  // of the connection; nothing more is written
	idle    sync.Cond
	memory  outMemory
}

const (
	// keepOut is how large a buffer an idle outbox keeps.
	keepOut = 4 << 10
	// flushOut is how much a batch gathers before it is written.
	flushOut = 64 << 10
	// maxOut is how much may wait for a client before it is not read from any
	// more, and its watches are overrun.
	maxOut = 4 << 20
)

func newOutbox(c net.Conn) *outbox {
	o := &outbox{conn: c, most: math.MaxInt32}
	o.idle.L = &o.mu
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			o.try = endpoint.NewTryWriter(raw)
		}
	}
	return o
}

// send sends a frame: encode appends its payload. It reports whether the
// connection is sound so far; a frame that waits to be written may be lost all
// the same. An error of encode leaves nothing behind.
func (o *outbox) send(encode func(dst []byte) ([]byte, error)) (sound bool, err error) {
	return o.sendSized(0, encode)
}

// sendSized is send for a frame of about size bytes, whose memory is charged
// first. If that is refused, the error wraps mperr.ErrLimit.
func (o *outbox) sendSized(size int, encode func(dst []byte) ([]byte, error)) (sound bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false, nil
	}
	if err := o.memory.reserve(o.buf, size); err != nil {
		return true, err
	}
	defer func() { o.memory.settle(o.buf) }()
	start := len(o.buf)
	header := append(o.buf, 0, 0, 0, 0)
	if o.begun {
		header = append(header, 0, 0, 0, 0)
	}
	first := len(header)
	b, err := encodeSafely(header, encode)
	if err != nil {
		o.buf = o.buf[:start]
		return true, err
	}
	n := len(b) - first
	if n > o.most {
		o.buf = o.buf[:start]
		return true, errFrameTooLong
	}
	if o.begun {
		binary.BigEndian.PutUint64(b[start:], uint64(n))
	} else {
		binary.BigEndian.PutUint32(b[start:], uint32(n))
	}
	o.buf, o.begun = b, false
	if !o.corked || len(o.buf) > flushOut {
		o.flush()
	}
	return o.err == nil, nil
}

// encodeSafely is encode, of which a panic is an error: an answer is made
// with the mutexes of others held.
func encodeSafely(dst []byte, encode func([]byte) ([]byte, error)) (b []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = registry.Panicked("the encoding of an answer", v) // logged by who is told
		}
	}()
	return encode(dst)
}

// announce sends the first four bytes of a frame whose length will be written in
// eight: whatever is sent next completes it.
func (o *outbox) announce() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && !o.begun {
		o.begun = true
		o.buf = append(o.buf, 0xff, 0xff, 0xff, 0xff)
		o.flush()
	}
}

// announced reports whether the next frame has begun.
func (o *outbox) announced() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.begun
}

// forget takes an announcement for read: the next frame begins anew.
func (o *outbox) forget() {
	o.mu.Lock()
	o.begun = false
	o.mu.Unlock()
}

// cork makes frames gather until uncork.
func (o *outbox) cork() {
	o.mu.Lock()
	o.corked = true
	o.mu.Unlock()
}

// uncork writes what has gathered.
func (o *outbox) uncork() {
	o.mu.Lock()
	o.corked = false
	o.flush()
	o.memory.settle(o.buf)
	o.mu.Unlock()
}

// flush is called with mu held.
func (o *outbox) flush() {
	if o.writing > 0 || o.err != nil || len(o.buf) == 0 {
		return
	}
	if o.try != nil {
		n, err := o.try(o.buf)
		if err != nil {
			o.fail(err)
			return
		}
		if n == len(o.buf) {
			o.reset(o.buf)
			return
		}
		o.buf = append(o.buf[:0], o.buf[n:]...)
	}
	o.writing = len(o.buf)
	go o.drain()
}

// reset empties the buffer, and gives a large one back.
func (o *outbox) reset(b []byte) {
	if cap(b) > keepOut {
		b = nil
	}
	o.buf = b[:0]
}

// drain writes until nothing is left.
func (o *outbox) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > 0 && o.err == nil {
		b := o.buf
		o.buf, o.writing, o.memory.flight = nil, len(b), cap(b)
		o.mu.Unlock()
		_, err := o.conn.Write(b)
		o.mu.Lock()
		if err != nil {
			o.fail(err)
		} else if o.buf == nil {
			o.reset(b)
		}
		o.memory.flight = 0
		o.memory.settle(o.buf)
	}
	o.writing = 0
	o.idle.Broadcast()
}

// fail is called with mu held. Closing the connection ends its reader.
func (o *outbox) fail(err error) {
	o.err, o.buf = err, nil
	o.memory.settle(o.buf)
	_ = o.conn.Close()
	o.idle.Broadcast()
}

// full reports whether so much waits to be written that the client must not
// be sent what it did not ask for.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writing+len(o.buf) > o.memory.backlog(maxOut) || o.err != nil
}

// wait returns when less than limit bytes wait to be written, or the
// connection is broken.
func (o *outbox) wait(limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && o.writing+len(o.buf) > o.memory.backlog(limit) {
		if o.writing == 0 {
			o.flush()
			continue
		}
		o.idle.Wait()
	}
}

// sound reports whether no write has failed.
func (o *outbox) sound() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil
}

var errFrameTooLong = fmt.Errorf("the answer is longer than 2 GiB, the limit of a message: ask for it in parts: %w", mperr.ErrTooLarge)

// outMemory is what an outbox has charged for its buffers. The outbox's mutex
// guards it.
type outMemory struct {
	share   *budget.Share // nil: nothing is charged
	charged int
	flight  int  // the size of the buffer that is being written
	short   bool // a charge was refused since the outbox was last empty
}

// reserve charges what a frame of about size bytes will take behind what is in
// buf. A buffer grows by copying, so that both are there for a moment.
func (m *outMemory) reserve(buf []byte, size int) error {
	if size <= cap(buf)-len(buf) || len(buf)+size <= keepOut {
		return nil
	}
	most := 2*size + len(buf)
	if err := m.share.Take(most); err != nil {
		m.short = true
		return err
	}
	m.charged += most
	return nil
}

// settle makes the charge what the buffers are.
func (m *outMemory) settle(buf []byte) {
	size := m.flight
	if cap(buf) > keepOut {
		size += cap(buf)
	}
	if size == 0 {
		m.short = false
	}
	switch {
	case size > m.charged:
		m.share.Force(size - m.charged)
	case size < m.charged:
		m.share.Give(m.charged - size)
	}
	m.charged = size
}

// backlog is how much may wait for the client before it is not read from:
// little if there is no memory for more. What is sent then are errors.
func (m *outMemory) backlog(limit int) int {
	if m.short {
		return min(limit, flushOut)
	}
	return limit
}
