package dict

import (
	"context"
	"math"

	"multiproc/internal/cell"
	"multiproc/internal/fence"
)

// Entry is an entry that was read, with its place in the order.
type Entry struct {
	Found
	Birth uint64
	equal cell.Cell
}

// Identity is that of its key.
func (e *Entry) Identity() Identity { return identity(e.equal) }

// Page reads up to limit entries that were made after the one of birth after, in the
// order in which they were made. Entries that stay while it reads are among them, each
// once; of others nothing is said.
func (d *Dict) Page(ctx context.Context, after uint64, limit int) ([]Entry, error) {
	p := pager{d: d, stretches: make([]stretch, 0, len(d.shards))}
	now := d.now() // the same for all
	for i := range d.shards {
		s := &d.shards[i]
		if s.load(frontLog) == 0 || s.load(frontGen) != d.load(offGen) {
			continue
		}
		x := stretch{c: d.callOf(s), last: after}
		x.c.now = now
		if err := x.settle(ctx); err != nil {
			return nil, err
		}
		if x.birth != 0 {
			p.stretches = append(p.stretches, x)
		}
	}
	p.order()
	var page []Entry
	for len(p.stretches) > 0 && len(page) < limit {
		x := &p.stretches[0]
		e, ok, err := x.take(ctx)
		if err != nil {
			return nil, err
		}
		if ok {
			page = append(page, e)
		}
		if x.birth == 0 {
			n := len(p.stretches) - 1
			p.stretches[0] = p.stretches[n]
			p.stretches = p.stretches[:n]
		}
		p.down(0)
	}
	return page, nil
}

// pager merges the logs of the shards.
type pager struct {
	d         *Dict
	stretches []stretch // a heap, by birth
}

// stretch is where the reader is in the log of a shard.
type stretch struct {
	c       call
	last    uint64 // entries up to that birth were read
	birth   uint64 // of the next entry; 0: there is none
	moves   uint64
	log     uint64
	chunk   uint64 // where the entry is: the index of its chunk,
	entry   uint64 // its index there,
	at      uint64 // and its offset
	tries   int
	waiting []Entry // read under the lock, as too much changes
}

// ahead calls f, which looks at memory that may be another's by then, until it is not.
func (x *stretch) ahead(f func()) error {
	for {
		x.moves = x.c.h.Moves(x.c.s.back + backHeap)
		f()
		fence.LoadLoad()
		moved := x.moves != x.c.h.Moves(x.c.s.back+backHeap)
		switch {
		case !moved && !x.c.h.Lost():
			return nil
		case moved:
			x.c.h.Forget()
		default:
			if err := x.c.h.Find(); err != nil {
				return err
			}
		}
	}
}

// settle finds the first entry behind last.
func (x *stretch) settle(ctx context.Context) error { return x.ahead(x.seek) }

