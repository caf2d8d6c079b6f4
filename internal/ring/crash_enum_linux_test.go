//go:build mpcrash

package ring

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/childtest"
	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

// image is the segment's memory as a survivor finds it if the process dies at
// a failpoint, and what was promised until then.
type image struct {
	name     string
	mem      []byte
	promised [][]byte // put and not got, by operations that returned
	putting  [][]byte // by the operation that did not return
	getting  int      // at most so many of promised may be gone with it
	closing  bool
}

// crasher plays random histories in one ring and takes an image at every
// failpoint.
type crasher struct {
	t        *testing.T
	cfg      Config
	r        *Ring
	whole    []byte // the segment
	survivor []byte // another segment of the same size
	other    *shm.Segment
	rnd      *rand.Rand
	next     uint64
	in       [][]byte // the model
	now      image
	images   []image
	hits     map[string]int
	opened   int
}

func wholeOf(t *testing.T, seg *shm.Segment) []byte {
	t.Helper()
	p, err := seg.Map(0, seg.Size)
	if err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*byte)(p), seg.Size)[shm.HeaderSize:]
}

func newCrasher(t *testing.T, cfg Config, seed uint64, hits map[string]int) *crasher {
	c := &crasher{t: t, cfg: cfg, r: newRing(t, cfg), rnd: rand.New(rand.NewPCG(seed, 7)), hits: hits}
	c.other = newRing(t, cfg).seg
	c.whole, c.survivor = wholeOf(t, c.r.seg), wholeOf(t, c.other)
	if seed%3 != 0 {
		c.settle()
	}
	return c
}

