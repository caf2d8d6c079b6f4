package ring

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// Put copies n bytes from p into the ring as one record, waiting while it is
// full. After an error nothing was put. A record of a fixed-size ring must
// have that size.
func (r *Ring) Put(ctx context.Context, p unsafe.Pointer, n int) error {
	for {
		err := r.tryPut(ctx, p, n)
		if err != mperr.ErrFull {
			return err
		}
		if err := r.waitSpace(ctx, r.cfg.stride(n)); err != nil {
			return err
		}
	}
}

// TryPut is Put that returns ErrFull instead of waiting for space. It may
// wait for the lock, which is held for the time of a copy.
func (r *Ring) TryPut(p unsafe.Pointer, n int) error {
	return r.tryPut(context.Background(), p, n)
}

func (r *Ring) tryPut(ctx context.Context, p unsafe.Pointer, n int) error {
	need := r.cfg.stride(n)
	if need > r.maxUnits || n < 0 {
		return r.tooLarge(n)
	}
	died, err := r.put.Lock(ctx)
	if err != nil {
		return err
	}
	if died {
		r.mendPut()
	}
	failpoint.Hit("put.locked")
	tail, g, err := r.reserve(need)
	if err == nil {
		err = r.write(tail, g, p, n)
	}
	if err != nil {
		r.put.Unlock()
		return err
	}
	failpoint.Hit("put.copied")
	// The record is in the ring from this store on, and not before it.
	fence.StoreRelease64(&r.c.tail, pack(pos(tail)+need, cnt(tail)+1))
	failpoint.Hit("put.published")
	r.put.Unlock() // and the full fence that Notify asks for
	failpoint.Hit("put.unlocked")
	r.notEmpty.Notify()
	return nil
}

func (r *Ring) tooLarge(n int) error {
	return fmt.Errorf("%s %s: a record of %d bytes, bound %d: %w", r.seg.Kind, r.seg.ID, n, r.cfg.Bytes, mperr.ErrTooLarge)
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
	r.refresh()
}

// refresh reads the getters' progress. The put lock is held.
func (r *Ring) refresh() {
	c := r.c
	// getGen first: once it equals putGen the head is in this generation,
	// whatever it is when it is read.
	inside := atomic.LoadUint32(&c.getGen) == c.putGen
	head := atomic.LoadUint64(&c.head)
	atomic.StoreUint64(&c.cachedHead, head)
	low := pos(head)
	if !inside {
		low = r.start(c.putGen)
	}
	atomic.StoreUint32(&c.cachedLow, low)
}

// room says whether need units more would fit, by the cached knowledge.
// grow says that a larger generation would help.
func (r *Ring) room(tail word, need uint32) (fits, grow bool) {
	c := r.c
	if r.cfg.Items > 0 && cnt(tail)-cnt(c.cachedHead) >= uint32(r.cfg.Items) {
		return false, false
	}
	if pos(tail)-pos(c.cachedHead)+need > r.maxUnits {
		return false, false
	}
	area := r.gens[c.putGen].mask + 1
	if pos(tail)-c.cachedLow+need > area {
		return false, int(c.putGen) < len(r.gens)-1
	}
	return true, false
}

// reserve finds need units behind the tail. It returns the tail and the
// generation to write to, or ErrFull, ErrClosed or ErrCorrupt.
func (r *Ring) reserve(need uint32) (word, uint32, error) {
	c := r.c
	if atomic.LoadUint32(&c.closed) != 0 {
		return 0, 0, mperr.ErrClosed
	}
	if int(c.putGen) >= len(r.gens) {
		return 0, 0, r.corrupt("put generation %d of %d", c.putGen, len(r.gens))
	}
	tail := atomic.LoadUint64(&c.tail)
	if int32(pos(tail)-c.rewindAt) >= 0 {
		tail = r.rewind(tail)
	}
	fits, _ := r.room(tail, need)
	if !fits {
		r.refresh()
		var larger bool
		if fits, larger = r.room(tail, need); larger {
			r.grow(tail, need)
			fits, _ = r.room(tail, need)
		}
	}
	if !fits {
		return 0, 0, mperr.ErrFull
	}
	return tail, c.putGen, nil
}

// rewindUnits is how far the tail moves between two looks at whether the ring
// is empty (32 KiB): close enough to stay in the cache, far enough not to pull
// the head's cache line over for every record.
const rewindUnits = 4 << 10

