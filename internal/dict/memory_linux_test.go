package dict

import (
	"sync/atomic"
	"syscall"
	"testing"

	"multiproc/internal/shm"
)

// A million entries of two numbers take less than 64 bytes each, and Clear gives the
// memory back but for what each shard keeps.
func TestMemory(t *testing.T) {
	const n = 1_000_000
	d, seg := newDict(t, Config{Bits: MaxBits})
	for i := range n {
		k := d.Key(intCell(i), nil)
		if _, err := d.Set(ctx, &k, intCell(i), Always); err != nil {
			t.Fatal(err)
		}
	}
	full := taken(t, seg)
	if err := d.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	after := taken(t, seg)
	t.Logf("%.1f bytes an entry; %d after Clear", float64(full)/n, after)
	if full >= 64*n {
		t.Errorf("%d entries take %d bytes", n, full)
	}
	if after > full/8 {
		t.Errorf("after Clear there are %d bytes of %d", after, full)
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

// To move what lives leaves less behind than it makes free, also where the log is long: or
// each change would move some for ever.
func TestMoveOfManyEntries(t *testing.T) {
	const n = 200_000
	d, _ := newDict(t, Config{Bits: 0})
	for i := range n {
		if _, err := d.Set(ctx, d.intKey(i), intCell(i), Always); err != nil {
			t.Fatal(err)
		}
	}
	before := atomic.LoadUint64(d.shards[0].moves)
	deleted := uint64(0)
	for i := range n {
		if i%5 < 4 {
			if ok, err := d.Delete(ctx, d.intKey(i), Always); err != nil || !ok {
				t.Fatalf("%d: %v, %v", i, ok, err)
			}
			deleted++
		}
	}
	again := atomic.LoadUint64(d.shards[0].moves) - before // how often memory was used again
	t.Logf("%d entries deleted, memory used again %d times", deleted, again)
	if again > deleted/50 {
		t.Errorf("%d entries were deleted, and memory used again %d times", deleted, again)
	}
}
