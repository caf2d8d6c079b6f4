//go:build mpcrash

package list

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/childtest"
	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/shm"
)

// imageSize is how much of a segment an image has at most.
const imageSize = 8 << 20

// image is the memory as a survivor finds it if the process dies at a failpoint.
type image struct {
	name string
	mem  []byte
}

// crasher plays random histories in one list and takes an image at every failpoint.
type crasher struct {
	t *testing.T
	model
	mem      []byte
	survivor []byte // another segment
	other    *shm.Segment
	images   []image
	hits     map[string]int
	opened   int
	renewed  int // what opened was at the last renew
}

func wholeOf(t *testing.T, seg *shm.Segment) []byte {
	t.Helper()
	p, err := seg.Map(0, imageSize)
	if err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*byte)(p), imageSize)
}

func newCrasher(t *testing.T, seed uint64, long int, hits map[string]int) *crasher {
	l, seg := newList(t)
	c := &crasher{t: t, hits: hits}
	c.model = model{l: l, rnd: rand.New(rand.NewPCG(seed, 9)), long: long}
	c.mem = wholeOf(t, seg)
	c.renew()
	t.Cleanup(func() { _ = c.other.Close() })
	return c
}

// renew makes a new segment for survivors: what each has mapped stays mapped until it is
// closed, and the kernel maps some 60 000 areas for a process.
func (c *crasher) renew() {
	if c.other != nil {
		_ = c.other.Close()
	}
	c.other, c.renewed = segment(c.t), c.opened
	c.survivor = wholeOf(c.t, c.other)
}

func (c *crasher) hook(name string) {
	c.hits[name]++
	if n := c.hits[name]; n > 2000 && n%7 != 0 || len(c.images) > 200 {
		return
	}
	c.images = append(c.images, c.take(name, c.l, c.mem))
}

func (c *crasher) take(name string, l *List, mem []byte) image {
	tail := *l.word(offTail)
	if tail > imageSize {
		c.t.Fatalf("%d bytes are in use", tail)
	}
	return image{name, append([]byte{}, mem[:tail]...)}
}

// play plays a change, and then all its crashes.
func (c *crasher) play(n int) error {
	if c.opened-c.renewed > 2000 {
		c.renew()
	}
	before := slices.Clone(c.now)
	c.images = c.images[:0]
	failpoint.SetHook(c.hook)
	err := c.step(n)
	failpoint.SetHook(nil)
	if err != nil {
		return err
	}
	for _, img := range c.images {
		if err := c.inherit(img, before); err != nil {
			return fmt.Errorf("killed at %s: %w", img.name, err)
		}
	}
	return c.whole()
}

// open opens an image as a survivor does: a held lock is as the kernel leaves it.
func (c *crasher) open(img image) *List {
	c.opened++
	copy(c.survivor, img.mem)
	mem := unsafe.Pointer(unsafe.SliceData(c.survivor))
	w := (*uint64)(unsafe.Add(mem, offLock+8))
	if v := atomic.LoadUint64(w); v&futex.TIDMask != 0 {
		atomic.StoreUint64(w, v&^uint64(futex.TIDMask)|futex.OwnerDied)
	}
	return attachAt(c.t, c.other, mem)
}

// inherit looks at an image as a survivor, and goes on with it.
func (c *crasher) inherit(img image, before []string) error {
	l := c.open(img)
	defer l.Detach()
	// A reader takes no lock: it sees one state or the other before anybody mends.
	state, err := c.state(l, before)
	if err != nil {
		return fmt.Errorf("a reader: %w", err)
	}
	if c.rnd.IntN(4) > 0 {
		return c.holds(l, state, before)
	}
	// The one who mends dies, too.
	var images []image
	failpoint.SetHook(func(name string) {
		c.hits[name]++
		if len(images) < 30 {
			images = append(images, c.take(img.name+", then at "+name, l, c.survivor))
		}
	})
	l.settle(ctx)
	err = l.with(ctx, func(c *call) { c.tidy() })
	failpoint.SetHook(nil)
	if err != nil {
		return err
	}
	l.Detach()
	for _, img := range images {
		l := c.open(img)
		err := c.holds(l, state, before)
		l.Detach()
		if err != nil {
			return fmt.Errorf("%s: %w", img.name, err)
		}
	}
	return nil
}

// state is what a list has: what it had before the change, or has after it. Each item is
// read by itself, too.
func (c *crasher) state(l *List, before []string) ([]string, error) {
	all, _, err := l.Read(ctx, whole)
	if err != nil {
		return nil, err
	}
	is := []string{}
	for i, v := range all {
		is = append(is, string(v.Append(nil)))
		if i%37 == 0 || i == len(all)-1 {
			f, err := l.Get(ctx, i, nil)
			if err != nil || string(f.Value.Append(nil)) != is[i] {
				return nil, fmt.Errorf("item %d is %x, %w; with the others it was %x", i, f.Value.Append(nil), err, is[i])
			}
		}
	}
	if !slices.Equal(is, before) && !slices.Equal(is, c.now) {
		return nil, fmt.Errorf("there are %d items, of which some are neither what was (%d) nor what is to be (%d)", len(is), len(before), len(c.now))
	}
	return is, nil
}

// holds checks that a survivor, who mends, finds one state or the other, and goes on: what
// readers saw of the change before does not go away.
func (c *crasher) holds(l *List, seen, before []string) error {
	if err := l.with(ctx, func(*call) {}); err != nil {
		return err
	}
	now, err := c.state(l, before)
	if err != nil {
		return err
	}
	if slices.Equal(seen, c.now) && !slices.Equal(now, c.now) {
		return fmt.Errorf("a reader had seen the change")
	}
	m := model{l: l, rnd: c.rnd, now: slices.Clone(now), long: c.long}
	for range 4 {
		if err := m.step(len(now)); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
	}
	l.settle(ctx)
	if err := m.whole(); err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	if d := l.load(offDraft); d != 0 {
		return fmt.Errorf("a draft at %#x", d)
	}
	return nil
}

func TestCrashAtEveryStore(t *testing.T) {
	hits := map[string]int{}
	opened, first := 0, childtest.Seed(t)
	for _, c := range []struct{ n, long, steps int }{
		{3, 60, 100}, {40, 1000, 120}, {10, 90_000, 50}, {700, 100, 80}, {3000, 40, 25},
	} {
		for seed := first; seed < first+2; seed++ {
			x := newCrasher(t, seed, c.long, hits)
			vs, texts := x.values(c.n)
			x.now = texts
			if err := x.l.Splice(ctx, func(int) (int, int, error) { return 0, 0, nil }, vs); err != nil {
				t.Fatal(err)
			}
			for i := range c.steps {
				if err := x.play(c.n); err != nil {
					t.Fatalf("%+v seed %d step %d: %v", c, seed, i, err)
				}
			}
			opened += x.opened
		}
	}
	for _, name := range childtest.Failpoints(t, "../arena") {
		if hits[name] == 0 && first == 0 {
			t.Errorf("no history came past %s", name)
		}
	}
	childtest.Tally(t, opened, 0, 0)
	t.Logf("failpoints: %v", hits)
}
