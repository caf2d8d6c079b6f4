//go:build mpcrash

package dict

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/cell"
	"multiproc/internal/childtest"
	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/shm"
)

// contents are the entries of a dict, in order.
type contents []string

func (d *Dict) contents() (contents, error) {
	all, err := d.All(ctx)
	if err != nil {
		return nil, err
	}
	out := contents{}
	for _, e := range all {
		out = append(out, fmt.Sprintf("%x=%x", e.Key.Append(nil), e.Value.Append(nil)))
	}
	return out, nil
}

// imageSize is how much of a segment an image has at most.
const imageSize = 4 << 20

// image is the memory as a survivor finds it if the process dies at a failpoint.
type image struct {
	name string
	mem  []byte
}

// crasher plays random histories in one dict and takes an image at every failpoint.
type crasher struct {
	t        *testing.T
	d        *Dict
	whole    []byte
	survivor []byte // another segment, with the same seeds
	other    *shm.Segment
	rnd      *rand.Rand
	keys     int
	long     int
	images   []image
	hits     map[string]int
	opened   int
	now      int64 // of the clock of a dict whose entries have a time to live

	follower *follower // watches; nil: nobody does
	before   *follower // as it was before the step
	told     []string  // of the step
}

func wholeOf(t *testing.T, seg *shm.Segment) []byte {
	t.Helper()
	p, err := seg.Map(0, imageSize)
	if err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*byte)(p), imageSize)
}

func newCrasher(t *testing.T, cfg Config, seed uint64, keys, long int, hits map[string]int) *crasher {
	d, seg := newDict(t, cfg)
	other, err := shm.Create(shm.Header{Kind: shm.KindDict, ID: shm.NewID(), Size: Size(), Params: seg.Params})
	if err != nil {
		t.Fatal(err)
	}
	c := &crasher{t: t, d: d, rnd: rand.New(rand.NewPCG(seed, 9)), keys: keys, long: long, hits: hits, other: other}
	c.whole, c.survivor = wholeOf(t, seg), wholeOf(t, other)
	c.now = 1
	c.wind(d)
	t.Cleanup(func() { _ = other.Close() })
	return c
}

// wind gives a dict the clock of the crasher.
func (c *crasher) wind(d *Dict) {
	if d.Timed {
		d.clock = func() int64 { return c.now }
	}
}

func (c *crasher) hook(name string) {
	c.hits[name]++
	if n := c.hits[name]; n > 300 && n%31 != 0 {
		return
	}
	tail := *c.d.word(offTail)
	if tail > imageSize {
		c.t.Fatalf("%d bytes are in use", tail)
	}
	c.images = append(c.images, image{name, append([]byte{}, c.whole[:tail]...)})
}

// key and value are random ones, of which some are words and others are not.
func (c *crasher) key(d *Dict) Key {
	m := model{d: d}
	return *m.key(c.rnd.IntN(c.keys))
}

func (c *crasher) value() cell.Cell {
	n := c.rnd.IntN(c.long)
	switch c.rnd.IntN(3) {
	case 0:
		return intCell(c.rnd.IntN(1 << 40))
	case 1:
		n %= 40
	}
	return cell.Of(item(c.rnd.Uint64(), n))
}

// play does a random change of a dict.
func (c *crasher) play(d *Dict) error {
	switch c.rnd.IntN(12) {
	default:
		k := c.key(d)
		if d.Timed && c.rnd.IntN(2) == 0 {
			return d.SetFor(ctx, &k, c.value(), 1+time.Duration(c.rnd.IntN(40)))
		}
		_, err := put(d, &k, c.value())
		return err
	case 6, 7, 8:
		k := c.key(d)
		_, err := d.Delete(ctx, &k, Always)
		return err
	case 9:
		_, _, err := d.PopItem(ctx)
		return err
	case 10:
		var changes []Change
		for range c.rnd.IntN(8) {
			changes = append(changes, Change{Key: c.key(d), Value: c.value(), Gone: c.rnd.IntN(3) == 0})
		}
		_, _, err := d.Batch(ctx, changes)
		return err
	case 11:
		if c.rnd.IntN(8) > 0 {
			return nil
		}
		return d.Clear(ctx)
	}
}

// step plays a change, and then all its crashes.
func (c *crasher) step() error {
	c.now += c.rnd.Int64N(3)
	before, err := c.d.contents()
	if err != nil {
		return err
	}
	c.images = c.images[:0]
	c.listen()
	failpoint.SetHook(c.hook)
	err = c.play(c.d)
	failpoint.SetHook(nil)
	if err != nil {
		return err
	}
	after, err := c.d.contents()
	if err != nil {
		return err
	}
	if err := errors.Join(c.heard(), c.follower.agrees(after)); err != nil {
		return err
	}
	for _, img := range c.images {
		if err := c.inherit(img, before, after); err != nil {
			return fmt.Errorf("killed at %s: %w", img.name, err)
		}
	}
	return nil
}

