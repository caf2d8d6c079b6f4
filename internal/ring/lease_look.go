package ring

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/machine"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
)

func now() int64 { return machine.Monotonic() }

// line are the first of the entries that are ready, as this process has last seen
// them; it belongs to the get lock.
type line struct {
	list    [lineSize]place
	n, next int
	version uint32
}

// place is an entry that is ready.
type place struct{ seq, index, table uint64 }

const lineSize = 128

// insert puts an entry where its number belongs, and forgets the last one if there is
// no room.
func (q *line) insert(p place) {
	if q.n == lineSize {
		if p.seq > q.list[q.n-1].seq {
			return
		}
		q.n--
	}
	i := q.n
	for ; i > 0 && q.list[i-1].seq > p.seq; i-- {
		q.list[i] = q.list[i-1]
	}
	q.list[i] = p
	q.n++
}

var (
	errUnmappedTable = errors.New("a table is not mapped yet")
	errDoomed        = errors.New("records are doomed")
)

// deaf reports whether the family has heard of a death since the entries were looked
// through.
func (l *leases) deaf() bool { return l.deaths.Load() != robust.Deaths() }

// lateAt reports whether a lease or delay may have ended.
func (l *leases) lateAt(t int64) bool {
	next := atomic.LoadInt64(&l.c.next)
	return next != 0 && t >= next
}

// lookPause is how long a look lasts, per entry, and ten times that between two.
const lookPause = 100

// look looks through all entries, which are mapped. Those that are due, or whose owner
// is dead, become ready, or doomed; what are totals is counted anew. The get lock is held.
func (r *Ring) look() {
	l, c := r.l, r.l.c
	l.deaths.Store(robust.Deaths())
	t := now()
	if c.unmended != 0 {
		r.mendLending()
	}
	next, total := int64(0), uint32(0)
	readies, dooms, changed := uint32(0), uint32(0), false
	l.line.n, l.line.next = 0, 0
	known, lives := uint64(0), false // the last owner that was asked for
	for n := range l.tables {
		tab, size := &l.tables[n], l.used(n)
		total += size
		for i := range size {
			e := tab.at(i)
			w := atomic.LoadUint64(&e.word)
			state := stateOf(w)
			switch state {
			case unused:
				continue
			case lent, delayed, trimming:
				due := atomic.LoadInt64(&e.due)
				over := due <= t
				if state == trimming || state == lent && !over {
					if owner := atomic.LoadUint64(&e.owner); owner != known {
						known, lives = owner, l.family.LiveOwner(owner)
					}
					if state == trimming && (lives || !over) {
						continue
					}
					over = !lives || state == trimming
				}
				if !over {
					if next == 0 || due < next {
						next = due
					}
					continue
				}
				to := l.returned(w)
				if state == trimming {
					to = emptied(w)
				}
				if !atomic.CompareAndSwapUint64(&e.word, w, to) {
					continue // it was acknowledged at this moment
				}
				failpoint.Hit("lease.back")
				changed = true
				if state = stateOf(to); state == unused {
					continue
				}
			}
			if state == doomed {
				dooms++
				continue
			}
			readies++
			l.line.insert(place{e.seq, uint64(i), uint64(n)})
		}
	}
	if changed {
		atomic.AddUint32(&c.version, 1)
	}
	l.line.version = c.version
	atomic.StoreUint32(&c.ready, readies)
	atomic.StoreUint32(&c.doomed, dooms)
	if next != 0 {
		next = max(next, t+lookPause*int64(total))
	}
	atomic.StoreInt64(&c.next, next)
	atomic.StoreUint32(&c.unmended, 0) // the totals are right again, too
	failpoint.Hit("lease.looked")
}

// returned is the word of an entry whose lease is over.
func (l *leases) returned(w uint64) uint64 {
	if stateOf(w) == lent && l.cfg.Attempts > 0 && int(attemptOf(w)) >= l.cfg.Attempts {
		return inState(w, doomed)
	}
	return inState(w, ready)
}

// mendLending finds out whether the last record was lent: if the head is where it was
// before, the record is in the ring, and the entry that it was copied to counts for
// nothing.
func (r *Ring) mendLending() {
	l, c := r.l, r.l.c
	undone := atomic.LoadUint64(&r.c.head) == atomic.LoadUint64(&c.from)
	last := atomic.LoadUint64(&c.seq)
	for n := range l.tables {
		for i := range l.used(n) {
			e := l.tables[n].at(i)
			w := atomic.LoadUint64(&e.word)
			switch {
			case stateOf(w) == unused || e.seq <= c.seq:
			case undone:
				atomic.StoreUint64(&e.word, emptied(w))
				failpoint.Hit("lease.undone")
			default:
				last = max(last, e.seq)
			}
		}
	}
	atomic.StoreUint64(&c.seq, last)
	failpoint.Hit("lease.mended")
}

