//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

func putter(t *testing.T, point string) {
	size, n := 100, 2
	if strings.HasPrefix(point, "put.refreshed") || point == "put.grow.flushed" || point == "put.grow.start" || point == "put.grow.ended" || point == "put.grown" {
		size, n = 60_000, 1
	}
	y := newYard(t, point, n, size)
	y.work(t.Context())
	die(t, Put, y.deed)
	y.settle(t)
	if extra := y.victims() - int(y.Acked.Load()); extra > 1 {
		t.Errorf("%d items more than were acknowledged", extra)
	}
}

// victims counts what came of the victim's items.
func (y *yard) victims() (n int) {
	for id := range y.got {
		if id < survivors {
			n++
		}
	}
	return n
}

// What is there of an unfinished batch is its beginning.
func batchPutter(t *testing.T, point string) {
	q, err := mp.NewQueue[kilobyte](0)
	closing(t, q, err)
	die(t, PutBatch, burst{point, q})
	begin := time.Now()
	must(t, q.Put(t.Context(), kilobytes(1000, 1)[0]))
	stalled(t, time.Since(begin))
	n, err := q.Len(t.Context())
	must(t, err)
	if n < 2 || n > 500 {
		t.Errorf("%d records, want a part of the batch and one more", n)
	}
	for i := range n {
		r, err := q.TryGet(t.Context())
		must(t, err)
		want := i
		if i == n-1 {
			want = 1000
		}
		if r != kilobytes(want, 1)[0] {
			t.Fatalf("record %d is %d … %d", i, r[0], r[127])
		}
	}
}

// A putter that has said that there is something, and woken nobody.
func waker(t *testing.T, point string) {
	y := newYard(t, point, 3, 100)
	go y.get(t.Context())
	_, death := die(t, PutSlowly, y.deed)
	// What it had put comes to the getter that sleeps.
	mptest.Eventually(t, func() bool { empty, err := y.Q.Empty(t.Context()); return empty && err == nil }, "the sleeping getter took what the victim had put")
	stalled(t, time.Since(death))
	must(t, y.Q.CloseWrite(t.Context()))
	must(t, <-y.getters)
	if n, acked := y.victims(), int(y.Acked.Load()); n < acked || n > acked+1 {
		t.Errorf("%d items, %d were acknowledged", n, acked)
	}
}

func rewinder(t *testing.T, point string) {
	y := newYard(t, point, 1, 10_000)
	must(t, put2(t.Context(), y, 20)) // beyond the first area, which is too small to rewind
	for range 20 {
		_, err := y.Q.Get(t.Context())
		must(t, err)
	}
	die(t, PutGet, y.deed)
	begin := time.Now()
	for i := range 100 {
		must(t, y.Q.Put(t.Context(), item(survivors+i, 9_000)))
	}
	stalled(t, time.Since(begin))
	if n, err := y.Q.Len(t.Context()); n != 100 || err != nil {
		t.Fatalf("%d items, want 100: %v", n, err)
	}
	for i := range 100 {
		b, err := y.Q.Get(t.Context())
		must(t, err)
		if id, err := whole(b); id != survivors+i || err != nil {
			t.Fatalf("item %d: %d, %v", i, id, err)
		}
	}
}

func getter(t *testing.T, point string) {
	const n = 600
	y := newYard(t, point, 3, 1000)
	if point == "get.cached" || point == "get.punched" || point == "get.entered" || point == "event.entered" {
		y.N = 1
	}
	if point != "event.entered" {
		// 600 kB: over three generations, so that the victim comes to enter one.
		must(t, put2(t.Context(), y, n))
	}
	y.Acked.Store(0)
	p, err := Get.Start(context.Background(), y.deed)
	must(t, err)
	killed(t, p)
	begin := time.Now()
	if point == "event.entered" {
		must(t, put2(t.Context(), y, n))
	}
	first, err := y.Q.Get(t.Context())
	must(t, err)
	stalled(t, time.Since(begin))
	id, err := whole(first)
	must(t, err)
	y.got[id]++
	must(t, y.Q.CloseWrite(t.Context()))
	go y.get(t.Context())
	must(t, <-y.getters)
	missing := 0
	for i := range n {
		switch y.got[i] + int(y.Got.Load(i)) {
		case 1:
		case 0:
			missing++
		default:
			t.Fatalf("item %d came twice", i)
		}
	}
	if missing > 1 {
		t.Errorf("%d items are gone with the victim, at most the one in its hands may be", missing)
	}
}

func put2(ctx context.Context, y *yard, n int) error {
	for i := range n {
		if err := y.Q.Put(ctx, item(i, y.Size)); err != nil {
			return err
		}
	}
	return nil
}

// A batch that crosses into the next generation takes what is behind it in
// two steps; the first part is then in the victim's hands.
func batchGetter(t *testing.T, point string) {
	const n = 600
	y := newYard(t, point, 1, 1000)
	must(t, put2(t.Context(), y, n))
	die(t, GetBatch, y.deed)
	must(t, y.Q.CloseWrite(t.Context()))
	begin := time.Now()
	go y.get(t.Context())
	must(t, <-y.getters)
	stalled(t, time.Since(begin))
	first := n
	for i := range n {
		if y.got[i] > 1 {
			t.Fatalf("item %d came twice", i)
		}
		if y.got[i] == 1 {
			first = min(first, i)
		} else if i > first {
			t.Fatalf("item %d is gone, and came after one that is there", i)
		}
	}
}

func closer(t *testing.T, point string) {
	y := newYard(t, point, 1, 10)
	must(t, y.Q.Put(t.Context(), item(1, 10)))
	waiting := make(chan error, 1)
	die(t, CloseIt, y.deed)
	go func() {
		_, err1 := y.Q.Get(context.Background())
		_, err2 := y.Q.Get(context.Background())
		waiting <- errors.Join(err1, err2)
	}()
	begin := time.Now()
	if err := <-waiting; !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	stalled(t, time.Since(begin))
	if err := y.Q.Put(t.Context(), nil); !errors.Is(err, mp.ErrClosed) {
		t.Errorf("Put: %v", err)
	}
}

// The one who mends what the first victim has left dies of it, too.
func putHeir(t *testing.T, point string) {
	y := newYard(t, "put.copied", 1, 100)
	die(t, Put, y.deed)
	y.Point = point
	die(t, Put, y.deed)
	y.work(t.Context())
	y.settle(t)
	if n := y.victims(); n != 0 {
		t.Errorf("%d items of those who died before they had put any", n)
	}
}

func getHeir(t *testing.T, point string) {
	y := newYard(t, "get.copied", 1, 100)
	must(t, put2(t.Context(), y, 10))
	die(t, Get, y.deed)
	y.Point = point
	die(t, Get, y.deed)
	must(t, y.Q.CloseWrite(t.Context()))
	begin := time.Now()
	go y.get(t.Context())
	must(t, <-y.getters)
	stalled(t, time.Since(begin))
	if len(y.got) != 10 {
		t.Errorf("%d of 10 items, none was taken", len(y.got))
	}
}
