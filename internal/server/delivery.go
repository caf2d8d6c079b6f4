package server

import (
	"net"
	"sync"
	"syscall"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
)

// delivery is what a session sends to its client, over one connection after the
// other. Any number of goroutines send, and none of them ever waits for the
// client: see outbox, which is the same for Python's connections.
type delivery struct {
	keeps    *budget.Share // charged for what is kept
	overflow func()        // called when that is too much for a client that is away, without waiting

	mu      sync.Mutex
	in      endpoint.Inbox     // what has come from the client
	from    *conn              // whose frames are the session's
	coming  bool               // from is not attached yet, but is about to be
	ledger  endpoint.Ledger    // what is sent
	conn    net.Conn           // nil: the client is away
	try     endpoint.TryWriter // of conn; nil where only blocking writes exist
	corked  bool               // the reader carries out a batch of requests and flushes at its end
	writing int                // bytes that a goroutine is at work on; 0: there is none
	charged int                // of what is kept
	lost    uint64             // frames up to this one are not kept, though they may not have come
	over    bool               // nothing more is sent
	idle    sync.Cond
	memory  outMemory // of what waits to be written
}

const (
	// maxKept is how many bytes are kept that the client has not said to have,
	// besides the last chunk. A client says so every 64 KiB.
	maxKept = 16 << 20
	// chargeStep is in what steps that is charged.
	chargeStep = 64 << 10
)

// send sends a frame: encode appends its payload. It reports whether the session
// goes on so far: the client gets the frame when it is there again, if it comes
// in time. An error of encode leaves nothing behind.
func (o *delivery) send(encode func(dst []byte) ([]byte, error)) (sound bool, err error) {
	return o.sendSized(0, encode)
}

// sendSized is send for a frame of about size bytes, whose memory is charged
// first. If that is refused, the error wraps mperr.ErrLimit.
func (o *delivery) sendSized(size int, encode func(dst []byte) ([]byte, error)) (sound bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return false, nil
	}
	if err := o.memory.reserve(o.ledger.Buf, size); err != nil {
		return true, err
	}
	defer func() { o.memory.settle(o.ledger.Buf) }()
	start := len(o.ledger.Buf)
	b, err := encodeSafely(frames.Begin(o.ledger.Buf), encode)
	if err != nil {
		return true, err
	}
	if int64(len(b)-start) > 1<<31-1 {
		return true, errFrameTooLong
	}
	o.ledger.Add(b, start, o.in.Got)
	if o.conn == nil {
		if o.charge(); len(b) > maxKept {
			o.overflow()
		}
		return true, nil
	}
	if !o.corked || len(b) > flushOut {
		o.flush()
	}
	return true, nil
}

// nod tells the client what has come, and that the server lives.
func (o *delivery) nod() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == nil || o.over {
		return
	}
	o.ledger.Nod(o.in.Got)
	o.flush()
}

// bye tells the client that its session ends.
func (o *delivery) bye(reason string) {
	_, _ = o.send(func(dst []byte) ([]byte, error) { return frames.AppendBye(dst, toUTF8(reason)), nil })
	o.uncork()
}

// admit reports whether a frame is the session's next one. What is sent from
// here on gathers until uncork. An error says that the connection is of no more
// use; one that is fatal, nor the session.
func (o *delivery) admit(c *conn, h *frames.Head) (fresh bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from != c {
		return false, net.ErrClosed
	}
	o.corked = true
	if _, err := o.ledger.Came(frames.Extend(o.ledger.Acked, h.Got)); err != nil {
		return false, fatal{err}
	}
	o.charge()
	if h.Size == 0 {
		o.ledger.Nod(o.in.Got)
		return false, nil
	}
	return o.in.Admit(h.Number)
}

// atWork reports whether a reader carries out what has come, and how much has
// come to it.
func (o *delivery) atWork() (got uint64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.in.Got, o.corked
}

// uncork writes what has gathered.
func (o *delivery) uncork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = false
	o.flush()
}

// flush is called with mu held.
func (o *delivery) flush() {
	if o.writing > 0 || o.conn == nil || o.over || len(o.ledger.Buf) == 0 {
		return
	}
	b, last := o.ledger.Take()
	o.memory.settle(o.ledger.Buf)
	o.limit()
	n := 0
	if o.try != nil {
		var err error
		if n, err = o.try(b); err != nil {
			o.fail(o.conn)
			return
		}
		if n == len(b) {
			o.ledger.Wrote(b, last)
			return
		}
	}
	o.writing = len(b) - n
	go o.drain(o.conn, b, n, last)
}

