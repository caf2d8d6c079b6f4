package budget

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// garbage knows how much of what was given back may not have been collected
// yet.
type garbage struct {
	released  atomic.Int64 // since the beginning
	collected atomic.Int64 // of those: surely
	last      atomic.Int64 // released when the collector last ended
	ended     atomic.Bool

	mu sync.Mutex // held by who has the collector run
}

// sentinel is garbage whose end tells of a collection.
type sentinel struct {
	g *garbage
	_ [16]byte // it shares no block with others
}

// watch learns of collections: what was given back before the last but one
// ended is collected, or was before this one began.
func (g *garbage) watch() {
	runtime.SetFinalizer(&sentinel{g: g}, func(s *sentinel) {
		if s.g.ended.Load() {
			return
		}
		now := s.g.released.Load()
		s.g.passed(s.g.last.Swap(now))
		s.g.watch()
	})
}

// passed says that what was released up to there is collected.
func (g *garbage) passed(released int64) {
	for {
		was := g.collected.Load()
		if was >= released || g.collected.CompareAndSwap(was, released) {
			return
		}
	}
}

func (g *garbage) size() int64 { return g.released.Load() - g.collected.Load() }

// room has the garbage collected if there is so much of it that it and what is
// used exceed most. Who comes while another has it collected waits, for there is
// no room before that.
func (g *garbage) room(used, most int64) {
	if used+g.size() <= most {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if used+g.size() <= most {
		return
	}
	before := g.released.Load()
	runtime.GC()
	g.passed(before)
}
