package ring

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
)

// One bit of an index is wrong: nobody gets more records than were put, nobody
// waits for room that will never come, and no count is believed that cannot be.
func TestFlippedBitOfAnIndex(t *testing.T) {
	const items = 5
	words := map[string]func(*control) *uint64{
		"tail":        func(c *control) *uint64 { return &c.tail },
		"head":        func(c *control) *uint64 { return &c.head },
		"cached tail": func(c *control) *uint64 { return &c.cachedTail },
		"cached head": func(c *control) *uint64 { return &c.cachedHead },
	}
	for i, cfg := range []Config{
		{Fixed: true, Size: 8, Bytes: 1 << 20},
		{Fixed: true, Size: 24, Items: 8, Bytes: 1 << 20},
		{Bytes: 300_000},
		{Items: 8, Bytes: 64 << 10},
	} {
		for name, word := range words {
			for bit := range 64 {
				what := fmt.Sprintf("config %d, bit %d of the %s", i, bit, name)
				r := newRing(t, cfg)
				n := 8
				if cfg.Fixed {
					n = cfg.Size
				}
				buf := make([]byte, n)
				for range items {
					if err := r.Put(cancelled, addr(buf), n); err != nil {
						t.Fatal(err)
					}
				}
				w := word(r.c)
				atomic.StoreUint64(w, atomic.LoadUint64(w)^1<<bit)
				if n := r.Len(); uint32(n) > r.maxItems {
					t.Errorf("%s: %d records of at most %d", what, n, r.maxItems)
				}
				// It may find room or none, but comes back without anybody's help.
				if err := r.Put(cancelled, addr(buf), n); err != nil && !errors.Is(err, mperr.ErrCorrupt) && !r.full() {
					t.Errorf("%s: Put: %v", what, err)
				}
				got := 0
				for got <= items+1 {
					k, err := r.TryGetMany(math.MaxInt, func(unsafe.Pointer, int) {})
					if err != nil {
						break
					}
					got += k
				}
				if got > items+1 { // with the one just put
					t.Errorf("%s: %d records of %d", what, got, items)
				}
			}
		}
	}
}

// A tail that promises more records than the area holds makes nobody read
// beyond it.
func TestTailBeyondTheArea(t *testing.T) {
	for i := range 30 { // what lies behind a mapping is chance
		cfg := []Config{{Fixed: true, Size: 8, Bytes: 64 << 20}, {Fixed: true, Size: 20, Bytes: 64 << 20}, {Bytes: 64 << 20}}[i%3]
		r := newRing(t, cfg)
		buf := make([]byte, 20)
		n := len(buf)
		if cfg.Fixed {
			n = cfg.Size
		}
		for range 3 {
			if err := r.Put(cancelled, addr(buf), n); err != nil {
				t.Fatal(err)
			}
		}
		const many = 1 << 20
		atomic.StoreUint64(&r.c.tail, pack(many*r.stride, many))
		for range 20 {
			_, _ = r.TryGetMany(math.MaxInt, func(unsafe.Pointer, int) {})
		}
	}
}

// full reports whether a putter would be right to wait.
func (r *Ring) full() bool { return r.space(r.cfg.stride(8)) == 0 }
