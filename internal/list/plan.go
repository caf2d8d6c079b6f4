package list

import (
	"slices"
	"sync"

	"multiproc/internal/cell"
)

// entry is what a node has: a child, or an item, and how many items it is.
type entry struct {
	w     uint64 // the word, if it is there so far
	count uint64
	ref   int // otherwise: of node ref-1 of the plan, of new item -ref-1
}

// step is a node on the way to an item.
type step struct {
	off  uint64
	n, k int    // entries, and which one the way goes through
	size uint64 // items
}

// made is a node that is to be made.
type made struct {
	height   int
	from, to int // its entries in the plan
	room     int // of a leaf
	off      uint64
}

// doom is an entry of the doomed.
type doom struct {
	off      uint64
	height   int
	from, to int
}

// plan is how a change is made: which nodes are made, and which are left behind. What it
// needs is there before the lock is taken, or the list's length many times over would be
// changed under it.
type plan struct {
	body, length uint64
	cells        []cell.Cell
	l, r         [maxHeight + 2]step
	height       int
	entries      []entry
	mid          []entry // what is new on a level
	nodes        []made
	doomed       []doom
	root         entry
	values       []uint64 // the words of the cells
	one          [1]cell.Cell
}

// few is how many new items a change has that is made in one transaction.
const few = 16

var plans = sync.Pool{New: func() any {
	return &plan{
		entries: make([]entry, 0, 4*leafMax+3*nodeMax*maxHeight), mid: make([]entry, 0, 64),
		nodes: make([]made, 0, 4*maxHeight), doomed: make([]doom, 0, 4*maxHeight), values: make([]uint64, 0, few),
	}
}}

// free gives a plan back for the next change.
func (p *plan) free() {
	p.cells = nil
	if cap(p.entries) <= 1<<14 {
		plans.Put(p)
	}
}

func limits(height int) (least, most int) {
	if height == 0 {
		return leafMin, leafMax
	}
	return nodeMin, nodeMax
}

// path is the way to item i, from the root down.
func (c *call) path(body, i, length uint64, way *[maxHeight + 2]step) (height int) {
	r := c.h.Load(body + bodyRoot)
	if r&0xff > maxHeight {
		c.h.Damaged(body)
		return 0
	}
	height = int(r & 0xff)
	p := place{r >> 8, i, length}
	for h := height; h > 0 && !c.h.Lost(); h-- {
		k, q := c.child(p)
		way[h] = step{p.leaf, int(c.h.Load(p.leaf + nodeLen)), k, p.n}
		p = q
	}
	if p.n > leafMax || p.i > p.n {
		c.h.Damaged(p.leaf)
		return 0
	}
	way[0] = step{p.leaf, int(p.n), int(p.i), p.n}
	return height
}

// take adds the entries from one to another of a node to those of the plan.
func (p *plan) take(c *call, s *step, height, from, to int) {
	if height == 0 {
		for k := from; k < to; k++ {
			p.entries = append(p.entries, entry{w: c.h.Load(s.off + leafWords + 8*uint64(k)), count: 1})
		}
		return
	}
	for k := from; k < to && !c.h.Lost(); k++ {
		t := c.childAt(s, k)
		p.entries = append(p.entries, entry{w: t.off, count: t.size})
	}
}

// childAt is child k of a node.
func (c *call) childAt(s *step, k int) step {
	at := s.off + nodeFirst + nodeStep*uint64(k)
	before, end := uint64(0), s.size
	if k > 0 {
		before = c.h.Load(at - 8)
	}
	if k < s.n-1 {
		end = c.h.Load(at + 8)
	}
	if end < before || end > s.size {
		c.h.Damaged(s.off)
	}
	return step{off: c.h.Load(at), size: end - before}
}

// shape says what becomes of the tree when the cells take the place of the items from i
// up to j. It allocates nothing if they are few.
func (p *plan) shape(c *call, i, j uint64) {
	p.entries, p.mid, p.nodes, p.doomed = p.entries[:0], p.mid[:0], p.nodes[:0], p.doomed[:0]
	p.root, p.height = entry{}, 0
	p.l[0], p.r[0] = step{}, step{}
	edge := j == p.length
	if p.body != 0 {
		p.height = c.path(p.body, i, p.length, &p.l)
		p.r = p.l
		if j > i {
			c.path(p.body, j-1, p.length, &p.r)
			p.r[0].k++
		}
		p.doomed = append(p.doomed, doom{off: p.body})
	}
	for k, v := range p.cells {
		e := entry{w: v.Word, count: 1, ref: -k - 1}
		p.mid = append(p.mid, e)
	}
	from, to := p.l[0].k, p.r[0].k
	for h := 0; !c.h.Lost(); h++ {
		top := h >= p.height
		start := len(p.entries)
		kept := p.body != 0 && p.level(c, h, from, to, edge, top)
		if p.body == 0 {
			p.entries = append(p.entries, p.mid...)
		}
		if all := p.entries[start:]; top && h > 0 && len(all) == 1 && !kept {
			p.root, p.height = all[0], h-1
			return
		}
		p.divide(start, h, edge)
		if top {
			if kept {
				p.mid = slices.Insert(p.mid, 0, entry{w: p.l[h].off, count: p.l[h].size})
			}
			p.crown(h, edge)
			return
		}
		from, to = p.above(h, kept)
	}
}

