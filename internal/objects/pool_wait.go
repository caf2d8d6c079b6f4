package objects

import (
	"slices"
	"time"

	"multiproc/internal/store"
)

// waiters are calls that wait for one thing to happen to an object. They are
// guarded by the object's mutex.
type waiters struct{ all []*waiter }

type waiter struct {
	call  *store.Call
	ready func()
}

// park leaves a call waiting until wakeAll calls ready. until is the end of
// the call's patience as its method was told, zero for none; expired answers
// then, and may be nil if until is the client's own deadline. mu, the object's
// mutex, is held.
func (w *waiters) park(mu *store.Mutex, c *store.Call, until time.Time, expired, ready func()) {
	me := &waiter{c, ready}
	unpark := func() bool {
		mu.Lock()
		defer mu.Unlock()
		i := slices.Index(w.all, me)
		if i < 0 {
			return false
		}
		w.all = slices.Delete(w.all, i, i+1)
		return true
	}
	parked := false
	if expired == nil {
		parked = c.Park(unpark)
	} else {
		parked = c.ParkUntil(until, unpark, expired)
	}
	if parked {
		w.all = append(w.all, me)
	}
}

// wakeAll answers all. The object's mutex is held.
func (w *waiters) wakeAll() {
	for _, me := range w.all {
		me.ready()
	}
	w.all = nil
}
