package ring

import (
	"sync/atomic"
	"time"

	"multiproc/internal/fence"
	"multiproc/internal/machine"
	"multiproc/internal/robust"
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
// The same happens to who never finds the ring empty, but follows the writer
// closely and knows of one or two records at a time; see trails.
//
// On a single processor nobody can change anything while another spins, and
// nothing is to be learned from sleeps: those are short, for the other side runs
// at once. On two, who has just had to wake a sleeper does not spin for its
// answer, and leaves the second processor to it and to what both schedulers
// have to do: two processes that take turns with pauses then answer within 33
// µs instead of 36, and 55 instead of 70 at the 90th percentile. Every
// tryEvery-th time it does: two that take turns without pauses then find each
// other spinning.
type spinner struct {
	budget atomic.Int32 // pauses; 0 means not yet used
	turn   atomic.Uint32
	stream atomic.Int32 // it is a stream, until so many late looks have found little
	few    atomic.Int32 // how many processors there were when it was last asked

	// Of trails, under the lock of the side.
	passed uint32 // how often it has made no pause
	every  uint32 // after how many the next one is a try
}

// Variables for tests.
var (
	processors   = machine.Processors
	wokeSomebody = robust.WokeSomebody
)

const (
	minSpin   = 4
	startSpin = 100
	maxSpin   = 1000 // some 25 µs
	spinWorth = 25 * time.Microsecond

	latePause  = 32 // some 0.8 µs
	probeEvery = 64
	tryEvery   = 32
	manyFound  = 4 // found by a late look: it is a stream
	doubts     = 4 // late looks in a row that find little: it is none any more

	closeBehind = 16 // who knows of fewer records is close behind their writer
	leastTry    = 16
	mostTry     = 1024
)

// wait spins until found is not 0, and reports false if the budget was used up
// first. found tells how many records there are, or there is room for.
func (s *spinner) wait(found func() uint32) bool {
	turn := s.turn.Add(1)
	probe := turn%probeEvery == 0
	if turn == 1 || probe {
		s.few.Store(int32(processors()))
	}
	switch s.few.Load() {
	case 1:
		return false
	case 2:
		if wokeSomebody() && turn%tryEvery != 0 {
			return false
		}
	}
	budget := s.budget.Load()
	if budget == 0 {
		budget = startSpin
		s.budget.Store(budget)
	}
	late := s.stream.Load() > 0 || probe
	if late = late && budget > latePause; late {
		fence.Pause(latePause)
		budget -= latePause
	}
	for ; budget > 0; budget-- {
		if n := found(); n != 0 {
			if late {
				s.learn(n)
			}
			return true
		}
		fence.Pause(1)
	}
	return false
}

// learn notes what a late look has found.
func (s *spinner) learn(n uint32) {
	left := s.stream.Load()
	switch {
	case n < manyFound && left > 0:
		s.stream.Store(left - 1)
	case n >= manyFound && left < doubts:
		s.stream.Store(doubts)
	}
}

// trails makes a pause if its caller has come close to the other side of a
// stream: it knows of a few records only, or of room for a few. It reports
// whether it did: then more may be found, and trailed must follow. The caller
// holds the lock of its side, and whether there is a stream is tried out from
// time to time, more seldom if there is none: a goroutine that puts and gets in
// turn must not pay for this.
func (s *spinner) trails(known uint32) bool {
	if known >= closeBehind {
		return false
	}
	if s.stream.Load() == 0 {
		if s.passed++; s.passed < max(s.every, leastTry) {
			return false
		}
	}
	s.passed = 0
	fence.Pause(latePause)
	return true
}

// trailed learns from how many more were found after the pause of trails.
func (s *spinner) trailed(more uint32) {
	s.learn(more)
	if s.stream.Load() > 0 {
		s.every = leastTry
	} else {
		s.every = min(2*max(s.every, leastTry), mostTry)
	}
}

// slept learns from a sleep that began after a fruitless spin.
func (s *spinner) slept(d time.Duration) {
	if s.few.Load() == 1 {
		return
	}
	budget := s.budget.Load()
	if d < spinWorth {
		s.budget.Store(min(budget*2, maxSpin))
	} else {
		s.budget.Store(max(budget/2, minSpin))
	}
}
