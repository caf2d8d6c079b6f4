package ring

import (
	"context"
	"errors"
	"io"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
)

// Fewer stores than records: the tail moves once, and so does the head.
func TestBatchIsOneBurst(t *testing.T) {
	r := newRing(t, ints)
	ctx := patient(t)
	vals := make([]int64, 100)
	tails := map[uint64]bool{}
	n, err := r.PutMany(ctx, len(vals), func(i int) (unsafe.Pointer, int) {
		tails[r.c.tail] = true
		vals[i] = int64(i)
		return unsafe.Pointer(&vals[i]), 8
	})
	if n != 100 || err != nil || len(tails) != 1 || r.Len() != 100 {
		t.Errorf("%d put, %v, %d tails seen, %d in the ring", n, err, len(tails), r.Len())
	}
	heads := map[uint64]bool{}
	want := int64(0)
	n, err = r.GetMany(ctx, 60, func(p unsafe.Pointer, n int) {
		heads[r.c.head] = true
		if v := *(*int64)(p); v != want || n != 8 {
			t.Errorf("got %d of %d bytes, want %d", v, n, want)
		}
		want++
	})
	if n != 60 || err != nil || len(heads) != 1 || r.Len() != 40 {
		t.Errorf("%d got, %v, %d heads seen, %d in the ring", n, err, len(heads), r.Len())
	}
}

// A batch larger than the ring goes through it while a getter drains.
func TestBatchLargerThanRing(t *testing.T) {
	noNet(t)
	for _, cfg := range []Config{{Fixed: true, Size: 8, Items: 7, Bytes: 1 << 20}, {Bytes: 400}, {Bytes: 1 << 20}} {
		r := newRing(t, cfg)
		s := attach(t, r.seg, cfg)
		ctx := patient(t)
		const total = 30_000
		done := make(chan error)
		go func() {
			n, err := r.PutMany(ctx, total, func(i int) (unsafe.Pointer, int) {
				v := int64(i)
				return unsafe.Pointer(&v), 8
			})
			if err == nil && n != total {
				err = errors.New("too few put")
			}
			if err == nil {
				err = r.CloseWrite(ctx)
			}
			done <- err
		}()
		want := int64(0)
		for {
			n, err := s.GetMany(ctx, 1+int(want%50), func(p unsafe.Pointer, _ int) {
				if v := *(*int64)(p); v != want {
					t.Fatalf("got %d, want %d", v, want)
				}
				want++
			})
			if errors.Is(err, io.EOF) {
				break
			}
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := <-done; err != nil || want != total {
			t.Errorf("%v, %d arrived", err, want)
		}
	}
}

func TestBatchErrors(t *testing.T) {
	cfg := Config{Items: 3, Bytes: 1000}
	r := newRing(t, cfg)
	rec := func(sizes ...int) func(int) (unsafe.Pointer, int) {
		return func(i int) (unsafe.Pointer, int) { return addr(make([]byte, max(sizes[i], 1))), sizes[i] }
	}
	if n, err := r.PutMany(cancelled, 3, rec(5, 2000, 5)); n != 1 || !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("too large in the middle: %d %v", n, err)
	}
	if n, err := r.PutMany(cancelled, 4, rec(5, 5, 5, 5)); n != 2 || !errors.Is(err, context.Canceled) {
		t.Errorf("full in the middle: %d %v", n, err)
	}
	if n, err := r.PutMany(cancelled, 0, nil); n != 0 || err != nil {
		t.Errorf("nothing to put: %d %v", n, err)
	}
	if n, err := r.TryGetMany(0, nil); n != 0 || err != nil {
		t.Errorf("nothing to get: %d %v", n, err)
	}
	// The lock is free when sink is called, so it may panic, and use the ring.
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = r.TryGetMany(3, func(p unsafe.Pointer, n int) {
			if err := r.TryPut(p, n); err != nil {
				t.Error(err)
			}
			panic("sink")
		})
	}()
	if n, err := r.TryGetMany(9, func(unsafe.Pointer, int) {}); n != 1 || err != nil {
		t.Errorf("after a panic: %d %v", n, err)
	}
	if err := r.CloseWrite(patient(t)); err != nil {
		t.Fatal(err)
	}
	if n, err := r.PutMany(cancelled, 1, rec(5)); n != 0 || !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("after CloseWrite: %d %v", n, err)
	}
	if n, err := r.GetMany(cancelled, 1, nil); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d %v", n, err)
	}
}
