package list

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Size is that of a segment: as large as can be, of which only what is used takes
// memory.
func Size() int64 { return min(arena.MaxSize, shm.MaxFile()&^(1<<20-1)) }

// floor is that of the heap: a change in the middle leaves some 5 KiB behind.
const floor = 64 << 10

// List is this process's handle to a list. Its methods may be called by many
// goroutines.
type List struct {
	space arena.Space
	base  unsafe.Pointer // of the segment
	lock  robust.Lock
}

// Attach makes l a handle to the list in seg, whose first arena.FirstWindow bytes are
// mapped at base.
func (l *List) Attach(seg *shm.Segment, base unsafe.Pointer) error {
	if seg.Size < 2*arena.FirstWindow {
		return fmt.Errorf("%s %s: %d bytes: %w", seg.Kind, seg.ID, seg.Size, mperr.ErrCorrupt)
	}
	l.base = base
	// Whoever is first says where the heap begins.
	atomic.CompareAndSwapUint64(l.word(offTail), 0, startAt)
	l.space.Floor = floor
	if err := l.space.Init(seg, base, seg.Size, offTail); err != nil {
		return err
	}
	l.lock.Init(unsafe.Add(base, offLock))
	l.lock.AllowResident()
	return nil
}

// Detach is called before the memory is unmapped.
func (l *List) Detach() { l.lock.Detach() }

// Abort makes those who wait through this handle give up with ErrClosed, now and later.
func (l *List) Abort() { l.lock.Abort() }

func (l *List) word(off uintptr) *uint64 { return (*uint64)(unsafe.Add(l.base, off)) }

func (l *List) load(off uintptr) uint64 { return atomic.LoadUint64(l.word(off)) }

// call is what one call has of the list. With the lock it changes it, too.
type call struct {
	l *List
	h arena.Heap // changes it, with the lock

	done bool // the change is made; what follows is not needed
}

func (l *List) call() call {
	c := call{l: l}
	c.h.Space = &l.space
	return c
}

// errSpace is the error of a list that is full.
var errSpace = errors.New("there is no address space left in it")

// over reports whether the call need not be tried again; it maps what was missing.
func (c *call) over() (over bool, err error) {
	if !c.h.Lost() {
		return true, nil
	}
	if c.h.Full() {
		err = fmt.Errorf("%w: %w", errSpace, mperr.ErrTooLarge)
	} else {
		err = c.h.Find()
	}
	if c.done {
		return true, nil // somebody else will run into what is wrong
	}
	return err != nil, err
}

// begin completes what the last holder of the lock died over. It reports whether it could.
func (c *call) begin() bool {
	h := &c.h
	h.BeginHeap(offHeap, offJournal)
	h.Redo()
	if draft := c.l.load(offDraft); draft != 0 && !h.Lost() {
		h.Put(draft+doomNext, h.Load(offDoomed))
		h.Put(offDoomed, draft)
		h.Put(offDraft, 0)
		h.Commit()
		h.Again()
	}
	return !h.Lost()
}

// with calls f with the lock, again if its view was lost before it was done. f does not
// allocate.
func (l *List) with(ctx context.Context, f func(c *call)) error {
	c := l.call()
	for {
		if _, err := l.lock.Hold(ctx); err != nil {
			return err
		}
		if c.begin() {
			f(&c)
		}
		l.lock.Free().Do()
		if over, err := c.over(); over {
			return err
		}
	}
}

// within is with for an f that may be preempted, and allocate.
func (l *List) within(ctx context.Context, f func(c *call)) error {
	c := l.call()
	for {
		if _, err := l.lock.Lock(ctx); err != nil {
			return err
		}
		if c.begin() {
			f(&c)
		}
		l.lock.Unlock()
		if over, err := c.over(); over {
			return err
		}
	}
}

// place is where an item stands.
type place struct {
	leaf uint64
	i, n uint64 // its index in the leaf, and how many items that has
}

func (p place) slot() uint64 { return p.leaf + leafWords + 8*p.i }

// find is where item i of so many stands.
func (c *call) find(body, i, length uint64) (p place) {
	h := &c.h
	if base := h.Load(body + bodyBase); i >= base {
		p = place{h.Load(body + bodyLast), i - base, length - base}
	} else {
		r := h.Load(body + bodyRoot)
		p = place{r >> 8, i, base}
		height := r & 0xff
		if height > maxHeight {
			h.Damaged(body)
		}
		for ; height > 0 && !h.Lost(); height-- {
			_, p = c.child(p)
		}
	}
	if p.i >= leafMax || p.i >= p.n || p.n > leafMax {
		h.Damaged(p.leaf)
		p.i = 0
	}
	return p
}