// frontLent is front for what was lent before. It reports false if there is nothing of
// that kind. The get lock is held.
func (r *Ring) frontLent() (src unsafe.Pointer, n int, ok bool, err error) {
	l, c := r.l, r.l.c
	if l.missing() >= 0 {
		return nil, 0, false, errUnmappedTable
	}
	if c.unmended != 0 || l.deaf() || l.lateAt(now()) {
		r.look()
	}
	if c.doomed != 0 {
		return nil, 0, false, errDoomed
	}
	for c.ready != 0 {
		if q := &l.line; q.version == c.version {
			for ; q.next < q.n; q.next++ {
				p := q.list[q.next]
				e := l.tables[p.table].at(uint32(p.index))
				w := atomic.LoadUint64(&e.word)
				if stateOf(w) != ready || e.seq != p.seq { // somebody else was here
					continue
				}
				n := int(e.n)
				if e.n == 1<<32-1 {
					n = Nil
				}
				if uint64(max(n, 0))+uint64(entrySize) > uint64(l.tables[p.table].stride) {
					return nil, 0, false, r.corrupt("an item of %d bytes in an entry of %d", n, l.tables[p.table].stride)
				}
				l.taking, l.found = e, Lease{word: w, seq: e.seq, index: uint32(p.index), table: uint32(p.table)}
				return unsafe.Add(unsafe.Pointer(e), entrySize), n, true, nil
			}
		}
		r.look()
		if c.ready != 0 && l.line.n == 0 {
			return nil, 0, false, r.corrupt("%d items are ready, and none is there", c.ready)
		}
	}
	return nil, 0, false, nil
}

// resume does what frontLent has asked for. No lock is held.
func (r *Ring) resume(err error) error {
	switch {
	case errors.Is(err, errUnmapped):
		return r.mapGeneration(atomic.LoadUint32(&r.c.getGen))
	case errors.Is(err, errUnmappedTable):
		return r.mapTables()
	case errors.Is(err, errDoomed):
		if !r.l.bury() {
			return r.sparesDoomed()
		}
		return nil
	}
	return err
}

// takeLent takes for good what frontLent has found, and ends the lock and the pin.
func (r *Ring) takeLent(waited bool) {
	l, c := r.l, r.l.c
	e, f := l.taking, l.found
	l.taking = nil
	to, large := emptied(f.word), l.tables[f.table].stride > trimFrom
	if large {
		to = l.trims(e, to)
	}
	fence.StoreRelease64(&e.word, to)
	failpoint.Hit("lease.got")
	atomic.StoreUint32(&c.ready, c.ready-1)
	more := c.ready != 0 || r.nonEmpty()
	rest := r.get.Free()
	if waited && more {
		r.notEmpty.Notify()
	}
	r.tellEnd()
	rest.Do()
	if large {
		r.trim(e, f, to)
	}
}

// outstanding reports whether anything is lent, or waits to be lent again.
func (r *Ring) outstanding() bool {
	if !r.leasing() {
		return false
	}
	l := r.l
	if l.missing() >= 0 {
		return true // who wants to know exactly maps them first
	}
	for n := range l.tables {
		for i := range l.used(n) {
			if s := stateOf(atomic.LoadUint64(&l.tables[n].at(i).word)); s != unused && s != trimming {
				return true
			}
		}
	}
	return false
}

// leaseNews reports whether who takes should look at the entries.
func (r *Ring) leaseNews() bool {
	if !r.leasing() {
		return false
	}
	c := r.l.c
	return atomic.LoadUint32(&c.ready) != 0 || atomic.LoadUint32(&c.doomed) != 0 || r.l.missing() >= 0 ||
		r.l.deaf() || r.l.lateAt(now())
}

// NextLook is when a lease or a delay may end, by a clock of the ring's: 0 if none can.
// The ring may become Readable at that time, and nobody is woken then.
func (r *Ring) NextLook() int64 {
	if r.l == nil {
		return 0
	}
	return atomic.LoadInt64(&r.l.c.next)
}

// Until is how long it is until a time that NextLook has returned.
func Until(next int64) time.Duration {
	return time.Duration(max(next-now(), 0)) + time.Microsecond
}

// waitLent is waitReadable's sleep where records may be lent: until then, until the
// next lease or delay may have ended, or until another time is the next.
func (r *Ring) waitLent(ctx context.Context) error {
	next := r.NextLook()
	within := ctx
	if next != 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, Until(next))
		defer cancel()
	}
	err := r.notEmpty.Wait(within, func() bool { return r.Readable() || r.NextLook() != next })
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	return err
}
