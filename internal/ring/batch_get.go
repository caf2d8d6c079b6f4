package ring

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// GetMany takes up to limit records, as many as there are, waiting until there
// is one. sink is called for each in order, with its length, which may be Nil,
// and with a copy of the record that it must not keep. All are taken by one
// store of the head: one a generation, and one for each megabyte. Errors are
// those of Get; with an error nothing was taken.
func (r *Ring) GetMany(ctx context.Context, limit int, sink func(p unsafe.Pointer, n int)) (int, error) {
	waited := false
	for limit > 0 {
		n, err := r.getBursts(ctx, limit, sink, waited)
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
	return r.getBursts(context.Background(), limit, sink, false)
}

// getBursts takes what is there when it begins, or what others leave of it.
func (r *Ring) getBursts(ctx context.Context, limit int, sink func(p unsafe.Pointer, n int), waited bool) (int, error) {
	limit = min(limit, max(1, r.Available()))
	count, err := r.getBurst(ctx, limit, sink, waited)
	if err != nil {
		return 0, err
	}
	for count < limit {
		n, err := r.getBurst(ctx, limit-count, sink, false)
		if err != nil {
			break
		}
		count += n
	}
	return count, nil
}

// getBurst copies records to memory of this process while it holds the lock,
// and calls sink for them when it does not any more.
func (r *Ring) getBurst(ctx context.Context, limit int, sink func(p unsafe.Pointer, n int), waited bool) (int, error) {
	b := bursts.Get().(*burst)
	defer b.giveBack()
	b.reset(r, r.peekBurst(limit))
	src, n, next, err := r.lockFront(ctx, waited)
	for err == nil && !b.fits(n) {
		r.get.Free().Do()
		b.reset(r, max(n, 0))
		src, n, next, err = r.lockFront(ctx, waited)
	}
	if err != nil {
		return 0, err
	}
	if r.l != nil && r.l.taking != nil {
		b.add(src, n)
		r.take(next, waited)
		b.each(sink)
		return 1, nil
	}
	count := 0
	for {
		b.add(src, n)
		count++
		count, next = r.addRun(b, count, limit, next)
		if count == limit {
			break
		}
		var ok bool
		var after word
		if src, n, after, ok = r.following(next); !ok || !b.fits(n) {
			break
		}
		next = after
	}
	r.take(next, waited)
	b.each(sink)
	return count, nil
}

// addRun adds what the run of gets knows of behind head, as far as there is
// room, where one copy does for all: of fixed-size records.
func (r *Ring) addRun(b *burst, count, limit int, head word) (int, word) {
	if !r.cfg.Fixed || r.cfg.Size == 0 || !r.gets.holds(head, r.c.getGen, r.stride) {
		return count, head
	}
	// The area is mapped twice in a row: one copy stays within that if it is no
	// larger than the area, whatever the words say from which the run was made.
	area := int((r.gets.mask + 1) / r.stride)
	more := min(limit-count, area, int(r.gets.items), int(r.gets.units/r.stride), (len(b.words)-b.used)/int(r.stride))
	if more <= 0 {
		return count, head
	}
	taken := uint32(more) * r.stride
	copy(b.words[b.used:], unsafe.Slice((*uint64)(r.gets.place()), taken))
	b.used += int(taken)
	b.count += more
	return count + more, r.gets.skip(uint32(more), taken)
}

// following finds the record behind those that a burst has copied so far. It
// reports false at the end of the ring, or of what is sound of it.
func (r *Ring) following(head word) (src unsafe.Pointer, n int, next word, ok bool) {
	c := r.c
	if !r.cfg.Fixed && r.gets.holds(head, c.getGen, r.stride) {
		if src, n, need, ok := r.measure(r.gets.place()); ok {
			return src, n, r.gets.step(need), true
		}
	}
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
	if err != nil {
		return nil, 0, 0, false
	}
	if g := atomic.LoadUint32(&c.getGen); int(g) < len(r.gens) {
		r.runGets(next, g)
	}
	return src, n, next, true
}

// peekBurst guesses how many bytes a burst of limit records takes, without the
// lock. What does not fit in the end is left for the next burst.
func (r *Ring) peekBurst(limit int) int {
	if r.cfg.Fixed {
		return max(r.cfg.Size, min(limit, maxBurst/max(r.cfg.Size, 8))*(r.cfg.Size+7))
	}
	head, tail := r.snapshot()
	return max(r.peekLen(), int(min(8*uint64(pos(tail)-pos(head)), maxBurst)))
}

// burst is memory for the records that are taken under one lock.
type burst struct {
	words []uint64 // in rings that are not fixed each record has a word with its length
	used  int      // words
	count int      // records
	fixed bool
	size  int // of a record, if fixed
}

// maxBurst is how many bytes are taken under one lock, unless a record has more.
const maxBurst = 1 << 20

var bursts = sync.Pool{New: func() any { return new(burst) }}

func (b *burst) giveBack() {
	if len(b.words) <= maxBurst/8+1 {
		bursts.Put(b)
	}
}

// reset makes room for as many bytes of records.
func (b *burst) reset(r *Ring, bytes int) {
	b.used, b.count, b.fixed, b.size = 0, 0, r.cfg.Fixed, r.cfg.Size
	if need := int(units(bytes)) + 1; need > len(b.words) {
		b.words = make([]uint64, need)
	}
}

// fits reports whether there is room for a record of n bytes, or a nil one.
func (b *burst) fits(n int) bool { return b.used+1+int(units(max(n, 0))) <= len(b.words) }

func (b *burst) add(src unsafe.Pointer, n int) {
	b.count++
	if b.fixed && n == 8 {
		b.words[b.used] = *(*uint64)(src)
		b.used++
		return
	}
	if !b.fixed {
		b.words[b.used] = uint64(n)
		b.used++
	}
	if n > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&b.words[b.used])), n), unsafe.Slice((*byte)(src), n))
		b.used += int(units(n))
	}
}

func (b *burst) each(sink func(p unsafe.Pointer, n int)) {
	for i := 0; b.count > 0; b.count-- {
		n := b.size
		if !b.fixed {
			n = int(b.words[i])
			i++
		}
		sink(unsafe.Pointer(&b.words[min(i, len(b.words)-1)]), n)
		i += int(units(max(n, 0)))
	}
}
