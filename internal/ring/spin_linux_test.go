package ring

import (
	"testing"
	"time"

	"multiproc/internal/machine"
)

// On a single processor nobody spins, and short sleeps teach nobody to. When
// there are more, spinning begins within probeEvery waits.
func TestSpinOnSingleProcessor(t *testing.T) {
	t.Cleanup(func() { singleProcessor = machine.Single })
	singleProcessor = func() bool { return true }
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
	singleProcessor = func() bool { return false }
	for range probeEvery {
		s.wait(look)
	}
	if looks == 0 {
		t.Error("no look with more processors")
	}
}
