package manager

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

const (
	keepOutgoing = 64 << 10
	// rounds is how often a caller writes for others before he leaves the rest
	// to a goroutine.
	rounds = 4
	// sure is how many bytes a socket takes from which the server has read
	// all that there was before.
	sure = 16 << 10
	// maxBacklog is how many bytes may wait to be written before callers do:
	// there is no end of calls that give up a server which does not read.
	maxBacklog = 16 << 20
	// smallCall is how large the arguments of calls may be that never wait: what
	// gives back locks and references is among them, and must not be lost.
	smallCall = 1 << 10
)

// awaitRoom waits until a call may be put into out. It is called with mu held,
// and gives it up meanwhile. After an error nothing has happened.
func (l *link) awaitRoom(ctx context.Context, r *request) error {
	if l.queued-l.sent < maxBacklog || len(r.args) <= smallCall {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.written.Broadcast()
	})
	defer stop()
	for l.queued-l.sent >= maxBacklog && l.err == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.written.Wait()
	}
	return nil
}

// put makes b, out with one more frame from start on, the new out.
func (l *link) put(b []byte, start int) {
	frames.End(b, start)
	l.queued += uint64(len(b) - start)
	l.out = b
}

// flush writes out, unless somebody does. It is called with mu held, and gives
// it up meanwhile.
func (l *link) flush() {
	if l.writing || l.err != nil {
		return
	}
	l.writing = true
	if l.crowd {
		// Others who got their answers with ours are about to call again:
		// they run before we do, and all go with one write.
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()
	}
	for range rounds {
		if !l.write() {
			return
		}
	}
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.write() {
		}
	}()
}

// write writes what is in out. It reports whether there is more to do for the
// writer, who else is none any more: nothing is left, or a goroutine writes.
func (l *link) write() bool {
	if len(l.out) == 0 || l.err != nil {
		l.writing = false
		return false
	}
	b := l.out
	l.out, l.spare = l.spare[:0], nil
	l.given += uint64(len(b))
	alone := len(l.calls) <= 1 // whatever went before was answered, so it was read
	l.mu.Unlock()
	n, err := l.writeSome(b, alone)
	l.mu.Lock()
	if n < len(b) && err == nil {
		go l.writeRest(b, n)
		return false
	}
	l.wrote(b, n, err)
	return true
}

// writeSome writes what the socket takes at once. Where there is no way to try,
// that is nothing unless it is sure of all.
func (l *link) writeSome(b []byte, alone bool) (n int, err error) {
	switch {
	case l.try != nil:
		return l.try(b)
	case alone && len(b) <= sure:
		return l.conn.Write(b)
	}
	return 0, nil
}

// writeRest is the writer after the first n bytes of b.
func (l *link) writeRest(b []byte, n int) {
	m, err := l.conn.Write(b[n:])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrote(b, n+m, err)
	for l.write() {
	}
}

// wrote notes that n bytes of b are out. It is called with mu held.
func (l *link) wrote(b []byte, n int, err error) {
	if cap(b) <= keepOutgoing {
		l.spare = b[:0]
	}
	l.sent += uint64(n)
	if err != nil {
		if l.err == nil {
			l.given = l.sent
		}
		l.failLocked(fmt.Errorf("write: %w", err))
	}
	l.written.Broadcast()
}

// acknowledge tells the server that what r took has arrived, before the caller
// sees it. If that cannot be told, the server puts it back, or has heard it.
func (l *link) acknowledge(ctx context.Context, r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		start := len(l.out)
		l.put(frames.AppendAck(frames.Begin(l.out), r.seq), start)
		end := l.queued
		l.flush()
		if l.sent < end && l.err == nil {
			if err := l.awaitSent(ctx, end); err != nil {
				return err
			}
		}
		if l.sent >= end {
			return nil
		}
		if l.given >= end {
			return unknownFate(l.err)
		}
	}
	return fmt.Errorf("the connection broke; nothing was taken: %w", l.err)
}

// awaitSent waits for whoever writes what ends at end. It is called with mu
// held, and gives it up meanwhile.
func (l *link) awaitSent(ctx context.Context, end uint64) error {
	late := false
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			late = true
			l.written.Broadcast()
		})
	})
	defer stop()
	for l.sent < end && l.err == nil {
		if late {
			return fmt.Errorf("%w; the server does not read: %w", ctx.Err(), mperr.ErrUnknownFate)
		}
		l.written.Wait()
	}
	return nil
}
