package ring

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
)

// Put copies n bytes from p into the ring as one record, waiting while it is
// full; n may be Nil. After an error nothing was put. A record of a fixed-size
// ring must have that size.
func (r *Ring) Put(ctx context.Context, p unsafe.Pointer, n int) error {
	if r.PutQuickly(p, n) {
		return nil
	}
	waited := false
	for {
		err := r.tryPut(ctx, p, n, waited)
		if !errors.Is(err, mperr.ErrFull) {
			return err
		}
		if err := r.waitSpace(ctx, r.cfg.stride(n), waited); err != nil {
			return err
		}
		waited = true
	}
}

// TryPut is Put that returns ErrFull instead of waiting for space. It may
// wait for the lock, which is held for the time of a copy.
func (r *Ring) TryPut(p unsafe.Pointer, n int) error {
	if r.PutQuickly(p, n) {
		return nil
	}
	return r.tryPut(context.Background(), p, n, false)
}

func (r *Ring) tryPut(ctx context.Context, p unsafe.Pointer, n int, waited bool) error {
	need, err := r.need(n)
	if err != nil {
		return err
	}
	if r.peerGone() {
		return mperr.ErrBrokenPipe
	}
	var tail word
	for {
		if err := r.lockPut(ctx, waited); err != nil {
			return err
		}
		var g uint32
		tail, g, err = r.reserve(atomic.LoadUint64(&r.c.tail), need)
		if err == nil {
			err = r.write(tail, g, p, n)
		}
		if err == nil {
			break
		}
		r.put.Free().Do()
		if !errors.Is(err, errUnmapped) {
			return err
		}
		if err := r.mapGeneration(atomic.LoadUint32(&r.c.putGen)); err != nil {
			return err
		}
	}
	failpoint.Hit("put.copied")
	// The record is in the ring from this store on, and not before it.
	fence.StoreRelease64(&r.c.tail, pack(pos(tail)+need, cnt(tail)+1))
	failpoint.Hit("put.published")
	rest := r.put.Free() // and the full fence that Notify asks for
	failpoint.Hit("put.unlocked")
	r.notEmpty.Notify()
	if waited {
		r.passSpace()
	}
	rest.Do()
	return nil
}

// units is how many units a record of n bytes takes. It reports false if it
// cannot be put at all; need says why.
func (r *Ring) units(n int) (uint32, bool) {
	if r.cfg.Fixed && n != r.cfg.Size || n < Nil || int64(n) > min(r.cfg.Bytes, maxRecord) {
		return 0, false
	}
	need := r.cfg.stride(n)
	return need, need <= r.maxUnits
}

func (r *Ring) need(n int) (uint32, error) {
	need, ok := r.units(n)
	switch {
	case ok:
		return need, nil
	case r.cfg.Fixed && n != r.cfg.Size:
		return 0, fmt.Errorf("%s %s: a record of %d bytes where all have %d: %w", r.seg.Kind, r.seg.ID, n, r.cfg.Size, mperr.ErrType)
	}
	return 0, r.tooLarge(n)
}

func (r *Ring) tooLarge(n int) error {
	return fmt.Errorf("%s %s: a record of %d bytes, bound %d: %w", r.seg.Kind, r.seg.ID, n, r.cfg.Bytes, mperr.ErrTooLarge)
}

// lockPut takes the put lock, and mends the put side if its owner died. With a
// nil error the caller is pinned.
func (r *Ring) lockPut(ctx context.Context, waited bool) error {
	died, err := r.put.Hold(ctx)
	if err != nil {
		if waited {
			r.passSpace() // the wake-up was ours, the space is not
		}
		return err
	}
	if died {
		r.mendPut()
	}
	failpoint.Hit("put.locked")
	return nil
}

// mendPut restores the put side after its owner died. The tail is never half
// done. The caches may be anything between two past truths; they are read
// anew. A putter that died in rewind has moved the head and not yet the tail.
func (r *Ring) mendPut() {
	head, tail := r.snapshot()
	if cnt(head) == cnt(tail) && pos(head) != pos(tail) {
		fence.StoreRelease64(&r.c.tail, pack(pos(head), cnt(tail)))
	}
	// A putter that died in grow may have noted the end of its generation
	// without entering the next: nobody can have put there, and getters do
	// not move on before a record beyond the end is published. The note
	// would be wrong if this generation went on, so growing is finished.
	if g := atomic.LoadUint32(&r.c.putGen); int(g)+1 < len(r.gens) && atomic.LoadUint32(&r.c.ends[g].ended) != 0 {
		atomic.StoreUint32(&r.c.putGen, g+1)
	}
	failpoint.Hit("put.mended")
	r.refresh(atomic.LoadUint32(&r.c.putGen))
}

// write copies the record to the tail's position. Nobody reads it before the
// tail moves.
func (r *Ring) write(tail word, gen uint32, p unsafe.Pointer, n int) error {
	dst, err := r.at(&r.gens[gen], r.start(gen), pos(tail))
	if err != nil {
		return err
	}
	r.fill(dst, p, n)
	return nil
}

