package mp

import "testing"

func TestDefaultBytes(t *testing.T) {
	for _, c := range []struct{ full, memory, want int64 }{
		{1 << 30, 16 << 30, 1 << 30},
		{1 << 30, 4 << 30, 1 << 30},
		{1 << 30, 4<<30 - 1, 512 << 20},
		{1 << 30, 200 << 20, 32 << 20},
		{64 << 20, 200 << 20, 32 << 20},
		{64 << 20, 1 << 40, 64 << 20},
		{1 << 30, 0, 1 << 20},
	} {
		if got := defaultBytes(c.full, c.memory); got != c.want {
			t.Errorf("%d of %d: %d, want %d", c.full, c.memory, got, c.want)
		}
	}
}
