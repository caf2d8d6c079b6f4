package ring

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/childtest"
	"multiproc/internal/mperr"
)

// Two putters sleep at a full ring, each at a handle of its own as two
// processes would. Two records are taken at once: both putters must go on,
// although the second get found one of them already on its way.
func TestEveryPlaceFindsItsPutter(t *testing.T) {
	noNet(t)
	ctx := patient(t)
	for _, cfg := range []Config{{Fixed: true, Size: 8, Items: 2, Bytes: 1 << 20}, {Items: 2, Bytes: 1 << 20}, {Bytes: 32}} {
		r := newRing(t, cfg)
		for range 200 {
			for i := range int64(2) {
				if err := putInt(r, i); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			for range 2 {
				s := attach(t, r.seg, cfg)
				wg.Go(func() {
					v := int64(9)
					if err := s.Put(ctx, unsafe.Pointer(&v), 8); err != nil {
						t.Error(err)
					}
				})
			}
			until(t, "both putters sleep", func() bool { return sleepers(&r.c.notFull) == 2 })
			if n, err := r.TryGetMany(2, func(unsafe.Pointer, int) {}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			wg.Wait() // with a lost wake-up this hangs
			if n, err := r.TryGetMany(9, func(unsafe.Pointer, int) {}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
		}
	}
}

// A large and a small record wait for space. What is freed is enough for the
// small one only, whichever of the two slept first.
func TestSmallPassesLarge(t *testing.T) {
	noNet(t)
	ctx := patient(t)
	cfg := Config{Bytes: 800}
	for round := range 100 {
		r := newRing(t, cfg)
		for range 10 {
			if err := putBytes(r, make([]byte, 72)); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		sizes := []int{700, 60}
		for i := range 2 {
			n := sizes[(i+round)%2]
			s := attach(t, r.seg, cfg)
			wg.Go(func() {
				if err := s.Put(ctx, addr(make([]byte, n)), n); err != nil {
					t.Errorf("%d bytes: %v", n, err)
				}
			})
			until(t, "it sleeps", func() bool { return sleepers(&r.c.notFull) == i+1 })
		}
		if _, err := r.TryGetFresh(); err != nil {
			t.Fatal(err)
		}
		until(t, "the small record is in", func() bool { return r.Len() == 10 })
		for range 10 {
			if _, err := r.TryGetFresh(); err != nil {
				t.Fatal(err)
			}
		}
		wg.Wait()
	}
}

// Getters sleep at handles of their own; one PutMany is enough for all.
func TestEveryRecordFindsItsGetter(t *testing.T) {
	noNet(t)
	ctx := patient(t)
	r := newRing(t, ints)
	for range 200 {
		var wg sync.WaitGroup
		for range 3 {
			s := attach(t, r.seg, ints)
			wg.Go(func() {
				var v int64
				if err := s.Get(ctx, unsafe.Pointer(&v)); err != nil {
					t.Error(err)
				}
			})
		}
		until(t, "all getters sleep", func() bool { return sleepers(&r.c.notEmpty) == 3 })
		v := int64(1)
		if n, err := r.PutMany(ctx, 3, func(int) (unsafe.Pointer, int) { return unsafe.Pointer(&v), 8 }); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		wg.Wait()
	}
}

// Whoever only looks passes the wake-up on.
func TestWaitReadablePassesOn(t *testing.T) {
	noNet(t)
	ctx := patient(t)
	r := newRing(t, ints)
	looker, getter := attach(t, r.seg, ints), attach(t, r.seg, ints)
	for range 100 {
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := looker.WaitReadable(ctx); err != nil {
				t.Error(err)
			}
		})
		until(t, "the looker sleeps", func() bool { return sleepers(&r.c.notEmpty) == 1 })
		wg.Go(func() {
			var v int64
			if err := getter.Get(ctx, unsafe.Pointer(&v)); err != nil {
				t.Error(err)
			}
			// The looker may come late: leave it something to see.
			if err := putInt(r, 2); err != nil {
				t.Error(err)
			}
		})
		until(t, "both sleep", func() bool { return sleepers(&r.c.notEmpty) == 2 })
		if err := putInt(r, 1); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if v, err := getInt(r); v != 2 || err != nil {
			t.Fatal(v, err)
		}
	}
}

// Getters that are cancelled all the time never keep a record from the one
// that is not.
func TestCancelledGettersLoseNothing(t *testing.T) {
	noNet(t)
	end := patient(t)
	r := newRing(t, ints)
	var stop atomic.Bool
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		s := attach(t, r.seg, ints)
		wg.Go(func() {
			for !stop.Load() {
				ctx, cancel := context.WithCancel(end)
				go cancel()
				var v int64
				switch err := s.Get(ctx, unsafe.Pointer(&v)); {
				case err == nil:
					taken.Add(1)
				case errors.Is(err, io.EOF):
					return
				case !errors.Is(err, context.Canceled):
					t.Error(err)
				}
				cancel()
			}
		})
	}
	steady := attach(t, r.seg, ints)
	wg.Go(func() {
		for {
			var v int64
			if err := steady.Get(end, unsafe.Pointer(&v)); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			taken.Add(1)
		}
	})
	// 3000 records, or on a busy machine as many as there is time for.
	for i, began := int64(0), time.Now(); i < 3000 && time.Since(began) < childtest.Timeout/2; i++ {
		if err := putInt(r, i); err != nil {
			t.Fatal(err)
		}
		until(t, "the record is taken", func() bool { return taken.Load() == i+1 })
	}
	stop.Store(true)
	if err := r.CloseWrite(end); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestAbortAndCloseWakeAll(t *testing.T) {
	noNet(t)
	cfg := Config{Fixed: true, Size: 8, Items: 1, Bytes: 1 << 20}
	ctx := patient(t)
	r := newRing(t, cfg)
	if err := putInt(r, 1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var v int64
	for _, wait := range []func() error{
		func() error { return r.Put(ctx, unsafe.Pointer(&v), 8) },
		func() error { return r.WaitDone(ctx) },
	} {
		wg.Go(func() {
			if err := wait(); !errors.Is(err, mperr.ErrClosed) {
				t.Error(err)
			}
		})
	}
	until(t, "both sleep", func() bool { return sleepers(&r.c.notFull) == 1 && sleepers(&r.c.allDone) == 1 })
	r.Abort()
	wg.Wait()

	g := newRing(t, cfg)
	wg.Go(func() {
		var v int64
		if err := g.Get(ctx, unsafe.Pointer(&v)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
	until(t, "the getter sleeps", func() bool { return sleepers(&g.c.notEmpty) == 1 })
	if err := attach(t, g.seg, cfg).CloseWrite(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

func TestTaskDone(t *testing.T) {
	noNet(t)
	ctx := patient(t)
	r := newRing(t, ints)
	if err := r.Done(1); !errors.Is(err, mperr.ErrTaskDone) {
		t.Error(err)
	}
	if err := r.WaitDone(ctx); err != nil {
		t.Error(err)
	}
	for i := range int64(3) {
		if err := putInt(r, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Done(-1); !errors.Is(err, mperr.ErrTaskDone) {
		t.Error(err)
	}
	done := make(chan error)
	go func() { done <- attach(t, r.seg, ints).WaitDone(ctx) }()
	until(t, "it waits", func() bool { return sleepers(&r.c.allDone) == 1 })
	for range 3 {
		if _, err := getInt(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Done(2); err != nil || r.Undone() != 1 {
		t.Error(err, r.Undone())
	}
	if err := r.Done(2); !errors.Is(err, mperr.ErrTaskDone) || r.Undone() != 1 {
		t.Error(err, r.Undone())
	}
	if err := r.Done(1); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
