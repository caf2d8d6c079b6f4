package dict

import (
	"sync/atomic"
	"unsafe"

	"multiproc/internal/arena"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/pin"
)

// tidyEvery is after how many changes of a shard SetWord leaves one to Set, which does a
// piece of the work that others have left behind. It is a power of two.
const tidyEvery = 32

// SetWord is Set, in any case, of a word for a key that is a word and that has one. It
// reports false, and has done nothing, if the key is not there or anything else is not as
// it mostly is: Set knows. It has a third as much to do, and never waits.
//
// The stores are those of update, in its order.
func (d *Dict) SetWord(key, value uint64) (ok bool) {
	if d.clock != nil || d.NoValues {
		return false
	}
	hash := d.hashWord(key)
	s := d.shardOf(hash)
	pin.On()
	if !s.lock.HoldResident() {
		pin.Off()
		return false
	}
	ok = d.setWord(s, hash, key, value)
	if s.lock.FreeResident() {
		pin.Off()
	} else {
		s.lock.Free().Do()
	}
	return ok
}

// setWord is SetWord, with the lock.
func (d *Dict) setWord(s *shard, hash, key, value uint64) bool {
	v := arena.View{Space: &d.space}
	now := s.load(frontClock) + 1
	if atomic.LoadUint64(s.count) != 0 || d.load(offWatched) != unwatched || now%tidyEvery == 0 {
		return false
	}
	p, n := d.tableAt(&v, s, hash)
	i := n * (hash & (1<<32 - 1)) >> 32
	for range n {
		switch w := atomic.LoadUint64((*uint64)(unsafe.Add(p, tableSlots+8*i))); {
		case w == 0:
			return false
		case w>>refBits == hash&tagMask && w != slotDead:
			e := v.At(entryOf(w))
			at := func(word uintptr) *uint64 { return (*uint64)(unsafe.Add(e, word)) }
			switch k := atomic.LoadUint64(at(entryKey)); {
			case k == key:
				state := atomic.LoadUint64(at(entryState))
				first, second := atomic.LoadUint64(at(entryValue)), atomic.LoadUint64(at(entryValue+8))
				if state == 0 || state&statePending != 0 || v.Lost() || !isFree(first) || !isFree(second) {
					return false
				}
				slot := state&stateSlot ^ 1
				fence.StoreRelease64(at(entryValue+uintptr(8*slot)), value)
				failpoint.Hit("dict.filled")
				fence.StoreRelease64(s.word(frontClock), now)
				failpoint.Hit("dict.clock")
				fence.StoreRelease64(at(entryState), now<<stateVersion|slot) // the moment
				failpoint.Hit("dict.updated")
				return true
			case k&3 == 0:
				return false
			}
		}
		if i++; i == n {
			i = 0
		}
	}
	return false
}

// isFree reports whether a word of an entry refers to no block.
func isFree(w uint64) bool { return w == 0 || w&3 != 0 }
