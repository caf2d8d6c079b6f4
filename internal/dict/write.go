package dict

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/cell"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
)

// Always is the condition of a change that is made in any case. Every other number is
// the version that the entry must have, 0 if there must be none.
const Always = math.MaxUint64

// outcome is what came of an attempt to change an entry.
type outcome int

const (
	refused outcome = iota // its version is another
	done
	pending // a batch under way is about to change it
)

// MaxItem is how many bytes a key or a value has, at most.
const MaxItem = 1 << 31

// Set sets the entry of a key if its version is that, and reports whether it did.
func (d *Dict) Set(ctx context.Context, k *Key, v cell.Cell, version uint64) (ok bool, err error) {
	if err := fits(k, v); err != nil {
		return false, err
	}
	return d.change(ctx, k, v, false, version, d.TTL)
}

// fits reports whether key and value are not too large.
func fits(k *Key, v cell.Cell) error {
	if n := max(len(v.Bytes), len(k.equal.Bytes)+len(k.given)); n > MaxItem {
		return fmt.Errorf("%d bytes are more than %d: %w", n, MaxItem, mperr.ErrTooLarge)
	}
	return nil
}

// Delete takes an entry out if its version is that, and reports whether it did: not if
// there is none.
func (d *Dict) Delete(ctx context.Context, k *Key, version uint64) (ok bool, err error) {
	return d.change(ctx, k, cell.Cell{}, true, version, 0)
}

// change is with for the changes of one entry. It calls no function that it is given:
// the call would be allocated.
func (d *Dict) change(ctx context.Context, k *Key, v cell.Cell, gone bool, version uint64, ttl time.Duration) (ok bool, err error) {
	c := d.callOf(d.shardOf(k.hash))
	for {
		var o outcome
		if _, err := c.s.lock.Hold(ctx); err != nil {
			return false, err
		}
		if c.begin() {
			c.due = dueIn(c.now, ttl)
			if gone {
				o = c.delete(k, version)
			} else {
				o = c.set(k, v, version)
			}
			if c.done {
				c.tidy()
			}
		}
		c.s.lock.Free().Do()
		c.after()
		switch over, err := c.over(); {
		case err != nil:
			return false, err
		case over && o != pending:
			return o == done, nil
		case over:
			if err := d.settle(ctx); err != nil {
				return false, err
			}
		}
	}
}

// set is Set, with the lock.
func (c *call) set(k *Key, v cell.Cell, version uint64) outcome {
	table, _ := c.table(k.hash)
	if table != 0 {
		if slot, e, _ := c.find(table, k); e != 0 {
			state := c.h.Load(e + entryState)
			switch {
			case state&statePending != 0:
				return pending
			case c.now != 0 && c.expired(e, state&stateSlot) && !c.h.Lost():
				if version != Always && version != 0 || !c.forget(table, slot, e) {
					return refused
				}
				c.insert(k, v, 0, 0, 0)
				return done
			case c.h.Lost() || version != Always && version != state>>stateVersion:
				return refused
			}
			c.update(k, e, state, v)
			return done
		}
	}
	if version != Always && version != 0 || c.h.Lost() {
		return refused
	}
	c.insert(k, v, 0, 0, 0)
	return done
}

// tick is the next version.
//
// Who dies behind it has used a version up.
func (c *call) tick() uint64 {
	now := c.s.load(frontClock) + 1
	fence.StoreRelease64(c.s.word(frontClock), now)
	c.ticks++
	failpoint.Hit("dict.clock")
	return now
}

// update gives an entry a value.
func (c *call) update(k *Key, entry, state uint64, v cell.Cell) {
	slot := state&stateSlot ^ 1
	if c.now != 0 {
		c.lasts(entry, slot)
	}
	if !c.d.NoValues && !c.prepare(k, entry+entryValue+8*slot, v) {
		return
	}
	if c.watched {
		if c.done = c.updateTold(entry, slot); !c.done {
			return
		}
	} else {
		now := c.tick()
		fence.StoreRelease64(c.h.OwnWord(entry+entryState), now<<stateVersion|slot) // the moment
		failpoint.Hit("dict.updated")
		c.done = true
	}
	if old := c.h.Load(entry + entryValue + 8*(slot^1)); !c.d.NoValues && old&3 == 0 && old != 0 && c.h.BlockAt(old).Len > idle {
		c.h.Again()
		c.h.Free(old)
		c.h.Set(entry+entryValue+8*(slot^1), 0)
		c.h.Commit()
	}
}

