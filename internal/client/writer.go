package client

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

const (
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

// awaitRoom waits until a call may be put into out: not while there is no
// connection, unless it is urgent, and not while too much waits already. It is
// called with mu held, and gives it up meanwhile. After an error nothing has
// happened.
func (l *link) awaitRoom(ctx context.Context, r *request) error {
	if l.room(r) {
		return nil
	}
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.written.Broadcast()
	})
	defer stop()
	for !l.room(r) && l.err == nil {
		if ctx.Err() != nil {
			return mperr.Ended(ctx)
		}
		l.written.Wait()
	}
	return nil
}

func (l *link) room(r *request) bool {
	if l.on == nil {
		return r.urgent
	}
	return len(r.args) <= smallCall || len(l.out.Buf)+l.on.unsent < maxBacklog
}

// put makes b, out with one more frame from start on, the new out.
func (l *link) put(b []byte, start int) {
	l.out.Add(b, start, l.in.Got)
	l.owed = 0
}

// flush writes out, unless somebody does. It is called with mu held, and gives
// it up meanwhile.
func (l *link) flush() {
	w := l.on
	if w == nil || w.writing || l.err != nil {
		return
	}
	w.writing = true
	if l.crowd {
		// Others who got their answers with ours are about to call again:
		// they run before we do, and all go with one write.
		l.mu.Unlock()
		runtime.Gosched()
		l.mu.Lock()
	}
	for range rounds {
		if !l.write(w) {
			return
		}
	}
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.write(w) {
		}
	}()
}

// write writes what is in out. It reports whether there is more to do for the
// writer, who else is none any more: nothing is left, or a goroutine writes.
func (l *link) write(w *wire) bool {
	if l.on != w || l.err != nil || len(l.out.Buf) == 0 {
		w.writing = false
		return false
	}
	before := l.given
	b, last := l.out.Take()
	l.given, w.unsent = last, len(b)
	alone := len(l.calls) <= 1 // whatever went before was answered, so it was read
	l.mu.Unlock()
	n, err := w.writeSome(b, alone)
	l.mu.Lock()
	if n < len(b) && err == nil {
		go l.writeRest(w, b, n, last, before)
		return false
	}
	l.wrote(w, b, n, last, before, err)
	return true
}

// writeSome writes what the socket takes at once. Where there is no way to try,
// that is nothing unless it is sure of all.
func (w *wire) writeSome(b []byte, alone bool) (n int, err error) {
	switch {
	case w.try != nil:
		return w.try(b)
	case alone && len(b) <= sure:
		return w.conn.Write(b)
	}
	return 0, nil
}

// writeRest is the writer after the first n bytes of b.
func (l *link) writeRest(w *wire, b []byte, n int, last, before uint64) {
	m, err := w.conn.Write(b[n:])
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrote(w, b, n+m, last, before, err)
	for l.write(w) {
	}
}

// wrote notes that n bytes of b are out, whose last frame is last; before was
// given before. It is called with mu held.
func (l *link) wrote(w *wire, b []byte, n int, last, before uint64, err error) {
	w.unsent = 0
	switch {
	case err == nil:
		if l.sent = max(l.sent, last); l.on == w {
			l.out.Wrote(b, last)
		}
	case l.on == w && l.err == nil:
		l.given = max(before, l.out.Whole(b, n))
		l.loseLocked(w, fmt.Errorf("write: %w", err))
	}
	l.written.Broadcast()
}

// acknowledge tells the server that what r took has arrived, before the caller
// sees it. If the server cannot be told, it puts it back. It must be known that
// it hears: what has only been sent may be lost with the session, and then
// another caller gets the item.
func (l *link) acknowledge(ctx context.Context, r *request) error {
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return fmt.Errorf("the connection broke; nothing was taken: %w", l.err)
	}
	start := len(l.out.Buf)
	l.put(frames.AppendAck(frames.Begin(l.out.Buf), r.seq, !l.direct), start)
	l.watchdog.begin(l)
	if !l.direct {
		r.frame, r.kept = l.out.Number, true
		l.calls[r.seq] = r
		l.answer(ctx, r)
		return r.reply.err
	}
	defer l.mu.Unlock()
	end := l.out.Number
	l.flush()
	if l.sent < end && l.err == nil {
		if err := l.awaitSent(ctx, grace, end); err != nil {
			return err
		}
	}
	switch {
	case l.sent >= end:
		return nil
	case l.given >= end:
		return unknownFate(l.err)
	}
	return fmt.Errorf("the connection broke; nothing was taken: %w", l.err)
}

// awaitSent waits for whoever writes the frame end, and for so long after ctx
// has ended. It is called with mu held, and gives it up meanwhile.
func (l *link) awaitSent(ctx context.Context, timeout time.Duration, end uint64) error {
	late := false
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(timeout, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			late = true
			l.written.Broadcast()
		})
	})
	defer stop()
	for l.sent < end && l.err == nil {
		if late {
			return fmt.Errorf("%w; the server does not read: %w", mperr.Ended(ctx), mperr.ErrUnknownFate)
		}
		l.written.Wait()
	}
	return nil
}
