package dict

import (
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
