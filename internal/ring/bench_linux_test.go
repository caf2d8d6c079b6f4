package ring

import (
	"context"
	"io"
	"strconv"
	"testing"
	"unsafe"

	"multiproc/internal/childtest"
)

func init() {
	roles["bench get"] = benchGet
	roles["bench echo"] = benchEcho
}

// benchGet drains the ring, reading a byte of every cache line, until its end.
func benchGet(c *childtest.Self) {
	r, _ := childRing(c)
	batch, _ := strconv.Atoi(c.Args[0])
	c.Say("ready")
	ctx := context.Background()
	sum := uint64(0)
	var buf []byte
	var v int64
	for {
		var err error
		switch {
		case batch > 1:
			_, err = r.GetMany(ctx, batch, func(p unsafe.Pointer, _ int) { sum += *(*uint64)(p) })
		case r.cfg.Fixed:
			err = r.Get(ctx, unsafe.Pointer(&v))
			sum += uint64(v)
		default:
			if buf, err = r.GetAppend(ctx, buf[:0]); err == nil {
				for i := 0; i < len(buf); i += 64 {
					sum += uint64(buf[i])
				}
			}
		}
		if err == io.EOF {
			break
		}
		c.Check(err)
	}
	c.Say("%d", sum)
}

func benchPipe(b *testing.B, cfg Config, size, batch int) {
	r := newRing(b, cfg)
	c := childtest.Start(b, files(b, r), "bench get", strconv.Itoa(batch))
	c.Expect("ready")
	ctx := context.Background()
	rec := make([]byte, size)
	b.SetBytes(int64(size))
	b.ResetTimer()
	for i := 0; i < b.N; {
		if batch > 1 {
			n, err := r.PutMany(ctx, min(batch, b.N-i), func(int) (unsafe.Pointer, int) { return addr(rec), size })
			if err != nil {
				b.Fatal(err)
			}
			i += n
			continue
		}
		for j := 0; j < size; j += 64 {
			rec[j] = byte(i)
		}
		if err := r.Put(ctx, addr(rec), size); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if err := r.CloseWrite(ctx); err != nil {
		b.Fatal(err)
	}
	c.Hear()
}

// One putter and one getter in two processes.
func BenchmarkTwoProcesses(b *testing.B) {
	b.Run("int64", func(b *testing.B) { benchPipe(b, ints, 8, 1) })
	b.Run("int64/1000items", func(b *testing.B) {
		benchPipe(b, Config{Fixed: true, Size: 8, Items: 1000, Bytes: 1 << 20}, 8, 1)
	})
	b.Run("int64/batch100", func(b *testing.B) { benchPipe(b, ints, 8, 100) })
	b.Run("1KiB", func(b *testing.B) { benchPipe(b, Config{Bytes: 1 << 30}, 1<<10, 1) })
	b.Run("64KiB", func(b *testing.B) { benchPipe(b, Config{Bytes: 1 << 30}, 64<<10, 1) })
	b.Run("64KiB/64items", func(b *testing.B) { benchPipe(b, Config{Items: 64, Bytes: 1 << 30}, 64<<10, 1) })
}

// BenchmarkCopyInCopyOut is the floor of the 64 KiB case: two copies.
func BenchmarkCopyInCopyOut(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			in, mid, out := make([]byte, size), make([]byte, size), make([]byte, size)
			b.SetBytes(int64(size))
			for range b.N {
				copy(mid, in)
				copy(out, mid)
			}
		})
	}
}

// benchEcho sends back on the second half of the segment's items: it gets
// from the ring on descriptor 3 and answers through the scratch page's event.
func benchEcho(c *childtest.Self) {
	r, s := childRing(c)
	c.Say("ready")
	ctx := context.Background()
	var v int64
	for {
		err := r.Get(ctx, unsafe.Pointer(&v))
		if err == io.EOF {
			return
		}
		c.Check(err)
		s.store(8, uint64(v))
		c.Check(r.Done(1))
	}
}

// A round trip: a record there, and the news that it was dealt with back.
func BenchmarkRoundTrip(b *testing.B) {
	r := newRing(b, ints)
	c := childtest.Start(b, files(b, r), "bench echo")
	c.Expect("ready")
	ctx := context.Background()
	b.ResetTimer()
	for i := range int64(b.N) {
		if err := r.Put(ctx, unsafe.Pointer(&i), 8); err != nil {
			b.Fatal(err)
		}
		if err := r.WaitDone(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := r.CloseWrite(ctx); err != nil {
		b.Fatal(err)
	}
}