// child is the child of a node in which an item stands, and which one it is. An item
// behind the last is in the last child.
func (c *call) child(p place) (k int, q place) {
	at := (*[1 + 2*nodeMax]uint64)(c.h.At(p.leaf))
	n := atomic.LoadUint64(&at[0])
	if n == 0 || n > nodeMax {
		c.h.Damaged(p.leaf)
		return 0, place{}
	}
	i, before, behind := which(at, n, p.i, p.n)
	if before > p.i || behind < before {
		c.h.Damaged(p.leaf)
		return 0, place{}
	}
	return int(i), place{atomic.LoadUint64(&at[1+2*i]), p.i - before, behind - before}
}

// which is the child of a node of n children in which item i of so many stands, and how
// many items stand before that child, and up to its end. Mostly it is where it would be if
// all children had as many: a search by halves would guess wrong half of the time.
func which(at *[1 + 2*nodeMax]uint64, n, i, size uint64) (k, before, behind uint64) {
	end := func(k uint64) uint64 { return atomic.LoadUint64(&at[1+2*(k&(nodeMax-1))+1]) }
	if i < size {
		k = min(i*n/size, n-1) // of damaged memory anything
		if k > 0 {
			before = end(k - 1)
		}
		if behind = size; k < n-1 {
			behind = end(k)
		}
		if before <= i && i < behind {
			return k, before, behind
		}
	}
	low, high := uint64(0), n-1
	for low < high {
		if mid := (low + high) / 2; end(mid) > i {
			high = mid
		} else {
			low = mid + 1
		}
	}
	before, behind = 0, size
	if low > 0 {
		before = end(low - 1)
	}
	if low < n-1 {
		behind = end(low)
	}
	return low, before, behind
}

// value reads the item of a word, whose bytes it appends to buf. It may be anything if the
// block is another's by now; no memory is taken for more than there is.
func (c *call) value(w uint64, buf []byte) (v cell.Cell) {
	if cell.IsWord(w) {
		return cell.Cell{Word: w}
	}
	if w == 0 {
		c.h.Damaged(offBody)
		return v
	}
	n := c.h.Load(w + valueLen)
	if has := c.h.BlockAt(w).Len; has < valueBytes || n > has-valueBytes {
		c.h.Damaged(w)
		return v
	}
	from := len(buf)
	buf = append(buf, c.h.Bytes(w+valueBytes, n)...)
	return cell.Cell{Bytes: buf[from:len(buf):len(buf)]}
}

// Found is an item that was read.
type Found struct {
	Value   cell.Cell
	Version uint64 // 0: there is none
}

// Always is the condition of a change that is made in any case. Every other number is
// the version that the item must have.
const Always = math.MaxUint64

// tries is how often a reader looks without the lock, while others change what it
// looks at.
const tries = 8

// look calls f, which reads the list as its body says, until nothing was used again and
// no other body made meanwhile; and with the lock after some times. f may be called when
// memory is another's; it may allocate.
func (l *List) look(ctx context.Context, f func(c *call, body uint64) (right bool)) error {
	c := l.call()
	for range tries {
		moves := c.h.Moves(offHeap)
		body := l.load(offBody)
		right := f(&c, body)
		fence.LoadLoad()
		still := moves == c.h.Moves(offHeap) && body == l.load(offBody)
		switch {
		case still && right && !c.h.Lost():
			return nil
		case !still:
			c.h.Forget()
		case c.h.Lost():
			if err := c.h.Find(); err != nil {
				return err
			}
		}
	}
	return l.within(ctx, func(c *call) { f(c, l.load(offBody)) })
}

// length is that of the list.
func (c *call) length(body uint64) uint64 {
	if body == 0 {
		return 0
	}
	n := c.h.Load(body + bodyLength)
	if n > arena.MaxSize/8 {
		c.h.Damaged(body)
		return 0
	}
	return n
}

// Len is how many items there are.
func (l *List) Len(ctx context.Context) (n int, err error) {
	err = l.look(ctx, func(c *call, body uint64) bool {
		n = int(c.length(body))
		return true
	})
	return n, err
}

// index is the index that i means, which counts from the end if it is negative; false if
// there is no such item.
func index(i int, n uint64) (uint64, bool) {
	if i < 0 {
		i += int(n)
	}
	return uint64(i), i >= 0 && uint64(i) < n
}

