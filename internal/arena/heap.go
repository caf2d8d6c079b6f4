package arena

import (
	"math/bits"
	"sync/atomic"
)

// What a heap has in shared memory: HeapSize bytes at a multiple of 64, all zero at
// first.
//
//	 0  fill   where the next block of the run that is being filled begins
//	 8  end    of that run
//	16  runs   with blocks; the first is being filled
//	24  last   of these
//	32  spare  runs that are empty
//	40  bare   runs that are empty, and have no memory but their first page
//	48  size   of the runs with blocks
//	56  dead   bytes of these that no living block has, and could be used again
//	64  idle   size of the spare runs
//	72  moves  how often memory that a reader may look at has become another's
const (
	heapFill  = 0
	heapEnd   = 8
	heapRuns  = 16
	heapLast  = 24
	heapSpare = 32
	heapBare  = 40
	heapSize  = 48
	heapDead  = 56
	heapIdle  = 64
	OffMoves  = 72

	HeapSize = 128
)

// A run begins with
//
//	 0  size  a power of two; never changes
//	 8  dead  bytes that no living block has
//	16  next  run of the same list
//	24  end     where its blocks end; 0 of the one that is being filled, 1 of one that has
//	   a single block, which is a large one
//
// and blocks follow.
const (
	runSize = 0
	runDead = 8
	runNext = 16
	runEnd  = 24
	runHead = 32

	single = 1

	minRun  = 512
	maxRun  = 256 << 10
	runPage = 4096 // that stays, at the beginning of a bare run
)

// In front of a block stand two words, of which its user sees the second:
//
//	0  bits 0 to 31 length in bytes, 32 to 47 how many words behind its run's beginning
//	   it stands, 48 to 55 kind, 63 whether it is dead
//	8  owner
const (
	blockHead = 16
	deadBlock = 1 << 63
)

// MaxBlock is how many bytes a block has at most.
const MaxBlock = 1<<32 - 1<<20

// Heap gives out blocks. It is made for one call, by the holder of the lock that guards
// it, who is pinned; it changes memory through the transaction, but for memory that is
// nobody's.
type Heap struct {
	Tx
	words  uint64 // where they are
	hollow uint64 // a run of which Free took the last living block
}

// BeginHeap makes h a heap whose words are there, and whose journal stands there.
func (h *Heap) BeginHeap(words, journal uint64) {
	h.words, h.hollow = words, 0
	h.Begin(journal)
}

func (h *Heap) get(word uint64) uint64 { return h.Get(h.words + word) }
func (h *Heap) set(word, v uint64)     { h.Set(h.words+word, v) }
func (h *Heap) add(word, by uint64)    { h.Add(h.words+word, by) }

func blockBytes(n uint64) uint64 { return (n + blockHead + 7) &^ 7 }

// Ensure sees to it that Alloc has room for blocks of n bytes in all, of which there are
// so many, the large ones aside. It is a transaction of its own; none is under way.
func (h *Heap) Ensure(n uint64, blocks int) bool {
	n += uint64(blocks) * (blockHead + 8)
	fill := h.Load(h.words + heapFill)
	if fill+n <= h.Load(h.words+heapEnd) {
		return true
	}
	h.fresh(h.Load(h.words+heapRuns), fill, n)
	ok := h.Commit()
	h.Again()
	return ok
}

// Large reports whether a block of n bytes has a run to itself.
func Large(n uint64) bool { return blockBytes(n) > maxRun/4 }

// Alloc takes a block of n bytes, in the transaction, and returns where they are. Ensure
// has seen to it that there is room. Its memory is nobody's until then, and may be
// written to at once; it is not zero. kind and owner are for who moves the block.
func (h *Heap) Alloc(n uint64, kind uint8, owner uint64) uint64 {
	if n > MaxBlock {
		h.Damaged(h.words)
		return Nowhere
	}
	need := blockBytes(n)
	run, fill := h.get(heapRuns), h.get(heapFill)
	switch {
	case Large(n):
		run = h.apart(run, need)
		fill = run + runHead
	case fill+need <= h.get(heapEnd):
		h.set(heapFill, fill+need)
	default:
		h.Damaged(h.words)
		return Nowhere
	}
	block := (*[2]uint64)(h.Own(fill))
	block[0] = n | (fill-run)>>3<<32 | uint64(kind)<<48
	block[1] = owner
	return fill + blockHead
}

// Spill has the pairs of the transaction written down behind blocks of these sizes, which
// are to be allocated, where there is room for n pairs; Ensure has seen to that, too.
// Nothing was set so far.
func (h *Heap) Spill(n uint64, sizes ...uint64) {
	off := h.get(heapFill)
	for _, size := range sizes {
		if !Large(size) {
			off += blockBytes(size)
		}
	}
	if n > maxPairs || off+n*PairSize > h.get(heapEnd) {
		h.Damaged(h.words)
		return
	}
	h.pairs, h.where, h.room = h.At(off), off, int(n)
}

