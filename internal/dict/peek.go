package dict

import (
	"sync/atomic"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/fence"
)

// tableAt is the table in which the keys of a hash are, and how many slots it has: 0, if
// there is none, or it is not to be believed without a closer look.
func (d *Dict) tableAt(v *arena.View, s *shard, hash uint64) (table unsafe.Pointer, slots uint64) {
	r := root(s.load(frontRoot))
	if s.load(frontGen) != d.load(offGen) || r.depth() > maxDepth {
		return nil, 0
	}
	off := r.off()
	if r == 0 {
		off = s.at + frontFirst
	}
	at := v.Load(off + hash<<d.Bits>>(64-r.depth())<<3)
	if at == 0 {
		return nil, 0
	}
	table = v.At(at)
	if slots = atomic.LoadUint64((*uint64)(unsafe.Add(table, tableDepth))) >> tableSlotsShift; slots > maxSlots {
		return nil, 0
	}
	return table, slots
}

// peek is Get, once, of an entry that has no time to live and that nobody is changing; ok
// is false if it is not like that. Blocks of key and value are asked for together, before
// either is needed: most of the time is spent waiting for them.
func (d *Dict) peek(k *Key, buf []byte) (f Found, ok bool) {
	s := d.shardOf(k.hash)
	v := arena.View{Space: &d.space}
	moves := atomic.LoadUint64(s.moves)
	if d.clock != nil {
		return f, false
	}
	p, n := d.tableAt(&v, s, k.hash)
	i := n * (k.hash & (1<<32 - 1)) >> 32
	for range n {
		switch w := atomic.LoadUint64((*uint64)(unsafe.Add(p, tableSlots+8*i))); {
		case w == 0:
			fence.LoadLoad()
			return f, moves == atomic.LoadUint64(s.moves) && !v.Lost()
		case w>>refBits == k.hash&tagMask && w != slotDead:
			e := v.At(entryOf(w))
			at := func(word uintptr) uint64 { return atomic.LoadUint64((*uint64)(unsafe.Add(e, word))) }
			key, state, value := at(entryKey), at(entryState), cell.Null.Word
			if !d.NoValues { // as in GetWord
				first, second := at(entryValue), at(entryValue+8)
				if value = first; state&stateSlot != 0 {
					value = second
				}
			}
			var block arena.Block
			inBlock := value&3 == 0 && value != 0
			if inBlock {
				block = v.BlockAt(value)
			}
			if !d.equals(&v, key, k) {
				break
			}
			switch {
			case state == 0 || state&statePending != 0:
				return f, false
			case inBlock:
				long := v.Load(value + valueLen)
				if block.Len < valueBytes || long > block.Len-valueBytes {
					return f, false
				}
				b := v.Bytes(value+valueBytes, long)
				if v.Lost() {
					return f, false
				}
				from := len(buf)
				buf = append(buf, b...)
				f.Value.Bytes = buf[from:len(buf):len(buf)]
			default:
				f.Value.Word = value
			}
			f.Version = state >> stateVersion
			fence.LoadLoad()
			return f, at(entryState) == state && moves == atomic.LoadUint64(s.moves) && !v.Lost()
		}
		if i++; i == n {
			i = 0
		}
	}
	return f, false
}

// equals reports whether the word of an entry's key is that of a key.
func (d *Dict) equals(v *arena.View, w uint64, k *Key) bool {
	if w&3 != 0 {
		return w == k.equal.Word
	}
	if w == 0 || v.BlockAt(w).Owner != k.hash {
		return false
	}
	p := v.At(w)
	if *(*uint64)(unsafe.Add(p, keyWord)) != k.equal.Word {
		return false
	}
	if k.equal.Word != 0 {
		return true
	}
	n := *(*uint64)(unsafe.Add(p, keyLens)) & (1<<32 - 1)
	return n == uint64(len(k.equal.Bytes)) && string(v.Bytes(w+keyBytes, n)) == string(k.equal.Bytes)
}
