package ring

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
)

// Get takes the first record of a fixed-size ring and copies it to p, waiting
// while the ring is empty. It returns io.EOF when the ring is empty and
// CloseWrite was called. After an error nothing was taken.
func (r *Ring) Get(ctx context.Context, p unsafe.Pointer) error {
	if r.GetQuickly(p) {
		return nil
	}
	waited := false
	for {
		err := r.tryGet(ctx, p, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return err
		}
		waited = true
	}
}

// TryGet is Get that returns ErrEmpty instead of waiting for a record. It may
// wait for the lock, which is held for the time of a copy.
func (r *Ring) TryGet(p unsafe.Pointer) error {
	if r.GetQuickly(p) {
		return nil
	}
	return r.tryGet(context.Background(), p, false)
}

func (r *Ring) tryGet(ctx context.Context, p unsafe.Pointer, waited bool) error {
	src, n, next, err := r.lockFront(ctx, waited)
	if err != nil {
		return err
	}
	if n == 8 {
		*(*uint64)(p) = *(*uint64)(src)
	} else {
		copy(unsafe.Slice((*byte)(p), n), unsafe.Slice((*byte)(src), n))
	}
	r.take(next, waited)
	return nil
}

// GetAppend takes the first record and appends it to buf, waiting while the
// ring is empty. Errors are those of Get.
func (r *Ring) GetAppend(ctx context.Context, buf []byte) ([]byte, error) {
	waited := false
	for {
		out, err := r.tryGetAppend(ctx, buf, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return out, err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return buf, err
		}
		waited = true
	}
}

// TryGetAppend is GetAppend that returns ErrEmpty instead of waiting.
func (r *Ring) TryGetAppend(buf []byte) ([]byte, error) {
	return r.tryGetAppend(context.Background(), buf, false)
}

// GetFresh is GetAppend into memory of its own, as large as the record. The
// memory is allocated before the lock is taken, from a guess at the record's
// length, and is not cleared first. A nil record is a nil slice.
func (r *Ring) GetFresh(ctx context.Context) ([]byte, error) {
	waited := false
	for {
		out, err := r.tryGetFresh(ctx, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return out, err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return nil, err
		}
		waited = true
	}
}

// TryGetFresh is GetFresh that returns ErrEmpty instead of waiting.
func (r *Ring) TryGetFresh() ([]byte, error) {
	return r.tryGetFresh(context.Background(), false)
}

func (r *Ring) tryGetFresh(ctx context.Context, waited bool) ([]byte, error) {
	buf, n, err := r.appendFront(ctx, uncleared(r.peekLen()), waited)
	if err != nil || n == Nil {
		return nil, err
	}
	return buf, nil
}

func (r *Ring) tryGetAppend(ctx context.Context, buf []byte, waited bool) ([]byte, error) {
	buf, _, err := r.appendFront(ctx, buf, waited)
	return buf, err
}

// appendFront takes the first record, appends it to buf and returns its length,
// or Nil.
func (r *Ring) appendFront(ctx context.Context, buf []byte, waited bool) ([]byte, int, error) {
	if !waited {
		if out, n, ok := r.AppendQuickly(buf); ok {
			return out, n, nil
		}
	}
	src, n, next, err := r.lockFront(ctx, waited)
	if err != nil {
		return buf, 0, err
	}
	for n > cap(buf)-len(buf) {
		// Memory is not allocated while the lock is held.
		r.get.Free().Do()
		buf = slices.Grow(buf, n)
		if src, n, next, err = r.lockFront(ctx, waited); err != nil {
			return buf, 0, err
		}
	}
	if n > 0 {
		buf = append(buf, unsafe.Slice((*byte)(src), n)...)
	}
	r.take(next, waited)
	return buf, n, nil
}

// uncleared returns an empty slice with room for n bytes that were not set to
// zero: for 64 KiB that saves a third of a Get. strings.Builder is the one
// exported way to such memory.
func uncleared(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	var b strings.Builder
	b.Grow(n)
	return unsafe.Slice(unsafe.StringData(b.String()), b.Cap())[:0]
}

// peekLen guesses the length of the first record without the lock: by the
// time the lock is held it may be another's. 0 when in doubt.
func (r *Ring) peekLen() int {
	if r.cfg.Fixed {
		return r.cfg.Size
	}
	tail := atomic.LoadUint64(&r.c.tail)
	head := atomic.LoadUint64(&r.c.head)
	g := atomic.LoadUint32(&r.c.getGen)
	if cnt(head) == cnt(tail) || int(g) >= len(r.gens) {
		return 0
	}
	base := r.gens[g].base.Load()
	if base == nil {
		return 0
	}
	src := unsafe.Add(unsafe.Pointer(base), uintptr((pos(head)-r.start(g))&r.gens[g].mask)*8)
	n, ok := recordLength(atomic.LoadUint64((*uint64)(src)))
	if !ok || n < 0 || int64(n) > r.gens[g].size {
		return 0
	}
	return n
}