// fill makes a record at dst of n bytes at p, or a nil one.
func (r *Ring) fill(dst, p unsafe.Pointer, n int) {
	if r.cfg.Fixed && n == 8 {
		*(*uint64)(dst) = *(*uint64)(p)
		return
	}
	if !r.cfg.Fixed {
		*(*uint64)(dst) = recordHeader(n)
		dst = unsafe.Add(dst, 8)
	}
	if n > 0 {
		copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(p), n))
	}
}

// maxRecord is the largest length that a header holds beside Nil.
const maxRecord = 1<<32 - 2

func recordHeader(n int) uint64 { return uint64(uint32(n)) | uint64(^uint32(n))<<32 }

// recordLength is the length in a header, or Nil. It reports false if the word
// is no header.
func recordLength(header uint64) (n int, ok bool) {
	low := uint32(header)
	if low != ^uint32(header>>32) {
		return 0, false
	}
	if low == 1<<32-1 {
		return Nil, true
	}
	return int(low), true
}

// waitSpace waits until a record of need units may fit. again says that the
// caller was here before and came too late.
func (r *Ring) waitSpace(ctx context.Context, need uint32, again bool) error {
	if err := mperr.Ended(ctx); again && err != nil {
		r.passSpace()
		return err
	}
	if r.putSpin.wait(func() uint32 { return r.space(need) }) {
		return nil
	}
	begin := time.Now()
	err := r.notFull.Wait(ctx, func() bool {
		if r.mayFit(need) {
			return true
		}
		if !r.cfg.Fixed {
			r.announce(need)
		}
		return false
	})
	r.putSpin.slept(time.Since(begin))
	return err
}

// announce makes need count in widest, by which getters know whether any
// waiting putter can use the space there is. It is called again after the
// putter was counted as waiting: a getter that sets widest to 0 before it
// wakes all loses none.
func (r *Ring) announce(need uint32) {
	for {
		old := atomic.LoadUint32(&r.c.widest)
		if old >= need || atomic.CompareAndSwapUint32(&r.c.widest, old, need) {
			return
		}
	}
}

// passSpace wakes the next putter if there is room for one: getters that made
// room while the caller was waking woke nobody else.
func (r *Ring) passSpace() {
	if r.notFull.Waiting() && r.mayFit(r.cfg.stride(0)) {
		r.notifyPutters(atomic.LoadUint64(&r.c.head))
	}
}

// mayFit looks at the ring without the lock. In a generation that is not the
// last, a record that does not fit makes the ring grow, so only the bounds
// count, and in the last one the area itself.
func (r *Ring) mayFit(need uint32) bool { return r.space(need) != 0 }

// space is how many such records would fit; see mayFit.
func (r *Ring) space(need uint32) uint32 {
	if r.Closed() || r.peerGone() {
		return 1 // tryPut says so
	}
	head, tail := r.snapshot()
	items := cnt(tail) - cnt(head)
	if items == 0 {
		return max(r.maxUnits/need, 1)
	}
	if !r.sound(head, tail) {
		return 1 // tryPut says so
	}
	return min((r.maxUnits-(pos(tail)-pos(head)))/need, r.maxItems-items)
}

// CloseWrite says that nobody puts any more. It takes the put lock, so that
// every Put either came before or fails.
func (r *Ring) CloseWrite(ctx context.Context) error {
	if err := r.lockPut(ctx, false); err != nil {
		return err
	}
	atomic.StoreUint32(&r.c.closed, 1)
	failpoint.Hit("put.closed")
	rest := r.put.Free()
	r.notEmpty.NotifyAll()
	r.notFull.NotifyAll()
	rest.Do()
	return nil
}

// Done counts n records as dealt with. It fails with ErrTaskDone if that
// would be more than were ever put.
func (r *Ring) Done(n int) error {
	robust.Admit() // it takes no lock
	if r.leasing() {
		if err := r.mapTables(); err != nil {
			return err
		}
	}
	for {
		done := atomic.LoadUint32(&r.c.done)
		open := cnt(atomic.LoadUint64(&r.c.tail)) - done - r.acks()
		if n < 0 || int64(n) > int64(int32(open)) {
			return mperr.ErrTaskDone
		}
		if atomic.CompareAndSwapUint32(&r.c.done, done, done+uint32(n)) {
			if open == uint32(n) {
				r.allDone.NotifyAll()
			}
			return nil
		}
	}
}

// Undone is the number of records put and not yet counted by Done.
func (r *Ring) Undone() int {
	if r.leasing() && (r.nonEmpty() || r.outstanding()) {
		return 1 // at least
	}
	open := cnt(atomic.LoadUint64(&r.c.tail)) - atomic.LoadUint32(&r.c.done) - r.acks()
	return int(max(int32(open), 0)) // who has called Done for what was lent has called it too often
}

// WaitDone waits until Done was called for every record.
func (r *Ring) WaitDone(ctx context.Context) error {
	for {
		if r.leasing() {
			if err := r.mapTables(); err != nil {
				return err
			}
		}
		unknown := func() bool { return r.l != nil && r.l.missing() >= 0 }
		if err := r.allDone.Wait(ctx, func() bool { return unknown() || r.Undone() == 0 }); err != nil || !unknown() {
			return err
		}
	}
}
