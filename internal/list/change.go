package list

import (
	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/pin"
)

// bytes is how many bytes a node takes.
func (m *made) bytes() uint64 {
	if m.height == 0 {
		return leafSize(m.room)
	}
	return nodeSize(m.to - m.from)
}

// splice puts the cells, which are few, in the place of the items from i up to j, in one
// transaction.
func (c *call) splice(p *plan, i, j uint64) {
	p.shape(c, i, j)
	h := &c.h
	h.Again()
	need, blocks := uint64(0), 0
	for _, v := range p.cells {
		if n := valueBytes + uint64(len(v.Bytes)); v.Word == 0 && !arena.Large(n) {
			need, blocks = need+n, blocks+1
		}
	}
	for k := range p.nodes {
		need, blocks = need+p.nodes[k].bytes(), blocks+1
	}
	if h.Lost() || !c.ensure(p, need, blocks) {
		return
	}
	p.values = p.values[:0]
	for _, v := range p.cells {
		p.values = append(p.values, c.word(v))
	}
	for k := range p.nodes {
		p.nodes[k].off = c.node(p, &p.nodes[k])
	}
	c.publish(p, uint64(int64(p.length)+int64(len(p.cells))-int64(j-i)))
	c.done = h.Commit()
}

// ensure makes room for so much, and for what publish takes.
func (c *call) ensure(p *plan, need uint64, blocks int) bool {
	return c.h.Ensure(need+bodySize+doomSize(len(p.doomed)+maxHeight+1), blocks+2)
}

// word is the word of an item, whose block is taken in the transaction.
func (c *call) word(v cell.Cell) uint64 {
	if v.Word != 0 {
		return v.Word
	}
	off := c.h.Alloc(valueBytes+uint64(len(v.Bytes)), kindValue, 0)
	if c.h.Lost() {
		return 0
	}
	*c.h.OwnWord(off + valueLen) = uint64(len(v.Bytes))
	copy(c.h.Bytes(off+valueBytes, uint64(len(v.Bytes))), v.Bytes)
	return off
}

// node makes a node, in the transaction. All that it refers to is there.
func (c *call) node(p *plan, m *made) uint64 {
	h := &c.h
	entries := p.entries[m.from:m.to]
	if m.height == 0 {
		off := h.Alloc(m.bytes(), kindLeaf, 0)
		words := (*[1 + leafMax]uint64)(h.Own(off))
		words[0] = h.Load(offClock) + 1
		for i, e := range entries {
			words[1+i] = p.wordOf(e)
		}
		clear(words[1+len(entries) : 1+m.room])
		return off
	}
	off := h.Alloc(m.bytes(), kindNode, 0)
	words := (*[1 + 2*nodeMax]uint64)(h.Own(off))
	words[0] = uint64(len(entries))
	end := uint64(0)
	for i, e := range entries {
		end += e.count
		words[1+2*i], words[2+2*i] = p.wordOf(e), end
	}
	return off
}

// publish makes the tree of a plan, whose nodes are there, that of the list, in the
// transaction, and writes down what is doomed.
func (c *call) publish(p *plan, length uint64) {
	h := &c.h
	if h.Lost() {
		return
	}
	now := h.Load(offClock) + 1
	body := uint64(0)
	if length > 0 {
		body = h.Alloc(bodySize, kindBody, 0)
		root := p.wordOf(p.root)
		last, base := root, uint64(0)
		for range p.height {
			n := h.Load(last + nodeLen)
			if n > 1 && n <= nodeMax {
				base += h.Load(last + nodeFirst + nodeStep*(n-1) - 8)
			}
			last = h.Load(last + nodeFirst + nodeStep*(n-1))
		}
		*(*[5]uint64)(h.Own(body)) = [...]uint64{ref(root, uint64(p.height)), length, now, last, base}
	}
	h.Put(offClock, now)
	h.Put(offBody, body) // the moment for readers
	if len(p.doomed) > 0 {
		d := h.Alloc(doomSize(len(p.doomed)+maxHeight+1), kindDoomed, 0)
		head := (*[2]uint64)(h.Own(d))
		head[0], head[1] = h.Load(offDoomed), uint64(len(p.doomed))
		for k, x := range p.doomed {
			*(*[2]uint64)(h.Own(d + doomFirst + doomStep*uint64(k))) = [...]uint64{ref(x.off, uint64(x.height)), uint64(x.from) | uint64(x.to)<<32}
		}
		h.Put(offDoomed, d)
	}
}

// append is Append, with the lock: where there is room behind the last item that is two
// stores.
func (c *call) append(p *plan) {
	h := &c.h
	body := c.l.load(offBody)
	length := c.length(body)
	v := p.cells[0]
	if body != 0 && !h.Lost() {
		last := h.Load(body + bodyLast)
		at := length - h.Load(body+bodyBase)
		if room := (h.BlockAt(last).Len - leafWords) / 8; at < room && room <= leafMax {
			c.behind(body, length, last+leafWords+8*at, v)
			return
		}
	}
	p.body, p.length = body, length
	c.splice(p, length, length)
}