// grow sets keys that are not there until a table has been used again for another, and
// plays the crashes of these changes: by chance no step may have had one.
func (c *crasher) grow(keys int) error {
	for i := range keys {
		c.images = c.images[:0]
		c.listen()
		again := false
		failpoint.SetHook(func(name string) {
			if again = again || name == "dict.table"; again {
				c.hook(name)
			}
		})
		k := c.d.Key(intCell(1_000_000+i), nil)
		_, err := c.d.Set(ctx, &k, intCell(i), Always)
		failpoint.SetHook(nil)
		if err := errors.Join(err, c.heard()); err != nil {
			return err
		}
		if !again {
			continue
		}
		after, err := c.d.contents()
		if err != nil {
			return err
		}
		for _, img := range c.images {
			if err := c.inherit(img, after[:len(after)-1], after); err != nil {
				return fmt.Errorf("killed at %s: %w", img.name, err)
			}
		}
	}
	return nil
}

// open opens an image as a survivor does: held locks are as the kernel leaves them.
func (c *crasher) open(img image) *Dict {
	c.opened++
	copy(c.survivor, img.mem)
	mem := unsafe.Pointer(unsafe.SliceData(c.survivor))
	die := func(off uintptr) {
		w := (*uint64)(unsafe.Add(mem, off+8))
		if v := atomic.LoadUint64(w); v&futex.TIDMask != 0 {
			atomic.StoreUint64(w, v&^uint64(futex.TIDMask)|futex.OwnerDied)
		}
	}
	die(offBatcher)
	die(offWatching)
	for i := range c.d.shards {
		die(uintptr(offFronts + i*frontSize))
	}
	d := &Dict{}
	if err := d.Attach(c.other, mem); err != nil {
		c.t.Fatal(err)
	}
	d.minRing, d.maxRing = c.d.minRing, c.d.maxRing
	c.wind(d)
	return d
}

// inherit looks at an image as a survivor, and goes on with it.
func (c *crasher) inherit(img image, before, after contents) error {
	d := c.open(img)
	defer d.Detach()
	// A reader takes no lock: it sees one state or the other before anybody mends.
	if err := c.reads(d, before, after); err != nil {
		return fmt.Errorf("a reader: %w", err)
	}
	if c.rnd.IntN(4) == 0 { // the one who mends dies, too
		var images []image
		failpoint.SetHook(func(name string) {
			c.hits[name]++
			if len(images) < 40 {
				tail := *d.word(offTail)
				images = append(images, image{img.name + ", then at " + name, append([]byte{}, c.survivor[:tail]...)})
			}
		})
		_, err := d.contents()
		if err == nil {
			err = d.settle(ctx)
		}
		failpoint.SetHook(nil)
		if err != nil {
			return err
		}
		d.Detach()
		for _, img := range images {
			d := c.open(img)
			err := c.holds(d, before, after)
			d.Detach()
			if err != nil {
				return fmt.Errorf("%s: %w", img.name, err)
			}
		}
		return nil
	}
	return c.holds(d, before, after)
}

// reads checks what a reader sees of each key.
func (c *crasher) reads(d *Dict, before, after contents) error {
	old, now := byKey(before), byKey(after)
	seen := map[bool]int{}
	for i := range c.keys {
		m := model{d: d}
		k := m.key(i)
		f, err := d.Get(ctx, k, nil)
		if err != nil {
			return err
		}
		is := ""
		if f.Version != 0 {
			is = fmt.Sprintf("%x", f.Value.Append(nil))
		}
		name := fmt.Sprintf("%x", keyItem(k))
		switch {
		case old[name] == now[name]:
			if is != old[name] {
				return fmt.Errorf("key %s is %q, and was %q throughout", name, is, old[name])
			}
		case is == old[name]:
			seen[false]++
		case is == now[name]:
			seen[true]++
		default:
			return fmt.Errorf("key %s is %q, and was %q or %q", name, is, old[name], now[name])
		}
	}
	if seen[false] > 0 && seen[true] > 0 {
		return fmt.Errorf("%d keys are as before, %d as after", seen[false], seen[true])
	}
	return nil
}

func keyItem(k *Key) []byte {
	if k.given != nil {
		return k.given
	}
	return k.equal.Append(nil)
}

