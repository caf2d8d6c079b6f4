package list

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/shm"
)

var ctx = context.Background()

func segment(t testing.TB) *shm.Segment {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindList, ID: shm.NewID(), Size: Size()})
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

// newList makes a list.
func newList(t testing.TB) (*List, *shm.Segment) {
	t.Helper()
	seg := segment(t)
	l := attach(t, seg)
	t.Cleanup(func() {
		l.Detach()
		if err := seg.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, seg
}

func attach(t testing.TB, seg *shm.Segment) *List {
	t.Helper()
	base, err := seg.Map(0, arena.FirstWindow)
	if err != nil {
		t.Fatal(err)
	}
	return attachAt(t, seg, base)
}

func attachAt(t testing.TB, seg *shm.Segment, base unsafe.Pointer) *List {
	t.Helper()
	l := &List{}
	if err := l.Attach(seg, base); err != nil {
		t.Fatal(err)
	}
	l.space.Floor = 0 // a list of any size is tidied
	return l
}

// add is Append, by the short way where there is one.
func add(l *List, v cell.Cell) error {
	if v.Word != 0 && l.AppendWord(v.Word) {
		shortWays.Add(1)
		return nil
	}
	return l.Append(ctx, v)
}

// shortWays is how often add went it.
var shortWays atomic.Int64

func intCell(i int) cell.Cell {
	c, ok := cell.OfInt(int64(i))
	if !ok {
		panic(i)
	}
	return c
}

// item is CBOR of n bytes, of its own for each seed.
func item(seed uint64, n int) cell.Cell {
	b := cell.AppendHead(nil, 0x40, uint64(n))
	for range n {
		b = append(b, byte(seed))
		seed = seed>>1 | seed<<63
	}
	return cell.Of(b)
}

func whole(n int) Span { return Span{0, 1, n} }

// check walks over all memory of a list that nobody is changing, and compares what is
// there with what must be: every block that lives belongs to the tree or is doomed, once.
func (l *List) check() error {
	c := l.call()
	for {
		err := c.check()
		if !c.h.Lost() {
			return err
		}
		if err := c.h.Find(); err != nil {
			return err
		}
	}
}

func (c *call) check() error {
	h := &c.h
	h.BeginHeap(offHeap, offJournal)
	if err := h.Check(); err != nil {
		return err
	}
	seen := map[uint64]string{}
	see := func(off uint64, what string) error {
		if was, ok := seen[off]; ok {
			return fmt.Errorf("block %#x is %s and %s", off, was, what)
		}
		if b := h.BlockAt(off); b.Dead && !h.Lost() {
			return fmt.Errorf("block %#x, %s, is dead: %+v", off, what, b)
		}
		seen[off] = what
		return nil
	}
	var tree func(off uint64, height int, size uint64, what string) error
	tree = func(off uint64, height int, size uint64, what string) error {
		if err := see(off, what); err != nil || h.Lost() {
			return err
		}
		if height == 0 {
			room := (h.BlockAt(off).Len - leafWords) / 8
			if size > room || size == 0 {
				return fmt.Errorf("leaf %#x of %d items has room for %d", off, size, room)
			}
			for i := range room {
				w := h.Load(off + leafWords + 8*i)
				if i >= size && w != 0 && !cell.IsWord(w) {
					return fmt.Errorf("behind the last item of leaf %#x stands %#x", off, w)
				}
				if i < size && !cell.IsWord(w) {
					if err := see(w, "an item"); err != nil {
						return err
					}
				}
			}
			return nil
		}
		s := step{off: off, n: int(h.Load(off + nodeLen)), size: size}
		for k := range s.n {
			q := c.childAt(&s, k)
			if err := tree(q.off, height-1, q.size, fmt.Sprintf("node %d of %s", k, what)); err != nil {
				return err
			}
		}
		return nil
	}
	if body := c.l.load(offBody); body != 0 {
		if err := see(body, "the body"); err != nil {
			return err
		}
		n, r := c.length(body), h.Load(body+bodyRoot)
		if n == 0 {
			return fmt.Errorf("a body of an empty list")
		}
		if err := tree(r>>8, int(r&0xff), n, "the root"); err != nil {
			return err
		}
		p := c.find(body, n-1, n)
		var way [maxHeight + 2]step
		if c.path(body, n-1, n, &way); way[0].off != p.leaf || way[0].size != p.n {
			return fmt.Errorf("the last leaf is %+v, the body says %+v", way[0], p)
		}
	}
	var doomed func(off, height, from, to uint64) error
	doomed = func(off, height, from, to uint64) error {
		if err := see(off, "doomed"); err != nil {
			return err
		}
		for i := from; i < to && !h.Lost(); i++ {
			if height == 0 {
				if w := h.Load(off + leafWords + 8*i); w != 0 && !cell.IsWord(w) {
					if err := see(w, "a doomed item"); err != nil {
						return err
					}
				}
				continue
			}
			child := h.Load(off + nodeFirst + nodeStep*i)
			all := (h.BlockAt(child).Len - leafWords) / 8
			if height > 1 {
				all = h.Load(child + nodeLen)
			}
			if err := doomed(child, height-1, 0, all); err != nil {
				return err
			}
		}
		return nil
	}
	for d := c.l.load(offDoomed); d != 0 && !h.Lost(); d = h.Load(d + doomNext) {
		if err := see(d, "the doomed"); err != nil {
			return err
		}
		for k := range h.Load(d + doomLen) {
			at := d + doomFirst + doomStep*k
			if err := doomed(h.Load(at)>>8, h.Load(at)&0xff, h.Load(at+8)&(1<<32-1), h.Load(at+8)>>32); err != nil {
				return err
			}
		}
	}
	living := 0
	h.Living(func(off uint64, b arena.Block) {
		if living++; seen[off] == "" {
			seen[off] = "!"
		}
	})
	for off, what := range seen {
		if what == "!" {
			return fmt.Errorf("block %#x lives and nobody has it: %+v", off, h.BlockAt(off))
		}
	}
	if living != len(seen) && !h.Lost() {
		return fmt.Errorf("%d blocks live, %d are in use", living, len(seen))
	}
	return nil
}
