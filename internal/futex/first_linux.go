package futex

import (
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// This file sleeps on several words where the kernel cannot: before Linux
// 5.16, which brought futex_waitv, and where a sandbox refuses it.
//
// The sleeper's thread sleeps on the first word. The others are its side
// words. Whoever in this process wakes a side word also interrupts the threads
// that have it as such, by a signal; another process cannot do that, so the
// sleep is cut into parts, which grow up to a second, and the side words are
// looked at in between.

// Several reports whether the kernel sleeps on several words at once. It is
// asked once, and a refusal by a sandbox counts as no.
func Several() bool { return !lacking.Load() && kernelWaitv() }

// lacking is for tests: it makes Several false.
var lacking atomic.Bool

var kernelWaitv = sync.OnceValue(func() bool {
	// Without words the call is invalid where it exists.
	return waitv(0, nil) == unix.EINVAL
})

// parts counts the parts of all sleeps, for tests.
var parts atomic.Int64

// The parts of a sleep; variables for tests. All words that this library sleeps
// on beside a first one are told of, by Wake or by Kick.
var (
	firstPart   = 50 * time.Millisecond
	longestPart = time.Second
)

// first is one sleep on the first of several words.
type first struct {
	tid   int
	ended bool // under firsts
}

// firsts are the sleeps of this process that can be interrupted, by each of
// their side words.
var firsts struct {
	sync.Mutex
	beside map[*uint32]map[*first]struct{}
}

// interruptible counts them, so that Wake need not look where there are none.
var interruptible atomic.Int32

// Kick makes the sleepers of this process look at the word that have it as one
// of several. Where Several is true there is nothing to do.
func Kick(addr *uint32) {
	if interruptible.Load() != 0 {
		kick(addr)
	}
}

// kick interrupts those who sleep beside the word. One that is about to sleep
// has perhaps looked at the word already, and the signal comes too early for
// it: it gets another one until it is gone. kick returns how many there are.
func kick(addr *uint32) int {
	firsts.Lock()
	list := slices.Collect(maps.Keys(firsts.beside[addr]))
	firsts.Unlock()
	n := len(list)
	if n > 0 {
		interrupt(list, time.Millisecond)
	}
	return n
}

func interrupt(list []*first, again time.Duration) {
	firsts.Lock()
	list = slices.DeleteFunc(list, func(f *first) bool {
		if !f.ended {
			f.interrupt()
		}
		return f.ended
	})
	firsts.Unlock()
	if len(list) > 0 {
		time.AfterFunc(again, func() { interrupt(list, min(2*again, time.Second)) })
	}
}

// interrupt sends the signal that the Go runtime uses to interrupt threads,
// and that programs therefore expect at any time. The thread is there: it is
// locked to its goroutine until the sleep has ended.
func (f *first) interrupt() { _ = unix.Tgkill(unix.Getpid(), f.tid, unix.SIGURG) }

func waitFirst(timeout time.Duration, words []Word) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := &first{tid: unix.Gettid()}
	f.enter(words[1:])
	defer f.leave(words[1:])
	begin := time.Now()
	for !changed(words) {
		slept := time.Since(begin)
		part := min(max(slept, firstPart), longestPart)
		if timeout > 0 {
			if slept >= timeout {
				return ErrTimeout
			}
			part = min(part, timeout-slept)
		}
		parts.Add(1)
		if err := wait1(words[0], part); !errors.Is(err, ErrTimeout) {
			return err
		}
	}
	return nil
}

func (f *first) enter(side []Word) {
	firsts.Lock()
	defer firsts.Unlock()
	if firsts.beside == nil {
		firsts.beside = map[*uint32]map[*first]struct{}{}
	}
	for _, w := range side {
		if firsts.beside[w.Addr] == nil {
			firsts.beside[w.Addr] = map[*first]struct{}{}
		}
		firsts.beside[w.Addr][f] = struct{}{}
	}
	interruptible.Add(1)
}

func (f *first) leave(side []Word) {
	firsts.Lock()
	defer firsts.Unlock()
	f.ended = true
	for _, w := range side {
		if delete(firsts.beside[w.Addr], f); len(firsts.beside[w.Addr]) == 0 {
			delete(firsts.beside, w.Addr)
		}
	}
	interruptible.Add(-1)
}
