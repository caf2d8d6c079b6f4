package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// link is a session with a server, over one connection after the other. Any
// number of calls are under way on it at once.
//
// Writing. Calls append their frames to out. Who finds that nobody writes
// writes all that is there; the others go on, and their frames leave with the
// writer's next write. No caller waits for the server to read: what the socket
// does not take at once is written by a goroutine, and the caller is free to
// give up. If too much waits to be written, a caller who has more waits before he
// calls.
//
// Reading. Who has sent a call and finds that nobody reads reads himself,
// until his own answer is there, and on the way hands out those of others: a
// single caller pays for no switch between goroutines. If calls are left when
// he goes, the pump reads for them. The pump also reads once nothing was
// called for a while, so that the end of the connection is noticed before the
// next call and not by it.
//
// Losing the connection. What was sent is kept until the server has said that
// it came, and is sent again on the next connection, with what the server has
// kept of its answers. Calls under way do not notice; new ones wait. When the
// server has forgotten the session, or cannot be reached for as long as it keeps
// one, the link is broken: calls under way are of unknown fate.
type link struct {
	m       *Manager // whose session it is; it makes the next connection
	session frames.SessionID
	store   [frames.IdentitySize]byte // which store the server has
	frame   int                       // the longest payload that the server accepts
	grace   time.Duration             // how long the session outlives a connection
	direct  bool                      // nothing is between us and the server: what the socket has taken it will read

	wake chan struct{} // to the pump: somebody waits and nobody reads
	gone chan struct{} // closed when the link is broken

	broken atomic.Bool // err is set

	mu      sync.Mutex
	err     error // why nothing more can be sent
	on      *wire // nil: the connection was lost, and there is no new one yet
	seq     uint64
	calls   map[uint64]*request // sent and not answered
	begun   uint64              // calls so far, for the pump
	empty   chan struct{}       // closed when calls is; nil until drain
	drained bool                // empty is closed

	out     endpoint.Ledger
	given   uint64    // the last frame of which a socket may have taken all
	sent    uint64    // the last frame of which a socket has taken all
	written sync.Cond // sent has grown, or on or err has changed
	crowd   bool      // several answers came at once the last time

	in   endpoint.Inbox
	owed int // bytes that have come since the server was told what has

	watchdog watchdog
}

// errNotSent is how a call ends of which the server cannot have seen all: it
// is safe to send it again.
var errNotSent = errors.New("the call was not sent")

func newLink(m *Manager, w *wire) *link {
	l := &link{
		m: m, on: w, calls: map[uint64]*request{},
		wake: make(chan struct{}, 1), gone: make(chan struct{}),
	}
	l.written.L = &l.mu
	return l
}

// call sends r and returns when its fate is known: r.reply is set, or the
// error says that nothing happened, or that it wraps ErrUnknownFate.
func (l *link) call(ctx context.Context, r *request) error {
	l.mu.Lock()
	err := l.awaitRoom(ctx, r)
	if err == nil {
		err = l.enqueue(r, timeoutOf(ctx))
	}
	if err != nil {
		l.mu.Unlock()
		return err
	}
	l.answer(ctx, r)
	if r.stream != nil {
		return nil
	}
	if r.reply.taken && r.reply.err == nil {
		return l.acknowledge(ctx, r)
	}
	return r.reply.err
}

// answer writes what r has put into out, and returns when r is answered. It is
// called with mu held, and gives it up.
func (l *link) answer(ctx context.Context, r *request) {
	if len(l.calls) > 1 && l.on != nil && !l.on.reading {
		l.wakePump() // the answers to others must not pile up while this one is written
	}
	l.flush()
	w := l.on
	lead := w != nil && !w.reading && r.stream == nil
	if lead {
		w.reading = true
	}
	l.mu.Unlock()
	switch {
	case r.stream != nil:
	case lead:
		l.lead(ctx, w, r)
	default:
		l.follow(ctx, r)
	}
}

// timeoutOf is how many milliseconds ctx leaves.
func timeoutOf(ctx context.Context) int64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return frames.NoTimeout
	}
	return max(0, int64((time.Until(deadline)+time.Millisecond-1)/time.Millisecond))
}