// fresh begins to fill another run, which has room for so many bytes.
func (h *Heap) fresh(old, fill, need uint64) (run uint64) {
	total := h.get(heapSize)
	ideal := min(total/8, maxRun)
	run, size := h.empty(max(need+runHead, ideal/4), max(need+runHead, ideal), maxRun)
	if old == 0 {
		h.set(heapLast, run)
	} else if h.Load(old+runEnd) != single { // from now on what is dead in it counts
		h.Set(old+runEnd, fill)
		h.Add(old+runDead, h.get(heapEnd)-fill)
		h.add(heapDead, h.Get(old+runDead))
	}
	h.Set(run+runDead, 0)
	h.Set(run+runEnd, 0)
	h.Set(run+runNext, old)
	h.set(heapRuns, run)
	h.set(heapFill, run+runHead)
	h.set(heapEnd, run+size)
	h.set(heapSize, total+size)
	return run
}

// apart makes a run for one large block.
func (h *Heap) apart(first, need uint64) (run uint64) {
	run, size := h.empty(need+runHead, need+runHead, 4*need)
	h.Set(run+runDead, size-runHead-need)
	h.Set(run+runEnd, single)
	h.add(heapSize, size)
	if first == 0 {
		h.set(heapRuns, run)
		h.set(heapLast, run)
		h.set(heapFill, run+size)
		h.set(heapEnd, run+size)
		h.Set(run+runNext, 0)
		return run
	}
	// The run that is being filled stays the first.
	h.Set(run+runNext, h.Get(first+runNext))
	h.Set(first+runNext, run)
	if h.get(heapLast) == first {
		h.set(heapLast, run)
	}
	return run
}

// looks is how many empty runs are looked at before a new one is made.
const looks = 8

// empty takes an empty run of so many bytes; if there is none it makes one that is as
// large as it should be. What is smaller than that is used, too, or the runs of a heap
// that grows and shrinks would be given to the kernel while others are made.
func (h *Heap) empty(atLeast, ideal, atMost uint64) (run, size uint64) {
	for _, list := range [...]uint64{heapSpare, heapBare} {
		link := h.words + list
		for range looks {
			if run = h.Get(link); run == 0 {
				break
			}
			if size = h.Load(run + runSize); size >= atLeast && size <= atMost {
				h.Set(link, h.Get(run+runNext))
				if list == heapSpare {
					h.add(heapIdle, -size)
				}
				return run, size
			}
			link = run + runNext
		}
	}
	size = max(minRun, uint64(1)<<bits.Len64(ideal-1))
	if run = h.Space.Reserve(size); run == 0 {
		h.full = true
		h.Damaged(h.words)
		return Nowhere, size
	}
	*h.OwnWord(run + runSize) = size
	return run, size
}

// Block is what is written in front of a block.
type Block struct {
	Len   uint64
	Kind  uint8
	Owner uint64
	Dead  bool

	run uint64
}

// BlockAt reads what is written in front of the block at off. It may be anything if it
// is read without the lock.
func (v *View) BlockAt(off uint64) Block {
	b := (*[2]uint64)(v.At(off - blockHead))
	w := atomic.LoadUint64(&b[0])
	return Block{
		Len: w & (1<<32 - 1), Kind: uint8(w >> 48), Owner: b[1], Dead: w&deadBlock != 0,
		run: off - blockHead - w>>32&0xffff<<3,
	}
}

// OwnerOf is where the owner of a block is written down.
func (v *View) OwnerOf(off uint64) *uint64 { return v.OwnWord(off - 8) }

// Free gives a block back, in the transaction. Its memory stays as it is for those who
// look at it, until Moves changes.
func (h *Heap) Free(off uint64) {
	b := h.BlockAt(off)
	if b.Dead {
		h.Damaged(off)
		return
	}
	head := off - blockHead
	h.Set(head, h.Get(head)|deadBlock)
	n := blockBytes(b.Len)
	h.Add(b.run+runDead, n)
	if h.Get(b.run+runDead)+runHead == h.Load(b.run+runSize) && b.run != h.get(heapRuns) {
		h.hollow = b.run
	}
	switch {
	case h.Load(b.run+runEnd) == single:
		h.add(heapDead, h.Load(b.run+runSize)-runHead)
	case b.run != h.get(heapRuns):
		h.add(heapDead, n)
	}
}

// Moves is what a reader, who holds no lock, looks at before and after: if it is the
// same then what he has read was nobody else's by then. It changes before memory is
// used again.
func (v *View) Moves(heap uint64) uint64 { return v.Load(heap + OffMoves) }

// Moved says, in the transaction, that memory that readers may look at is about to be
// used again.
func (h *Heap) Moved() { h.add(OffMoves, 1) }

// Untidy reports whether so much of the heap is dead that a run should be emptied.
func (h *Heap) Untidy() bool {
	dead := h.Load(h.words + heapDead)
	return dead > max(minRun, h.Space.Floor) && dead > h.Load(h.words+heapSize)/3
}

// maxRuns bounds a walk over runs, which damage may have made a circle.
const maxRuns = 1 << 20

// Run is a run that is being emptied.
type Run struct {
	at, size, next, end uint64
}

