package futex

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shared makes words in memory that other processes could share.
func shared(t testing.TB, n int) []uint32 {
	t.Helper()
	b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	return unsafe.Slice((*uint32)(unsafe.Pointer(&b[0])), n)
}

func TestWaitSeesAnotherValue(t *testing.T) {
	w := shared(t, 3)
	w[2] = 7
	for _, words := range [][]Word{
		{{&w[2], 8}},
		{{&w[0], 0}, {&w[1], 0}, {&w[2], 6}},
		{{&w[0], 1}, {&w[1], 0}},
	} {
		if err := Wait(0, words...); err != nil { // would sleep for ever
			t.Error(err)
		}
	}
}

// waitOut is Wait for words that nobody changes: it may return without a reason,
// as the runtime interrupts threads by a signal.
func waitOut(timeout time.Duration, words ...Word) error {
	for {
		if err := Wait(timeout, words...); err != nil {
			return err
		}
	}
}

// waitChange is Wait until a word has changed.
func waitChange(words ...Word) error {
	for !changed(words) {
		if err := Wait(0, words...); err != nil {
			return err
		}
	}
	return nil
}

// Beyond so many sleepers a further one needs no thread, and ends like the others.
func TestManySleepers(t *testing.T) {
	before := maxSleeping
	maxSleeping = 3
	t.Cleanup(func() { maxSleeping = before })
	w := shared(t, 20)
	ended := make(chan error)
	for i := range w {
		go func() { ended <- waitChange(Word{&w[0], 0}, Word{&w[i], 0}) }()
	}
	for sleeping.Load() < int32(len(w)) {
		runtime.Gosched()
	}
	if err := waitOut(3*time.Millisecond, Word{Addr: &w[1], Old: 0}); err != ErrTimeout {
		t.Errorf("one more: %v", err)
	}
	for _, i := range []int{7, 0} { // a word of one, and of all
		atomic.StoreUint32(&w[i], 1)
		Wake(&w[i], 1<<30)
		Kick(&w[i])
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for range len(w) - 2 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := sleeping.Load(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestWaitTimesOut(t *testing.T) {
	w := shared(t, 200)
	for _, n := range []int{1, 2, 5, MaxWait} {
		list := make([]Word, n)
		for i := range list {
			list[i].Addr = &w[i]
		}
		begin := time.Now()
		if err := waitOut(3*time.Millisecond, list...); err != ErrTimeout {
			t.Errorf("%d words: %v", n, err)
		}
		if d := time.Since(begin); d < 3*time.Millisecond {
			t.Errorf("%d words: only %v", n, d)
		}
	}
	list := make([]Word, MaxWait+1)
	for i := range list {
		list[i].Addr = &w[i]
	}
	if err := Wait(time.Second, list...); !errors.Is(err, unix.EINVAL) {
		t.Errorf("more words than the kernel takes: %v", err)
	}
}

// wakeUp wakes the word until its sleeper has been found, and returns how
// many it woke then.
func wakeUp(w *uint32, n int) int {
	for {
		if woke := Wake(w, n); woke > 0 {
			return woke
		}
		runtime.Gosched()
	}
}

func TestWakeAnyOfSeveral(t *testing.T) {
	w := shared(t, 10)
	for i := range w {
		done := make(chan error)
		list := make([]Word, len(w))
		for j := range list {
			list[j].Addr = &w[j]
		}
		go func() { done <- Wait(0, list...) }()
		if n := wakeUp(&w[i], 1); n != 1 {
			t.Errorf("woke %d", n)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A private word, such as the one that cancels, and a shared one together.
func TestWakePrivateWord(t *testing.T) {
	w := shared(t, 1)
	private := new(uint32)
	done := make(chan error)
	go func() { done <- Wait(0, Word{&w[0], 0}, Word{private, 0}) }()
	atomic.StoreUint32(private, 1)
	Wake(private, 1) // before it sleeps: it sees the value; after: it is woken
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWakeCounts(t *testing.T) {
	w := shared(t, 1)
	if n := Wake(&w[0], 1<<30); n != 0 {
		t.Errorf("woke %d of nobody", n)
	}
	const n = 4
	done := make(chan error)
	for range n {
		go func() { done <- Wait(0, Word{&w[0], 0}, Word{new(uint32), 0}) }()
	}
	woken := 0
	for woken < n {
		k := wakeUp(&w[0], 2)
		if woken += k; k > 2 {
			t.Errorf("woke %d, asked for 2", k)
		}
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWaitHeld(t *testing.T) {
	w := shared(t, 1)
	err := WaitHeld(time.Millisecond, Word{&w[0], 0})
	for range 50 { // the scheduler's signals end it early now and then
		if err != nil {
			break
		}
		err = WaitHeld(time.Millisecond, Word{&w[0], 0})
	}
	if err != ErrTimeout {
		t.Error(err)
	}
	if err := WaitHeld(time.Hour, Word{&w[0], 1}); err != nil {
		t.Error(err)
	}
}

// Two threads wake each other: what a parked round trip costs at least.
func BenchmarkParkWake(b *testing.B) {
	w := shared(b, 2)
	turn := func(mine, other *uint32, first bool) {
		for i := range uint32(b.N) {
			if !first {
				for atomic.LoadUint32(mine) == i {
					_ = Wait(0, Word{mine, i}, Word{new(uint32), 0})
				}
			}
			atomic.AddUint32(other, 1)
			Wake(other, 1)
			if first {
				for atomic.LoadUint32(mine) == i {
					_ = Wait(0, Word{mine, i}, Word{new(uint32), 0})
				}
			}
		}
	}
	done := make(chan struct{})
	go func() { turn(&w[1], &w[0], false); close(done) }()
	turn(&w[0], &w[1], true)
	<-done
}
