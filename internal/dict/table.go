package dict

import (
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"

	"multiproc/internal/arena"
)

// room is a table with room for one more key of a hash, which is made if there is none.
// No transaction is under way.
func (c *call) room(hash uint64) (table uint64, ok bool) {
	for range maxDepth {
		table, word := c.table(hash)
		if table == 0 {
			if !c.place(word, minTable, hash, nil) {
				return 0, false
			}
			continue
		}
		n := c.slots(table)
		used := c.h.Load(table + tableUsed)
		switch live, all := used>>32, used&(1<<32-1); {
		case c.h.Lost():
			return 0, false
		case all < n-n/4:
			return table, true
		default:
			if !c.grow(table, word, hash, n, live) {
				return 0, false
			}
		}
	}
	c.h.Damaged(c.s.at)
	return 0, false
}

// grow makes another table of one that is full: as large if a good part of it is dead,
// or twice as large, or two.
func (c *call) grow(table, word, hash, n, live uint64) bool {
	size := n*8 + tableSlots
	switch {
	case live < n/2:
		return c.place(word, size, hash, &table)
	case size < maxTable:
		return c.place(word, (size+16)*2-16, hash, &table)
	}
	return c.split(table, hash)
}

// place makes a table of so many bytes, with the entries of an old one, if there is one,
// that it takes the place of.
func (c *call) place(word, size, hash uint64, old *uint64) bool {
	return c.placeAt(word, size, hash, old, c.anotherTable, c.leaveTable)
}

// moveTable moves a table. It takes none that was left, and leaves none: both may stand
// in the run that is to become empty, and would change places for ever.
func (c *call) moveTable(word uint64, b arena.Block, table uint64) bool {
	return c.placeAt(word, b.Len, b.Owner, &table, c.newTable, c.h.Free)
}

// placeAt is place, which takes the table and leaves the old one in these ways.
func (c *call) placeAt(word, size, hash uint64, old *uint64, take func(size, hash uint64) uint64, leave func(uint64)) bool {
	h := &c.h
	h.Again()
	if !h.Ensure(size, 1) {
		return false
	}
	t := take(size, hash)
	depth := uint64(0)
	if old != nil {
		depth = c.depth(*old)
		*c.h.OwnWord(t + tableDepth) |= depth
		c.copySlots(*old, func(uint64) uint64 { return t })
	}
	r := root(c.s.load(frontRoot))
	c.refer(r, word, hash, uint(depth), t)
	if old != nil {
		leave(*old)
	}
	return h.Commit()
}

// anotherTable is newTable, or takes the table that was left, which stays where it is
// written down until the transaction ends. Those who still look in it must hear first
// that it is another's.
func (c *call) anotherTable(size, hash uint64) uint64 {
	t := c.s.load(frontTable)
	if t == 0 || size != maxTable {
		return c.newTable(size, hash)
	}
	moves := c.s.back + backHeap + arena.OffMoves
	fence.StoreRelease64(c.h.OwnWord(moves), c.h.Load(moves)+1)
	failpoint.Hit("dict.table")
	*c.h.OwnerOf(t) = hash
	c.emptyTable(t, size)
	c.h.Set(c.s.at+frontTable, 0)
	return t
}

// leaveTable leaves a table for the next one, in the transaction.
func (c *call) leaveTable(t uint64) {
	if c.h.BlockAt(t).Len == maxTable && c.h.Get(c.s.at+frontTable) == 0 {
		c.h.Set(c.s.at+frontTable, t)
		return
	}
	c.h.Free(t)
}

// newTable takes a block for a table, in the transaction. It is empty.
func (c *call) newTable(size, hash uint64) uint64 {
	t := c.h.Alloc(size, kindTable, hash)
	c.emptyTable(t, size)
	return t
}

// emptyTable makes an empty table, of depth 0, of memory that is nobody's.
func (c *call) emptyTable(t, size uint64) {
	clear(c.h.Bytes(t, size))
	*c.h.OwnWord(t + tableDepth) = (size - tableSlots) / 8 << tableSlotsShift
}

// copySlots copies the slots of the living entries of a table to others, which the hash
// of the key tells. The others are nobody's.
func (c *call) copySlots(table uint64, to func(hash uint64) uint64) {
	for i := range c.slots(table) {
		w := c.h.Load(table + tableSlots + 8*i)
		if w == 0 || w == slotDead {
			continue
		}
		hash := c.hashOf(entryOf(w))
		if t := to(hash); !c.h.Lost() {
			c.putSlot(t, hash, w)
		}
	}
}

