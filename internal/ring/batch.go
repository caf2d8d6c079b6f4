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

// PutMany puts the records rec(0) to rec(n-1) in order, waiting for space. It
// returns how many were put; with an error, the rest was not. Records that
// find room together are put under one lock, so that no other putter comes in
// between, and published by one store of the tail (one each 128 KiB): a
// process that dies in PutMany has put a prefix.
//
// rec returns a record's memory and length. It is called with the lock held,
// so it must not block; it may be called twice for one i.
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
	held, shown := true, tail
	defer func() {
		if held { // rec panicked: what was not published is not put
			r.put.Unlock()
		}
	}()
	for i := first; i < n; i++ {
		p, size := rec(i)
		if need, err = r.need(size); err != nil {
			break
		}
		at, g, full := r.reserve(tail, need)
		if err = full; err != nil {
			break
		}
		if err = r.write(at, g, p, size); err != nil {
			break
		}
		failpoint.Hit("put.copied")
		tail = pack(pos(at)+need, cnt(at)+1)
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
	held = false
	r.put.Unlock() // and the full fence that Notify asks for
	failpoint.Hit("put.unlocked")
	if put > 0 {
		r.notEmpty.Notify() // who is woken wakes the next while there is more
	}
	if waited {
		r.passSpace()
	}
	return put, need, err
}

// GetMany takes up to limit records, waiting until there is one. sink is
// called for each in order, with its length, which may be Nil, and with memory
// of the ring: it copies what it needs, and must neither keep p nor block. All
// are taken by one store of the head (one a generation), after the last call
// of sink. Errors are those of Get; with an error nothing was taken.
func (r *Ring) GetMany(ctx context.Context, limit int, sink func(p unsafe.Pointer, n int)) (int, error) {
	waited := false
	for limit > 0 {
		n, err := r.getBurst(ctx, limit, sink, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return n, err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return 0, err
		}
		waited = true
	}
	return 0, nil
}

// TryGetMany is GetMany that returns ErrEmpty instead of waiting.
func (r *Ring) TryGetMany(limit int, sink func(p unsafe.Pointer, n int)) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	return r.getBurst(context.Background(), limit, sink, false)
}

func (r *Ring) getBurst(ctx context.Context, limit int, sink func(p unsafe.Pointer, n int), waited bool) (int, error) {
	src, n, next, err := r.lockFront(ctx, waited)
	if err != nil {
		return 0, err
	}
	held := true
	defer func() {
		if held { // sink panicked: nothing since the last store is taken
			r.get.Unlock()
		}
	}()
	count := 0
	for {
		sink(src, n)
		if count++; count == limit {
			break
		}
		var ok bool
		var after word
		if src, n, after, ok = r.following(next); !ok {
			break
		}
		next = after
	}
	held = false
	r.take(next, waited)
	return count, nil
}

// following finds the record behind those that a burst has copied so far. It
// reports false at the end of the ring, or of what is sound of it.
func (r *Ring) following(head word) (src unsafe.Pointer, n int, next word, ok bool) {
	c := r.c
	if cnt(c.cachedTail) == cnt(head) {
		tail := atomic.LoadUint64(&c.tail)
		if cnt(tail) == cnt(head) {
			return nil, 0, 0, false
		}
		fence.StoreRelease64(&c.cachedTail, tail)
		failpoint.Hit("get.cached")
	}
	if g := c.getGen; int(g) < len(r.gens)-1 && atomic.LoadUint32(&c.ends[g].ended) != 0 && pos(head) == atomic.LoadUint32(&c.ends[g].start) {
		// To enter the next generation is to give up the pages of this one,
		// and with them its records: they must be taken first.
		fence.StoreRelease64(&c.head, head)
		failpoint.Hit("get.burst")
	}
	src, n, next, err := r.record(head, c.cachedTail)
	return src, n, next, err == nil
}
