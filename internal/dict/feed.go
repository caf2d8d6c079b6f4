package dict

import (
	"sync/atomic"

	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/robust"
)

// While a dict is watched each change is also written down for those who watch, as a
// record in the feed of its shard: a ring of bytes, in which the newest records take the
// place of the oldest. So who writes never looks at how far anybody has read, and never
// waits: a watcher that is slow, stopped or dead loses what it has not read, and pins no
// more than the rings.
//
// A record is written behind the last one, where nobody reads, and counts from the store
// to "head" on. That store is one of the transaction that makes the change: a death leaves
// both or neither.
//
//	watched 0  nobody watches: a writer has looked at one word, beside others that it
//	           reads anyway
//	        1  each change is written down
//	        2  nobody does any more; the rings' memory is being given back
//
// Each record has a number, of one counter of the dict, which is taken under the lock of
// the shard before the change is made: what happened before another change has a smaller
// number, whoever made them. A batch takes one for each of its entries, which follow each
// other, before it happens. A record also says to which time between two Clears it
// belongs: a change that is made to a shard while the dict is being cleared is one of those
// that are cleared, though its number may be greater. A Clear has no record: "gen" tells.
//
// Rejected: one feed for all shards, whose lock all who write would meet at, and which no
// journal of one shard could change; chains of blocks that are freed when all have read
// them, as every writer would have to know the living from the dead; and records in the
// heap of the shard, which Clear empties.

// The words of those who watch, in lines that nobody touches as long as nobody does.
//
//	  208  watched   see above; beside gen and batch
//	  384  number    of the latest change
//	  392  bell      those sleep on it who wait for a change
//	  400  first     number of the batch that has happened, 0: it was not watched
//	  448  watching  the lock of who begins or ends to watch
//	 9216  feed      of each shard
//	13312  places    who watches: 0 is nobody
const (
	offWatched  = 208
	offNumber   = 384
	offBell     = 392
	offFirst    = 400
	offWatching = 448
	offFeeds    = 9216
	offPlaces   = offFeeds + feedSize<<MaxBits
)

const (
	unwatched = iota
	watched
	abandoned
)

// The feed of a shard. Positions count all bytes that were ever written.
//
//	 0  ring   where the ring is
//	 8  large  where larger ones are: that of n bytes n bytes behind
//	16  size   of the one in use, a power of two; 0: none is
//	24  head   the position of the next record
//	32  oldest position that has not been written over
//	40  clean  head, when the memory was given back
//
// oldest is stored before anything is written over. Who dies then has made the ring a
// little shorter.
const (
	feedRing   = 0
	feedLarge  = 8
	feedLength = 16
	feedHead   = 24
	feedOldest = 32
	feedClean  = 40

	feedSize = 64
)

// A ring has minRing bytes, and becomes larger for records that take more than half of
// it. The largest has maxRing: a change that takes more than half of that is not kept, and
// all watchers are overrun.
const (
	minRing = 256 << 10
	maxRing = 4 << 20
)

// A record:
//
//	 0  length  in bytes, a multiple of 8; bit 32: the entry was deleted
//	 8  number
//	16  gen
//	24  version
//	32  key     a word, or how many bytes, times 4
//	40  value   the same
//	48  bytes of the key, up to a multiple of 8, and of the value
const (
	recordNumber  = 8
	recordGen     = 16
	recordVersion = 24
	recordKey     = 32
	recordValue   = 40
	recordBytes   = 48

	recordGone = 1 << 32
)

// heed notes that the dict is watched, or was.
func (c *call) heed(w uint64) {
	if c.watched = w == watched && !c.d.NoValues; !c.watched {
		c.news |= newsLook
	}
}

func padded(n uint64) uint64 { return (n + 7) &^ 7 }

// part is a key or a value of an entry: a word, or n bytes at off.
type part struct{ word, off, n uint64 }

// in is what a record says of it.
func (p part) in() uint64 {
	if p.word != 0 {
		return p.word
	}
	return p.n << 2
}

// keyPart is the key of an entry, as it was given.
func (c *call) keyPart(entry uint64) part {
	w := c.h.Load(entry + entryKey)
	if w&3 != 0 || w == 0 {
		return part{word: w}
	}
	lens := c.h.Load(w + keyLens)
	n, m := lens&(1<<32-1), lens>>32
	if m == 0 {
		return c.partOf(w, keyBytes, n)
	}
	return c.partOf(w, keyBytes+n, m)
}

