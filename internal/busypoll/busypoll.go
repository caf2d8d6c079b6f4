// Package busypoll reads from sockets whose peers answer soon: it looks again
// and again for some 50 µs before it sleeps, where that has paid before.
//
// For two processes that take turns over one connection the sleep is most of
// the time of a round trip. A processor without work halts, and to wake it
// costs 10 to 20 µs on a virtual machine, twice a round trip; and Go's scheduler,
// which searches for other work before its thread sleeps, is in the way of the
// peer meanwhile. Measured with 2 processors, Set of a shared dict over a Unix
// socket: 45 µs with the netpoller alone, 45 to 60 µs with a thread that blocks in
// poll(2), 18 µs in this way. (A thread that blocks helps where futexes are
// slept on, see internal/robust; not here, where both sides halt.)
//
// Go's scheduler hears of every system call that is made here, although none of
// them blocks: raw ones were no faster that could be measured, and they leave the
// runtime's monitor asleep, so that a goroutine which computes after a Read keeps
// the whole process from the network.
package busypoll

import "sync/atomic"

// last is the reader that got something last. A reader looks again only if
// that was itself: where several connections are busy, a processor that waits
// for one of them is missing for the others.
var last atomic.Pointer[Reader]

// habit learns whether looking again pays. One goroutine uses it.
type habit struct {
	missed int // times in a row that it was in vain
	skip   int // times still to be left out
}

// maxSkip bounds how much is left out: a peer that becomes busy again is
// noticed after so many reads.
const maxSkip = 255

// worth reports whether to look again this time.
func (h *habit) worth() bool {
	if h.skip > 0 {
		h.skip--
		return false
	}
	return true
}

func (h *habit) paid() { h.missed = 0 }

// failed leaves out more and more.
func (h *habit) failed() {
	h.missed = min(2*h.missed+1, maxSkip)
	h.skip = h.missed
}
