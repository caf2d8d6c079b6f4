package manager

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/prompt"
)

// reader cuts what comes from a connection into frames. One goroutine uses it
// at a time.
type reader struct {
	conn net.Conn
	in   *prompt.Reader
	buf  []byte
	r, w int // what was read and not yet taken is buf[r:w]
}

const (
	firstRead = 4 << 10
	// detachFrom is the size of values from which on their caller gets the
	// reader's memory instead of a copy.
	detachFrom = 16 << 10
	keepIn     = 64 << 10
)

// fill reads once.
func (b *reader) fill() error {
	switch {
	case b.buf == nil:
		b.buf = make([]byte, firstRead)
	case b.r == b.w:
		b.r, b.w = 0, 0
		if len(b.buf) > keepIn {
			b.buf = make([]byte, keepIn)
		}
	case b.w == len(b.buf):
		old := b.buf[b.r:b.w]
		if len(old) > len(b.buf)/2 {
			b.buf = make([]byte, b.larger(old))
		}
		b.w = copy(b.buf, old)
		b.r = 0
	}
	if b.in == nil {
		b.in = prompt.New(b.conn)
	}
	n, err := b.in.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// larger is the size of a buffer for the frame of which a part has come: no
// more than four times of that, whatever is announced, or 64 KiB.
func (b *reader) larger(part []byte) int {
	whole := frames.HeaderSize + int(binary.BigEndian.Uint32(part))
	return max(2*len(b.buf), min(whole, max(4*len(b.buf), keepIn)))
}

// next is the payload of the next frame, nil if not all of it has come.
func (b *reader) next() ([]byte, error) {
	have := b.buf[b.r:b.w]
	if len(have) < frames.HeaderSize {
		return nil, nil
	}
	n := int(binary.BigEndian.Uint32(have))
	if n > math.MaxInt32 || n == 0 {
		return nil, fmt.Errorf("the server announces a message of %d bytes: %w", uint32(n), mperr.ErrCorrupt)
	}
	if len(have)-frames.HeaderSize < n {
		return nil, nil
	}
	b.r += frames.HeaderSize + n
	return have[frames.HeaderSize:][:n:n], nil
}

// detach leaves the buffer to those who hold parts of it.
func (b *reader) detach() {
	rest := b.buf[b.r:b.w]
	b.buf = make([]byte, max(firstRead, len(rest)))
	b.r, b.w = 0, copy(b.buf, rest)
}

// lead reads until r is answered.
func (l *link) lead(ctx context.Context, r *request) {
	if ctx.Done() != nil {
		seq := r.seq // r may be another call's by the time
		stop := context.AfterFunc(ctx, func() { l.cancel(seq, ctx.Err()) })
		defer stop()
	}
	for !r.finished() {
		if err := l.read(); err != nil {
			l.fail(err)
		}
	}
	l.mu.Lock()
	l.rest()
	l.mu.Unlock()
}

// rest ends the caller's turn as the reader. It is called with mu held.
func (l *link) rest() {
	l.reading = false
	if len(l.calls) > 0 {
		l.wakePump()
	}
}

// follow waits until r is answered by whoever reads.
func (l *link) follow(ctx context.Context, r *request) {
	if done := ctx.Done(); done != nil {
		select {
		case <-r.done:
			return
		case <-done:
			l.cancel(r.seq, ctx.Err())
		}
	}
	<-r.done
}

// wakePump makes the pump look whether somebody has to read.
func (l *link) wakePump() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// idle is after how much time without a call the pump begins to listen for
// the end of the connection.
const idle = 100 * time.Millisecond

// pump reads while calls wait and none of the callers does it, until the link
// breaks.
func (l *link) pump() {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	var begun uint64
	for {
		listen := false
		select {
		case <-l.gone:
			return
		case <-l.wake:
		case <-timer.C:
			listen = true
		}
		l.mu.Lock()
		quiet := listen && begun == l.begun
		begun = l.begun
		take := !l.reading && l.err == nil && (quiet || len(l.calls) > 0)
		if take {
			l.reading = true
		}
		l.mu.Unlock()
		if take {
			l.readAll()
		}
		timer.Reset(idle)
	}
}

// readAll reads at least once, and while calls wait.
func (l *link) readAll() {
	for {
		err := l.read()
		l.mu.Lock()
		if err != nil {
			l.failLocked(err)
		}
		if len(l.calls) == 0 {
			l.reading = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// read reads once and hands out the answers that have come completely. An
// error is the end of the link.
func (l *link) read() error {
	if err := l.in.fill(); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return l.conn.SetReadDeadline(time.Time{}) // abandon wanted to be heard
		}
		return fmt.Errorf("read: %w", err)
	}
	var done [32]*request
	finished := done[:0]
	var f frames.Frame
	detached := false
	var failed error
	l.mu.Lock()
	for failed == nil {
		var p []byte
		if p, failed = l.in.next(); p == nil {
			break
		}
		if failed = frames.Parse(p, &f); failed != nil {
			break
		}
		var r *request
		if r, failed = l.dispatch(&f); r != nil {
			detached = r.take(&f) || detached
			finished = append(finished, r)
		}
	}
	l.crowd = len(finished) > 1
	l.mu.Unlock()
	if detached {
		l.in.detach()
	}
	for _, r := range finished {
		r.finish()
	}
	return failed
}

// dispatch returns the call that a frame answers. It is called with mu held.
func (l *link) dispatch(f *frames.Frame) (*request, error) {
	switch f.Kind {
	case frames.Return, frames.Error:
		r := l.calls[f.Seq]
		if r == nil {
			return nil, fmt.Errorf("%v for call %d, which is not under way: %w", f.Kind, f.Seq, mperr.ErrCorrupt)
		}
		delete(l.calls, f.Seq)
		l.checkEmpty()
		return r, nil
	case frames.Event:
		if r := l.calls[f.Seq]; r != nil && r.stream != nil && !r.stream.push(f.Value) {
			l.cancelLocked(f.Seq, mperr.ErrOverrun)
		}
		return nil, nil
	case frames.Bye:
		return nil, fmt.Errorf("the server ended the connection: %s", f.Reason)
	}
	return nil, fmt.Errorf("a server does not send %v: %w", f.Kind, mperr.ErrCorrupt)
}
