package list

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"multiproc/internal/shm"
)

// A million numbers that were appended take less than two words each; and Clear gives the
// memory back.
func TestMemory(t *testing.T) {
	const n = 1_000_000
	l, seg := newList(t)
	l.space.Floor = floor
	for i := range n {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	full := taken(t, seg)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 100_000 {
		if err := l.Insert(ctx, r.IntN(n), intCell(i)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Pop(ctx, r.IntN(n)); err != nil {
			t.Fatal(err)
		}
	}
	later := taken(t, seg)
	if err := l.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	after := taken(t, seg)
	t.Logf("%.2f bytes an item, %.2f after changes; %d after Clear", float64(full)/n, float64(later)/n, after)
	if full >= 16*n {
		t.Errorf("%d items take %d bytes", n, full)
	}
	if later >= 40*n {
		t.Errorf("after changes %d items take %d bytes", n, later)
	}
	if after > full/8 {
		t.Errorf("after Clear there are %d bytes of %d", after, full)
	}
}

// Items that are set again and again leave their memory to each other, also where some
// stay in every run.
func TestMemoryOfItems(t *testing.T) {
	const n, size = 20_000, 100
	l, seg := newList(t)
	l.space.Floor = floor
	for i := range n {
		if err := l.Append(ctx, item(uint64(i), size)); err != nil {
			t.Fatal(err)
		}
	}
	full := taken(t, seg)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 20 * n {
		if _, _, err := l.Set(ctx, r.IntN(n), item(uint64(i), size), Always); err != nil {
			t.Fatal(err)
		}
	}
	later := taken(t, seg)
	t.Logf("%.1f bytes an item, later %.1f", float64(full)/n, float64(later)/n)
	if later > 3*full {
		t.Errorf("%d bytes became %d", full, later)
	}
	for range n {
		if _, _, err := l.Pop(ctx, -1); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if err := l.Append(ctx, intCell(1)); err != nil {
			t.Fatal(err)
		}
	}
	if after := taken(t, seg); after > full/2 {
		t.Errorf("%d bytes became %d when all items had gone", full, after)
	}
}

// A small list that is changed again and again takes a little more than its items, and its
// memory does not go to the kernel and back.
func TestMemoryOfFew(t *testing.T) {
	l, seg := newList(t)
	l.space.Floor = floor
	r := rand.New(rand.NewPCG(1, 1))
	least, most := int64(1<<62), int64(0)
	for i := range 30_000 {
		if err := l.Insert(ctx, r.IntN(1000), intCell(i)); err != nil {
			t.Fatal(err)
		}
		if i >= 1000 {
			if _, _, err := l.Pop(ctx, r.IntN(1000)); err != nil {
				t.Fatal(err)
			}
		}
		if i >= 10_000 && i%100 == 0 {
			now := taken(t, seg)
			least, most = min(least, now), max(most, now)
		}
	}
	t.Logf("%d to %d bytes", least, most)
	if most > 4*floor {
		t.Errorf("1000 items take up to %d bytes", most)
	}
	if least != most {
		t.Errorf("memory goes to the kernel and back: %d to %d bytes", least, most)
	}
}

// taken is how many bytes of memory a segment has.
func taken(t *testing.T, seg *shm.Segment) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Fstat(seg.FD(), &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}
