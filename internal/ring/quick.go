package ring

import (
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// run is what this process remembers of its last call on one side of the ring,
// so that the next one need not find it out again: whoever finds the index as
// the run left it knows that nobody has called in between, in any process, and
// that what the run says about the ring is still true or has become truer. It
// belongs to the side's lock.
//
// The words in shared memory that a run was made from have been checked, and a
// run does not look at them again; a process that writes to them what it must
// not harms itself and others no more than before.
type run struct {
	index word           // the tail, or head, that the last call left
	gen   uint32         // the generation that it is in
	start uint32         // of the generation
	mask  uint32         // of the generation
	items uint32         // so many records can follow
	units uint32         // and take so many units
	base  unsafe.Pointer // of the generation; nil: there is no run
}

// holds reports whether the run goes on from an index with need units more.
func (u *run) holds(index word, gen, need uint32) bool {
	return u.index == index && u.gen == gen && need <= u.units && u.items != 0 && u.base != nil
}

// place is where the run goes on.
func (u *run) place() unsafe.Pointer {
	return unsafe.Add(u.base, uintptr((pos(u.index)-u.start)&u.mask)*8)
}

// step passes over a record of need units and returns the index behind it.
func (u *run) step(need uint32) word { return u.skip(1, need) }

// skip passes over so many records, of need units together.
func (u *run) skip(records, need uint32) word {
	u.index = pack(pos(u.index)+need, cnt(u.index)+records)
	u.units -= need
	u.items -= records
	return u.index
}

// begin makes a run in generation g, after index.
func (r *Ring) begin(u *run, index word, g, items, units uint32) {
	gen := &r.gens[g]
	*u = run{
		index: index, gen: g, start: r.start(g), mask: gen.mask,
		items: items, units: units, base: unsafe.Pointer(gen.base.Load()),
	}
}

// runPuts makes a run of puts. The put lock is held, and there is room for need
// units behind tail.
func (r *Ring) runPuts(tail word, g, need uint32) {
	c := r.c
	used, items := pos(tail)-pos(c.cachedHead), cnt(tail)-cnt(c.cachedHead)
	area, taken := r.gens[g].mask+1, pos(tail)-c.cachedLow
	if items > r.maxItems || used > r.maxUnits || taken > area {
		r.puts.base = nil
		return
	}
	ahead := max(0, int32(c.rewindAt-pos(tail))) // then reserve wants to look whether the ring is empty
	r.begin(&r.puts, tail, g, r.maxItems-items, min(r.maxUnits-used, area-taken, uint32(ahead)+need))
}

// runGets makes a run of gets. The get lock is held; head is in generation g.
func (r *Ring) runGets(head word, g uint32) {
	tail := r.c.cachedTail
	units, items := pos(tail)-pos(head), cnt(tail)-cnt(head)
	// After the tail: who has put beyond the end of a generation has noted the
	// end before.
	if end := &r.c.ends[g]; atomic.LoadUint32(&end.ended) != 0 {
		units = min(units, atomic.LoadUint32(&end.start)-pos(head))
	}
	if !r.sound(head, tail) {
		r.gets.base = nil
		return
	}
	r.begin(&r.gets, head, g, items, units)
}

// PutQuickly is tryPut for where nothing stands in the way: the lock is free
// and resident in this process, and there is room in an area that is mapped.
// Else it reports false, and nothing has happened. It takes half of tryPut's
// time.
func (r *Ring) PutQuickly(p unsafe.Pointer, n int) bool {
	need, ok := r.units(n)
	if !ok || r.peerGone() {
		return false
	}
	c := r.c
	pin.On()
	if !r.put.HoldResident() {
		pin.Off()
		return false
	}
	failpoint.Hit("put.locked")
	if atomic.LoadUint32(&c.closed) != 0 || !r.puts.holds(atomic.LoadUint64(&c.tail), c.putGen, need) && !r.resumePuts(need) {
		r.put.Free().Do()
		return false
	}
	r.fill(r.puts.place(), p, n)
	failpoint.Hit("put.quick")
	failpoint.Hit("put.copied")
	fence.StoreRelease64(&c.tail, r.puts.step(need))
	failpoint.Hit("put.published")
	if !r.put.FreeResident() { // the full fence that Notify asks for
		rest := r.put.Free()
		r.notEmpty.Notify()
		rest.Do()
		return true
	}
	failpoint.Hit("put.unlocked")
	r.notEmpty.Notify()
	pin.Off()
	return true
}

// resumePuts begins another run. The put lock is held.
func (r *Ring) resumePuts(need uint32) bool {
	tail, g, err := r.reserve(atomic.LoadUint64(&r.c.tail), need)
	if err != nil || r.gens[g].base.Load() == nil {
		return false
	}
	r.runPuts(tail, g, need)
	if known := r.puts.items; known < r.maxItems && r.putSpin.trails(known) {
		r.refresh(g)
		r.runPuts(tail, g, need)
		r.putSpin.trailed(r.puts.items - known)
	}
	return r.puts.holds(tail, g, need)
}

// frontQuickly is lockFront for where nothing stands in the way: the lock is
// free and resident in this process, and a record is known to be there. With
// true the caller holds the lock and is pinned, copies the record out and calls
// takeQuickly, or gives
// the lock back.
func (r *Ring) frontQuickly() (src unsafe.Pointer, n int, need uint32, ok bool) {
	c := r.c
	if r.leasing() {
		return nil, 0, 0, false
	}
	pin.On()
	if !r.get.HoldResident() {
		pin.Off()
		return nil, 0, 0, false
	}
	failpoint.Hit("get.locked")
	if r.leasing() {
		r.get.Free().Do()
		return nil, 0, 0, false
	}
	if !r.gets.holds(atomic.LoadUint64(&c.head), c.getGen, r.stride) && !r.resumeGets() {
		r.get.Free().Do()
		return nil, 0, 0, false
	}
	if src = r.gets.place(); r.cfg.Fixed {
		return src, r.cfg.Size, r.stride, true
	}
	if src, n, need, ok = r.measure(src); !ok {
		r.get.Free().Do()
	}
	return src, n, need, ok
}

// measure finds the bytes of the record at src, which the run of gets has
// reached, and what it takes. It reports false if that is no record, or a record
// of more than the run knows of. The ring is not of fixed-size records.
func (r *Ring) measure(src unsafe.Pointer) (_ unsafe.Pointer, n int, need uint32, ok bool) {
	n, ok = recordLength(*(*uint64)(src))
	need = r.cfg.stride(n)
	return unsafe.Add(src, 8), n, need, ok && need <= r.gets.units
}

// takeQuickly is take after frontQuickly.
func (r *Ring) takeQuickly(need uint32) {
	failpoint.Hit("get.quick")
	failpoint.Hit("get.copied")
	next := r.gets.step(need)
	fence.StoreRelease64(&r.c.head, next)
	failpoint.Hit("get.taken")
	if !r.get.FreeResident() { // the full fence that Notify asks for
		rest := r.get.Free()
		if r.notFull.Waiting() {
			r.notifyPutters(next)
		}
		rest.Do()
		return
	}
	failpoint.Hit("get.unlocked")
	if r.notFull.Waiting() {
		r.notifyPutters(next)
	}
	pin.Off()
}

// resumeGets begins another run. The get lock is held.
func (r *Ring) resumeGets() bool {
	if _, _, _, err := r.front(); err != nil || r.c.punched != r.c.getGen {
		return false // take gives the pages of old generations back
	}
	g := atomic.LoadUint32(&r.c.getGen)
	if int(g) >= len(r.gens) {
		return false
	}
	head := atomic.LoadUint64(&r.c.head)
	if known := cnt(r.c.cachedTail) - cnt(head); r.getSpin.trails(known) {
		fence.StoreRelease64(&r.c.cachedTail, atomic.LoadUint64(&r.c.tail))
		failpoint.Hit("get.cached")
		r.getSpin.trailed(cnt(r.c.cachedTail) - cnt(head) - known)
	}
	r.runGets(head, g)
	return r.gets.holds(head, g, r.stride)
}

// GetQuickly is tryGet; see frontQuickly.
func (r *Ring) GetQuickly(p unsafe.Pointer) bool {
	src, n, need, ok := r.frontQuickly()
	if !ok {
		return false
	}
	if n == 8 {
		*(*uint64)(p) = *(*uint64)(src)
	} else {
		copy(unsafe.Slice((*byte)(p), n), unsafe.Slice((*byte)(src), n))
	}
	r.takeQuickly(need)
	return true
}

// AppendQuickly is appendFront; see frontQuickly. The record must fit into buf.
func (r *Ring) AppendQuickly(buf []byte) ([]byte, int, bool) {
	src, n, need, ok := r.frontQuickly()
	if !ok {
		return buf, 0, false
	}
	if n > cap(buf)-len(buf) {
		r.get.Free().Do()
		return buf, 0, false
	}
	if n > 0 {
		buf = append(buf, unsafe.Slice((*byte)(src), n)...)
	}
	r.takeQuickly(need)
	return buf, n, true
}
