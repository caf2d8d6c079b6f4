package ring

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/robust"
)

// Mark names the first record of a ring, which was copied out and not taken.
type Mark struct {
	head   word // a head is never the same twice
	waited bool // the caller was woken for it

	again bool // it is one that was lent before, and this is its name
	found Lease
}

// GetUnless is GetAppend for records that ask for something to be done before
// they can be taken. keep looks at each, with the lock held and the caller pinned; if it says so, the
// record is copied out and stays, and left is true. Then TakeMarked or Leave
// must follow.
func (r *Ring) GetUnless(ctx context.Context, buf []byte, keep func(rec []byte) bool) (out []byte, m Mark, left bool, err error) {
	waited := false
	for {
		out, m, left, err = r.tryGetUnless(ctx, buf, keep, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return out, m, left, err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return buf, Mark{}, false, err
		}
		waited = true
	}
}

// TryGetUnless is GetUnless that returns ErrEmpty instead of waiting.
func (r *Ring) TryGetUnless(buf []byte, keep func(rec []byte) bool) (out []byte, m Mark, left bool, err error) {
	return r.tryGetUnless(context.Background(), buf, keep, false)
}

func (r *Ring) tryGetUnless(ctx context.Context, buf []byte, keep func(rec []byte) bool, waited bool) ([]byte, Mark, bool, error) {
	src, n, next, err := r.lockFront(ctx, waited)
	if err != nil {
		return buf, Mark{}, false, err
	}
	for n > cap(buf)-len(buf) {
		// Memory is not allocated while the lock is held.
		r.get.Free().Do()
		buf = slices.Grow(buf, n)
		if src, n, next, err = r.lockFront(ctx, waited); err != nil {
			return buf, Mark{}, false, err
		}
	}
	out := append(buf, unsafe.Slice((*byte)(src), max(n, 0))...) // no bytes of one that is nil
	if keep(out[len(buf):]) {
		m := Mark{head: atomic.LoadUint64(&r.c.head), waited: waited}
		if r.l != nil && r.l.taking != nil {
			m.again, m.found = true, r.l.found
		}
		r.get.Free().Do()
		return out, m, true, nil
	}
	r.take(next, waited)
	return out, Mark{}, false, nil
}

// TakeMarked takes the record, unless somebody else has. After an error nothing
// was taken.
func (r *Ring) TakeMarked(ctx context.Context, m Mark) (bool, error) {
	_, _, next, err := r.lockFront(ctx, m.waited)
	switch {
	case errors.Is(err, mperr.ErrEmpty) || errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, err
	}
	again := r.l != nil && r.l.taking != nil
	if again != m.again || !again && atomic.LoadUint64(&r.c.head) != m.head || again && r.l.found != m.found {
		r.get.Free().Do()
		r.Leave(m)
		return false, nil
	}
	r.take(next, m.waited)
	return true, nil
}

// Leave leaves the record to others.
func (r *Ring) Leave(m Mark) {
	if m.waited {
		r.passRecord()
	}
}

// WakeAllIn makes everybody who waits for the ring with this control block look
// again.
func WakeAllIn(mem unsafe.Pointer) {
	c := (*control)(mem)
	for _, w := range []*uint64{&c.notEmpty, &c.notFull} {
		var e robust.Event
		e.Init(unsafe.Pointer(w))
		e.NotifyAll()
	}
}
