package ring

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
)

// entry finds the entry of a lease. It reports false if the lease is over.
func (r *Ring) entry(l *Lease) (*entry, bool) {
	if r.l == nil || int(l.table) >= len(r.l.tables) {
		return nil, false
	}
	t := &r.l.tables[l.table]
	if t.base.Load() == nil || l.index >= r.l.used(int(l.table)) {
		return nil, false
	}
	e := t.at(l.index)
	return e, atomic.LoadUint64(&e.word) == l.word && atomic.LoadUint64(&e.seq) == l.seq
}

// Ack says that a record that is lent has been dealt with. It takes no lock: one
// compare-and-swap. It reports false if the lease is over.
func (r *Ring) Ack(l Lease) bool {
	e, ok := r.entry(&l)
	if !ok {
		return false
	}
	to, large := settled(l.word), r.l.tables[l.table].stride > trimFrom
	if large {
		to = inState(to, trimming)
	}
	if !atomic.CompareAndSwapUint64(&e.word, l.word, to) {
		return false
	}
	failpoint.Hit("lease.acked")
	r.tellEnd()
	if r.allDone.Waiting() && (r.l.missing() >= 0 || r.Undone() == 0) {
		r.allDone.NotifyAll()
	}
	if large {
		r.trim(e, l, to)
	}
	return true
}

// tellEnd wakes those who wait for what will never come.
func (r *Ring) tellEnd() {
	if r.Closed() && r.notEmpty.Waiting() && !r.nonEmpty() && (r.l.missing() >= 0 || !r.outstanding()) {
		r.notEmpty.NotifyAll()
	}
}

// acks is how many records were acknowledged, modulo 2³².
func (r *Ring) acks() (sum uint32) {
	if !r.leasing() {
		return 0
	}
	for n := range r.l.tables {
		if r.l.tables[n].base.Load() == nil {
			continue // whoever counts has mapped all that have entries
		}
		for i := range r.l.used(n) {
			sum += acksOf(atomic.LoadUint64(&r.l.tables[n].at(i).word))
		}
	}
	return sum
}

// holdLeases takes the get lock, with all tables mapped and nothing of the dead. With a
// nil error the caller is pinned.
func (r *Ring) holdLeases(ctx context.Context) error {
	for {
		if err := r.mapTables(); err != nil {
			return err
		}
		died, err := r.get.Hold(ctx)
		if err != nil {
			return err
		}
		if died {
			r.mendGet()
		}
		r.l.taking = nil
		if r.l.missing() < 0 {
			if r.leasing() && (r.l.c.unmended != 0 || r.l.deaf() || r.l.lateAt(now())) {
				r.look()
			}
			return nil
		}
		r.get.Free().Do()
	}
}

// Nack gives a record back, which is lent again after the delay. It reports false if the
// lease is over.
func (r *Ring) Nack(ctx context.Context, l Lease, delay int64) (bool, error) {
	if _, ok := r.entry(&l); !ok {
		return false, nil
	}
	if err := r.holdLeases(ctx); err != nil {
		return false, err
	}
	c := r.l.c
	e, ok := r.entry(&l)
	to, wake := r.l.returned(l.word), false
	if ok && delay > 0 && stateOf(to) == ready {
		// If this process dies here the lease ends with it.
		due := now() + delay
		atomic.StoreInt64(&e.due, due)
		failpoint.Hit("lease.delayed")
		to, wake = inState(to, delayed), r.l.sooner(due)
	}
	ok = ok && atomic.CompareAndSwapUint64(&e.word, l.word, to)
	failpoint.Hit("lease.returned")
	if ok {
		switch stateOf(to) {
		case ready:
			atomic.AddUint32(&c.version, 1)
			atomic.StoreUint32(&c.ready, c.ready+1)
		case doomed:
			atomic.StoreUint32(&c.doomed, c.doomed+1)
		}
	}
	rest := r.get.Free()
	if wake {
		r.notEmpty.NotifyAll()
	} else {
		r.notEmpty.Notify()
	}
	rest.Do()
	return ok, nil
}

// Extend has a lease end d nanoseconds from now, or after the ring's own time if d is 0.
// It reports false if the lease is over.
func (r *Ring) Extend(ctx context.Context, l Lease, d int64) (bool, error) {
	if _, ok := r.entry(&l); !ok {
		return false, nil
	}
	if d == 0 {
		d = r.l.cfg.Time
	}
	if err := r.holdLeases(ctx); err != nil {
		return false, err
	}
	e, ok := r.entry(&l)
	wake := false
	if ok {
		due := now() + d
		atomic.StoreInt64(&e.due, due)
		failpoint.Hit("lease.extended")
		wake = r.l.sooner(due)
	}
	rest := r.get.Free()
	if wake {
		r.notEmpty.NotifyAll()
	}
	rest.Do()
	return ok, nil
}

