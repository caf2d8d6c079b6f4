package dict

import (
	"unsafe"

	"multiproc/internal/arena"
)

// chunk is the last chunk of the log, with room for an entry. No transaction is under
// way.
func (c *call) chunk() (chunk uint64, ok bool) {
	log := c.s.load(frontLog)
	n := uint64(0)
	if log != 0 {
		if n = c.chunks(log); n > 0 {
			chunk = c.h.Load(log + logFirst + 8*(n-1))
			if c.h.Load(chunk+chunkLen) < c.h.Load(chunk+chunkRoom) {
				return chunk, !c.h.Lost()
			}
		}
	}
	if c.h.Lost() {
		return 0, false
	}
	// Another one: as many entries as there are already, within limits.
	room := min(max(minChunk, c.s.load(frontCount)>>32), maxChunk)
	size := chunkFirst + room*c.d.entry
	h := &c.h
	h.Again()
	roomy := log != 0 && n < c.logRoom(log)
	need, blocks := size, 1
	if !roomy && !arena.Large(c.logSize(n)) {
		need, blocks = need+c.logSize(n), 2
	}
	if !h.Ensure(need, blocks) {
		return 0, false
	}
	chunk = h.Alloc(size, kindChunk, 0)
	*c.h.OwnWord(chunk + chunkLen), *c.h.OwnWord(chunk + chunkRoom) = 0, room
	if !roomy {
		log = c.longer(log, n)
	}
	h.Put(log+logFirst+8*n, chunk)
	h.Put(log+logLen, n+1)
	return chunk, h.Commit()
}

// chunks is how many chunks a log has.
func (c *call) chunks(log uint64) uint64 {
	n := c.h.Load(log + logLen)
	if n > c.logRoom(log) {
		c.h.Damaged(log)
		return 0
	}
	return n
}

// logRoom is how many chunks there is room for.
func (c *call) logRoom(log uint64) uint64 {
	n := c.h.BlockAt(log).Len
	if n < logFirst || n > arena.MaxBlock {
		c.h.Damaged(log)
		return 0
	}
	return (n - logFirst) / 8
}

// logSize is how large a log is made that has n chunks.
func (c *call) logSize(n uint64) uint64 { return logFirst + 8*max(3, n+n/2) }

// longer makes a longer log, in the transaction, which is nobody's until it ends.
func (c *call) longer(old, n uint64) (log uint64) {
	h := &c.h
	log = h.Alloc(c.logSize(n), kindLog, 0)
	*c.h.OwnWord(log + logLen) = n
	if old != 0 {
		to, from := c.h.Bytes(log+logFirst, 8*n), c.h.Bytes(old+logFirst, 8*n)
		if !c.h.Lost() {
			copy(to, from)
		}
		h.Free(old)
	}
	h.Put(c.s.at+frontLog, log)
	return log
}

// shortenMax bounds how many deleted entries are taken off the end of the log at once.
const shortenMax = 64

// shorten takes the entry, which is being deleted, off the end of the log, with those
// before it that are deleted, if it is the last one. Its memory is used again then, which
// readers must hear of.
func (c *call) shorten(entry uint64) {
	log := c.s.load(frontLog)
	n := c.chunks(log)
	if n == 0 {
		return
	}
	chunk := c.h.Load(log + logFirst + 8*(n-1))
	last := c.h.Load(chunk + chunkLen)
	if c.h.Lost() || entry != chunk+chunkFirst+(last-1)*c.d.entry {
		return
	}
	h := &c.h
	less := uint64(1)
	for less < min(last, shortenMax) && c.h.Load(chunk+chunkFirst+(last-1-less)*c.d.entry+entryState) == 0 {
		less++
	}
	h.Moved()
	h.Put(chunk+chunkLen, last-less)
	h.Set(c.s.at+frontHoles, h.Get(c.s.at+frontHoles)-less)
	if less == last && n > 1 {
		h.Put(log+logLen, n-1)
		h.Free(chunk)
	}
}

// sweepEvery is how many changes pass between two steps of a sweep.
const sweepEvery = 32

// sweep does a step of getting rid of the deleted entries in the log, if there are many:
// it makes one chunk of several.
func (c *call) sweep() {
	holes, live := c.s.load(frontHoles), c.s.load(frontCount)>>32
	if holes < 16 || holes < live/2 || c.s.load(frontClock)%sweepEvery >= c.ticks || c.s.load(frontList) != 0 {
		return
	}
	log := c.s.load(frontLog)
	n := c.chunks(log)
	if n == 0 || c.h.Lost() {
		return
	}
	i := c.s.load(frontSweep) % n
	// As many chunks as fit into one, from that on.
	count, entries, next := uint64(0), uint64(0), i
	for ; next < n && next < i+sweepChunks; next++ {
		chunk := c.h.Load(log + logFirst + 8*next)
		alive := c.alive(chunk)
		if count+alive > maxChunk {
			break
		}
		count += alive
		entries += c.h.Load(chunk + chunkLen)
	}
	if c.h.Lost() {
		return
	}
	if next == i || entries-count < entries/4 {
		c.h.Again()
		c.h.Put(c.s.at+frontSweep, i+1)
		c.h.Commit()
		return
	}
	c.merge(i, next, count, entries-count, i+1)
}

