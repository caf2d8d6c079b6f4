package ring

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// newRing makes a ring in a segment of its own.
func newRing(t testing.TB, cfg Config) *Ring {
	t.Helper()
	data := shm.RoundPage(shm.HeaderSize + ControlSize)
	params := cfg.Params()
	seg, err := shm.Create(shm.Header{
		Kind: shm.KindQueue, ID: shm.NewID(), Size: data + cfg.DataSize() + shm.PageSize(),
		Params: [4]uint64{params[0], params[1]},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := seg.Close(); err != nil {
			t.Error(err)
		}
	})
	return attach(t, seg, cfg)
}

// attach makes a second handle, as another process would have it.
func attach(t testing.TB, seg *shm.Segment, cfg Config) *Ring {
	t.Helper()
	data := shm.RoundPage(shm.HeaderSize + ControlSize)
	mem, err := seg.Map(0, data)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(seg, unsafe.Add(mem, shm.HeaderSize), data, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Detach)
	return r
}

func putInt(r *Ring, v int64) error       { return r.TryPut(unsafe.Pointer(&v), 8) }
func getInt(r *Ring) (v int64, err error) { err = r.TryGet(unsafe.Pointer(&v)); return }
func putBytes(r *Ring, b []byte) error    { return r.TryPut(unsafe.Pointer(unsafe.SliceData(b)), len(b)) }

var ints = Config{Fixed: true, Size: 8, Bytes: 1 << 30}

func TestFixedFIFO(t *testing.T) {
	r := newRing(t, ints)
	if _, err := getInt(r); !errors.Is(err, mperr.ErrEmpty) {
		t.Fatalf("get from an empty ring: %v", err)
	}
	next, want := int64(0), int64(0)
	for round := range 200 {
		for range round * 7 % 501 {
			if err := putInt(r, next); err != nil {
				t.Fatal(err)
			}
			next++
		}
		for range round * 5 % 401 {
			v, err := getInt(r)
			if errors.Is(err, mperr.ErrEmpty) {
				break
			}
			if err != nil || v != want {
				t.Fatalf("got %d, %v, want %d", v, err, want)
			}
			want++
		}
		if r.Len() != int(next-want) {
			t.Fatalf("Len %d, want %d", r.Len(), next-want)
		}
	}
}

func TestItemBound(t *testing.T) {
	cfg := ints
	cfg.Items = 3
	r := newRing(t, cfg)
	for i := range int64(3) {
		if err := putInt(r, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := putInt(r, 9); !errors.Is(err, mperr.ErrFull) || !r.Full() {
		t.Fatalf("fourth put: %v, full %v", err, r.Full())
	}
	if v, err := getInt(r); v != 0 || err != nil {
		t.Fatal(v, err)
	}
	if err := putInt(r, 3); err != nil {
		t.Fatal(err)
	}
}

func TestVariableRecordsGrow(t *testing.T) {
	r := newRing(t, Config{Bytes: 8 << 20})
	var sizes []int
	total := 0
	for i := 0; ; i++ {
		n := (i * 7919) % 70_001
		rec := make([]byte, n)
		for j := range rec {
			rec[j] = byte(i + j)
		}
		err := putBytes(r, rec)
		if errors.Is(err, mperr.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sizes, total = append(sizes, n), total+n
	}
	if total < 7<<20 {
		t.Errorf("full after %d bytes of 8 MiB", total)
	}
	for i, n := range sizes {
		b, err := r.TryGetFresh()
		if err != nil || len(b) != n {
			t.Fatalf("record %d: %d bytes, %v, want %d", i, len(b), err, n)
		}
		for j := range b {
			if b[j] != byte(i+j) {
				t.Fatalf("record %d differs at %d", i, j)
			}
		}
	}
	if err := putBytes(r, make([]byte, 8<<20)); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("record above the bound: %v", err)
	}
	if err := putBytes(r, make([]byte, 8<<20-8)); err != nil {
		t.Errorf("record of the bound: %v", err)
	}
}

func TestCloseWrite(t *testing.T) {
	r := newRing(t, ints)
	if err := putInt(r, 7); err != nil {
		t.Fatal(err)
	}
	if err := r.CloseWrite(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := putInt(r, 8); !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("put after CloseWrite: %v", err)
	}
	if v, err := getInt(r); v != 7 || err != nil {
		t.Errorf("get: %d %v", v, err)
	}
	if _, err := getInt(r); !errors.Is(err, io.EOF) {
		t.Errorf("get at the end: %v", err)
	}
}

// Many goroutines over two handles: every item once, FIFO for each putter.
func TestManyToMany(t *testing.T) {
	for _, cfg := range []Config{{Fixed: true, Size: 8, Bytes: 1 << 20, Items: 10}, {Fixed: true, Size: 8, Bytes: 1 << 30}, {Bytes: 1 << 16}} {
		a := newRing(t, cfg)
		b := attach(t, a.seg, cfg)
		const putters, each = 4, 20_000
		var wg sync.WaitGroup
		ctx := context.Background()
		for p := range putters {
			wg.Go(func() {
				r := []*Ring{a, b}[p%2]
				for i := range each {
					v := int64(p)<<32 | int64(i)
					if err := r.Put(ctx, unsafe.Pointer(&v), 8); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		got := make([][]int64, 4)
		var readers sync.WaitGroup
		for g := range got {
			readers.Go(func() {
				r := []*Ring{a, b}[g%2]
				for {
					var v int64
					var err error
					if cfg.Fixed {
						err = r.Get(ctx, unsafe.Pointer(&v))
					} else {
						var rec []byte
						rec, err = r.GetFresh(ctx)
						if err == nil {
							v = *(*int64)(unsafe.Pointer(&rec[0]))
						}
					}
					if errors.Is(err, io.EOF) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					got[g] = append(got[g], v)
				}
			})
		}
		wg.Wait()
		if err := a.CloseWrite(ctx); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		seen := map[int64]bool{}
		for _, list := range got {
			last := map[int64]int64{}
			for _, v := range list {
				p, i := v>>32, v&0xffffffff
				if seen[v] {
					t.Fatalf("%d twice", v)
				}
				seen[v] = true
				if l, ok := last[p]; ok && l >= i {
					t.Fatalf("putter %d: %d after %d", p, i, l)
				}
				last[p] = i
			}
		}
		if len(seen) != putters*each {
			t.Fatalf("%d items, want %d", len(seen), putters*each)
		}
	}
}

func BenchmarkPutGet(b *testing.B) {
	r := newRing(b, ints)
	for i := range b.N {
		_ = putInt(r, int64(i))
		_, _ = getInt(r)
	}
}

func BenchmarkPipe(b *testing.B) {
	cfg := ints
	cfg.Items = 1000
	r := newRing(b, cfg)
	s := attach(b, r.seg, cfg)
	ctx := context.Background()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range b.N {
			var v int64
			_ = s.Get(ctx, unsafe.Pointer(&v))
		}
	}()
	for i := range b.N {
		v := int64(i)
		_ = r.Put(ctx, unsafe.Pointer(&v), 8)
	}
	<-done
}

func BenchmarkPipe64K(b *testing.B) {
	cfg := Config{Items: 64, Bytes: 1 << 30}
	r := newRing(b, cfg)
	s := attach(b, r.seg, cfg)
	ctx := context.Background()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range b.N {
			_, _ = s.GetFresh(ctx)
		}
	}()
	rec := make([]byte, 64<<10)
	for range b.N {
		_ = r.Put(ctx, unsafe.Pointer(&rec[0]), len(rec))
	}
	<-done
}
