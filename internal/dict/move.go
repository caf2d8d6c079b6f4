package dict

import "multiproc/internal/arena"

// move moves what is in a block to another one: the run that it stands in is to become
// empty. It reports whether it could.
func (c *call) move(off uint64, b arena.Block) bool {
	switch b.Kind {
	case kindKey:
		return c.moveItem(off, b, entryKey)
	case kindValue:
		return c.moveItem(off, b, entryValue, entryValue+8)
	case kindTable:
		if c.s.load(frontTable) == off { // nobody's
			c.h.Again()
			c.h.Put(c.s.at+frontTable, 0)
			c.h.Free(off)
			return c.h.Commit()
		}
		table, word := c.table(b.Owner)
		return table == off && c.moveTable(word, b, off)
	case kindDirectory:
		r := root(c.s.load(frontRoot))
		return r.off() == off && c.moveWhole(off, b, frontRoot, func(to uint64) uint64 { return uint64(rootAt(to, r.depth())) })
	case kindLog:
		return c.s.load(frontLog) == off && c.moveWhole(off, b, frontLog, func(to uint64) uint64 { return to })
	case kindChunk:
		return c.moveChunk(off)
	}
	return false
}

// moveItem moves the block of a key or a value, to which one of these words of an entry
// refers.
func (c *call) moveItem(off uint64, b arena.Block, words ...uint64) bool {
	entry, word := c.whose(off, b.Owner, words)
	if entry == 0 {
		return false
	}
	to, ok := c.copyBlock(off, b)
	if !ok {
		return false
	}
	c.h.Put(entry+word, to)
	c.h.Free(off)
	return c.h.Commit()
}

// moveWhole moves the block that a word of the shard refers to.
func (c *call) moveWhole(off uint64, b arena.Block, word uint64, say func(to uint64) uint64) bool {
	to, ok := c.copyBlock(off, b)
	if !ok {
		return false
	}
	c.h.Put(c.s.at+word, say(to))
	c.h.Free(off)
	return c.h.Commit()
}

// copyBlock takes another block with the same in it, in a transaction that it begins.
func (c *call) copyBlock(off uint64, b arena.Block) (to uint64, ok bool) {
	h := &c.h
	h.Again()
	if arena.Large(b.Len) || !h.Ensure(b.Len, 1) {
		return 0, false
	}
	to = h.Alloc(b.Len, b.Kind, b.Owner)
	p, q := c.h.Bytes(to, b.Len), c.h.Bytes(off, b.Len)
	if c.h.Lost() {
		return 0, false
	}
	copy(p, q)
	return to, true
}

// whose is the entry with a key of that hash of which one of the words refers to a
// block.
func (c *call) whose(block, hash uint64, words []uint64) (entry, word uint64) {
	table, _ := c.table(hash)
	if table == 0 {
		return 0, 0
	}
	n := c.slots(table)
	i := n * (hash & (1<<32 - 1)) >> 32
	for range n {
		w := c.h.Load(table + tableSlots + 8*i)
		if w == 0 {
			break
		}
		if w != slotDead && w>>refBits == hash&tagMask {
			for _, word := range words {
				if c.h.Load(entryOf(w)+word) == block {
					return entryOf(w), word
				}
			}
		}
		if i++; i == n {
			i = 0
		}
	}
	c.h.Damaged(block)
	return 0, 0
}

func (c *call) moveChunk(chunk uint64) bool {
	if c.s.load(frontList) != 0 {
		return false // a batch under way knows entries by where they are
	}
	log := c.s.load(frontLog)
	if log == 0 {
		return false
	}
	for i := range c.chunks(log) {
		if c.h.Load(log+logFirst+8*i) == chunk {
			alive := c.alive(chunk)
			return c.merge(i, i+1, alive, c.entries(chunk)-alive, c.s.load(frontSweep))
		}
	}
	c.h.Damaged(chunk)
	return false
}