// Worst is the run with the largest part dead, but for the one that is being filled;
// false if a quarter of none is. The caller moves its living blocks (see Next) elsewhere,
// each in a transaction of its own, and then calls Release.
func (h *Heap) Worst() (r Run, ok bool) {
	run := h.worst()
	r = Run{run, h.Load(run + runSize), run + runHead, h.Load(run + runEnd)}
	if r.end == single {
		r.end = r.next // the block is dead
	}
	return r, run != 0
}

// Next is the next living block of a run; false if there is none.
func (h *Heap) Next(r *Run) (off uint64, b Block, ok bool) {
	for r.next+blockHead <= r.end {
		off := r.next + blockHead
		b := h.BlockAt(off)
		r.next += blockBytes(b.Len)
		if h.Lost() || b.run != r.at || r.next > r.end || r.end > r.at+r.size {
			h.Damaged(off)
			break
		}
		if !b.Dead {
			return off, b, true
		}
	}
	return 0, Block{}, false
}

// Hollow is the run of which a Free, in a transaction that is over, took the last living
// block, for Release; false if there was none since the last call. If it was several it is
// one of them: the others are found by Worst.
func (h *Heap) Hollow() (r Run, ok bool) {
	run := h.hollow
	if h.hollow = 0; run == 0 || h.Lost() {
		return Run{}, false
	}
	return Run{at: run, size: h.Load(run + runSize)}, true
}

// Sparse reports whether the block at off stands in a run that could be used again in
// good part if its living blocks were moved elsewhere: for who goes through all blocks,
// as he does not know from the runs who refers to them.
func (h *Heap) Sparse(off uint64) bool {
	run := h.BlockAt(off).run
	if run == h.Load(h.words+heapRuns) || h.Load(run+runEnd) == single {
		return false
	}
	return h.Load(run+runDead) > h.Load(run+runSize)/4
}

// Release makes an empty run of one that has no living block; it does nothing with
// others. The transaction under way is forgotten.
func (h *Heap) Release(r Run) {
	if h.Load(r.at+runDead)+runHead == r.size {
		h.release(r.at, r.size)
	}
}

// worst is the run with the largest part dead, but for the one that is being filled.
func (h *Heap) worst() (worst uint64) {
	run := h.Load(h.words + heapRuns)
	most := uint64(1 << 14) // a quarter
	for range maxRuns {
		if run == 0 || h.Lost() {
			break
		}
		run = h.Load(run + runNext)
		if run == 0 {
			break
		}
		size, dead := h.Load(run+runSize), h.Load(run+runDead)
		if h.Load(run+runEnd) == single && dead+runHead != size {
			continue
		}
		if part := dead << 16 / max(size, 1); part > most {
			worst, most = run, part
		}
	}
	return worst
}

// release makes an empty run of one that has no living block.
func (h *Heap) release(run, size uint64) {
	h.Again()
	before, link := uint64(0), h.words+heapRuns
	for range maxRuns {
		at := h.Load(link)
		if at == run {
			break
		}
		if at == 0 || h.Lost() {
			return
		}
		before, link = at, at+runNext
	}
	h.Moved()
	h.Set(link, h.Load(run+runNext))
	if h.get(heapLast) == run {
		h.set(heapLast, before)
	}
	h.add(heapSize, -size)
	h.add(heapDead, -(size - runHead))
	h.add(heapIdle, size)
	h.Set(run+runNext, h.get(heapSpare))
	h.set(heapSpare, run)
	h.Commit()
}

// Reset gives all blocks back, in the transaction.
func (h *Heap) Reset() {
	first := h.get(heapRuns)
	if first == 0 {
		return
	}
	h.Moved()
	h.Set(h.get(heapLast)+runNext, h.get(heapSpare))
	h.set(heapSpare, first)
	h.add(heapIdle, h.get(heapSize))
	for _, word := range [...]uint64{heapRuns, heapLast, heapFill, heapEnd, heapSize, heapDead} {
		h.set(word, 0)
	}
}

// keep is how many bytes of empty runs a heap keeps at least.
const keep = 16 << 10

// Ample reports whether the heap has so many empty runs that Trim should be called.
func (h *Heap) Ample() bool {
	idle := h.Load(h.words + heapIdle)
	return idle > max(keep, h.Space.Floor) && idle > h.Load(h.words+heapSize)/4
}

// Trim gives the memory of an empty run back to the kernel, and reports whether there was
// one. The transaction under way is forgotten.
func (h *Heap) Trim() bool {
	h.Again()
	run := h.get(heapSpare)
	if run == 0 {
		return false
	}
	size := h.Load(run + runSize)
	if h.Lost() || size&(size-1) != 0 || run&(size-1) != 0 || size > h.Space.size-run {
		h.Damaged(run)
		return false
	}
	if size > runPage {
		// It is nobody's. If we die here it is given back another time.
		h.Space.seg.PunchPinned(int64(run+runPage), int64(size-runPage))
	}
	h.set(heapSpare, h.Load(run+runNext))
	h.Set(run+runNext, h.get(heapBare))
	h.set(heapBare, run)
	h.add(heapIdle, -size)
	return h.Commit()
}
