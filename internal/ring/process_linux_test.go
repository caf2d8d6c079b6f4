package ring

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"unsafe"

	"multiproc/internal/childtest"
)

func init() {
	roles["put"] = childPut
	roles["get"] = childGet
}

// item is what the processes of a history put: who, which one, and filling
// that shows a torn record.
func item(putter, i, size int) []byte {
	b := record(uint64(putter)<<32|uint64(i), max(size, 16))
	*(*uint64)(addr(b)) = uint64(putter)<<32 | uint64(i)
	return b
}

func identify(b []byte) (putter, i int, whole bool) {
	id := *(*uint64)(addr(b))
	want := item(int(id>>32), int(uint32(id)), len(b))
	return int(id >> 32), int(uint32(id)), string(want) == string(b)
}

func sizeOf(cfg Config, i int) int {
	if cfg.Fixed {
		return cfg.Size
	}
	return 16 + i*i%701
}

// childPut puts its items with two goroutines, each a putter of its own.
func childPut(c *childtest.Self) {
	r, _ := childRing(c)
	me, _ := strconv.Atoi(c.Args[0])
	n, _ := strconv.Atoi(c.Args[1])
	c.Say("ready")
	c.Hear()
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			for i := 0; i < n; {
				if i%3 == 0 {
					k := min(5, n-i)
					recs := make([][]byte, k)
					for j := range recs {
						recs[j] = item(2*me+g, i+j, sizeOf(r.cfg, i+j))
					}
					_, err := r.PutMany(ctx, k, func(j int) (unsafe.Pointer, int) { return addr(recs[j]), len(recs[j]) })
					c.Check(err)
					i += k
					continue
				}
				rec := item(2*me+g, i, sizeOf(r.cfg, i))
				c.Check(r.Put(ctx, addr(rec), len(rec)))
				i++
			}
		})
	}
	wg.Wait()
	c.Say("done")
}

// childGet reports what it got, in order, until the end of the ring. Its
// position in the whole history is the head's count, which only it has while
// it holds the lock: TestHistory compares what one getter sees.
func childGet(c *childtest.Self) {
	r, _ := childRing(c)
	c.Say("ready")
	ctx := context.Background()
	var got []byte
	note := func(b []byte) {
		putter, i, whole := identify(b)
		if !whole {
			c.Say("torn record %d of putter %d", i, putter)
		}
		got = strconv.AppendInt(append(got, ' '), int64(putter)<<32|int64(i), 10)
	}
	for k := 0; ; k++ {
		var err error
		switch {
		case k%3 == 0:
			_, err = r.GetMany(ctx, 7, func(p unsafe.Pointer, n int) { note(clone(p, n)) })
		case r.cfg.Fixed:
			b := make([]byte, r.cfg.Size)
			if err = r.Get(ctx, addr(b)); err == nil {
				note(b)
			}
		default:
			var b []byte
			if b, err = r.GetFresh(ctx); err == nil {
				note(b)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		c.Check(err)
	}
	c.Say("got%s", got)
}

// N processes put, M get: every item arrives once and whole, and each getter
// sees each putter's items in order. With one getter that is first in, first
// out for all: order by putter is order of the ring.
func TestHistory(t *testing.T) {
	for _, h := range []struct {
		cfg              Config
		putters, getters int
		each             int
	}{
		{Config{Fixed: true, Size: 16, Items: 3, Bytes: 1 << 20}, 2, 2, 1500},
		{Config{Fixed: true, Size: 16, Bytes: 1 << 30}, 2, 1, 15_000},
		{Config{Bytes: 3000}, 2, 2, 3000},
		{Config{Bytes: 8 << 20}, 3, 2, 5000},
	} {
		r := newRing(t, h.cfg)
		startAt(r, 1<<32-4000, 1<<32-500) // positions and counts run over
		var putters, getters []*childtest.Child
		for i := range h.putters {
			c := childtest.Start(t, files(t, r), "put", strconv.Itoa(i), strconv.Itoa(h.each))
			c.Expect("ready")
			putters = append(putters, c)
		}
		for range h.getters {
			c := childtest.Start(t, files(t, r), "get")
			c.Expect("ready")
			getters = append(getters, c)
		}
		for _, c := range putters {
			c.Say("go")
		}
		for _, c := range putters {
			c.Expect("done")
		}
		if err := r.CloseWrite(patient(t)); err != nil {
			t.Fatal(err)
		}
		seen := map[int]bool{}
		for _, c := range getters {
			last := map[int]int{}
			for _, v := range fields(t, c.Hear()) {
				putter, i := v>>32, v&0xffffffff
				if seen[v] {
					t.Fatalf("item %d of putter %d came twice", i, putter)
				}
				seen[v] = true
				if before, ok := last[putter]; ok && before >= i {
					t.Fatalf("putter %d: item %d after %d", putter, i, before)
				}
				last[putter] = i
			}
		}
		if want := h.putters * 2 * h.each; len(seen) != want || r.Len() != 0 {
			t.Errorf("%+v: %d items arrived, %d are left, want %d", h.cfg, len(seen), r.Len(), want)
		}
	}
}

// One putter's global order: with a single putting handle, items carry the
// order of the whole ring, and several getters together see it without gaps.
func TestGlobalOrder(t *testing.T) {
	r := newRing(t, Config{Fixed: true, Size: 16, Items: 50, Bytes: 1 << 20})
	ctx := patient(t)
	const n = 20_000
	var mu sync.Mutex // the putters' order is the order in which they had it
	var wg sync.WaitGroup
	next := 0
	for range 3 {
		s := attach(t, r.seg, r.cfg)
		wg.Go(func() {
			for {
				mu.Lock()
				if next == n {
					mu.Unlock()
					return
				}
				rec := item(0, next, 16)
				next++
				err := s.Put(ctx, addr(rec), 16)
				mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	b := make([]byte, 16)
	for i := range n {
		if err := r.Get(ctx, addr(b)); err != nil {
			t.Fatal(err)
		}
		if _, got, whole := identify(b); got != i || !whole {
			t.Fatalf("got item %d whole=%v, want %d", got, whole, i)
		}
	}
	wg.Wait()
}

func fields(t *testing.T, line string) (list []int) {
	t.Helper()
	var v int
	in := false
	if len(line) < 3 || line[:3] != "got" {
		t.Fatal(line)
	}
	for _, ch := range line[3:] {
		if ch == ' ' {
			if in {
				list = append(list, v)
			}
			v, in = 0, true
			continue
		}
		v = v*10 + int(ch-'0')
	}
	if in {
		list = append(list, v)
	}
	return list
}