// drain writes a chunk from the n-th byte on, and then until nothing is left.
func (o *delivery) drain(conn net.Conn, b []byte, n int, last uint64) {
	for {
		_, err := conn.Write(b[n:])
		o.mu.Lock()
		if o.conn != conn {
			o.mu.Unlock()
			return
		}
		if err != nil {
			o.fail(conn)
			o.mu.Unlock()
			return
		}
		o.ledger.Wrote(b, last)
		if len(o.ledger.Buf) == 0 || o.over {
			o.writing = 0
			o.idle.Broadcast()
			o.mu.Unlock()
			return
		}
		b, last = o.ledger.Take()
		o.memory.settle(o.ledger.Buf)
		o.limit()
		n, o.writing = 0, len(b)
		o.mu.Unlock()
	}
}

// limit forgets the oldest of what is kept, if that is too much: its client says
// nothing of what has come. It cannot resume the session then. It is called with
// mu held.
func (o *delivery) limit() {
	o.forget(maxKept)
	o.charge()
}

// forget forgets the oldest of what is kept until no more than so many bytes are
// left, or only the last chunk. It is called with mu held.
func (o *delivery) forget(most int) {
	o.lost = max(o.lost, o.ledger.Forget(most))
}

// charge charges what is kept, and what waits for a client that is away. It is
// called with mu held.
func (o *delivery) charge() {
	n := o.ledger.Bytes
	if o.conn == nil {
		n += len(o.ledger.Buf)
	}
	n = n / chargeStep * chargeStep
	switch {
	case n < o.charged:
		o.keeps.Give(o.charged - n)
	case n > o.charged && o.keeps.Take(n-o.charged) != nil:
		had := o.ledger.Bytes
		o.forget(0) // as much as is allowed
		n = max(o.charged, n-had+o.ledger.Bytes)
		o.keeps.Force(n - o.charged)
	}
	o.charged = n
}

// fail gives a connection up that cannot be written to. Its reader ends by the
// deadline, if not before: what the client has written may still be there to
// read. It is called with mu held.
func (o *delivery) fail(conn net.Conn) {
	o.detachLocked()
	_ = conn.SetReadDeadline(time.Now().Add(lastWords))
}

// expect lets frames gather until a connection is attached, whose frames are the
// session's from here on.
func (o *delivery) expect(next *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.from = next
	o.detachLocked()
	o.coming = true
}

// detach lets frames gather until the client is there again, unless it already
// is, over another connection than c.
func (o *delivery) detach(c *conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.from == c {
		o.detachLocked()
	}
}

// come is how many frames have come.
func (o *delivery) come() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.in.Got
}

func (o *delivery) detachLocked() {
	o.conn, o.try, o.writing, o.coming = nil, nil, 0, false
	o.idle.Broadcast()
}

// resumable takes note of how many frames have come to a client that wants to
// resume its session. It reports whether the others are still there.
func (o *delivery) resumable(came uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || came < o.lost || came < o.ledger.Acked {
		return false
	}
	_, err := o.ledger.Came(came)
	o.charge()
	return err == nil
}

// attach sends over a connection from here on, and first what was sent before
// and has not come.
func (o *delivery) attach(conn net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	o.conn, o.try, o.coming = conn, nil, false
	o.idle.Broadcast()
	if s, ok := conn.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			o.try = endpoint.NewTryWriter(raw)
		}
	}
	again := net.Buffers(o.ledger.Again())
	if len(again) == 0 {
		o.flush()
		return
	}
	for _, b := range again {
		o.writing += len(b)
	}
	go func() {
		_, err := again.WriteTo(conn)
		o.mu.Lock()
		defer o.mu.Unlock()
		switch {
		case o.conn != conn:
		case err != nil:
			o.fail(conn)
		default:
			o.writing = 0
			o.flush()
			o.idle.Broadcast()
		}
	}()
}

// end ends the session for good: what waits to be sent is dropped.
func (o *delivery) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	o.detachLocked()
	o.ledger.Reset()
	o.charge()
	o.memory.settle(nil)
}

// full reports whether so much waits to be written that the client must not
// be sent what it did not ask for.
func (o *delivery) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writing+len(o.ledger.Buf) > o.memory.backlog(maxOut) || o.over
}

// wait returns when less than limit bytes wait to be written to a connection, or
// it is not the session's, or not any more.
func (o *delivery) wait(c *conn, limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.from == c && (o.coming || o.conn != nil) && !o.over && o.writing+len(o.ledger.Buf) > o.memory.backlog(limit) {
		if o.conn != nil && o.writing == 0 {
			o.flush()
			continue
		}
		o.idle.Wait()
	}
}