// settle uses the locks until they are resident: from then on the quick way is
// taken where nothing stands in its way.
func (c *crasher) settle() {
	rec := make([]byte, c.cfg.Size)
	for range 100 {
		if err := c.r.TryPut(addr(rec), len(rec)); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.r.TryGetFresh(); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *crasher) hook(name string) {
	c.hits[name]++
	// A process that lives on passes the same points again and again; an
	// image of some of them is enough.
	if n := c.hits[name]; n > 200 && n%29 != 0 {
		return
	}
	img := c.now
	img.name, img.mem = name, append([]byte{}, c.whole...)
	c.images = append(c.images, img)
}

func (c *crasher) size() int {
	if c.cfg.Fixed {
		return c.cfg.Size
	}
	return c.rnd.IntN(1 << (4 + c.rnd.IntN(12)))
}

func (c *crasher) records(n int) (recs [][]byte) {
	for range n {
		c.next++
		recs = append(recs, record(c.next, c.size()))
	}
	return recs
}

// burst empties the ring, and plays a batch that is shown to others before it is
// complete: by chance no step may have had one.
func (c *crasher) burst() error {
	for {
		if _, err := c.r.TryGetFresh(); err != nil {
			break
		}
	}
	c.in = nil
	var recs [][]byte
	for range 60 {
		size := 1000
		if c.cfg.Fixed {
			size = c.cfg.Size
		}
		c.next++
		recs = append(recs, record(c.next, size))
	}
	c.now = image{putting: recs}
	return c.crash(func() error {
		n, _ := c.r.PutMany(cancelled, len(recs), func(i int) (unsafe.Pointer, int) { return addr(recs[i]), len(recs[i]) })
		c.in = recs[:n:n]
		return nil
	})
}

// step plays one operation under the hook, and then all its crashes.
func (c *crasher) step() error {
	c.now = image{promised: c.in}
	var play func() error
	switch c.rnd.IntN(6) {
	case 0, 1:
		recs := c.records(1)
		c.now.putting = recs
		play = func() error {
			err := c.r.TryPut(addr(recs[0]), len(recs[0]))
			if err == nil {
				c.in = append(c.in[:len(c.in):len(c.in)], recs[0])
			}
			return err
		}
	case 2:
		recs := c.records(c.rnd.IntN(1 << c.rnd.IntN(7)))
		c.now.putting = recs
		play = func() error {
			n, _ := c.r.PutMany(cancelled, len(recs), func(i int) (unsafe.Pointer, int) { return addr(recs[i]), len(recs[i]) })
			c.in = append(c.in[:len(c.in):len(c.in)], recs[:n]...)
			return nil
		}
	default:
		limit := 1 + c.rnd.IntN(30)
		if c.rnd.IntN(2) == 0 {
			limit = 1
		}
		c.now.getting = limit
		one := limit == 1 && c.rnd.IntN(2) == 0
		play = func() error {
			if one {
				_, err := c.r.TryGetFresh()
				if err == nil {
					c.in = c.in[1:]
				}
				return err
			}
			n, err := c.r.TryGetMany(limit, func(unsafe.Pointer, int) {})
			c.in = c.in[n:]
			return err
		}
	}
	return c.crash(play)
}

func (c *crasher) crash(play func() error) error {
	c.images = c.images[:0]
	failpoint.SetHook(c.hook)
	err := play()
	failpoint.SetHook(nil)
	if err != nil && !errors.Is(err, mperr.ErrFull) && !errors.Is(err, mperr.ErrEmpty) {
		return err
	}
	for i := range c.images {
		if err := c.inherit(&c.images[i]); err != nil {
			return fmt.Errorf("killed at %s: %w", c.images[i].name, err)
		}
	}
	return nil
}

// inherit opens an image as a survivor and goes on with it.
func (c *crasher) inherit(img *image) error {
	c.opened++
	copy(c.survivor, img.mem)
	mem := unsafe.Pointer(unsafe.SliceData(c.survivor))
	for _, off := range []uintptr{0, 128} { // as the kernel leaves a held lock
		w := (*uint64)(unsafe.Add(mem, off+8))
		if v := atomic.LoadUint64(w); v&futex.TIDMask != 0 {
			atomic.StoreUint64(w, v&^uint64(futex.TIDMask)|futex.OwnerDied)
		}
	}
	r, err := New(c.other, mem, shm.RoundPage(shm.HeaderSize+ControlSize), c.cfg)
	if err != nil {
		return err
	}
	defer r.Detach()
	marker := record(1<<40, c.size())
	marked := false
	if c.rnd.IntN(2) == 0 { // the survivor is a putter first
		switch err := r.TryPut(addr(marker), len(marker)); {
		case err == nil:
			marked = true
		case errors.Is(err, mperr.ErrClosed) && img.closing:
		case !errors.Is(err, mperr.ErrFull):
			return fmt.Errorf("the survivor's put: %w", err)
		}
	}
	var got [][]byte
	for {
		_, err = r.TryGetMany(1+c.rnd.IntN(5), func(p unsafe.Pointer, n int) { got = append(got, clone(p, n)) })
		if err != nil {
			break
		}
	}
	if err != mperr.ErrEmpty && !(err == io.EOF && img.closing) {
		return fmt.Errorf("the survivor's get: %w", err)
	}
	if marked {
		if n := len(got); n == 0 || string(got[n-1]) != string(marker) {
			return fmt.Errorf("the survivor's own record did not come last of %d", n)
		}
		got = got[:len(got)-1]
	}
	if err := img.explains(got); err != nil {
		return err
	}
	if r.Closed() {
		return nil
	}
	// It goes on, also through a larger generation.
	h := &history{m: model{cfg: c.cfg}, handles: []*Ring{r}, rnd: c.rnd, next: 1 << 41, size: c.size}
	for range 6 {
		if err := h.step(); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
	}
	return nil
}

// explains checks got against the promises: the promised records, of which
// the last Get may have taken some from the front, and then any number of
// those that were being put.
func (img *image) explains(got [][]byte) error {
	for lost := 0; lost <= min(img.getting, len(img.promised)); lost++ {
		want := append(img.promised[lost:len(img.promised):len(img.promised)], img.putting...)
		if len(got) < len(img.promised)-lost || len(got) > len(want) {
			continue
		}
		same := true
		for i := range got {
			if same = string(got[i]) == string(want[i]); !same {
				break
			}
		}
		if same {
			return nil
		}
	}
	return fmt.Errorf("%d records, promised %d, %d being put, %d being got", len(got), len(img.promised), len(img.putting), img.getting)
}

func TestCrashAtEveryStore(t *testing.T) {
	hits := map[string]int{}
	opened, first := 0, childtest.Seed(t)
	for _, cfg := range []Config{
		{Fixed: true, Size: 8, Items: 5, Bytes: 1 << 20},
		{Fixed: true, Size: 3000, Bytes: 1 << 18},
		{Bytes: 1 << 17},
		{Bytes: 1 << 18},
	} {
		for seed := first; seed < first+6; seed++ {
			c := newCrasher(t, cfg, seed, hits)
			if seed%2 == 1 {
				startAt(c.r, -uint32(c.rnd.IntN(30_000)), -uint32(c.rnd.IntN(30)))
			}
			for i := range 120 {
				if err := c.step(); err != nil {
					t.Fatalf("%+v seed %d step %d: %v", cfg, seed, i, err)
				}
			}
			for range 3 { // the memory for it may have to grow first
				if err := c.burst(); err != nil {
					t.Fatalf("%+v seed %d: a large batch: %v", cfg, seed, err)
				}
			}
			c.now = image{promised: c.in, closing: true}
			if err := c.crash(func() error { return c.r.CloseWrite(patient(t)) }); err != nil {
				t.Fatalf("%+v seed %d: %v", cfg, seed, err)
			}
			// A death under the lock is mended; what if the mender dies?
			c2 := newCrasher(t, cfg, seed+100, hits)
			for range 30 {
				for _, w := range []*[16]byte{&c2.r.c.putLock, &c2.r.c.getLock} {
					atomic.StoreUint64((*uint64)(unsafe.Pointer(&w[8])), futex.OwnerDied)
				}
				if err := c2.step(); err != nil {
					t.Fatalf("%+v seed %d: %v", cfg, seed, err)
				}
			}
			opened += c.opened + c2.opened
		}
	}
	childtest.Tally(t, opened, 0, 0)
	for _, name := range recordPoints(t) {
		if hits[name] == 0 && first == 0 {
			t.Errorf("no history came past %s", name)
		}
	}
	t.Logf("%d failpoints passed, by name: %v", len(hits), hits)
}

// recordPoints are the failpoints of putting and getting. At those of leases tests/crash
// kills.
func recordPoints(t *testing.T) []string {
	return slices.DeleteFunc(childtest.Failpoints(t, "."), func(name string) bool { return strings.HasPrefix(name, "lease.") })
}