// lockFront takes the get lock and finds the first record. With a nil error
// the caller holds the lock and is pinned, copies the record out and calls
// take; after an error it does not hold it.
func (r *Ring) lockFront(ctx context.Context, waited bool) (src unsafe.Pointer, n int, next word, err error) {
	for {
		died, err := r.get.Hold(ctx)
		if err != nil {
			if waited {
				r.passRecord() // the wake-up was ours, the record is not
			}
			return nil, 0, 0, err
		}
		if died {
			r.mendGet()
		}
		failpoint.Hit("get.locked")
		src, n, next, err = r.frontOfAll()
		if err == nil {
			return src, n, next, nil
		}
		r.get.Free().Do()
		if err := r.resume(err); err != nil {
			return nil, 0, 0, err
		}
	}
}

// mendGet restores the get side after its owner died: the head is never half
// done, and the generation is entered anew by whoever comes next.
func (r *Ring) mendGet() {
	atomic.StoreUint64(&r.c.cachedTail, atomic.LoadUint64(&r.c.tail))
	if r.l != nil {
		// To mend what it was lending the tables must be mapped, without the lock.
		atomic.StoreUint32(&r.l.c.unmended, 1)
	}
	failpoint.Hit("get.mended")
}

// frontOfAll finds the first record: one that was lent before, or else of the ring. The
// get lock is held.
func (r *Ring) frontOfAll() (src unsafe.Pointer, n int, next word, err error) {
	if r.l != nil {
		r.l.taking = nil
		if r.leasing() {
			if src, n, ok, err := r.frontLent(); ok || err != nil {
				return src, n, 0, err
			}
		}
	}
	return r.front()
}

// front finds the first record and the head's value behind it. The get lock
// is held.
func (r *Ring) front() (src unsafe.Pointer, n int, next word, err error) {
	c := r.c
	head := atomic.LoadUint64(&c.head)
	tail := c.cachedTail
	if cnt(tail) == cnt(head) {
		closed := r.Closed() || r.peerGone() // before the tail: a Put that came first is seen
		tail = atomic.LoadUint64(&c.tail)
		if cnt(tail) == cnt(head) {
			if closed && !r.outstanding() {
				return nil, 0, 0, io.EOF
			}
			return nil, 0, 0, mperr.ErrEmpty
		}
		fence.StoreRelease64(&c.cachedTail, tail)
		failpoint.Hit("get.cached")
		// A putter that found the ring empty may have rewound the head.
		// That came before the tail that was just read.
		head = atomic.LoadUint64(&c.head)
	}
	return r.record(head, tail)
}

// record finds the record at head, which is not tail, and the head's value
// behind it. The get lock is held. The positions may come from a corrupted
// ring, but what is returned lies within one mapped generation.
func (r *Ring) record(head, tail word) (src unsafe.Pointer, n int, next word, err error) {
	if !r.sound(head, tail) {
		return nil, 0, 0, r.unsound(head, tail)
	}
	g, err := r.enter(head)
	if err != nil {
		return nil, 0, 0, err
	}
	src, err = r.at(&r.gens[g], r.start(g), pos(head))
	if err != nil {
		return nil, 0, 0, err
	}
	n, need := r.cfg.Size, r.cfg.stride(0)
	if r.cfg.Fixed {
		if need > r.gens[g].mask+1 {
			return nil, 0, 0, r.corrupt("records of %d bytes in generation %d", n, g)
		}
	} else {
		var ok bool
		if n, ok = recordLength(*(*uint64)(src)); !ok {
			return nil, 0, 0, r.corrupt("the record at position %d has no header", pos(head))
		}
		need = r.cfg.stride(n)
		if need > pos(tail)-pos(head) || need > r.gens[g].mask+1 {
			return nil, 0, 0, r.corrupt("the record at position %d has %d bytes, the ring holds less", pos(head), n)
		}
		src = unsafe.Add(src, 8)
	}
	return src, n, pack(pos(head)+need, cnt(head)+1), nil
}

