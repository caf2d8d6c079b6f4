package robust

import (
	"runtime"
	"strings"
	"sync/atomic"
)

// # Leaving
//
// A process that exits may do so between a store of one of its goroutines and
// the wake-up that belongs to it, or while one that was woken has not yet
// looked. Then its exit is no cleaner than a death, and the family must hear of
// it (see Table.Leave). To count who is inside would cost every call more than
// Retire costs once: it closes the door, and looks at the stacks of those who
// are in such a package.

// retired is set for good when the process is about to exit.
var retired atomic.Bool

// admit is called where a goroutine begins to do something for which others may
// have to be woken, and which takes no lock first. It does not return once the
// process is about to exit.
func admit() {
	if retired.Load() {
		select {}
	}
}

// Admit is admit for structures that are built on this package.
func Admit() { admit() }

// Retire is for a process that is about to exit: from now on no goroutine
// takes a lock or waits; who tries stops for good. It reports whether none was
// about to: then nobody is left who should have woken another process, and held
// is how many locks this process holds. resting is how many goroutines the caller
// knows of, itself included, none of which does anything for others. Cost: if there
// are no more, some microseconds; else 0.3 ms, as all threads have to be stopped.
func Retire(held, resting int) (quiet bool) {
	// Both stay locked: they guard the ways to a lock.
	keeperMu.Lock()
	resident.mu.Lock()
	retired.Store(true)
	current.Store(nil)
	for l := resident.last; l != nil; l = l.home.next {
		if l.Held() {
			return false
		}
		l.home.at.Store(0)
	}
	// The profile stops all goroutines at one moment. Whoever had passed the
	// doors by then is seen inside.
	if runtime.NumGoroutine() > resting+len(names)+int(spreading.Load()) && !nobodyInside() {
		return false
	}
	for l := resident.last; l != nil; l = l.home.next {
		if l.Held() {
			return false
		}
	}
	for _, k := range all {
		held -= k.count()
	}
	return held == 0
}

// crowd is how many goroutines are too many to look at.
const crowd = 10_000

// nobodyInside reports whether no goroutine runs code of the structures in
// shared memory.
func nobodyInside() bool {
	n := runtime.NumGoroutine()
	if n > crowd {
		return false
	}
	records := make([]runtime.StackRecord, n+64)
	n, ok := runtime.GoroutineProfile(records)
	if !ok {
		return false // goroutines come faster than they can be counted
	}
	for i := range records[:n] {
		if mayWake(records[i].Stack()) {
			return false
		}
	}
	return true
}

// wakers are the packages whose code stores first and wakes then. Their frames
// are among the innermost, so a cut stack has them, except below a function of
// the user's, and then a lock is held.
var wakers = []string{
	"multiproc/internal/robust.", "multiproc/internal/ring.", "multiproc/internal/table.", "multiproc/internal/futex.",
	"multiproc/mp.(*end).",
}

// idlers are functions that do nothing for others.
var idlers = []string{"multiproc/internal/robust.own", "multiproc/internal/robust.spread", "multiproc/internal/robust.Retire"}

func mayWake(stack []uintptr) bool {
	in := false
	for frames := runtime.CallersFrames(stack); ; {
		f, more := frames.Next()
		for _, name := range idlers {
			if f.Function == name {
				return false
			}
		}
		for _, waker := range wakers {
			in = in || strings.HasPrefix(f.Function, waker)
		}
		if !more {
			return in
		}
	}
}