// updateTold makes the value in a slot of an entry the one that counts, and tells so. It
// reports whether it could.
func (c *call) updateTold(entry, slot uint64) bool {
	c.foretell(entry, slot, false)
	now := c.tick()
	c.h.Again()
	c.tell(entry, slot, now, false, 0)
	c.h.Put(entry+entryState, now<<stateVersion|slot) // the moment
	return c.h.Commit()
}

// idle is up to how many bytes a block is kept for the next value of an entry.
const idle = 1 << 10

// prepare puts a value into a slot that nobody reads, or only those who will find that
// the state has changed since. It reports whether it could.
func (c *call) prepare(k *Key, slot uint64, v cell.Cell) bool {
	old := c.h.Load(slot)
	block := old&3 == 0 && old != 0
	n := uint64(len(v.Bytes))
	if v.Word == 0 && block {
		if has := c.h.BlockAt(old).Len - valueBytes; has >= n && has <= 4*n+64 {
			c.fill(old, v.Bytes)
			failpoint.Hit("dict.filled")
			return !c.h.Lost()
		}
	}
	h := &c.h
	h.Again()
	if v.Word != 0 && !block {
		fence.StoreRelease64(c.h.OwnWord(slot), v.Word)
		failpoint.Hit("dict.filled")
		return !c.h.Lost()
	}
	w := v.Word
	if w == 0 && !arena.Large(n+valueBytes) && !h.Ensure(n+valueBytes, 1) {
		return false
	}
	if block {
		h.Free(old)
	}
	if w == 0 {
		w = h.Alloc(n+valueBytes, kindValue, k.hash)
		c.fill(w, v.Bytes)
	}
	h.Set(slot, w)
	return h.Commit()
}

// fill writes the bytes of a value to a block.
func (c *call) fill(block uint64, b []byte) {
	if c.h.Lost() {
		return
	}
	fence.StoreRelease64(c.h.OwnWord(block+valueLen), uint64(len(b)))
	copy(c.h.Bytes(block+valueBytes, uint64(len(b))), b)
}

// insert makes an entry. With op it is pending, and stands in the list; otherwise it is
// there.
func (c *call) insert(k *Key, v cell.Cell, op, list, number uint64) {
	table, ok := c.room(k.hash)
	if !ok {
		return
	}
	chunk, ok := c.chunk()
	if !ok {
		return
	}
	n, blocks := uint64(0), 0
	for _, b := range [...]uint64{k.blockLen(), c.valueLen(v)} {
		if b != 0 && !arena.Large(b) {
			n, blocks = n+b, blocks+1
		}
	}
	h := &c.h
	if blocks > 0 && !h.Ensure(n, blocks) {
		return
	}
	_, _, free := c.find(table, k)
	if free == 0 {
		c.h.Damaged(table)
		return
	}
	if op == 0 {
		c.foretellNew(k, v)
	}
	h.Again()
	at := h.Load(chunk + chunkLen)
	entry := chunk + chunkFirst + at*c.d.entry
	words := (*[5]uint64)(h.Own(entry))
	words[0] = c.putKey(k)
	words[1] = 0
	words[2] = atomic.AddUint64(c.d.word(offBirths), 1)
	if !c.d.NoValues {
		words[3], words[4] = c.putValue(k, v), 0
	}
	if c.now != 0 {
		c.lasts(entry, 0)
	}
	now := c.tick()
	used := h.Load(table + tableUsed)
	if h.Load(free) == 0 {
		used++
	}
	h.Put(table+tableUsed, used+1<<32)
	h.Put(free, slotOf(entry, k.hash))
	h.Put(chunk+chunkLen, at+1)
	if op == 0 {
		c.count(1)
		c.tell(entry, 0, now, false, 0)
	} else {
		c.enlist(list, entry, number)
	}
	h.Put(entry+entryState, now<<stateVersion|op) // the moment for readers
	c.done = h.Commit()
}

// count counts entries that come or go, in the transaction.
func (c *call) count(by int64) {
	n := c.h.Load(c.s.at + frontCount)
	c.h.Put(c.s.at+frontCount, (n>>32+uint64(by))<<32|uint64(uint32(n+1)))
}

