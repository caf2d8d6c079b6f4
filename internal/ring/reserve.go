package ring

import (
	"sync/atomic"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// refresh reads the getters' progress. The put lock is held.
func (r *Ring) refresh(g uint32) {
	c := r.c
	// getGen first: once it equals putGen, which is g, the head is in this
	// generation, whatever it is when it is read.
	inside := atomic.LoadUint32(&c.getGen) == g
	head := atomic.LoadUint64(&c.head)
	atomic.StoreUint64(&c.cachedHead, head)
	failpoint.Hit("put.refreshed.head")
	low := pos(head)
	if !inside {
		low = r.start(g)
	}
	atomic.StoreUint32(&c.cachedLow, low)
	failpoint.Hit("put.refreshed")
}

// room says whether need units more would fit into generation g, by the cached
// knowledge. grow says that a larger generation would help.
func (r *Ring) room(g uint32, tail word, need uint32) (fits, grow bool) {
	c := r.c
	head := c.cachedHead
	if !r.sound(head, tail) || cnt(tail)-cnt(head) >= r.maxItems {
		return false, false
	}
	// Written so that no corrupted word makes a sum run over.
	if used := pos(tail) - pos(head); used > r.maxUnits || need > r.maxUnits-used {
		return false, false
	}
	area := r.gens[g].mask + 1
	if used := pos(tail) - c.cachedLow; used > area || need > area-used {
		return false, int(g) < len(r.gens)-1
	}
	return true, false
}

// reserve finds need units behind tail, which may be ahead of the shared tail
// by records of the same burst. It returns the tail and the generation to
// write to, or ErrFull, ErrClosed or ErrCorrupt.
func (r *Ring) reserve(tail word, need uint32) (word, uint32, error) {
	c := r.c
	if atomic.LoadUint32(&c.closed) != 0 {
		return 0, 0, mperr.ErrClosed
	}
	// Read once: it was in range, and another value would not be looked at.
	g := atomic.LoadUint32(&c.putGen)
	if int(g) >= len(r.gens) {
		return 0, 0, r.corrupt("put generation %d of %d", g, len(r.gens))
	}
	if int32(pos(tail)-c.rewindAt) >= 0 {
		tail = r.rewind(g, tail)
	}
	fits, _ := r.room(g, tail, need)
	if !fits {
		r.refresh(g)
		var larger bool
		if fits, larger = r.room(g, tail, need); larger {
			g = r.grow(g, tail, need)
			fits, _ = r.room(g, tail, need)
		}
	}
	if !fits {
		if err := r.checkFull(g, tail); err != nil {
			return 0, 0, err
		}
		return 0, 0, mperr.ErrFull
	}
	return tail, g, nil
}

// checkFull finds control blocks in which room and mayFit would disagree, and
// a Put would go round for ever. The put lock is held.
func (r *Ring) checkFull(g uint32, tail word) error {
	head := atomic.LoadUint64(&r.c.head) // before getGen, see refresh
	if !r.sound(head, tail) {
		return r.unsound(head, tail)
	}
	if cnt(head) == cnt(tail) && pos(head) != pos(tail) {
		return r.corrupt("empty, but from position %d to %d", pos(head), pos(tail))
	}
	if atomic.LoadUint32(&r.c.getGen) != g && pos(tail)-r.start(g) > pos(tail)-pos(head) {
		return r.corrupt("generation %d begins outside of the records", g)
	}
	return r.check()
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
func (r *Ring) rewind(gen uint32, tail word) word {
	c := r.c
	r.refresh(gen)
	atomic.StoreUint32(&c.rewindAt, pos(tail)+rewindUnits)
	head := c.cachedHead
	g := &r.gens[gen]
	offset := (pos(tail) - r.start(gen)) & g.mask
	if cnt(head) != cnt(tail) || atomic.LoadUint32(&c.getGen) != gen || offset < rewindUnits || g.mask < 2*rewindUnits {
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
// larger one that has room for need units, or in the last. It returns that.
//
// Records of a burst are published first: the next generation must not begin
// beyond the tail that a survivor finds.
func (r *Ring) grow(g uint32, tail word, need uint32) uint32 {
	c := r.c
	fence.StoreRelease64(&c.tail, tail)
	failpoint.Hit("put.grow.flushed")
	for int(g) < len(r.gens)-1 {
		end := &c.ends[g]
		atomic.StoreUint32(&end.start, pos(tail))
		failpoint.Hit("put.grow.start")
		atomic.StoreUint32(&end.ended, 1)
		failpoint.Hit("put.grow.ended")
		g++
		atomic.StoreUint32(&c.putGen, g)
		failpoint.Hit("put.grown")
		r.refresh(g)
		if need <= r.gens[g].mask+1 {
			break
		}
	}
	return g
}