// enqueue puts a call among those under way, and its frame into out. It is
// called with mu held.
func (l *link) enqueue(r *request, timeout int64) error {
	if l.err != nil {
		return errNotSent
	}
	if r.h != nil && r.h.closed.Load() {
		return mperr.ErrClosed // Close has seen the calls under way, and not this one
	}
	start := len(l.out.Buf)
	b := frames.AppendCall(frames.Begin(l.out.Buf), l.seq+1, r.id, r.method, timeout, r.n)
	b = append(b, r.args...)
	if n := len(b) - start - frames.HeaderSize; n > min(l.frame, math.MaxInt32-frames.HeaderSize) {
		return fmt.Errorf("the arguments take %d bytes, over the server's limit of %d: "+
			"manager.Limits.Frame, or mp serve --max-frame, raises it there: %w", n, l.frame, mperr.ErrTooLarge)
	}
	l.seq++
	r.seq = l.seq
	l.put(b, start)
	r.frame = l.out.Number
	l.calls[r.seq] = r
	l.begun++
	l.watchdog.begin(l)
	return nil
}

// cancel asks the server to give up a call because of cause, if it is still
// under way. The call returns when the server has answered; if that takes too
// long its fate is unknown.
func (l *link) cancel(seq uint64, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelLocked(seq, cause)
}

func (l *link) cancelLocked(seq uint64, cause error) {
	r := l.calls[seq]
	if r == nil || r.cause != nil || l.err != nil {
		return
	}
	r.cause = cause
	start := len(l.out.Buf)
	l.put(frames.AppendCancel(frames.Begin(l.out.Buf), seq), start)
	l.flushLater()
	if !r.stays {
		r.grace = time.AfterFunc(grace, func() { l.abandon(seq) })
	}
}

// flushLater is flush for those who must not write themselves: they may be the
// only ones to write, and the socket full. It is called with mu held.
func (l *link) flushLater() {
	if l.on == nil || l.on.writing {
		return
	}
	go func() {
		l.mu.Lock()
		l.flush()
		l.mu.Unlock()
	}()
}

// grace is how long a cancelled call waits for the server's word about it.
const grace = 2 * time.Second

// abandon ends a cancelled call whose answer does not come. Should it come
// later, what it brought is given back.
func (l *link) abandon(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.calls[seq]
	if r == nil {
		return
	}
	l.calls[seq] = &request{m: r.m, id: r.id, seq: seq, frame: r.frame, cause: r.cause, undo: r.undo, abandoned: true}
	r.reply = reply{err: fmt.Errorf("%w; the server does not answer: %w", r.cause, mperr.ErrUnknownFate)}
	r.finish()
	if l.on != nil {
		// The caller may be the one who reads. He looks whether his call is over
		// after each read, and after he has taken the deadline away: the other
		// order of these two would let him miss it.
		_ = l.on.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// cancelAll cancels the calls of a handle; nil: all calls.
func (l *link) cancelAll(h *handle, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq, r := range l.calls {
		if h == nil || r.h == h {
			l.cancelLocked(seq, cause)
		}
	}
}

// UnderWay is how many calls of m have no answer yet, for tests.
func UnderWay(m *Manager) int { return m.link.Load().count() }

func (l *link) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// drain returns when no call is under way any more, or ctx ends.
func (l *link) drain(ctx context.Context) {
	l.mu.Lock()
	l.empty = make(chan struct{})
	l.checkEmpty()
	l.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-l.gone:
	case <-l.empty:
	}
}

// checkEmpty is called with mu held, when calls has shrunk.
func (l *link) checkEmpty() {
	if l.empty != nil && !l.drained && len(l.calls) == 0 {
		l.drained = true
		close(l.empty)
	}
}

// leave tells the server that the session ends, if it can be told until ctx ends.
func (l *link) leave(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.on == nil {
		return
	}
	start := len(l.out.Buf)
	l.put(frames.AppendBye(frames.Begin(l.out.Buf), "closed"), start)
	l.flush()
	_ = l.awaitSent(ctx, 0, l.out.Number)
}

// fail ends the link.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(err)
}

// failLocked ends the link and all calls on it. Calls that did not get as far
// as the socket can be made again elsewhere.
func (l *link) failLocked(err error) {
	if l.err != nil {
		return
	}
	l.err = err
	l.broken.Store(true)
	close(l.gone)
	if l.on != nil {
		_ = l.on.conn.Close()
	}
	for seq, r := range l.calls {
		delete(l.calls, seq)
		r.kept = false
		switch {
		case r.frame > l.given:
			r.reply = reply{err: errNotSent}
		case r.cause != nil:
			r.reply = reply{err: fmt.Errorf("%w: %w", r.cause, unknownFate(err))}
		default:
			r.reply = reply{err: unknownFate(err)}
		}
		r.finish()
	}
	l.out.Reset()
	l.written.Broadcast()
}

func unknownFate(cause error) error {
	return fmt.Errorf("%w: %w", mperr.ErrUnknownFate, cause)
}
