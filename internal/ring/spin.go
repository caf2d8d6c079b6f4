package ring

import (
	"sync/atomic"
	"time"

	"multiproc/internal/fence"
	"multiproc/internal/machine"
)

// spinner decides how to wait before sleeping. A change that comes within the
// spin saves two system calls and the wake-up, some 5 to 20 µs; a machine with
// more runnable processes than cores loses what is spun.
//
// How long to spin is learned from the sleeps: one that was over within
// spinWorth would have been caught by spinning a little longer, so the budget
// doubles; a longer one halves it. Two processes that take turns soon spin all
// the time, and a process that waits for people soon does not spin at all.
//
// How often to look is learned from what is found. Two processes that take
// turns want to look often. But where one streams to the other, each look
// that finds a single record takes the cache line from the writer, who takes
// it back for the next: both run at the speed of that exchange. There the
// first look comes late, so that it finds many. Every probeEvery-th spin looks
// late to find out which it is.
//
// On a single processor nobody can change anything while another spins, and
// nothing is to be learned from sleeps: those are short, for the other side runs
// at once.
type spinner struct {
	budget atomic.Int32 // pauses; 0 means not yet used
	turn   atomic.Uint32
	stream atomic.Bool
	single atomic.Bool // there was one processor when it was last asked
}

// singleProcessor is a variable for tests.
var singleProcessor = machine.Single

const (
	minSpin   = 4
	startSpin = 100
	maxSpin   = 1000 // some 25 µs
	spinWorth = 25 * time.Microsecond

	latePause  = 32 // some 0.8 µs
	probeEvery = 64
	manyFound  = 4 // found by a late look: it is a stream
)

// wait spins until found is not 0, and reports false if the budget was used up
// first. found tells how many records there are, or there is room for.
func (s *spinner) wait(found func() uint32) bool {
	turn := s.turn.Add(1)
	probe := turn%probeEvery == 0
	if turn == 1 || probe {
		s.single.Store(singleProcessor())
	}
	if s.single.Load() {
		return false
	}
	budget := s.budget.Load()
	if budget == 0 {
		budget = startSpin
		s.budget.Store(budget)
	}
	late := s.stream.Load() || probe
	if late = late && budget > latePause; late {
		fence.Pause(latePause)
		budget -= latePause
	}
	for ; budget > 0; budget-- {
		if n := found(); n != 0 {
			if late {
				s.stream.Store(n >= manyFound)
			}
			return true
		}
		fence.Pause(1)
	}
	return false
}

// slept learns from a sleep that began after a fruitless spin.
func (s *spinner) slept(d time.Duration) {
	if s.single.Load() {
		return
	}
	budget := s.budget.Load()
	if d < spinWorth {
		s.budget.Store(min(budget*2, maxSpin))
	} else {
		s.budget.Store(max(budget/2, minSpin))
	}
}