// Get reads item i, and appends its bytes to buf. It takes no lock, writes nothing and
// waits for nobody; only who was overtaken by others again and again takes the lock.
func (l *List) Get(ctx context.Context, i int, buf []byte) (f Found, err error) {
	c := l.call()
	for range tries {
		moves := c.h.Moves(offHeap)
		body := l.load(offBody)
		f = c.get(body, i, buf)
		fence.LoadLoad()
		still := moves == c.h.Moves(offHeap) && body == l.load(offBody)
		switch {
		case still && !c.h.Lost():
			return f, nil
		case !still:
			c.h.Forget()
		default:
			if err := c.h.Find(); err != nil {
				return Found{}, err
			}
		}
	}
	err = l.within(ctx, func(c *call) { f = c.get(l.load(offBody), i, buf) })
	return f, err
}

// GetWord is Get for an item that is a word, without its version; ok is false if it is
// none, or anything else is not as it mostly is: Get knows. It has a third as much to do.
func (l *List) GetWord(i int) (w uint64, ok bool) {
	v := arena.View{Space: &l.space}
	moves := v.Moves(offHeap)
	body := l.load(offBody)
	if body == 0 {
		return 0, false
	}
	b := (*[bodySize / 8]uint64)(v.At(body))
	length := atomic.LoadUint64(&b[bodyLength/8])
	at, there := index(i, length)
	if !there {
		return 0, false
	}
	leaf := atomic.LoadUint64(&b[bodyLast/8])
	if base := atomic.LoadUint64(&b[bodyBase/8]); at >= base {
		at -= base
	} else {
		root := atomic.LoadUint64(&b[bodyRoot/8])
		leaf = root >> 8
		for height, size := root&0xff, base; height > 0; height-- {
			node := (*[1 + 2*nodeMax]uint64)(v.At(leaf))
			n := atomic.LoadUint64(&node[0])
			if n-1 >= nodeMax || height > maxHeight {
				return 0, false
			}
			k, before, behind := which(node, n, at, size)
			if before > at {
				return 0, false
			}
			leaf, at, size = atomic.LoadUint64(&node[1+2*(k&(nodeMax-1))]), at-before, behind-before
		}
	}
	if at >= leafMax {
		return 0, false
	}
	w = v.Load(leaf + leafWords + 8*at)
	fence.LoadLoad()
	return w, cell.IsWord(w) && moves == v.Moves(offHeap) && body == l.load(offBody) && !v.Lost()
}

// get is Get, once. It reads the version before the word: so that never an older word has
// a newer version.
func (c *call) get(body uint64, i int, buf []byte) (f Found) {
	n := c.length(body)
	at, ok := index(i, n)
	if !ok {
		return Found{}
	}
	p := c.find(body, at, n)
	f.Version = c.version(body, p, i, n)
	f.Value = c.value(c.h.Load(p.slot()), buf)
	return f
}

// version is that of item i of n. An Append gives no item another version, but the item
// that an index from the end means is another one then: so such a version has the length in
// it. It would come again after 1<<24 Appends and nothing else in between.
func (c *call) version(body uint64, p place, i int, n uint64) uint64 {
	v := max(c.h.Load(p.leaf+leafVersion), c.h.Load(body+bodyShift))
	if i < 0 {
		v = v<<24 | n&(1<<24-1)
	}
	return v
}

// Stamp is the state that a list was in when it was read.
type Stamp struct{ body, clock, length uint64 }

// Span are the items start, start+step, …, so many.
type Span struct{ Start, Step, N int }

// Read reads items as they are at one moment: those that span says, which gets the length
// at that moment, and may be called more than once.
//
// Cost: while others change the list it may hold them up until it is through.
func (l *List) Read(ctx context.Context, span func(n int) Span) (items []cell.Cell, s Stamp, err error) {
	err = l.look(ctx, func(c *call, body uint64) bool {
		s = Stamp{body, l.load(offClock), c.length(body)}
		items = c.read(body, s.length, span(int(s.length)), items[:0])
		fence.LoadLoad()
		return l.load(offClock) == s.clock
	})
	return items, s, err
}

func (c *call) read(body, length uint64, s Span, items []cell.Cell) []cell.Cell {
	if c.h.Lost() || s.N <= 0 {
		return items
	}
	i := s.Start
	for n := 0; n < s.N && !c.h.Lost(); {
		if i < 0 || uint64(i) >= length {
			c.h.Damaged(body)
			break
		}
		p := c.find(body, uint64(i), length)
		first := i - int(p.i)
		for ; n < s.N && i >= first && i < first+int(p.n) && !c.h.Lost(); n++ {
			p.i = uint64(i - first)
			items = append(items, c.value(c.h.Load(p.slot()), nil))
			i += s.Step
		}
	}
	return items
}
