package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"multiproc/internal/busypoll"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
)

// reader cuts what comes from a connection into frames. One goroutine uses it
// at a time.
type reader struct {
	conn net.Conn
	in   *busypoll.Reader
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
	case len(b.buf) < firstRead: // what came with the Hello
		have := b.buf[b.r:b.w]
		b.buf = make([]byte, firstRead)
		b.r, b.w = 0, copy(b.buf, have)
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
		b.in = busypoll.New(b.conn)
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
	var h frames.Head
	if len(part) >= frames.HeaderSize {
		h, _ = frames.ParseHead(part)
	}
	return max(2*len(b.buf), min(frames.HeaderSize+h.Size, max(4*len(b.buf), keepIn)))
}

// next is the header and the payload of the next frame, nil if not all of it
// has come. An error says that it is not the one that was sent.
func (b *reader) next(h *frames.Head) (payload []byte, err error) {
	have := b.buf[b.r:b.w]
	if len(have) < frames.HeaderSize {
		return nil, nil
	}
	if *h, err = frames.ParseHead(have); err != nil {
		return nil, err
	}
	size := frames.HeaderSize + h.Size
	if len(have) < size {
		return nil, nil
	}
	b.r += size
	payload = have[frames.HeaderSize:size:size]
	return payload, h.Check(payload)
}

// detach leaves the buffer to those who hold parts of it.
func (b *reader) detach() {
	rest := b.buf[b.r:b.w]
	b.buf = make([]byte, max(firstRead, len(rest)))
	b.r, b.w = 0, copy(b.buf, rest)
}

// lead reads from a connection until r is answered.
func (l *link) lead(ctx context.Context, w *wire, r *request) {
	if ctx.Done() != nil {
		seq := r.seq // r may be another call's by the time
		stop := context.AfterFunc(ctx, func() { l.cancel(seq, mperr.Ended(ctx)) })
		defer stop()
	}
	for !r.finished() {
		if err := l.read(w); err != nil {
			l.lose(w, err)
			<-r.done // the pump reads from the next connection, or there is none
			return
		}
	}
	l.mu.Lock()
	l.rest(w)
	l.mu.Unlock()
}

// rest ends the caller's turn as the reader. It is called with mu held.
func (l *link) rest(w *wire) {
	w.reading = false
	if l.on == w && len(l.calls) > 0 {
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
			l.cancel(r.seq, mperr.Ended(ctx))
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
		w := l.on
		take := w != nil && !w.reading && l.err == nil && (quiet || len(l.calls) > 0)
		if take {
			w.reading = true
		}
		l.mu.Unlock()
		if take {
			l.readAll(w)
		}
		timer.Reset(idle)
	}
}

// readAll reads at least once, and while calls wait.
func (l *link) readAll(w *wire) {
	for {
		err := l.read(w)
		l.mu.Lock()
		if err != nil {
			l.loseLocked(w, err)
			l.mu.Unlock()
			return
		}
		if len(l.calls) == 0 {
			w.reading = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// read reads once and hands out the answers that have come completely. An
// error is the end of the connection.
func (l *link) read(w *wire) error {
	if err := w.in.fill(); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return w.conn.SetReadDeadline(time.Time{}) // abandon wanted to be heard
		}
		return fmt.Errorf("read: %w", err)
	}
	var done [32]*request
	l.mu.Lock()
	finished, detached, err := l.takeIn(w, done[:0])
	l.mu.Unlock()
	if detached {
		w.in.detach()
	}
	for _, r := range finished {
		r.finish()
	}
	return err
}

// takeIn adds to finished the calls whose answers have come. What a server must
// not send ends the link. It is called with mu held.
func (l *link) takeIn(w *wire, finished []*request) (_ []*request, detached bool, err error) {
	if l.on != w {
		return finished, false, errOtherWire // the server sends on the other what is there
	}
	var (
		h frames.Head
		f frames.Frame
	)
	for {
		p, err := w.in.next(&h)
		if err != nil {
			return finished, detached, err
		}
		if p == nil {
			break
		}
		fresh, err := l.accept(&h)
		if err != nil {
			return finished, detached, err
		}
		if !fresh {
			continue
		}
		var r *request
		if err = frames.Parse(p, &f); err == nil {
			r, err = l.dispatch(&f)
		}
		if err != nil {
			l.failLocked(err)
			return finished, detached, err
		}
		if r != nil {
			detached = r.take(&f) || detached
			finished = append(finished, r)
		}
	}
	l.crowd = len(finished) > 1
	if l.owed > tellFrom && l.on == w {
		l.nod()
	}
	return finished, detached, nil
}

// tellFrom is after how many bytes the server is told that they have come, if
// there is nothing else to tell it: it keeps them for so long.
const tellFrom = 64 << 10

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
		return nil, fmt.Errorf("the server ended the session: %s", f.Reason)
	}
	return nil, fmt.Errorf("a server does not send %v: %w", f.Kind, mperr.ErrCorrupt)
}
