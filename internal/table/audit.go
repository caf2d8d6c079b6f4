package table

import (
	"sync/atomic"
	"unsafe"

	"multiproc/internal/robust"
)

// vacant reports whether nobody holds the life lock of a slot that is free: a
// process may live in it whose state was damaged.
func (t *Table) vacant(n uint32) bool {
	var life robust.Lock
	life.Init(unsafe.Pointer(&t.slots[n].life))
	if life.OwnerAlive() {
		life.Reclaim()
	}
	return !life.OwnerAlive()
}

// audit looks whether the processes live whose slots say so, and mends the slot
// of this process if it was damaged: without that a pipe whose other end was
// held by such a slot would never end. Those who wait for long call it.
func (t *Table) audit() {
	me := &t.slots[t.self.Slot]
	if atomic.LoadUint32(&me.gen) != t.self.Gen {
		atomic.StoreUint32(&me.gen, t.self.Gen)
	}
	if s := atomic.LoadUint32(&me.state); s&stateMask != running && s&stateMask != clean && s&stateMask != serving {
		atomic.StoreUint32(&me.state, s&^stateMask|running)
	}
	for n := range t.slots {
		if atomic.LoadUint32(&t.slots[n].state) != free {
			t.vacant(uint32(n))
		}
	}
}