// Available is how many records could be got at one moment during the call.
func (r *Ring) Available() int {
	n := r.Len()
	if r.leasing() {
		n += int(atomic.LoadUint32(&r.l.c.ready))
	}
	return n
}

// Count is how many records could be got, and how many are lent or delayed, at one
// moment during the call.
func (r *Ring) Count(ctx context.Context) (there, away int, err error) {
	if !r.leasing() {
		return r.Len(), 0, nil
	}
	for {
		if err := r.holdLeases(ctx); err != nil {
			return 0, 0, err
		}
		c := r.l.c
		if c.doomed == 0 {
			break
		}
		r.get.Free().Do()
		if err := r.resume(errDoomed); err != nil {
			return 0, 0, err
		}
	}
	there = r.Len() + int(r.l.c.ready)
	for n := range r.l.tables {
		for i := range r.l.used(n) {
			switch stateOf(atomic.LoadUint64(&r.l.tables[n].at(i).word)) {
			case lent, delayed:
				away++
			}
		}
	}
	r.get.Free().Do()
	return there, away, nil
}

// Doomed lends a doomed record, for its burial and not as an attempt, and appends it to
// buf. n is its length, or Nil. It returns ErrEmpty if there is none.
func (r *Ring) Doomed(ctx context.Context, buf []byte) (_ Lease, rec []byte, n int, err error) {
	for {
		if err := r.holdLeases(ctx); err != nil {
			return Lease{}, buf, 0, err
		}
		e, where := r.firstDoomed()
		if e == nil {
			atomic.StoreUint32(&r.l.c.doomed, 0)
			r.get.Free().Do()
			return Lease{}, buf, 0, mperr.ErrEmpty
		}
		n = int(e.n)
		if e.n == 1<<32-1 {
			n = Nil
		}
		if size := max(n, 0); uint64(size)+uint64(entrySize) > uint64(r.l.tables[where.table].stride) {
			r.get.Free().Do()
			return Lease{}, buf, 0, r.corrupt("an item of %d bytes in an entry of %d", n, r.l.tables[where.table].stride)
		} else if size > cap(buf)-len(buf) {
			r.get.Free().Do()
			buf = append(make([]byte, 0, len(buf)+size), buf...)
			continue
		}
		rec = append(buf, unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), entrySize)), max(n, 0))...)
		due := now() + r.l.cfg.Time
		atomic.StoreInt64(&e.due, due)
		atomic.StoreUint64(&e.owner, r.l.owner)
		failpoint.Hit("lease.burying")
		where.word = inState(where.word, lent)
		atomic.StoreUint64(&e.word, where.word)
		failpoint.Hit("lease.unearthed")
		atomic.StoreUint32(&r.l.c.doomed, r.l.c.doomed-1)
		r.l.sooner(due)
		r.get.Free().Do()
		return where, rec, n, nil
	}
}

// firstDoomed finds the first doomed record. The get lock is held.
func (r *Ring) firstDoomed() (first *entry, where Lease) {
	for n := range r.l.tables {
		for i := range r.l.used(n) {
			e := r.l.tables[n].at(i)
			if w := atomic.LoadUint64(&e.word); stateOf(w) == doomed && (first == nil || e.seq < first.seq) {
				first, where = e, Lease{word: w, seq: e.seq, index: i, table: uint32(n)}
			}
		}
	}
	return first, where
}

// Spare has a record that Doomed has lent be lent once more.
func (r *Ring) Spare(ctx context.Context, l Lease) error {
	if err := r.holdLeases(ctx); err != nil {
		return err
	}
	if e, ok := r.entry(&l); ok && atomic.CompareAndSwapUint64(&e.word, l.word, inState(l.word, ready)) {
		failpoint.Hit("lease.spared")
		atomic.AddUint32(&r.l.c.version, 1)
		atomic.StoreUint32(&r.l.c.ready, r.l.c.ready+1)
	}
	rest := r.get.Free()
	r.notEmpty.Notify()
	rest.Do()
	return nil
}

// sparesDoomed has all doomed records be lent once more, where there is no way to bury
// them.
func (r *Ring) sparesDoomed() error {
	for {
		l, _, _, err := r.Doomed(context.Background(), nil)
		switch {
		case errors.Is(err, mperr.ErrEmpty):
			return nil
		case err != nil:
			return fmt.Errorf("doomed items: %w", err)
		}
		if err := r.Spare(context.Background(), l); err != nil {
			return err
		}
	}
}
