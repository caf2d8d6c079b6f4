package ledger

import (
	"sync/atomic"

	"multiproc/internal/fence"
	"multiproc/internal/machine"
	"multiproc/internal/robust"
)

// spin looks for what a waiter waits for, for some microseconds, before it sleeps.
//
// On two processors, who has just woken a sleeper does not spin for its answer: the
// second one is the sleeper's then, and both schedulers have work for it. Every
// tryEvery-th time it does, or two that take turns without pauses would never find each
// other spinning. See ring/spin.go, which has measured that.
func spin(found func() bool) bool {
	turn := spinTurns.Add(1)
	if turn == 1 || turn%askEvery == 0 {
		fewProcessors.Store(machine.Processors() <= 2)
	}
	if fewProcessors.Load() && robust.WokeSomebody() && turn%tryEvery != 0 {
		return false
	}
	for range spins {
		if found() {
			return true
		}
		fence.Pause(spinPauses)
	}
	return false
}

var (
	spinTurns     atomic.Uint32
	fewProcessors atomic.Bool
)

const (
	spins      = 64
	spinPauses = 4

	tryEvery = 32
	askEvery = 1024
)
