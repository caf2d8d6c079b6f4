package ledger

import (
	"sync/atomic"
	"time"

	"multiproc/internal/robust"
)

// sweeps is when this handle looks through the accounts: when the family has heard of
// a death, and now and then while somebody waits, for a starter that is stopped tells
// nobody that its child is dead.
type sweeps struct {
	deaths atomic.Uint32 // robust.Deaths when it looked last
	looked atomic.Int64  // and the time
}

// stale is how long it does not look while somebody waits.
const stale = 100 * time.Millisecond

var started = time.Now()

// begin makes the first look due: somebody may have died before.
func (s *sweeps) begin() {
	s.deaths.Store(robust.Deaths() - 1)
	s.looked.Store(int64(time.Since(started)))
}

// fresh reports whether there is no reason to look.
func (s *sweeps) fresh() bool { return s.deaths.Load() == robust.Deaths() }

// refresh makes a look due if the last one was long ago, and reports whether it is.
func (s *sweeps) refresh() bool {
	now := int64(time.Since(started))
	old := s.looked.Load()
	if now-old < int64(stale) || !s.looked.CompareAndSwap(old, now) {
		return false
	}
	s.deaths.Store(robust.Deaths() - 1)
	return true
}

// due reports whether a look is due, which is taken now: died says that somebody has.
func (s *sweeps) due(died bool) bool {
	now := robust.Deaths()
	return s.deaths.Swap(now) != now || died
}
