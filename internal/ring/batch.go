package ring

import (
	"context"
	"errors"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// burstUnits is how much a burst copies before it publishes (128 KiB): the
// other side starts while the data is in the cache.
const burstUnits = 16 << 10

// longestUnits is after how much a burst gives the lock back (4 MiB): others
// stand still for a millisecond or so.
const longestUnits = 512 << 10

// PutMany puts the records rec(0) to rec(n-1) in order, waiting for space. It
// returns how many were put; with an error, the rest was not. Records that
// find room together are put under one lock, so that no other putter comes in
// between, and published by one store of the tail (one each 128 KiB): a
// process that dies in PutMany has put a prefix. The lock is given back after
// each 4 MiB, so that others do not stand still.
//
// rec returns a record's memory and length. It is called with the lock held, by
// a goroutine that is pinned: it does nothing else. It may be called twice for
// one i.
func (r *Ring) PutMany(ctx context.Context, n int, rec func(i int) (unsafe.Pointer, int)) (put int, err error) {
	waited := false
	for put < n {
		var need uint32
		var more int
		more, need, err = r.putBurst(ctx, put, n, rec, waited)
		put += more
		if errors.Is(err, mperr.ErrFull) {
			err = r.waitSpace(ctx, need, waited && more == 0)
			waited = true
		}
		if err != nil {
			return put, err
		}
	}
	return put, nil
}

// putBurst puts the records from first on for which there is room. need is
// what the next one takes, if the error is ErrFull.
func (r *Ring) putBurst(ctx context.Context, first, n int, rec func(i int) (unsafe.Pointer, int), waited bool) (put int, need uint32, err error) {
	if r.peerGone() {
		return 0, 0, mperr.ErrBrokenPipe
	}
	if err := r.lockPut(ctx, waited); err != nil {
		return 0, 0, err
	}
	tail := atomic.LoadUint64(&r.c.tail)
	begin, shown, size := tail, tail, 0
	for i := first; i < n && pos(tail)-pos(begin) < longestUnits; i++ {
		var p unsafe.Pointer
		p, size = rec(i)
		var fits bool
		if need, fits = r.units(size); !fits {
			break
		}
		if atomic.LoadUint32(&r.c.closed) != 0 || !r.puts.holds(tail, r.c.putGen, need) {
			at, g, full := r.reserve(tail, need)
			if err = full; err != nil {
				break
			}
			if r.gens[g].base.Load() == nil {
				err = errUnmapped
				break
			}
			tail = at
			r.runPuts(tail, g, need)
			if !r.puts.holds(tail, g, need) {
				err = r.corrupt("no room at position %d, where there was some", pos(tail))
				break
			}
		}
		r.fill(r.puts.place(), p, size)
		failpoint.Hit("put.copied")
		tail = r.puts.step(need)
		put++
		if pos(tail)-pos(shown) >= burstUnits {
			fence.StoreRelease64(&r.c.tail, tail)
			shown = tail
			failpoint.Hit("put.burst")
		}
	}
	if put > 0 {
		fence.StoreRelease64(&r.c.tail, tail)
		failpoint.Hit("put.published")
	}
	rest := r.put.Free() // and the full fence that Notify asks for
	failpoint.Hit("put.unlocked")
	if put > 0 {
		r.notEmpty.Notify() // who is woken wakes the next while there is more
	}
	if waited {
		r.passSpace()
	}
	rest.Do()
	if errors.Is(err, errUnmapped) {
		return put, need, r.mapGeneration(atomic.LoadUint32(&r.c.putGen))
	}
	if err == nil && first+put < n {
		_, err = r.need(size)
	}
	return put, need, err
}
