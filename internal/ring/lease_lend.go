package ring

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/pin"
	"multiproc/internal/shm"
)

// probes is how many entries are looked at for an unused one before the table gets one
// more. So a table has some entries more than are ever lent at once.
const probes = 8

// slot finds an unused entry for a record of n bytes. The get lock is held. An
// errUnmappedTable names the table that must be mapped.
func (r *Ring) slot(n int) (e *entry, where Lease, err error) {
	l := r.l
	for t := r.tableFor(n); t < len(l.tables); t++ {
		tab, c := &l.tables[t], &l.c.tables[t]
		if tab.base.Load() == nil {
			return nil, Lease{table: uint32(t)}, errUnmappedTable
		}
		size := l.used(t)
		tries := min(size, probes)
		if size == tab.n {
			tries = size
		}
		i := c.cursor
		for range tries {
			if i++; i >= size {
				i = 0
			}
			if e := tab.at(i); stateOf(atomic.LoadUint64(&e.word)) == unused {
				c.cursor = i
				return e, Lease{table: uint32(t), index: i}, nil
			}
		}
		if size < tab.n {
			// An entry that was never used is unused: its memory is zero.
			if size == 0 {
				atomic.StoreUint32(&l.c.used, l.c.used|1<<t)
			}
			atomic.StoreUint32(&c.size, size+1)
			failpoint.Hit("lease.grown")
			c.cursor = size
			return tab.at(size), Lease{table: uint32(t), index: size}, nil
		}
	}
	return nil, where, fmt.Errorf("%s %s: %d items are lent: %w", r.seg.Kind, r.seg.ID, maxLent, mperr.ErrLimit)
}

// lendFirst lends the record that front has found: of the ring, to e, or, with a nil e,
// one that was lent before. The get lock is held; wake says that sleepers have to set
// their clocks anew.
func (r *Ring) lendFirst(e *entry, where Lease, src unsafe.Pointer, n int, next word, due int64) (lease Lease, wake bool) {
	l, c := r.l, r.l.c
	if e == nil {
		e, where = l.taking, l.found
		l.taking = nil
		atomic.StoreInt64(&e.due, due)
		atomic.StoreUint64(&e.owner, l.owner)
		failpoint.Hit("lease.again")
		where.word = again(where.word)
		fence.StoreRelease64(&e.word, where.word)
		failpoint.Hit("lease.lent")
		atomic.StoreUint32(&c.ready, c.ready-1)
		return where, l.sooner(due)
	}
	fence.StoreRelease64(&c.from, atomic.LoadUint64(&r.c.head))
	if dst := unsafe.Add(unsafe.Pointer(e), entrySize); n == 8 {
		*(*uint64)(dst) = *(*uint64)(src)
	} else if n > 0 {
		copy(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n))
	}
	seq := c.seq + 1
	e.n = uint32(n)
	// Nobody reads these before the word: on amd64 an atomic store is a full fence.
	fence.StoreRelease64(&e.seq, seq)
	fence.StoreRelease64((*uint64)(unsafe.Pointer(&e.due)), uint64(due))
	fence.StoreRelease64(&e.owner, l.owner)
	failpoint.Hit("lease.filled")
	where.seq, where.word = seq, begun(e.word, seq)
	fence.StoreRelease64(&e.word, where.word)
	failpoint.Hit("lease.noted")
	// The record is lent, and not in the ring any more, from this store on.
	fence.StoreRelease64(&r.c.head, next)
	failpoint.Hit("lease.taken")
	fence.StoreRelease64(&c.seq, seq)
	failpoint.Hit("lease.counted")
	return where, l.sooner(due)
}

// sooner sees to it that the entries are looked through when due has come. It reports
// whether sleepers have to know. The get lock is held.
func (l *leases) sooner(due int64) bool {
	if next := l.c.next; next != 0 && next <= due {
		return false
	}
	atomic.StoreInt64(&l.c.next, due)
	return true
}

// LendQuickly is Lend of one record of a fixed size for where nothing stands in the way,
// as GetQuickly.
func (r *Ring) LendQuickly(p unsafe.Pointer) (lease Lease, ok bool) {
	l := r.l
	if l == nil || !r.cfg.Fixed || l.tables[0].base.Load() == nil {
		return lease, false
	}
	t := now()
	if l.deaf() {
		return lease, false
	}
	pin.On()
	if !r.get.HoldResident() {
		pin.Off()
		return lease, false
	}
	c := l.c
	if c.ready|c.doomed|c.unmended != 0 || l.lateAt(t) ||
		!r.gets.holds(atomic.LoadUint64(&r.c.head), r.c.getGen, r.stride) && !r.resumeGets() {
		r.get.Free().Do()
		return lease, false
	}
	e, where, err := r.slot(r.cfg.Size)
	if err != nil {
		r.get.Free().Do()
		return lease, false
	}
	src, n := r.gets.place(), r.cfg.Size
	if n == 8 {
		*(*uint64)(p) = *(*uint64)(src)
	} else {
		copy(unsafe.Slice((*byte)(p), n), unsafe.Slice((*byte)(src), n))
	}
	next := r.gets.step(r.stride)
	lease, wake := r.lendFirst(e, where, src, n, next, t+l.cfg.Time)
	if !r.get.FreeResident() { // the full fence that Notify asks for
		rest := r.get.Free()
		r.lentOne(next, wake)
		rest.Do()
		return lease, true
	}
	r.lentOne(next, wake)
	pin.Off()
	return lease, true
}