// rewind moves both indexes of an empty ring to the start of the area.
//
// While the counts are equal no getter writes the head, so the putter may. A
// getter reads the tail before the head: if it sees a record, it sees the
// head that was stored before.
func (r *Ring) rewind(tail word) word {
	c := r.c
	r.refresh()
	atomic.StoreUint32(&c.rewindAt, pos(tail)+rewindUnits)
	head := c.cachedHead
	g := &r.gens[c.putGen]
	offset := (pos(tail) - r.start(c.putGen)) & g.mask
	if cnt(head) != cnt(tail) || atomic.LoadUint32(&c.getGen) != c.putGen || offset < rewindUnits || g.mask < 2*rewindUnits {
		return tail
	}
	to := pack(pos(tail)+(g.mask+1-offset), cnt(tail))
	atomic.StoreUint64(&c.head, to)
	failpoint.Hit("put.rewound.head")
	atomic.StoreUint64(&c.tail, to) // still empty; mendPut repeats this store
	failpoint.Hit("put.rewound.tail")
	atomic.StoreUint64(&c.cachedHead, to)
	atomic.StoreUint32(&c.cachedLow, pos(to))
	atomic.StoreUint32(&c.rewindAt, pos(to)+rewindUnits)
	return to
}

// grow ends the current generation at the tail and goes on in the first
// larger one that has room for need units, or in the last.
func (r *Ring) grow(tail word, need uint32) {
	c := r.c
	for int(c.putGen) < len(r.gens)-1 {
		end := &c.ends[c.putGen]
		atomic.StoreUint32(&end.start, pos(tail))
		failpoint.Hit("put.grow.start")
		atomic.StoreUint32(&end.ended, 1)
		failpoint.Hit("put.grow.ended")
		atomic.StoreUint32(&c.putGen, c.putGen+1)
		failpoint.Hit("put.grown")
		r.refresh()
		if need <= r.gens[c.putGen].mask+1 {
			return
		}
	}
}

// write copies the record to the tail's position. Nobody reads it before the
// tail moves.
func (r *Ring) write(tail word, gen uint32, p unsafe.Pointer, n int) error {
	dst, err := r.at(&r.gens[gen], r.start(gen), pos(tail))
	if err != nil {
		return err
	}
	if !r.cfg.Fixed {
		*(*uint64)(dst) = recordHeader(n)
		dst = unsafe.Add(dst, 8)
	} else if n == 8 {
		*(*uint64)(dst) = *(*uint64)(p)
		return nil
	}
	copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(p), n))
	return nil
}

func recordHeader(n int) uint64 { return uint64(uint32(n)) | uint64(^uint32(n))<<32 }

// waitSpace waits until a record of need units may fit.
func (r *Ring) waitSpace(ctx context.Context, need uint32) error {
	if r.putSpin.wait(func() bool { return r.mayFit(need) }) {
		return nil
	}
	return r.notFull.Wait(ctx, func() bool { return r.mayFit(need) })
}

// mayFit looks at the ring without the lock. In a generation that is not the
// last, a record that does not fit makes the ring grow, so only the bounds
// count, and in the last one the area itself.
func (r *Ring) mayFit(need uint32) bool {
	if r.Closed() {
		return true // tryPut says so
	}
	head, tail := r.snapshot()
	if r.cfg.Items > 0 && cnt(tail)-cnt(head) >= uint32(r.cfg.Items) {
		return false
	}
	if cnt(tail) == cnt(head) {
		return true
	}
	return pos(tail)-pos(head)+need <= r.maxUnits
}

// CloseWrite says that nobody puts any more. It takes the put lock, so that
// every Put either came before or fails.
func (r *Ring) CloseWrite(ctx context.Context) error {
	died, err := r.put.Lock(ctx)
	if err != nil {
		return err
	}
	if died {
		r.mendPut()
	}
	atomic.StoreUint32(&r.c.closed, 1)
	failpoint.Hit("put.closed")
	r.put.Unlock()
	r.notEmpty.NotifyAll()
	r.notFull.NotifyAll()
	return nil
}

// Done counts n records as dealt with. It fails with ErrTaskDone if that
// would be more than were ever put.
func (r *Ring) Done(n int) error {
	for {
		done := atomic.LoadUint32(&r.c.done)
		open := cnt(atomic.LoadUint64(&r.c.tail)) - done
		if uint32(n) > open {
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
	return int(cnt(atomic.LoadUint64(&r.c.tail)) - atomic.LoadUint32(&r.c.done))
}

// WaitDone waits until Done was called for every record.
func (r *Ring) WaitDone(ctx context.Context) error {
	return r.allDone.Wait(ctx, func() bool { return r.Undone() == 0 })
}