// valuePart is the value of an entry.
func (c *call) valuePart(entry, slot uint64) part {
	w := c.h.Load(entry + entryValue + 8*slot)
	if w&3 != 0 || w == 0 {
		return part{word: w}
	}
	return c.partOf(w, valueBytes, c.h.Load(w+valueLen))
}

func (c *call) partOf(block, at, n uint64) part {
	if has := c.h.BlockAt(block).Len; at > has || n > has-at {
		c.h.Damaged(block)
		return part{}
	}
	return part{off: block + at, n: n}
}

// takes is how many bytes the record of a change takes.
func takes(key, value uint64) uint64 { return recordBytes + padded(key) + padded(value) }

// foretell makes room for the record of a change of an entry, which is tell's in the
// transaction that follows. None is under way.
func (c *call) foretell(entry, slot uint64, gone bool) {
	if !c.watched || c.h.Lost() {
		return
	}
	n := uint64(0)
	if !gone {
		n = c.valuePart(entry, slot).n
	}
	c.makeRoom(takes(c.keyPart(entry).n, n))
}

// foretellNew is foretell for an entry that is not there so far.
func (c *call) foretellNew(k *Key, v cell.Cell) {
	if c.watched && !c.h.Lost() {
		c.makeRoom(takes(k.blockLen(), uint64(len(v.Bytes))))
	}
}

// makeRoom sees to it that the shard has a ring, of which so many bytes are no more than
// half. There may be no address space left for one: then tell tells so.
func (c *call) makeRoom(n uint64) {
	d, feed := c.d, c.s.feed
	size := d.load(uintptr(feed + feedLength))
	if 2*n <= size || 2*n > d.maxRing {
		return
	}
	to := max(size, d.minRing)
	for to < 2*n {
		to *= 2
	}
	word, bytes := uint64(feedRing), d.minRing
	if to > d.minRing {
		word, bytes = feedLarge, 2*d.maxRing
	}
	if c.h.Load(feed+word) == 0 {
		off := d.space.Reserve(bytes)
		if off == 0 {
			return
		}
		fence.StoreRelease64(c.h.OwnWord(feed+word), off)
		failpoint.Hit("dict.ring")
	}
	if size != 0 {
		c.copyRing(size, to)
	} else if c.ring(to) == 0 {
		return
	}
	if c.h.Lost() {
		return
	}
	fence.StoreRelease64(c.h.OwnWord(feed+feedLength), to)
	failpoint.Hit("dict.longer")
	if size != 0 {
		c.punchRing(size)
	}
}

// copyRing copies what a ring has to a larger one.
func (c *call) copyRing(size, to uint64) {
	from, into := c.ring(size), c.ring(to)
	head := c.h.Load(c.s.feed + feedHead)
	at := max(c.h.Load(c.s.feed+feedOldest), head-min(head, size))
	for at < head && !c.h.Lost() {
		n := min(head-at, size-at&(size-1))
		to, from := c.h.Bytes(into+at&(to-1), n), c.h.Bytes(from+at&(size-1), n)
		if c.h.Lost() {
			return
		}
		copy(to, from)
		at += n
	}
}

// ring is where the ring of a size is.
func (c *call) ring(size uint64) uint64 {
	off, room := c.h.Load(c.s.feed+feedRing), c.d.minRing
	if size > room {
		off, room = c.h.Load(c.s.feed+feedLarge), 2*c.d.maxRing
	}
	if size < c.d.minRing || size > c.d.maxRing || size&(size-1) != 0 || off == 0 || off&(room-1) != 0 {
		c.h.Damaged(c.s.feed)
		return 0
	}
	if size > c.d.minRing {
		off += size
	}
	c.h.At(off) // or it would be lost too late
	return off
}

