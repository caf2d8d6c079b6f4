package pin

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// A pinned goroutine goes on while others want its processor: with one
// processor nobody else has run when it is done.
func TestNobodyElseRuns(t *testing.T) {
	if !Works {
		t.Skip("this build does not pin")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ran atomic.Int64
	var stop atomic.Bool
	done := make(chan struct{})
	const busy = 10
	for range busy {
		go func() {
			for !stop.Load() {
				ran.Add(1)
			}
			done <- struct{}{}
		}()
	}
	for ran.Load() == 0 {
		runtime.Gosched()
	}
	On()
	before := ran.Load()
	// Some 50 ms of work, five times as long as an unpinned goroutine gets.
	for i := range 100_000_000 {
		if i%1024 == 0 && ran.Load() != before {
			break
		}
	}
	after := ran.Load()
	Off()
	stop.Store(true)
	for range busy {
		<-done
	}
	if after != before {
		t.Errorf("others ran %d times while this goroutine was pinned", after-before)
	}
}

func TestNests(t *testing.T) {
	On()
	On()
	Off()
	Off()
	runtime.Gosched() // the runtime ends the process if it is still pinned
}

func BenchmarkOnOff(b *testing.B) {
	for b.Loop() {
		On()
		Off()
	}
}
