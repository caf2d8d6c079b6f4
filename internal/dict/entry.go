package dict

import (
	"multiproc/internal/cell"
	"multiproc/internal/fence"
)

// Found is an entry that was read.
type Found struct {
	Key     cell.Cell // as it was given; not read by Get
	Value   cell.Cell
	Version uint64 // 0: there is none
}

// current is what an entry's state says at this moment: the version, 0 of one that is
// not there, and the slot with the value.
func (c *call) current(state uint64) (version, slot uint64) {
	if state&statePending != 0 {
		return c.d.pending(state)
	}
	return state >> stateVersion, state & stateSlot
}

// value reads the value of an entry, whose bytes it appends to buf. What it reads may be
// anything if others write; see Get.
func (c *call) value(entry, slot uint64, buf []byte) (cell.Cell, []byte) {
	if c.d.NoValues {
		return cell.Null, buf
	}
	w := c.h.Load(entry + entryValue + 8*slot)
	if w&3 != 0 || w == 0 {
		return cell.Cell{Word: w}, buf
	}
	return c.bytes(w, valueBytes, c.h.Load(w+valueLen), buf)
}

// bytes appends n bytes of a block, from some on, to buf. If the block is another's by
// now n may be anything; no memory is taken for more than there is.
func (c *call) bytes(block, at, n uint64, buf []byte) (cell.Cell, []byte) {
	if has := c.h.BlockAt(block).Len; at > has || n > has-at {
		c.h.Damaged(block)
		return cell.Cell{}, buf
	}
	from := len(buf)
	buf = append(buf, c.h.Bytes(block+at, n)...)
	return cell.Cell{Bytes: buf[from:len(buf):len(buf)]}, buf
}

// read reads the value of an entry. right is false if it has been changed meanwhile.
func (c *call) read(entry uint64, buf []byte) (f Found, right bool) {
	state := c.h.Load(entry + entryState)
	version, slot := c.current(state)
	if version == 0 {
		return Found{}, true
	}
	if c.now == 0 || !c.expired(entry, slot) {
		f.Value, _ = c.value(entry, slot, buf)
		f.Version = version
	}
	fence.LoadLoad()
	if c.h.Load(entry+entryState) != state {
		return f, false
	}
	if state&statePending != 0 {
		now, at := c.current(state)
		return f, now == version && at == slot
	}
	return f, true
}
