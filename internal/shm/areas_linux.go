package shm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A process may have only so many areas of memory (vm.max_map_count, mostly
// 65 530), and an object takes two to six of them. One that comes to the end of
// that is lost: Go's runtime, which needs areas for its heap and its threads,
// ends it. So this package counts its own, and refuses the last ones.
//
// Objects that are forgotten without Close are found by the collector, which
// knows nothing of their areas: it is asked to run as they come to be many.

// areas counts those of all segments of this process.
var areas atomic.Int64

// nextSweep is the count at which the collector is asked the next time.
var nextSweep atomic.Int64

// sweepEvery is after how many new areas that is.
const sweepEvery = 8192

func init() { nextSweep.Store(sweepEvery) }

// defaultAreas is the kernel's limit where /proc does not tell.
const defaultAreas = 65530

// maxAreas is what the kernel allows a process now: it can be changed at any
// time, so it is read where it matters.
func maxAreas() int64 {
	b, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return defaultAreas
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n <= 0 {
		return defaultAreas
	}
	return n
}

// bound is how many areas this package uses: a sixteenth is left to the program.
func bound() int64 {
	n := maxAreas()
	return n - n/16
}

// errAreas is the error of who has used up the areas of this process.
type errAreas struct{ used, limit int64 }

func (e *errAreas) Error() string {
	return fmt.Sprintf("shared objects take %d areas of this process's memory, and vm.max_map_count allows it %d in all: close handles that are not needed, or raise it (sysctl vm.max_map_count)", e.used, e.limit)
}

func (e *errAreas) Unwrap() error { return syscall.ENOMEM }

// takeAreas counts n more.
func takeAreas(n int64) error {
	now := areas.Add(n)
	next := nextSweep.Load()
	if now < next {
		return nil
	}
	limit := bound()
	if now > limit {
		// Perhaps the collector frees some.
		if collect(func() bool { return areas.Load() <= limit }); areas.Load() > limit {
			areas.Add(-n)
			return &errAreas{areas.Load(), maxAreas()}
		}
	}
	if nextSweep.CompareAndSwap(next, min(now+sweepEvery, limit)) && now <= limit {
		go runtime.GC()
	}
	return nil
}

// giveAreas counts n fewer.
func giveAreas(n int64) {
	now := areas.Add(-n)
	if next := nextSweep.Load(); now+2*sweepEvery < next {
		nextSweep.CompareAndSwap(next, now+sweepEvery)
	}
}

// timeLimit bounds how long one waits for the collector.
const timeLimit = time.Second

// collect runs the collector, and waits for what it finds to be given back,
// until there is enough.
func collect(enough func() bool) {
	for range 3 { // what it finds may lead to more, and is given back one by one
		if enough() {
			return
		}
		done := make(chan struct{})
		runtime.AddCleanup(new([64]byte), func(c chan struct{}) { close(c) }, done)
		runtime.GC()
		timer := time.NewTimer(timeLimit)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tooMany names the limit that an error of mmap stands for, if it is that.
func tooMany(err error) error {
	if used, limit := areas.Load(), maxAreas(); errors.Is(err, syscall.ENOMEM) && used > limit/2 {
		return fmt.Errorf("%w: %w", &errAreas{used, limit}, err)
	}
	return err
}