func byKey(c contents) map[string]string {
	m := map[string]string{}
	for _, e := range c {
		var k, v string
		for i := range e {
			if e[i] == '=' {
				k, v = e[:i], e[i+1:]
			}
		}
		m[k] = v
	}
	return m
}

// holds checks that a survivor finds one state or the other, and goes on.
func (c *crasher) holds(d *Dict, before, after contents) error {
	f, err := c.survives(d)
	if err != nil {
		return err
	}
	if c.rnd.IntN(2) == 0 { // it changes something first
		k := d.Key(intCell(c.keys+3), nil)
		if _, err := d.Set(ctx, &k, intCell(1), Always); err != nil {
			return err
		}
		if _, err := d.Delete(ctx, &k, Always); err != nil {
			return err
		}
	}
	now, err := d.contents()
	if err != nil {
		return err
	}
	if !slices.Equal(now, before) && !slices.Equal(now, after) {
		return fmt.Errorf("there is %v, before %v, after %v", now, before, after)
	}
	n, err := d.Len(ctx)
	if err != nil || n != len(now) {
		return fmt.Errorf("Len is %d (%w), there are %d", n, err, len(now))
	}
	if err := errors.Join(c.reads(d, now, now), f.agrees(now)); err != nil {
		return err
	}
	defer func(now int64) { c.now = now }(c.now)
	for range 6 {
		c.now += c.rnd.Int64N(8)
		if err := c.play(d); err != nil {
			return fmt.Errorf("afterwards: %w", err)
		}
	}
	now, err = d.contents()
	if err != nil {
		return err
	}
	if err := errors.Join(c.reads(d, now, now), f.agrees(now)); err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	if err := d.settle(ctx); err != nil { // the batch of the dead, which nobody has met
		return err
	}
	if err := d.together(ctx, func([]call) {}); err != nil { // the same of the changes in journals
		return err
	}
	return d.check()
}

func TestCrashAtEveryStore(t *testing.T) {
	hits := map[string]int{}
	opened, first := 0, childtest.Seed(t)
	for _, cfg := range []struct {
		Config
		keys, long, steps int
		ring              uint64 // of a dict that is watched
	}{
		{Config{Bits: 0}, 12, 60, 150, 1 << 10},
		{Config{Bits: 2}, 40, 3000, 150, 1 << 12},
		{Config{Bits: 1}, 10, 90_000, 30, 1 << 15},
		{Config{Bits: 0}, 1600, 30, 60, 1 << 12},
		{Config{Bits: 1, NoValues: true}, 60, 40, 100, 0},
		{Config{Bits: 0, Timed: true, TTL: time.Microsecond}, 12, 60, 150, 1 << 12},
		{Config{Bits: 1, Timed: true}, 150, 300, 150, 1 << 12},
	} {
		for seed := first; seed < first+2; seed++ {
			c := newCrasher(t, cfg.Config, seed, cfg.keys, cfg.long, hits)
			for range cfg.keys * 2 / 3 {
				k := c.key(c.d)
				if _, err := c.d.Set(ctx, &k, c.value(), Always); err != nil {
					t.Fatal(err)
				}
			}
			if ring := cfg.ring; ring != 0 && seed > 0 {
				if err := c.follow(ring); err != nil {
					t.Fatal(err)
				}
			}
			for i := range cfg.steps {
				err := c.step()
				if err == nil && c.follower != nil && i%40 == 39 {
					err = c.rewatch()
				}
				if err != nil {
					t.Fatalf("%+v seed %d step %d: %v", cfg, seed, i, err)
				}
				if err := c.d.check(); err != nil {
					t.Fatalf("%+v seed %d step %d: %v", cfg, seed, i, err)
				}
			}
			if cfg.keys > 1000 {
				if err := c.grow(1000); err != nil {
					t.Fatalf("%+v seed %d: growing: %v", cfg, seed, err)
				}
			}
			if cfg.keys < 100 && !cfg.NoValues && !cfg.Timed && c.follower == nil {
				if err := c.words(40); err != nil {
					t.Fatalf("%+v seed %d: the short way: %v", cfg, seed, err)
				}
			}
			opened += c.opened
		}
	}
	for _, name := range slices.Concat(childtest.Failpoints(t, "."), childtest.Failpoints(t, "../arena")) {
		if hits[name] == 0 && first == 0 {
			t.Errorf("no history came past %s", name)
		}
	}
	childtest.Tally(t, opened, 0, 0)
	t.Logf("failpoints: %v", maps.Collect(maps.All(hits)))
}
