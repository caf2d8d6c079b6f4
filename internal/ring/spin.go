package ring

import (
	"sync/atomic"

	"multiproc/internal/fence"
)

// spinner decides how long to spin before sleeping: up to some 10 µs while
// spinning pays, next to nothing while it does not. A sleeping process is
// woken in 5 to 50 µs, so a change that comes within the spin saves that; a
// machine with more runnable processes than cores loses what is spun.
type spinner struct {
	budget atomic.Int32 // rounds; 0 means not yet used
}

const (
	minSpin     = 4
	maxSpin     = 400 // rounds of spinPauses pauses, about 10 µs
	startSpin   = 100
	spinPauses  = 1
	spinPenalty = 2 // a fruitless spin halves the budget
)

// wait spins until ready, and reports false if the budget was used up first.
func (s *spinner) wait(ready func() bool) bool {
	budget := s.budget.Load()
	if budget == 0 {
		budget = startSpin
	}
	for i := range budget {
		if ready() {
			if i > budget/2 {
				s.budget.Store(min(budget*2, maxSpin))
			}
			return true
		}
		fence.Pause(spinPauses)
	}
	s.budget.Store(max(budget/spinPenalty, minSpin))
	return false
}