func (c *call) valueLen(v cell.Cell) uint64 {
	if v.Word != 0 || c.d.NoValues {
		return 0
	}
	return valueBytes + uint64(len(v.Bytes))
}

// putKey is the word of a key, whose block is taken in the transaction.
func (c *call) putKey(k *Key) uint64 {
	n := k.blockLen()
	if n == 0 {
		return k.equal.Word
	}
	off := c.h.Alloc(n, kindKey, k.hash)
	if c.h.Lost() {
		return 0
	}
	equal := k.equal.Bytes
	if k.equal.Word != 0 {
		equal = nil
	}
	p := c.h.Own(off)
	*(*uint64)(unsafe.Add(p, keyWord)) = k.equal.Word
	*(*uint64)(unsafe.Add(p, keyLens)) = uint64(len(equal)) | uint64(len(k.given))<<32
	b := c.h.Bytes(off+keyBytes, uint64(len(equal)+len(k.given)))
	copy(b[copy(b, equal):], k.given)
	return off
}

// putValue is the word of a value, whose block is taken in the transaction.
func (c *call) putValue(k *Key, v cell.Cell) uint64 {
	if v.Word != 0 {
		return v.Word
	}
	off := c.h.Alloc(valueBytes+uint64(len(v.Bytes)), kindValue, k.hash)
	c.fill(off, v.Bytes)
	return off
}

// delete is Delete, with the lock.
func (c *call) delete(k *Key, version uint64) outcome {
	table, _ := c.table(k.hash)
	if table == 0 {
		return refused
	}
	slot, e, _ := c.find(table, k)
	if e == 0 {
		return refused
	}
	state := c.h.Load(e + entryState)
	switch {
	case state&statePending != 0:
		return pending
	case c.expired(e, state&stateSlot) && !c.h.Lost():
		c.remove(table, slot, e)
		return refused
	case c.h.Lost() || version != Always && version != state>>stateVersion:
		return refused
	}
	c.remove(table, slot, e)
	return done
}

// remove takes an entry out.
func (c *call) remove(table, slot, entry uint64) { c.done = c.forget(table, slot, entry) }

// forget takes an entry out, and reports whether it could: so that another of the same key
// can be made, at the end, if the time of this one is up.
func (c *call) forget(table, slot, entry uint64) bool {
	c.foretell(entry, 0, true)
	c.h.Again()
	c.tell(entry, 0, c.unlink(table, slot, entry, true), true, 0)
	return c.h.Commit()
}

// unlink takes an entry out, in the transaction, and returns the version of that change.
// counted says that it is counted.
func (c *call) unlink(table, slot, entry uint64, counted bool) (version uint64) {
	h := &c.h
	version = c.tick()
	h.Put(entry+entryState, 0) // the moment for readers
	h.Put(slot, slotDead)
	h.Put(table+tableUsed, h.Load(table+tableUsed)-1<<32)
	if counted {
		c.count(-1)
	}
	h.Put(c.s.at+frontHoles, h.Load(c.s.at+frontHoles)+1)
	c.free(entry)
	c.shorten(entry)
	return version
}

// free gives back the blocks of an entry, in the transaction.
func (c *call) free(entry uint64) {
	words := [...]uint64{entryKey, entryValue, entryValue + 8}
	n := len(words)
	if c.d.NoValues {
		n = 1
	}
	for _, word := range words[:n] {
		if w := c.h.Load(entry + word); w&3 == 0 && w != 0 {
			c.h.Free(w)
		}
	}
}

// tidy does a piece of the work that was left behind by earlier changes.
func (c *call) tidy() {
	h := &c.h
	if c.now != 0 {
		c.expire(looks)
		c.sweep()
	}
	switch {
	case c.h.Lost():
	case h.Untidy():
		if run, ok := h.Worst(); ok {
			c.evacuate(run)
		}
	case h.Ample():
		h.Trim()
	default:
		c.sweep()
	}
}

// evacuate moves what is in a run elsewhere, and gives it up.
func (c *call) evacuate(run arena.Run) {
	for {
		off, b, ok := c.h.Next(&run)
		if !ok {
			break
		}
		if !c.move(off, b) {
			return
		}
	}
	c.h.Release(run)
}