// enter moves the getters on to the generation that the head has reached.
// Called while the ring is not empty: only then is the next generation entered
// by its putter. Repeating any part of it after a death does no harm.
func (r *Ring) enter(head word) (uint32, error) {
	c := r.c
	g := c.getGen
	if int(g) >= len(r.gens) {
		return 0, r.corrupt("get generation %d of %d", g, len(r.gens))
	}
	for int(g) < len(r.gens)-1 && atomic.LoadUint32(&c.ends[g].ended) != 0 && pos(head) == atomic.LoadUint32(&c.ends[g].start) {
		g++
		atomic.StoreUint32(&c.getGen, g)
		failpoint.Hit("get.entered")
	}
	return g, nil
}

// punch gives the pages of the generations that the getters have left back to
// the kernel. It takes long for a large one, so no lock is held; getters may do
// it at the same time, and again after a death.
func (r *Ring) punch() {
	from := atomic.LoadUint32(&r.c.punched)
	to := min(atomic.LoadUint32(&r.c.getGen), atomic.LoadUint32(&r.c.putGen), uint32(len(r.gens)))
	if from >= to {
		return
	}
	for g := from; g < to; g++ {
		r.seg.Punch(r.gens[g].off, r.gens[g].size)
	}
	failpoint.Hit("get.punched")
	atomic.CompareAndSwapUint32(&r.c.punched, from, to)
	failpoint.Hit("get.returned")
}

// take takes the record, releases the lock and tells the putters. It ends the
// pin.
func (r *Ring) take(next word, waited bool) {
	failpoint.Hit("get.copied")
	if r.l != nil && r.l.taking != nil {
		r.takeLent(waited)
		return
	}
	// The record is gone from the ring from this store on.
	fence.StoreRelease64(&r.c.head, next)
	more := cnt(r.c.cachedTail) != cnt(next)
	drained := r.c.punched != r.c.getGen
	failpoint.Hit("get.taken")
	rest := r.get.Free() // and the full fence that Notify asks for
	failpoint.Hit("get.unlocked")
	if r.notFull.Waiting() {
		r.notifyPutters(next)
	}
	if waited && (more || cnt(atomic.LoadUint64(&r.c.tail)) != cnt(next)) {
		// Puts that came while this getter was waking woke nobody else.
		r.notEmpty.Notify()
	}
	rest.Do()
	if drained {
		r.punch()
	}
}

// notifyPutters wakes one putter where any can use the space, all where they
// wait for spaces of different sizes: the one that is woken might need more
// than there is, and another less.
func (r *Ring) notifyPutters(head word) {
	used := pos(atomic.LoadUint64(&r.c.tail)) - pos(head)
	if r.cfg.Fixed || uint64(used)+uint64(atomic.LoadUint32(&r.c.widest)) <= uint64(r.maxUnits) {
		r.notFull.Notify()
		return
	}
	atomic.StoreUint32(&r.c.widest, 0) // those who go on waiting announce themselves anew
	r.notFull.NotifyAll()
}

// passRecord wakes the next getter if there is a record: putters that came
// while the caller was waking woke nobody else.
func (r *Ring) passRecord() {
	if r.nonEmpty() || r.leaseNews() {
		r.notEmpty.Notify()
	}
}

// Readable reports whether Get would return at once, with a record or io.EOF.
func (r *Ring) Readable() bool {
	return r.nonEmpty() || r.leaseNews() || r.Closed() && !r.outstanding() || r.peerGone()
}

func (r *Ring) nonEmpty() bool { return r.available() != 0 }

// available is how many records there are, or a moment ago: never too few.
func (r *Ring) available() uint32 {
	head := atomic.LoadUint64(&r.c.head)
	return cnt(atomic.LoadUint64(&r.c.tail)) - cnt(head)
}

// WaitReadable waits until Readable. As the caller may then take nothing, the
// next waiter is woken too.
func (r *Ring) WaitReadable(ctx context.Context) error {
	for again := false; ; again = true {
		err := r.waitReadable(ctx, again)
		if err == nil && !r.Readable() {
			continue // a lease ends at another time now
		}
		r.passRecord()
		return err
	}
}

// waitReadable is WaitReadable for those who take. again says that the caller
// was here before and came too late.
func (r *Ring) waitReadable(ctx context.Context, again bool) error {
	if err := mperr.Ended(ctx); again && err != nil {
		r.passRecord()
		return err
	}
	if r.getSpin.wait(r.available) {
		return nil
	}
	begin := time.Now()
	err := r.waitMore(ctx)
	r.getSpin.slept(time.Since(begin))
	return err
}

func (r *Ring) waitMore(ctx context.Context) error {
	if r.l != nil {
		return r.waitLent(ctx)
	}
	return r.notEmpty.Wait(ctx, r.Readable)
}

// ReadEvent is notified when the ring becomes Readable, for waiting on several
// rings at once.
func (r *Ring) ReadEvent() *robust.Event { return &r.notEmpty }