// sweepChunks is how many chunks become one, at most.
const sweepChunks = 8

// alive is how many entries of a chunk are not deleted.
func (c *call) alive(chunk uint64) (n uint64) {
	for i := range c.entries(chunk) {
		if c.h.Load(chunk+chunkFirst+i*c.d.entry+entryState) != 0 {
			n++
		}
	}
	return n
}

// entries is how many entries a chunk has.
func (c *call) entries(chunk uint64) uint64 {
	n := c.h.Load(chunk + chunkLen)
	if n > maxChunk || chunkFirst+n*c.d.entry > c.h.BlockAt(chunk).Len {
		c.h.Damaged(chunk)
		return 0
	}
	return n
}

// merge makes one chunk of those from i up to j, which have so many entries that are not
// deleted; it makes none if that is 0. It is one transaction, whose pairs stand behind
// the chunk.
//
// Readers who have come by the old slots look at the old entries: these stay as they
// are, and nobody changes them any more.
//
// One chunk in place of one is a word of the log. Of several the log is made anew: to do
// that for each chunk that is moved would leave more behind than the move makes free, once
// the log is longer than a chunk.
func (c *call) merge(i, j, alive, holes, sweep uint64) bool {
	h := &c.h
	log := c.s.load(frontLog)
	n := c.chunks(log)
	room := max(alive, minChunk)
	size := chunkFirst + room*c.d.entry
	pairs := room + 16*(j-i) + 64
	h.Again()
	less := j - i
	if alive > 0 {
		less--
	}
	need := size + pairs*arena.PairSize
	sizes := []uint64{size, c.logSize(n - less)}[:1+min(less, 1)]
	if less > 0 && !arena.Large(sizes[1]) {
		need += sizes[1]
	}
	if c.h.Lost() || !h.Ensure(need, len(sizes)) {
		return false
	}
	h.Spill(pairs, sizes...)
	chunk, at := uint64(0), uint64(0)
	if alive > 0 {
		chunk = h.Alloc(size, kindChunk, 0)
	}
	for k := i; k < j; k++ {
		old := c.h.Load(log + logFirst + 8*k)
		for e := range c.entries(old) {
			from := old + chunkFirst + e*c.d.entry
			if c.h.Load(from+entryState) == 0 {
				continue
			}
			to := chunk + chunkFirst + at*c.d.entry
			if at++; at > alive || c.h.Lost() {
				c.h.Damaged(old)
				return false
			}
			copy(c.h.Bytes(to, c.d.entry), c.h.Bytes(from, c.d.entry))
			hash := c.hashOf(from)
			slot := c.slotWith(hash, slotOf(from, hash))
			if slot == 0 {
				return false
			}
			h.Put(slot, slotOf(to, hash))
		}
	}
	if alive > 0 {
		*c.h.OwnWord(chunk + chunkLen), *c.h.OwnWord(chunk + chunkRoom) = at, room
	}
	for k := i; k < j; k++ {
		h.Free(c.h.Load(log + logFirst + 8*k))
	}
	if less == 0 {
		h.Put(log+logFirst+8*i, chunk)
	} else if !c.shorter(log, n, i, j, chunk) {
		return false
	}
	h.Put(c.s.at+frontHoles, c.s.load(frontHoles)-holes)
	h.Put(c.s.at+frontSweep, sweep)
	return h.Commit()
}

// shorter makes another log of one of n chunks, in the transaction, with a chunk, or 0,
// in place of those from i up to j.
func (c *call) shorter(log, n, i, j, chunk uint64) bool {
	h, less := &c.h, j-i
	if chunk != 0 {
		less--
	}
	after := h.Alloc(c.logSize(n-less), kindLog, 0)
	p, q := c.h.Bytes(after+logFirst, 8*(n-less)), c.h.Bytes(log+logFirst, 8*n)
	if c.h.Lost() {
		return false
	}
	p = p[copy(p, q[:8*i]):]
	if chunk != 0 {
		*(*uint64)(unsafe.Pointer(&p[0])) = chunk
		p = p[8:]
	}
	copy(p, q[8*j:])
	*c.h.OwnWord(after + logLen) = n - less
	h.Put(c.s.at+frontLog, after)
	h.Free(log)
	return true
}

// slotWith is where the slot of a hash is that says w; 0 if there is none.
func (c *call) slotWith(hash, w uint64) uint64 {
	table, _ := c.table(hash)
	if table == 0 {
		c.h.Damaged(c.s.at)
		return 0
	}
	n := c.slots(table)
	i := n * (hash & (1<<32 - 1)) >> 32
	for range n {
		at := table + tableSlots + 8*i
		switch c.h.Load(at) {
		case w:
			return at
		case 0:
			c.h.Damaged(table)
			return 0
		}
		if i++; i == n {
			i = 0
		}
	}
	c.h.Damaged(table)
	return 0
}
