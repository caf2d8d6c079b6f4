package futex

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// without makes the kernel one without futex_waitv.
func without(t *testing.T) {
	lacking.Store(true)
	t.Cleanup(func() { lacking.Store(false) })
}

// The time-out is the caller's, however many parts the sleep has.
func TestFirstTimesOut(t *testing.T) {
	without(t)
	w := shared(t, MaxWait)
	for _, n := range []int{2, 3, MaxWait} {
		list := make([]Word, n)
		for i := range list {
			list[i].Addr = &w[i]
		}
		begin := time.Now()
		if err := waitOut(30*time.Millisecond, list...); err != ErrTimeout {
			t.Errorf("%d words: %v", n, err)
		}
		if d := time.Since(begin); d < 30*time.Millisecond {
			t.Errorf("%d words: only %v", n, d)
		}
	}
}

// asleepBeside waits until so many sleep that have the word as a side word.
func asleepBeside(t *testing.T, w *uint32, n int) {
	for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		firsts.Lock()
		have := len(firsts.beside[w])
		firsts.Unlock()
		if have == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d sleep beside the word, not %d", have, n)
		}
	}
}

// A change of a side word ends the sleep, by Wake and by Kick, and not only the
// part.
func TestFirstHearsOfSideWords(t *testing.T) {
	without(t)
	part, longest := firstPart, longestPart
	firstPart, longestPart = time.Hour, time.Hour
	t.Cleanup(func() { firstPart, longestPart = part, longest })
	w := shared(t, 3)
	for name, tell := range map[string]func(*uint32){
		"wake": func(a *uint32) { Wake(a, 1) },
		"kick": Kick,
	} {
		for side := 1; side < 3; side++ {
			const n = 20
			done := make(chan error, n)
			list := []Word{{&w[0], 0}, {&w[1], w[1]}, {&w[2], w[2]}}
			for range n {
				go func() { done <- waitChange(list...) }()
			}
			asleepBeside(t, &w[side], n)
			atomic.AddUint32(&w[side], 1)
			tell(&w[side])
			for range n {
				if err := <-done; err != nil {
					t.Errorf("%s of word %d: %v", name, side, err)
				}
			}
			asleepBeside(t, &w[side], 0)
		}
	}
}

// The first word wakes as if it were alone, and another process's change of a
// side word, of which nobody tells, is found in the end.
func TestFirstWakes(t *testing.T) {
	without(t)
	w := shared(t, 2)
	done := make(chan error)
	go func() { done <- Wait(0, Word{&w[0], 0}, Word{&w[1], 0}) }()
	wakeUp(&w[0], 1)
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- waitChange(Word{&w[0], 0}, Word{&w[1], 0}) }()
	asleepBeside(t, &w[1], 1)
	atomic.StoreUint32(&w[1], 1)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A sleeper that idles looks seldom.
func TestFirstPartsAreLong(t *testing.T) {
	without(t)
	w := shared(t, 2)
	var before int64
	err := error(nil)
	for err == nil { // until one is not interrupted
		before = parts.Load()
		err = Wait(200*time.Millisecond, Word{&w[0], 0}, Word{&w[1], 0})
	}
	if err != ErrTimeout {
		t.Error(err)
	}
	if n := parts.Load() - before; n > 6 {
		t.Errorf("%d parts in 200 ms", n)
	}
}
