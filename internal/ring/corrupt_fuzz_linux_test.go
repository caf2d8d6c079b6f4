package ring

import (
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

var fuzzConfigs = []Config{
	{Fixed: true, Size: 8, Items: 100, Bytes: 1 << 20},
	{Fixed: true, Size: 100_000, Bytes: 1 << 20}, // larger than the first generation
	{Bytes: 300_000},
	{Items: 10, Bytes: 64 << 10},
}

// FuzzCorruptControl: whatever another process has scribbled over the control
// block and the data, operations return. They may return wrong records, but
// do not crash, hang, or touch memory outside the ring (which would crash).
func FuzzCorruptControl(f *testing.F) {
	block := func(change func(c *control)) []byte {
		var c control
		change(&c)
		return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(&c)), ControlSize)...)
	}
	rec := []byte{5, 0, 0, 0, 0xfa, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5}
	for _, change := range []func(c *control){
		func(*control) {},
		func(c *control) { c.tail = pack(1<<20, 5) },
		func(c *control) { c.tail, c.cachedLow = pack(5, 5), 6 },
		func(c *control) { c.tail, c.cachedTail = pack(10_000, 1), pack(1<<31, 7) },
		func(c *control) { c.putGen, c.getGen = 4, 1; c.ends[3] = genEnd{1 << 30, 1}; c.tail = pack(100, 2) },
		func(c *control) { c.putGen = 4; c.ends[3] = genEnd{1 << 30, 1}; c.tail = pack(100, 2); c.closed = 1 },
		func(c *control) { c.getGen = 99; c.putGen = 17 },
		func(c *control) { c.head = pack(7, 0); c.tail = pack(1<<31, 0) },
		func(c *control) { c.rewindAt, c.cachedHead = 1<<31, pack(1<<30, 1<<31) },
		func(c *control) { *(*uint64)(unsafe.Pointer(&c.putLock[8])) = 0x40000000 },
		func(c *control) { *(*uint64)(unsafe.Pointer(&c.getLock[8])) = 0x7fffffff<<32 | 0xc0000000 },
		func(c *control) { *(*uint64)(unsafe.Pointer(&c.putLock[8])) = 1 }, // held by nobody
		func(c *control) { *(*uint64)(unsafe.Pointer(&c.getLock[8])) = 1<<32 | 0x80000001 },
		func(c *control) { *(*uint64)(unsafe.Pointer(&c.getLock[8])) = 1 << 63 },
		func(c *control) { c.notEmpty, c.notFull, c.widest = ^uint64(0), 1<<63|1<<32, ^uint32(0) },
	} {
		for i := range fuzzConfigs {
			f.Add(uint8(i), block(change), rec, uint32(0), []byte{0, 1, 2, 3, 4, 5, 6, 7})
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw, data []byte, at uint32, ops []byte) {
		cfg := fuzzConfigs[int(kind)%len(fuzzConfigs)]
		r := newRing(t, cfg)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(r.c)), ControlSize), raw)
		p, err := r.seg.Map(shm.PageSize(), cfg.DataSize())
		if err != nil {
			t.Fatal(err)
		}
		area := unsafe.Slice((*byte)(p), cfg.DataSize())
		copy(area[int64(at)%cfg.DataSize():], data)
		_ = r.check()
		for _, op := range ops[:min(len(ops), 50)] {
			begin := time.Now()
			play(r, op)
			if d := time.Since(begin); d > 5*time.Second {
				t.Errorf("operation %d took %v", op%10, d)
			}
		}
	})
}

func play(r *Ring, op byte) {
	n := int(op) * 1000
	if r.cfg.Fixed {
		n = r.cfg.Size
	}
	buf := make([]byte, max(n, r.cfg.Size, 8))
	switch op % 10 {
	case 0:
		_ = r.TryPut(addr(buf), n)
	case 1:
		_ = r.Put(cancelled, addr(buf), n)
	case 2:
		_, _ = r.PutMany(cancelled, int(op), func(int) (unsafe.Pointer, int) { return addr(buf), n })
	case 3:
		if r.cfg.Fixed {
			_ = r.Get(cancelled, addr(buf))
		} else {
			_, _ = r.GetAppend(cancelled, nil)
		}
	case 4:
		_, _ = r.GetFresh(cancelled)
	case 5:
		_, _ = r.TryGetMany(int(op)<<12, func(p unsafe.Pointer, n int) { _ = clone(p, n) })
	case 6:
		_, _, _, _ = r.Len(), r.Full(), r.Readable(), r.Undone()
	case 7:
		_ = r.Done(int(op))
	case 8:
		_ = r.WaitReadable(cancelled)
		_ = r.WaitDone(cancelled)
	case 9:
		_ = r.CloseWrite(cancelled)
	}
}

// TestEveryFlip: whatever bit of the control block of an idle ring flips, every
// operation ends.
func TestEveryFlip(t *testing.T) {
	robust.SetRecheck(5*time.Millisecond, 5*time.Millisecond)
	t.Cleanup(func() { robust.SetRecheck(100*time.Millisecond, 6400*time.Millisecond) })
	done, at := make(chan struct{}), new(atomic.Int64)
	go func() {
		defer close(done)
		for i, cfg := range []Config{fuzzConfigs[0], fuzzConfigs[2]} {
			r := newRing(t, cfg)
			for range 3 {
				play(r, 0)
			}
			block := unsafe.Slice((*byte)(unsafe.Pointer(r.c)), ControlSize)
			sound := append([]byte{}, block...)
			for bit := range 8 * ControlSize {
				for op := range byte(10) {
					at.Store(int64(i*1_000_000 + bit*10 + int(op)))
					copy(block, sound)
					block[bit/8] ^= 1 << (bit % 8)
					play(r, op)
				}
			}
		}
	}()
	select {
	case <-done:
	case <-patient(t).Done():
		t.Errorf("bit %d of configuration %d: operation %d does not end", at.Load()%1_000_000/10, at.Load()/1_000_000, at.Load()%10)
	}
}
