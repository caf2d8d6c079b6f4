package local

import (
	"sync/atomic"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
)

// Health is the part of an object's memory that says whether a process died
// while it changed the object in place:
//
//	0  poisoned  uint32, 1 from then on until Repair succeeds
//	4  pid       uint32, of the dead; stored before poisoned
//
// It is written under the object's lock. A death between the two stores, or
// before them, leaves the lock's own mark for the next one to take it.
type Health struct {
	poisoned uint32
	pid      uint32
}

// Poison notes that a holder of the lock died. The lock is held.
func (h *Health) Poison(pid int) {
	atomic.StoreUint32(&h.pid, uint32(pid))
	failpoint.Hit("poison.pid")
	atomic.StoreUint32(&h.poisoned, 1)
	failpoint.Hit("poison.done")
}

// Heal makes the object usable again. The lock is held: a death before it is
// given back poisons the object anew.
func (h *Health) Heal() {
	atomic.StoreUint32(&h.poisoned, 0)
	failpoint.Hit("poison.healed")
}

// Sound returns an *OwnerDiedError if a holder of the lock died.
func (h *Health) Sound(object string) error {
	if atomic.LoadUint32(&h.poisoned) == 0 {
		return nil
	}
	return &mperr.OwnerDiedError{Object: object, PID: int(atomic.LoadUint32(&h.pid))}
}
