package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// wire is one connection of a link. What is not said to be otherwise is under
// the link's mutex.
type wire struct {
	conn net.Conn
	in   reader             // whoever reads has it
	try  endpoint.TryWriter // nil where only blocking writes exist, as under TLS

	reading bool // somebody reads
	writing bool // somebody writes
	unsent  int  // bytes that he is at work on
}

func newWire(c net.Conn) *wire {
	w := &wire{conn: c, in: reader{conn: c}}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			w.try = endpoint.NewTryWriter(raw)
		}
	}
	return w
}

// lose gives a connection up. The session goes on over the next one.
func (l *link) lose(w *wire, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loseLocked(w, err)
}

func (l *link) loseLocked(w *wire, err error) {
	if l.on != w || l.err != nil {
		return
	}
	if l.grace <= 0 {
		l.failLocked(err)
		return
	}
	l.on = nil
	_ = w.conn.Close()
	l.written.Broadcast()
	go l.resume(err)
}

// The pauses between attempts to connect again, and how long an attempt may
// take at first.
const (
	shortPause   = 5 * time.Millisecond
	longPause    = 500 * time.Millisecond
	firstAttempt = 2 * time.Second
)

// resume makes connections until the session goes on over one, or the server has
// forgotten it, by what it says or because of the time.
func (l *link) resume(cause error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), l.grace, errTooLong)
	defer cancel()
	go func() {
		select {
		case <-l.gone: // by Close, for example
			cancel()
		case <-ctx.Done():
		}
	}()
	l.resumeUntil(ctx, cause)
}

// resumeUntil is resume within ctx. When it returns the link is on a new
// connection or broken.
func (l *link) resumeUntil(ctx context.Context, cause error) {
	tooLate := func() { l.fail(fmt.Errorf("%w; %w", cause, context.Cause(ctx))) }
	stop := context.AfterFunc(ctx, tooLate) // an attempt may be slow to notice
	defer stop()
	pause := shortPause
	for attempt := firstAttempt; ; attempt *= 2 {
		err := l.reconnect(ctx, min(attempt, dialTimeout))
		switch {
		case err == nil:
			return
		case ctx.Err() == nil && l.hopeless(err):
			l.fail(fmt.Errorf("%w; %w", cause, err))
			return
		}
		select {
		case <-ctx.Done():
			// A context is seen to have ended before it starts its AfterFuncs, and
			// stop may keep this one from being started at all.
			tooLate()
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longPause)
	}
}

// errTooLong is why a link is broken whose server cannot be reached.
var errTooLong = errors.New("it could not be reached again for as long as it keeps a session")

// reconnect makes one attempt.
func (l *link) reconnect(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.mu.Lock()
	got := l.in.Got
	l.mu.Unlock()
	w, hello, err := l.m.connect(ctx, l.session, got)
	if err != nil {
		return err
	}
	if hello.Session != l.session || hello.Store != l.store || hello.Direct != l.direct {
		_ = w.conn.Close()
		return fmt.Errorf("another server answers: %w", errForgotten)
	}
	if err := l.join(w, hello.Got); err != nil {
		_ = w.conn.Close()
		return err
	}
	return nil
}

// errForgotten is how a server answers that does not know a session.
var errForgotten = errors.New("the server does not know the session any more")

// hopeless reports whether no further attempt can succeed. That nobody listens at
// the address of a Unix socket is the end of the server; elsewhere it may be a
// tunnel's.
func (l *link) hopeless(err error) bool {
	if errors.Is(err, errForgotten) {
		return true
	}
	network, _ := endpoint.Network(l.m.address)
	return network == "unix" && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist))
}

// join goes on over a new connection, after so many of our frames have come to
// the server.
func (l *link) join(w *wire, came uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if _, err := l.out.Came(came); err != nil {
		return fmt.Errorf("%w: %w", errForgotten, err)
	}
	l.given = max(l.given, came)
	l.sent = max(l.sent, came)
	l.on = w
	l.watchdog.heard = true
	if len(l.calls) > 0 {
		l.wakePump()
	}
	if again := net.Buffers(l.out.Again()); len(again) > 0 {
		w.writing = true
		for _, b := range again {
			w.unsent += len(b)
		}
		go l.sendAgain(w, again, l.out.Taken())
	}
	l.flushLater()
	l.written.Broadcast()
	return nil
}

// sendAgain is the first writer on a new connection.
func (l *link) sendAgain(w *wire, again net.Buffers, last uint64) {
	_, err := again.WriteTo(w.conn)
	l.mu.Lock()
	defer l.mu.Unlock()
	w.unsent = 0
	if err != nil {
		l.loseLocked(w, fmt.Errorf("write: %w", err))
		return
	}
	l.sent = max(l.sent, last)
	l.written.Broadcast()
	for l.write(w) {
	}
}

// watchdog finds connections that only seem to live: a server that lives says what
// has come to it as soon as it is asked, also while it is at work. It is under
// the link's mutex.
type watchdog struct {
	timer *time.Timer
	on    bool // the timer runs
	heard bool // the server has said something since the last look
	quiet int  // looks since then
	asked int  // the look at which it was asked; 0: it was not
}

// How often the link looks, and after how many looks without a word the server is
// asked, if it has not said that all has come to it and if it has; and given up.
const (
	askSoon  = 1
	askLater = 5
	tooLong  = 4
)

// begin sees to it that somebody looks while calls are under way.
func (w *watchdog) begin(l *link) {
	if w.on || l.m == nil || l.grace <= 0 {
		return
	}
	w.on, w.heard = true, true
	if w.timer == nil {
		w.timer = time.AfterFunc(l.m.beat(), l.look)
		return
	}
	w.timer.Reset(l.m.beat())
}

// look is what the timer does.
func (l *link) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &l.watchdog
	waits := len(l.calls) > 0 || l.out.Acked < l.out.Number
	if l.err != nil || !waits && l.owed == 0 {
		w.on = false
		return
	}
	w.timer.Reset(l.m.beat())
	if w.heard || l.on == nil {
		w.heard, w.quiet, w.asked = false, 0, 0
		if waits || l.on == nil {
			return
		}
	}
	w.quiet++
	after := askLater
	if l.out.Acked < l.out.Number || l.owed > 0 {
		after = askSoon
	}
	switch {
	case w.asked == 0 && w.quiet >= after:
		w.asked = w.quiet
		l.nod()
	case w.asked > 0 && w.quiet >= w.asked+tooLong:
		l.loseLocked(l.on, fmt.Errorf("the server has said nothing for %v: %w", time.Duration(w.quiet)*l.m.beat(), os.ErrDeadlineExceeded))
	}
}

// nod tells the server what has come, which makes it say the same. It is called
// with mu held.
func (l *link) nod() {
	l.out.Nod(l.in.Got)
	l.owed = 0
	l.flushLater()
}

// beat is how often a link looks whether its server is there.
func (m *Manager) beat() time.Duration {
	if m.options.Heartbeat > 0 {
		return m.options.Heartbeat
	}
	return endpoint.Heartbeat
}

// accept takes note of the header of a frame. It reports whether the frame is to
// be looked at. It is called with mu held.
func (l *link) accept(h *frames.Head) (fresh bool, err error) {
	news, err := l.out.Came(frames.Extend(l.out.Acked, h.Got))
	if err != nil {
		return false, err
	}
	if news || h.Size == 0 {
		l.watchdog.heard = true
	}
	if h.Size == 0 {
		return false, nil
	}
	l.owed += h.Size + frames.HeaderSize
	return l.in.Admit(h.Number)
}

var errOtherWire = fmt.Errorf("the link has another connection: %w", mperr.ErrClosed)