// lentOne tells others of what was lent; the lock was given back.
func (r *Ring) lentOne(head word, wake bool) {
	if r.notFull.Waiting() {
		r.notifyPutters(head)
	}
	if wake {
		r.notEmpty.NotifyAll()
	}
}

// Lend lends up to limit records, as many as there are, waiting until there is one. sink
// is called for each in order, with a copy of the record that it must not keep, and
// its length, which may be Nil. Errors are those of Get; with an error nothing was lent.
func (r *Ring) Lend(ctx context.Context, limit int, sink func(l Lease, p unsafe.Pointer, n int)) (int, error) {
	for waited := false; ; waited = true {
		n, err := r.lendBurst(ctx, limit, sink, waited)
		if !errors.Is(err, mperr.ErrEmpty) {
			return n, err
		}
		if err := r.waitReadable(ctx, waited); err != nil {
			return 0, err
		}
	}
}

// TryLend is Lend that returns ErrEmpty instead of waiting.
func (r *Ring) TryLend(limit int, sink func(l Lease, p unsafe.Pointer, n int)) (int, error) {
	return r.lendBurst(context.Background(), limit, sink, false)
}

// mostLent is how many records are lent under one lock.
const mostLent = 1024

func (r *Ring) lendBurst(ctx context.Context, limit int, sink func(l Lease, p unsafe.Pointer, n int), waited bool) (int, error) {
	b := bursts.Get().(*burst)
	defer b.giveBack()
	bytes := r.peekLen()
	if limit > 1 {
		limit = min(limit, max(1, r.Available()), mostLent)
		bytes = r.peekBurst(limit)
	}
	b.reset(r, bytes)
	list := make([]Lease, 0, limit)
	var src unsafe.Pointer
	var n int
	var next word
	for {
		var err error
		if src, n, next, err = r.lockFront(ctx, waited); err != nil {
			return 0, err
		}
		if !b.fits(n) {
			r.get.Free().Do()
			b.reset(r, max(n, 0))
			continue
		}
		if r.l.taking != nil || r.l.tables[r.tableFor(n)].base.Load() != nil {
			break
		}
		r.get.Free().Do()
		if err := r.mapTable(r.tableFor(n)); err != nil {
			return 0, err
		}
	}
	due, wake := now()+r.l.cfg.Time, false
	var err error
	var where Lease
	for {
		var e *entry
		if r.l.taking == nil {
			if e, where, err = r.slot(n); err != nil {
				break
			}
		}
		b.add(src, n)
		lease, sooner := r.lendFirst(e, where, src, n, next, due)
		list, wake = append(list, lease), wake || sooner
		if len(list) == limit {
			break
		}
		if r.l.c.ready != 0 {
			src, n, next, err = r.frontOfAll()
		} else {
			src, n, next, err = r.front()
		}
		if err != nil || !b.fits(n) {
			break
		}
	}
	r.l.taking = nil
	head := atomic.LoadUint64(&r.c.head)
	more := cnt(r.c.cachedTail) != cnt(head) || r.l.c.ready != 0
	drained := r.c.punched != r.c.getGen
	rest := r.get.Free()
	if len(list) > 0 {
		r.lentOne(head, wake)
	}
	if waited && (more || r.nonEmpty()) {
		r.notEmpty.Notify()
	}
	rest.Do()
	if drained {
		r.punch()
	}
	if len(list) == 0 {
		if errors.Is(err, errUnmappedTable) { // those before it are full
			if err = r.mapTable(int(where.table)); err == nil {
				return r.lendBurst(ctx, limit, sink, waited)
			}
		}
		return 0, err
	}
	i := 0
	b.each(func(p unsafe.Pointer, n int) {
		sink(list[i], p, n)
		i++
	})
	return len(list), nil
}

// trimFrom is the size of an entry from which on its pages are given back when its
// record is gone.
const trimFrom = 16 << 10

// trims prepares an entry for being trimmed by this process, and is its word meanwhile.
// If this process dies it is free when due has passed, at the end of a lease: none of its
// threads is in the kernel any more then.
func (l *leases) trims(e *entry, to uint64) uint64 {
	atomic.StoreInt64(&e.due, now()+l.cfg.Time)
	atomic.StoreUint64(&e.owner, l.owner)
	return inState(to, trimming)
}

// trim gives an entry's pages back, but for the first. No lock is held.
func (r *Ring) trim(e *entry, where Lease, w uint64) {
	t := &r.l.tables[where.table]
	page := shm.PageSize()
	if off := shm.RoundPage(t.off + int64(where.index)*int64(t.stride) + int64(entrySize)); t.stride > uintptr(2*page) {
		r.seg.Punch(off, t.off+int64(where.index+1)*int64(t.stride)-off)
	}
	failpoint.Hit("lease.trimmed")
	atomic.CompareAndSwapUint64(&e.word, w, emptied(w))
}
