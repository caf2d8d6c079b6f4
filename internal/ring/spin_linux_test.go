package ring

import (
	"testing"
	"time"

	"multiproc/internal/machine"
	"multiproc/internal/robust"
)

// On a single processor nobody spins, and short sleeps teach nobody to. When
// there are more, spinning begins within probeEvery waits.
func TestSpinOnSingleProcessor(t *testing.T) {
	t.Cleanup(func() { processors = machine.Processors })
	processors = func() int { return 1 }
	var s spinner
	looks := 0
	look := func() uint32 { looks++; return 0 }
	for range 3 * probeEvery {
		if s.wait(look) {
			t.Fatal("it found something")
		}
		s.slept(time.Microsecond)
	}
	if looks != 0 || s.budget.Load() != 0 {
		t.Errorf("%d looks, budget %d", looks, s.budget.Load())
	}
	processors = func() int { return 4 }
	for range probeEvery {
		s.wait(look)
	}
	if looks == 0 {
		t.Error("no look with more processors")
	}
}

// On two processors who has woken somebody spins for the answer now and then
// only; on more, and where nobody had to be woken, always.
func TestNoSpinAfterWake(t *testing.T) {
	t.Cleanup(func() { processors, wokeSomebody = machine.Processors, robust.WokeSomebody })
	woke := false
	wokeSomebody = func() bool { return woke }
	spins := func(n int) (count int) {
		processors = func() int { return n }
		var s spinner
		for range 4 * tryEvery {
			looks := 0
			s.wait(func() uint32 { looks++; return 0 })
			if looks > 0 {
				count++
			}
		}
		return count
	}
	for _, c := range []struct {
		processors int
		woke       bool
		want       int
	}{{2, false, 4 * tryEvery}, {2, true, 4}, {3, true, 4 * tryEvery}} {
		woke = c.woke
		if got := spins(c.processors); got != c.want {
			t.Errorf("%d processors, woke %v: %d spins of %d, want %d", c.processors, c.woke, got, 4*tryEvery, c.want)
		}
	}
}
