package faults

import (
	"sync"
	"testing"
)

// tally counts what becomes of numbered items.
type tally struct {
	mu    sync.Mutex
	put   map[int]bool // false: of unknown fate
	got   map[int]int
	swept int // items that calls of unknown fate may have taken
}

func newTally() *tally { return &tally{put: map[int]bool{}, got: map[int]int{}} }

func (y *tally) puts(sure bool, items ...int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, n := range items {
		y.put[n] = sure
	}
}

func (y *tally) gets(items ...int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, n := range items {
		y.got[n]++
	}
}

func (y *tally) lost(most int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.swept += most
}

// check compares it with what is left: no item was got twice, or by nobody.
func (y *tally) check(t *testing.T, left []int) {
	t.Helper()
	y.gets(left...)
	missing := 0
	for n, times := range y.got {
		if _, ok := y.put[n]; !ok || times != 1 {
			t.Errorf("item %d was got %d times; it was put: %v", n, times, ok)
		}
	}
	for n, sure := range y.put {
		if sure && y.got[n] == 0 {
			missing++
		}
	}
	if missing > y.swept {
		t.Errorf("%d items are missing, and calls of unknown fate may have taken %d", missing, y.swept)
	}
	t.Logf("%d items put, %d got, %d left; %d are missing of at most %d", len(y.put), len(y.got)-len(left), len(left), missing, y.swept)
}