// behind puts an item behind the last one.
func (c *call) behind(body, length, slot uint64, v cell.Cell) {
	h := &c.h
	h.Again()
	if n := valueBytes + uint64(len(v.Bytes)); v.Word == 0 && !arena.Large(n) && !h.Ensure(n, 1) {
		return
	}
	h.Put(slot, c.word(v))
	h.Put(body+bodyLength, length+1) // the moment for readers
	c.done = h.Commit()
}

// pop takes the last item out where it stands, if it is not the first of its leaf. Its
// place is used again, of which readers hear behind the length and before that.
func (c *call) pop(body, length uint64) bool {
	h := &c.h
	last, base := h.Load(body+bodyLast), h.Load(body+bodyBase)
	if length-base < 2 || length-base > leafMax || h.Lost() {
		return false
	}
	h.Again()
	now := h.Load(offClock) + 1
	slot := last + leafWords + 8*(length-1-base)
	h.Put(offClock, now)
	h.Put(last+leafVersion, now)
	h.Put(body+bodyLength, length-1)
	h.Moved()
	w := h.Load(slot)
	h.Put(slot, 0)
	if w != 0 && !cell.IsWord(w) {
		h.Free(w)
	}
	c.done = h.Commit()
	return true
}

// many puts the cells in the place of the items from i up to j, making a node at a time.
// The caller may be preempted.
func (c *call) many(p *plan, i, j uint64) {
	p.shape(c, i, j)
	h := &c.h
	if len(p.nodes) > 1<<24 {
		h.Damaged(offDraft)
	}
	size := doomSize(len(p.nodes) + maxHeight + 1)
	pin.On()
	h.Again()
	if h.Lost() || !arena.Large(size) && !h.Ensure(size, 1) {
		pin.Off()
		return
	}
	draft := h.Alloc(size, kindDoomed, 0)
	head := (*[2]uint64)(h.Own(draft))
	head[0], head[1] = 0, 0
	h.Put(offDraft, draft)
	ok := h.Commit()
	pin.Off()
	for k := 0; k < len(p.nodes) && ok; k++ {
		ok = c.draw(p, draft, k)
	}
	if !ok {
		return
	}
	pin.On()
	defer pin.Off()
	h.Again()
	if !c.ensure(p, 0, 0) {
		return
	}
	c.publish(p, uint64(int64(p.length)+int64(len(p.cells))-int64(j-i)))
	h.Set(offDraft, 0)
	h.Free(draft)
	c.done = h.Commit()
}

// draw makes one node, and writes it down in the draft: of a leaf the new items, of which
// nobody else knows.
func (c *call) draw(p *plan, draft uint64, k int) bool {
	pin.On()
	defer pin.Off()
	h := &c.h
	m := &p.nodes[k]
	h.Again()
	if !h.Ensure(m.bytes(), 1) {
		return false
	}
	entries := p.entries[m.from:m.to]
	first, end := len(entries), 0
	for x, e := range entries {
		if m.height == 0 && e.ref < 0 {
			first, end = min(first, x), x+1
		}
	}
	p.values = p.values[:0]
	m.off = c.bare(p, m)
	at := draft + doomFirst + doomStep*uint64(k)
	entry := (*[2]uint64)(h.Own(at))
	entry[0], entry[1] = ref(m.off, 0), uint64(first)|uint64(first)<<32
	h.Put(draft+doomLen, uint64(k+1))
	if !h.Commit() {
		return false
	}
	for first < end {
		n, ok := c.fill(p, m, at+8, first, end)
		if !ok {
			return false
		}
		first = n
	}
	return true
}

// bare is node, but for the new items of a leaf that have blocks.
func (c *call) bare(p *plan, m *made) uint64 {
	if m.height > 0 {
		return c.node(p, m)
	}
	h := &c.h
	off := h.Alloc(m.bytes(), kindLeaf, 0)
	words := (*[1 + leafMax]uint64)(h.Own(off))
	words[0] = h.Load(offClock) + 1
	for i, e := range p.entries[m.from:m.to] {
		words[1+i] = e.w
	}
	clear(words[1+m.to-m.from : 1+m.room])
	return off
}

// pieceBytes is how many bytes of items are copied in one transaction, but for a large one.
const pieceBytes = 32 << 10

// fill gives some new items of a leaf their blocks, and returns the next one.
func (c *call) fill(p *plan, m *made, word uint64, from, end int) (next int, ok bool) {
	h := &c.h
	need, blocks := uint64(0), 0
	next = from
	for ; next < end; next++ {
		v := p.cells[-p.entries[m.from+next].ref-1]
		n := valueBytes + uint64(len(v.Bytes))
		if v.Word != 0 {
			continue
		}
		if arena.Large(n) {
			if next == from {
				next++
			}
			break
		}
		if need += n; need > pieceBytes {
			need -= n
			break
		}
		blocks++
	}
	if next == from { // one item that is more than a piece
		next++
		need, blocks = need+pieceBytes*2, 1
	}
	h.Again()
	if blocks > 0 && !h.Ensure(need, blocks) {
		return from, false
	}
	for i := from; i < next; i++ {
		v := p.cells[-p.entries[m.from+i].ref-1]
		if v.Word == 0 {
			w := c.word(v)
			*h.OwnWord(m.off + leafWords + 8*uint64(i)) = w
		}
	}
	to := uint64(next)
	h.Put(word, h.Load(word)&(1<<32-1)|to<<32)
	return next, h.Commit()
}
