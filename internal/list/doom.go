package list

import (
	"multiproc/internal/arena"
	"multiproc/internal/cell"
)

// frees is how many blocks one transaction gives back: each takes three pairs of it.
const frees = 4

// reap gives back something of what is doomed, in a transaction of its own, and reports
// whether there was anything.
func (c *call) reap() bool {
	h := &c.h
	h.Again()
	d := h.Load(offDoomed)
	if d == 0 || h.Lost() {
		return false
	}
	n := h.Load(d + doomLen)
	if has := h.BlockAt(d).Len; has < doomFirst || n > (has-doomFirst)/doomStep {
		h.Damaged(d)
		return false
	}
	if n == 0 {
		h.Put(offDoomed, h.Load(d+doomNext))
		h.Free(d)
		return h.Commit()
	}
	at := d + doomFirst + doomStep*(n-1)
	node, from, to := h.Load(at), h.Load(at+8)&(1<<32-1), h.Load(at+8)>>32
	off, height := node>>8, node&0xff
	_, most := limits(int(height))
	if from > to || to > uint64(most) {
		h.Damaged(at)
		return false
	}
	switch {
	case from == to:
		h.Free(off)
		h.Put(d+doomLen, n-1)
	case height == 0:
		for freed := 0; to > from && freed < frees; to-- {
			if w := h.Load(off + leafWords + 8*(to-1)); w != 0 && !cell.IsWord(w) {
				h.Free(w)
				freed++
			}
		}
		h.Put(at+8, from|to<<32)
	default:
		c.push(d, n, off, height, from, to)
	}
	ok := h.Commit()
	c.release()
	return ok
}

// push takes the last child of a node that is doomed for the next to be given back.
func (c *call) push(d, n, off, height, from, to uint64) {
	h := &c.h
	child := h.Load(off + nodeFirst + nodeStep*(to-1))
	all := (h.BlockAt(child).Len - leafWords) / 8
	if height > 1 {
		all = h.Load(child + nodeLen)
	}
	if doomFirst+doomStep*(n+1) > h.BlockAt(d).Len {
		h.Damaged(d)
		return
	}
	*(*[2]uint64)(h.Own(d + doomFirst + doomStep*n)) = [...]uint64{ref(child, height-1), all << 32}
	h.Put(d+doomFirst+doomStep*(n-1)+8, from|(to-1)<<32)
	h.Put(d+doomLen, n+1)
}

// release gives up the run that has no living block any more.
func (c *call) release() {
	if run, ok := c.h.Hollow(); ok {
		c.h.Release(run)
	}
}

// reaps is how many steps each change does of giving back what is doomed: more than a
// change adds.
const reaps = 12

// tidy does a piece of the work that was left behind by earlier changes.
func (c *call) tidy() {
	h := &c.h
	c.release()
	for range reaps {
		if h.Lost() || !c.reap() {
			break
		}
	}
	switch {
	case h.Lost():
	case h.Ample():
		h.Trim()
	default:
		for range sweeps {
			if h.Lost() || !h.Untidy() {
				break
			}
			c.sweep()
		}
	}
}

// sweeps is how many steps of the sweep a change does: so many that it comes round before
// changes in the middle have left as much again behind. moves is how many items one moves.
const (
	sweeps = 4
	moves  = 8
)

// sweep goes through the list, a leaf at a time, and moves what stands in runs of which a
// good part is dead: so these become empty. A block that is moved is the same as before
// to those who read it, and one word says where it is.
func (c *call) sweep() {
	h := &c.h
	body, i := h.Load(offBody), h.Load(offCursor)
	length := c.length(body)
	if i >= length || h.Lost() {
		c.wrap()
		return
	}
	if h.Sparse(body) {
		c.move(body, offBody)
		return
	}
	var way [maxHeight + 2]step
	height := c.path(body, i, length, &way)
	word, top := body+bodyRoot, uint64(height)
	for k := height; k >= 0 && !h.Lost(); k-- {
		s := &way[k]
		if h.Sparse(s.off) {
			last := uint64(0)
			if k == 0 && h.Load(body+bodyLast) == s.off {
				last = body + bodyLast
			}
			c.moveNode(s.off, word, last, k == height, top)
			return
		}
		word = s.off + nodeFirst + nodeStep*uint64(s.k)
	}
	s := &way[0]
	moved, at := 0, s.k
	for ; at < s.n && moved < moves && !h.Lost(); at++ {
		slot := s.off + leafWords + 8*uint64(at)
		if w := h.Load(slot); w != 0 && !cell.IsWord(w) && h.Sparse(w) {
			if !c.move(w, slot) {
				return
			}
			moved++
		}
	}
	if i += uint64(at - s.k); i >= length { // or it would only follow those who append
		c.wrap()
		return
	}
	c.seek(i)
}

// wrap begins the sweep anew.
func (c *call) wrap() {
	c.seek(0)
	if run, ok := c.h.Worst(); ok { // what was emptied by those who died
		c.h.Release(run)
	}
}

// seek says where the sweep goes on.
func (c *call) seek(i uint64) {
	c.h.Again()
	c.h.Put(offCursor, i)
	c.h.Commit()
}

// moveNode is move for a node, to which a body refers with its height.
func (c *call) moveNode(off, word, last uint64, root bool, height uint64) {
	to, ok := c.copyBlock(off)
	if !ok {
		return
	}
	if root {
		c.h.Put(word, ref(to, height))
	} else {
		c.h.Put(word, to)
	}
	if last != 0 {
		c.h.Put(last, to)
	}
	c.h.Free(off)
	c.h.Commit()
	c.release()
}

// move moves a block, to which a word refers.
func (c *call) move(off, word uint64) bool {
	to, ok := c.copyBlock(off)
	if !ok {
		return false
	}
	c.h.Put(word, to)
	c.h.Free(off)
	ok = c.h.Commit()
	c.release()
	return ok
}

// copyBlock takes another block with the same in it, in a transaction that it begins.
func (c *call) copyBlock(off uint64) (to uint64, ok bool) {
	h := &c.h
	b := h.BlockAt(off)
	h.Again()
	if b.Dead || arena.Large(b.Len) || !h.Ensure(b.Len, 1) {
		return 0, false
	}
	to = h.Alloc(b.Len, b.Kind, b.Owner)
	p, q := h.Bytes(to, b.Len), h.Bytes(off, b.Len)
	if h.Lost() {
		return 0, false
	}
	copy(p, q)
	return to, true
}
