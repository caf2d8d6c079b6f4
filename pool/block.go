package pool

import (
	"sync/atomic"
)

// block is a span that arguments are put into, one after the other. One goroutine
// puts, and publishes each item; the pool takes what is published.
type block struct {
	span      span
	first     int    // index of the first item
	published uint64 // number of items, and their bytes; see region.done
	used      int    // bytes; the putting goroutine's
	count     int    // items; the putting goroutine's

	// Under the pool's lock:
	taken      int // items that were taken
	takenBytes int
	settled    int  // items whose result is there
	held       int  // orders that mention it, and whose workers may look there
	sealed     bool // no more are put
}

func (b *block) publish() {
	atomic.StoreUint64(&b.published, uint64(b.count)|uint64(b.used)<<placeBits)
}

func (b *block) available() (items, bytes int) {
	w := atomic.LoadUint64(&b.published)
	return int(w&maxItems) - b.taken, int(w >> placeBits)
}

// done reports whether nobody needs the block any more.
func (b *block) done() bool {
	return b.sealed && b.held == 0 && b.settled == int(atomic.LoadUint64(&b.published)&maxItems)
}

// run is some items that follow each other and are to be carried out: a piece of a
// block, or a single value.
type run struct {
	first, n int
	block    *block
	off, len int // in the block's span
	value    any
	key      string // of a single item, see Call.Key
}

// cut takes the first n items off r, whose arguments have this size each, or -1.
func (r *run) cut(n, size int) run {
	if n >= r.n {
		out := *r
		*r = run{}
		return out
	}
	bytes := n * size
	if size < 0 {
		bytes = skipArguments(r.block.span.bytes()[r.off:r.off+r.len], n)
	}
	out := *r
	out.n, out.len = n, bytes
	r.first, r.n, r.off, r.len = r.first+n, r.n-n, r.off+bytes, r.len-bytes
	return out
}

// skipArguments is how many bytes the first n arguments have.
func skipArguments(b []byte, n int) int {
	at := 0
	for range n {
		if len(b)-at < argumentHead {
			return len(b)
		}
		size, rest := argumentSize(b[at:])
		if size < 0 || size > len(rest) { // a worker may write anything there
			return len(b)
		}
		at += argumentHead + size
	}
	return at
}

// take takes up to n items off the block's published ones. It is called under the
// pool's lock.
func (b *block) take(n, size int) run {
	items, bytes := b.available()
	r := run{first: b.first + b.taken, n: items, block: b, off: b.takenBytes, len: bytes - b.takenBytes}
	if n < items {
		r = r.cut(n, size)
	}
	b.taken += r.n
	b.takenBytes += r.len
	return r
}
