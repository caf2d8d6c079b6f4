package arena

import (
	"testing"
	"unsafe"
)

// sheet is a segment of which one process maps pieces.
type sheet []byte

func (s sheet) Map(off, size int64) (unsafe.Pointer, error) {
	return unsafe.Pointer(&s[off : off+size][0]), nil
}

func (s sheet) PunchPinned(off, size int64) { clear(s[off : off+size]) }

const (
	sheetSize    = 16 << 20
	sheetTail    = 0
	sheetHeap    = 64
	sheetJournal = sheetHeap + HeapSize
)

func newSpace(t *testing.T, s sheet) *Space {
	t.Helper()
	p, _ := s.Map(0, FirstWindow)
	sp := &Space{}
	if err := sp.Init(s, p, int64(len(s)), sheetTail); err != nil {
		t.Fatal(err)
	}
	return sp
}

// do does f as one who holds the lock does, until the view was not lost.
func do(t *testing.T, sp *Space, f func(h *Heap)) {
	t.Helper()
	h := &Heap{Tx: Tx{View: View{Space: sp}}}
	for {
		h.BeginHeap(sheetHeap, sheetJournal)
		f(h)
		if !h.Lost() {
			return
		}
		if err := h.Find(); err != nil {
			t.Fatal(err)
		}
	}
}

// A process that has not mapped the empty runs so far reads of them what stands in the
// abyss, and that may be the place of a block that lives: nothing is stored there.
func TestLostAllocStoresNothing(t *testing.T) {
	s := make(sheet, sheetSize+8)
	if off := uintptr(unsafe.Pointer(&s[0])) & 7; off != 0 {
		s = s[8-off:]
	}
	s = s[:sheetSize]
	sp := newSpace(t, s)
	*sp.tail = 4096
	// Two large blocks, far from each other; the second one's run is empty.
	const n = maxRun / 2
	var lives, dead uint64
	sp.Reserve(1 << 20)
	do(t, sp, func(h *Heap) { lives = h.Alloc(n, 1, 7); h.Commit() })
	sp.Reserve(4 << 20)
	do(t, sp, func(h *Heap) { dead = h.Alloc(n, 2, 8); h.Commit() })
	do(t, sp, func(h *Heap) { h.Free(dead); h.Commit() })
	do(t, sp, func(h *Heap) {
		if r, ok := h.Worst(); ok {
			h.Release(r)
		}
	})
	// Another process has mapped the first of them alone.
	other := newSpace(t, s)
	do(t, other, func(h *Heap) { h.Load(lives) })
	h := &Heap{Tx: Tx{View: View{Space: other}}}
	h.BeginHeap(sheetHeap, sheetJournal)
	before := h.BlockAt(lives)
	if before.Owner != 7 || h.Lost() {
		t.Fatalf("there is %+v", before)
	}
	*(*uint64)(other.abyss) = lives - blockHead - runHead
	h.Alloc(n, 2, 9)
	if !h.Lost() {
		t.Fatal("the empty run is mapped")
	}
	h.Forget()
	if after := h.BlockAt(lives); after != before {
		t.Errorf("a block that lives was %+v and is %+v", before, after)
	}
	do(t, other, func(h *Heap) { dead = h.Alloc(n, 2, 9); h.Commit() })
	do(t, other, func(h *Heap) {
		if b := h.BlockAt(dead); b.Owner != 9 || b.Len != n {
			t.Errorf("a new block is %+v", b)
		}
		if err := h.Check(); err != nil {
			t.Error(err)
		}
	})
}

// Who frees the last living block of a run hears of it, and whose run is thinly lived in,
// too; Living has those that are left.
func TestHollow(t *testing.T) {
	s := make(sheet, sheetSize+8)
	if off := uintptr(unsafe.Pointer(&s[0])) & 7; off != 0 {
		s = s[8-off:]
	}
	s = s[:sheetSize]
	sp := newSpace(t, s)
	*sp.tail = 4096
	const n = 100 // three of them fill a run of 512 bytes
	var blocks []uint64
	for range 10 {
		do(t, sp, func(h *Heap) {
			if !h.Ensure(n, 1) {
				return
			}
			if off := h.Alloc(n, 1, 7); h.Commit() {
				blocks = append(blocks, off)
			}
		})
	}
	h := &Heap{Tx: Tx{View: View{Space: sp}}}
	h.BeginHeap(sheetHeap, sheetJournal)
	run := func(i int) uint64 { return h.BlockAt(blocks[i]).run }
	free := func(i int) {
		h.Again()
		h.Free(blocks[i])
		if !h.Commit() {
			t.Fatalf("block %d was not freed", i)
		}
	}
	last := 0
	for run(last) == run(0) {
		last++
	}
	if h.Sparse(blocks[0]) || last < 2 || h.Sparse(blocks[9]) {
		t.Fatalf("a full run, of %d blocks, is sparse: %v, %v", last, h.Sparse(blocks[0]), h.Sparse(blocks[9]))
	}
	for i := range last - 1 {
		free(i)
	}
	if _, ok := h.Hollow(); ok || !h.Sparse(blocks[last-1]) {
		t.Errorf("one of %d blocks lives: hollow %v, sparse %v", last, ok, h.Sparse(blocks[last-1]))
	}
	free(last - 1)
	size, _ := h.Size()
	r, ok := h.Hollow()
	if _, again := h.Hollow(); !ok || again || r.at != run(0) {
		t.Fatalf("no block lives: %v, then %v; %+v, want %#x", ok, again, r, run(0))
	}
	h.Release(r)
	if now, _ := h.Size(); now >= size {
		t.Errorf("the run of %d bytes was not released: %d bytes, then %d", r.size, size, now)
	}
	living := map[uint64]bool{}
	h.Living(func(off uint64, b Block) { living[off] = b.Len == n && b.Owner == 7 })
	for i, off := range blocks {
		if living[off] != (i >= last) {
			t.Errorf("block %d of %d: living %v", i, len(blocks), living[off])
		}
	}
	if err := h.Check(); err != nil || len(living) != len(blocks)-last {
		t.Errorf("%d blocks live, %v", len(living), err)
	}
}