// crown puts nodes on top of the highest ones, until there is one.
func (p *plan) crown(h int, edge bool) {
	for ; len(p.mid) > 1; h++ {
		start := len(p.entries)
		p.entries = append(p.entries, p.mid...)
		p.divide(start, h+1, edge)
	}
	if len(p.mid) == 1 {
		p.root = p.mid[0]
	}
	p.height = h
}

// above is which children of the nodes above level h are replaced.
func (p *plan) above(h int, kept bool) (from, to int) {
	from, to = p.l[h+1].k, p.r[h+1].k+1
	switch {
	case kept:
		from = to
	default:
		from -= p.l[h].tookLeft()
		to += p.r[h].tookRight()
	}
	return from, to
}

// The siblings that were taken in are noted in the steps, in the bits of k that no index
// has.
const (
	tookLeft  = 1 << 20
	tookRight = 1 << 21
)

func (s *step) tookLeft() int  { return s.k & tookLeft >> 20 }
func (s *step) tookRight() int { return s.k & tookRight >> 21 }

// level gathers the entries of a level: those of the left node before from, the new ones,
// those of the right node from to on. It reports whether the left node is kept, as it is
// full and what is new stands behind it.
func (p *plan) level(c *call, h, from, to int, edge, top bool) (kept bool) {
	lo, hi := &p.l[h], &p.r[h]
	least, most := limits(h)
	same := lo.off == hi.off
	if edge && same && from == lo.n && lo.n == most {
		p.entries = append(p.entries, p.mid...)
		return true
	}
	left, right := 0, 0
	if m := from + len(p.mid) + hi.n - to; !top && m > 0 && m < least {
		switch parent, other := &p.l[h+1], &p.r[h+1]; {
		case parent.k > 0:
			left = tookLeft
			p.sibling(c, parent, parent.k-1, h)
		case other.k+1 < other.n:
			right = tookRight
		}
	}
	p.take(c, lo, h, 0, from)
	p.entries = append(p.entries, p.mid...)
	p.take(c, hi, h, to, hi.n)
	if right != 0 {
		p.sibling(c, &p.r[h+1], p.r[h+1].k+1, h)
	}
	first, last := lo.k, hi.k // what is between them goes
	if h > 0 {
		first++
	}
	if same {
		p.doomed = append(p.doomed, doom{lo.off, h, first, max(first, last)})
	} else {
		p.doomed = append(p.doomed, doom{lo.off, h, first, lo.n}, doom{hi.off, h, 0, last})
	}
	lo.k |= left
	hi.k |= right
	return false
}

// sibling takes a node in, as there would be too little in its neighbour alone.
func (p *plan) sibling(c *call, parent *step, k, h int) {
	s := c.childAt(parent, k)
	s.n = int(s.size)
	if h > 0 {
		s.n = int(c.h.Load(s.off + nodeLen))
	}
	if _, most := limits(h); s.n > most || s.n < 0 {
		c.h.Damaged(s.off)
		return
	}
	p.take(c, &s, h, 0, s.n)
	p.doomed = append(p.doomed, doom{off: s.off, height: h})
}

// divide makes nodes of the entries from start on; mid becomes the entries of these. At
// the end of the list all but the last are full, as more will come there.
func (p *plan) divide(start, h int, edge bool) {
	_, most := limits(h)
	all := len(p.entries) - start
	n := (all + most - 1) / most
	p.mid = p.mid[:0]
	at := start
	for i := range n {
		end := start + all*(i+1)/n
		if edge {
			end = min(at+most, start+all)
		}
		m := made{height: h, from: at, to: end, room: end - at}
		switch {
		case !edge || i < n-1:
		case p.length >= leafMax/2:
			m.room = leafMax
		default:
			for m.room = 4; m.room <= end-at && m.room < most; {
				m.room *= 2
			}
		}
		size := uint64(0)
		for _, e := range p.entries[at:end] {
			size += e.count
		}
		p.nodes = append(p.nodes, m)
		p.mid = append(p.mid, entry{count: size, ref: len(p.nodes)})
		at = end
	}
}

// wordOf is what a node has of an entry; what it is of is made by then.
func (p *plan) wordOf(e entry) uint64 {
	switch {
	case e.ref > 0:
		return p.nodes[e.ref-1].off
	case e.ref < 0 && e.w == 0:
		return p.values[-e.ref-1]
	}
	return e.w
}