// seek is settle, once.
func (x *stretch) seek() {
	c := &x.c
	x.birth = 0
	x.log = c.s.load(frontLog)
	if x.log == 0 {
		return
	}
	n := c.chunks(x.log)
	low, high := uint64(0), n // the first chunk that begins behind last
	for low < high && !c.h.Lost() {
		mid := (low + high) / 2
		if x.first(mid) > x.last {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low > 0 { // the one before may have some
		low--
		chunk := x.chunkAt(low)
		i, j := uint64(0), c.entries(chunk)
		for i < j && !c.h.Lost() {
			mid := (i + j) / 2
			if c.h.Load(chunk+chunkFirst+mid*c.d.entry+entryBirth) > x.last {
				j = mid
			} else {
				i = mid + 1
			}
		}
		if i < c.entries(chunk) {
			x.set(low, i)
			return
		}
		low++
	}
	if low < n && c.entries(x.chunkAt(low)) > 0 {
		x.set(low, 0)
	}
}

func (x *stretch) chunkAt(i uint64) uint64 { return x.c.h.Load(x.log + logFirst + 8*i) }

// first is the birth of the first entry of a chunk.
func (x *stretch) first(i uint64) uint64 {
	chunk := x.chunkAt(i)
	if x.c.entries(chunk) == 0 {
		return math.MaxUint64
	}
	return x.c.h.Load(chunk + chunkFirst + entryBirth)
}

// set says which entry is the next.
func (x *stretch) set(chunk, entry uint64) {
	x.chunk, x.entry = chunk, entry
	x.at = x.chunkAt(chunk) + chunkFirst + entry*x.c.d.entry
	x.birth = x.c.h.Load(x.at + entryBirth)
	if x.birth <= x.last { // or it could go on for ever
		x.c.h.Damaged(x.at)
		x.birth = 0
	}
}

// take reads the entry, unless it was deleted, and goes on to the next.
func (x *stretch) take(ctx context.Context) (e Entry, ok bool, err error) {
	if len(x.waiting) > 0 {
		e = x.waiting[0]
		x.waiting = x.waiting[1:]
		x.last = e.Birth
		if len(x.waiting) == 0 {
			return e, true, x.settle(ctx)
		}
		x.birth = x.waiting[0].Birth
		return e, true, nil
	}
	before := x.moves
	e, ok, right := x.read()
	birth, last := x.birth, x.last
	if right {
		x.last = birth
		x.next()
	}
	fence.LoadLoad()
	if right && !x.c.h.Lost() && before == x.c.h.Moves(x.c.s.back+backHeap) {
		x.tries = 0
		return e, ok, nil
	}
	x.last, x.birth = last, birth
	if x.tries++; x.tries > tries {
		x.tries = 0
		return Entry{}, false, x.lock(ctx)
	}
	if before != x.c.h.Moves(x.c.s.back+backHeap) {
		x.c.h.Forget()
	} else if x.c.h.Lost() {
		if err := x.c.h.Find(); err != nil {
			return Entry{}, false, err
		}
	}
	return Entry{}, false, x.settle(ctx)
}

// read reads the entry. right is false if it was changed meanwhile.
func (x *stretch) read() (e Entry, ok, right bool) {
	e.Found, right = x.c.read(x.at, nil)
	if ok = e.Version != 0; ok {
		e.Birth = x.birth
		e.Key, e.equal = x.c.key(x.at)
	}
	return e, ok, right
}

// next goes on by one entry.
func (x *stretch) next() {
	c := &x.c
	if x.entry+1 < c.entries(x.chunkAt(x.chunk)) {
		x.set(x.chunk, x.entry+1)
		return
	}
	x.birth = 0
	if x.chunk+1 < c.chunks(x.log) && c.entries(x.chunkAt(x.chunk+1)) > 0 {
		x.set(x.chunk+1, 0)
		return
	}
	if c.s.load(frontLog) != x.log { // it has grown since
		x.seek()
	}
}

// lockedEntries is how many entries are read under the lock at once.
const lockedEntries = 64

// lock reads some entries with the lock.
func (x *stretch) lock(ctx context.Context) error {
	err := x.c.d.within(ctx, x.c.s, func(c *call) {
		y := stretch{c: *c, last: x.last}
		y.c.now = x.c.now
		x.waiting = x.waiting[:0]
		for y.seek(); y.birth != 0 && len(x.waiting) < lockedEntries && !y.c.h.Lost(); {
			if e, ok, _ := y.read(); ok {
				x.waiting = append(x.waiting, e)
			}
			y.last = y.birth
			y.next()
		}
		c.h.View = y.c.h.View
		if len(x.waiting) == 0 {
			x.last = y.last
		}
	})
	if err != nil {
		return err
	}
	if len(x.waiting) > 0 {
		x.birth = x.waiting[0].Birth
		return nil
	}
	return x.settle(ctx)
}

// key reads the key of an entry, as it was given, and what it equals.
func (c *call) key(entry uint64) (given, equal cell.Cell) {
	w := c.h.Load(entry + entryKey)
	if w&3 != 0 || w == 0 {
		return cell.Cell{Word: w}, cell.Cell{Word: w}
	}
	lens := c.h.Load(w + keyLens)
	n, m := lens&(1<<32-1), lens>>32
	if word := c.h.Load(w + keyWord); word != 0 {
		equal = cell.Cell{Word: word}
	} else {
		equal, _ = c.bytes(w, keyBytes, n, nil)
	}
	if m == 0 {
		return equal, equal
	}
	given, _ = c.bytes(w, keyBytes+n, m, nil)
	return given, equal
}

// order makes a heap of the stretches.
func (p *pager) order() {
	for i := len(p.stretches)/2 - 1; i >= 0; i-- {
		p.down(i)
	}
}

func (p *pager) down(i int) {
	s := p.stretches
	for {
		least := i
		for _, j := range [...]int{2*i + 1, 2*i + 2} {
			if j < len(s) && s[j].birth < s[least].birth {
				least = j
			}
		}
		if least == i {
			return
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}