// putSlot puts a slot into a table that is nobody's.
func (c *call) putSlot(table, hash, w uint64) {
	n := c.slots(table)
	i := n * (hash & (1<<32 - 1)) >> 32
	for range n {
		if p := c.h.OwnWord(table + tableSlots + 8*i); *p == 0 {
			*p = w
			*c.h.OwnWord(table + tableUsed) += 1<<32 + 1
			return
		}
		if i++; i == n {
			i = 0
		}
	}
	c.h.Damaged(table)
}

// hashOf is the hash of an entry's key.
func (c *call) hashOf(entry uint64) uint64 {
	w := c.h.Load(entry + entryKey)
	if w&3 != 0 {
		return c.d.hashWord(w)
	}
	return c.h.BlockAt(w).Owner
}

// inPlace is how many words of a directory are changed where they stand. If there are
// more another directory is made.
const inPlace = 8

// refer makes the words of the directory that lead to one table of so many bits, of
// which word is one, lead to another, in the transaction.
func (c *call) refer(r root, word, hash uint64, depth uint, table uint64) {
	if depth >= r.depth() {
		c.h.Put(word, table)
		return
	}
	n := uint64(1) << (r.depth() - depth)
	first := r.off() + hash<<c.d.Bits>>(64-depth)<<(r.depth()-depth)<<3
	for i := range n {
		c.h.Put(first+8*i, table)
	}
}

// split makes two tables of one, by the next bit of the hash, and a directory twice as
// large if it has as many bits as the table.
//
// Readers see the words of the directory change one by one: who comes by an old one
// finds all that was there.
func (c *call) split(table, hash uint64) bool {
	h := &c.h
	h.Again()
	r := root(c.s.load(frontRoot))
	depth := uint(c.depth(table))
	if c.h.Lost() || depth > r.depth() || depth >= maxDepth {
		c.h.Damaged(table)
		return false
	}
	old := r.depth()
	deeper := max(old, depth+1)
	words := uint64(1) << deeper
	anew := deeper > old || 1<<(deeper-depth) > inPlace
	need, blocks := uint64(maxTable), 1
	if c.s.load(frontTable) == 0 {
		need, blocks = 2*need, 2
	}
	if anew && !arena.Large(8*words) {
		need, blocks = need+8*words, blocks+1
	}
	if !h.Ensure(need, blocks) {
		return false
	}
	bit := 63 - c.d.Bits - depth
	var two [2]uint64
	for i, one := range [...]func(size, hash uint64) uint64{c.newTable, c.anotherTable} {
		two[i] = one(maxTable, hash>>(bit+1)<<(bit+1)|uint64(i)<<bit)
		*c.h.OwnWord(two[i] + tableDepth) |= uint64(depth + 1)
	}
	c.copySlots(table, func(hash uint64) uint64 { return two[hash>>bit&1] })
	if c.h.Lost() {
		return false
	}
	at := r.off()
	if r == 0 {
		at = c.s.at + frontFirst
	}
	prefix := hash << c.d.Bits >> (64 - depth) // of the table
	half := uint64(1) << (deeper - depth - 1)
	if anew {
		dir := h.Alloc(8*words, kindDirectory, 0)
		to, from := c.h.Bytes(dir, 8*words), c.h.Bytes(at, 8<<old)
		if c.h.Lost() {
			return false
		}
		for i := range words {
			*(*uint64)(unsafe.Pointer(&to[8*i])) = *(*uint64)(unsafe.Pointer(&from[i>>(deeper-old)<<3]))
		}
		first := prefix << (deeper - depth)
		for i := range 2 * half {
			*(*uint64)(unsafe.Pointer(&to[8*(first+i)])) = two[i/half]
		}
		h.Put(c.s.at+frontRoot, uint64(rootAt(dir, deeper)))
		if r != 0 {
			h.Free(at)
		}
	} else {
		first := at + prefix<<(deeper-depth)<<3
		for i := range 2 * half {
			h.Put(first+8*i, two[i/half])
		}
	}
	c.leaveTable(table)
	return h.Commit()
}