// tell writes the record of a change, and puts it into the transaction that makes it.
// number is that of a batch; 0: it takes one.
func (c *call) tell(entry, slot, version uint64, gone bool, number uint64) {
	if !c.watched || c.h.Lost() {
		return
	}
	h, feed := &c.h, c.s.feed
	key, value, flags := c.keyPart(entry), part{}, uint64(recordGone)
	if !gone {
		value, flags = c.valuePart(entry, slot), 0
	}
	n := takes(key.n, value.n)
	size, head := h.Load(feed+feedLength), h.Load(feed+feedHead)
	c.d.owe()
	if number == 0 {
		number = atomic.AddUint64(c.d.word(offNumber), 1)
	}
	c.news |= newsTold
	if 2*n > size {
		h.Put(feed+feedOldest, head+8)
		h.Put(feed+feedHead, head+8)
		return
	}
	ring := c.ring(size)
	if h.Lost() {
		return
	}
	if oldest := head + n - min(size, head+n); oldest > h.Load(feed+feedOldest) {
		fence.StoreRelease64(h.OwnWord(feed+feedOldest), oldest)
		failpoint.Hit("dict.oldest")
	}
	for i, w := range [...]uint64{n | flags, number, c.s.load(frontGen), version, key.in(), value.in()} {
		*h.OwnWord(ring + (head+8*uint64(i))&(size-1)) = w
	}
	c.copyPart(ring, size, head+recordBytes, key)
	c.copyPart(ring, size, head+recordBytes+padded(key.n), value)
	h.Put(feed+feedHead, head+n)
	if (head^(head+n))>>lookEvery != 0 {
		c.news |= newsLook
	}
}

// copyPart copies the bytes of a part to a position of the ring.
func (c *call) copyPart(ring, size, at uint64, p part) {
	for p.n > 0 {
		n := min(p.n, size-at&(size-1))
		to, from := c.h.Bytes(ring+at&(size-1), n), c.h.Bytes(p.off, n)
		if c.h.Lost() {
			return
		}
		copy(to, from)
		p.n, p.off, at = p.n-n, p.off+n, at+n
	}
}

// readFeed copies what is in the ring from a position on, and returns where it ends. over
// says that what was there has been written over.
func (c *call) readFeed(at uint64, buf []byte) (head uint64, n int, over bool) {
	head = c.h.Load(c.s.feed + feedHead)
	size := c.h.Load(c.s.feed + feedLength)
	switch {
	case at == head:
		return head, 0, false
	case at < c.h.Load(c.s.feed+feedOldest):
		return head, 0, true
	case at > head || head-at > size:
		c.h.Damaged(c.s.feed)
		return at, 0, false
	}
	ring := c.ring(size)
	for uint64(n) < head-at && n < len(buf) && !c.h.Lost() {
		from := at + uint64(n)
		n += copy(buf[n:], c.h.Bytes(ring+from&(size-1), min(head-from, size-from&(size-1))))
	}
	return head, n, false
}

// What a call has to do when it has given the lock back.
const (
	newsTold = 1 << iota // somebody may wait for what it has told
	newsLook             // whether those who watch still live
)

// lookEvery is after how many bytes of a feed, as a power of two, a writer looks whether
// those who watch still live.
const lookEvery = 14

// after wakes those who wait for what the call has told. The lock is not held any more.
func (c *call) after() {
	if c.news != 0 {
		c.d.spread(c.news)
		c.news = 0
	}
}

func (d *Dict) spread(news uint8) {
	if news&newsTold != 0 {
		d.bell.NotifyAll()
	}
	if deaths := robust.Deaths(); news&newsLook != 0 || deaths != d.deaths.Load() {
		d.deaths.Store(deaths)
		d.look()
	}
}

// owe says that others wait for what this process is about to do.
func (d *Dict) owe() {
	if d.Family != nil {
		d.Family.Owe()
	}
}

// punchRing gives the memory of a ring back to the kernel.
func (c *call) punchRing(size uint64) {
	if off := c.ring(size); !c.h.Lost() {
		c.d.space.PunchPinned(off, size)
	}
}

// clean gives the memory of the feed back, with the lock.
func (c *call) clean() {
	feed := c.s.feed
	head, size := c.h.Load(feed+feedHead), c.h.Load(feed+feedLength)
	fence.StoreRelease64(c.h.OwnWord(feed+feedOldest), head)
	failpoint.Hit("dict.cleaning")
	if size != 0 {
		if c.h.Load(feed+feedRing) != 0 {
			c.punchRing(c.d.minRing)
		}
		// Who died while he made it longer may have left something in any of them.
		for n := 2 * c.d.minRing; n <= c.d.maxRing && c.h.Load(feed+feedLarge) != 0 && !c.h.Lost(); n *= 2 {
			c.punchRing(n)
		}
	}
	if c.h.Lost() {
		return
	}
	fence.StoreRelease64(c.h.OwnWord(feed+feedLength), 0)
	fence.StoreRelease64(c.h.OwnWord(feed+feedClean), head)
	failpoint.Hit("dict.cleaned")
}
