package dict

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/cell"
)

// A value that tells whose it is, and whether it was read whole: the key, a number that
// grows, and bytes that follow from both.
func stormValue(key, n, size int) cell.Cell {
	b := cell.AppendHead(nil, 0x40, uint64(16+size))
	b = binary.LittleEndian.AppendUint64(b, uint64(key))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	for i := range size {
		b = append(b, byte(key+n+i))
	}
	return cell.Of(b)
}

func stormCheck(key int, c cell.Cell) (n int, err error) {
	b, ok := c.Payload(0x40)
	if !ok || len(b) < 16 {
		return 0, fmt.Errorf("key %d has %x", key, c.Append(nil))
	}
	of, n := int(binary.LittleEndian.Uint64(b)), int(binary.LittleEndian.Uint64(b[8:]))
	if of != key {
		return 0, fmt.Errorf("key %d has a value of key %d", key, of)
	}
	for i, x := range b[16:] {
		if x != byte(key+n+i) {
			return 0, fmt.Errorf("key %d: the value is torn at %d of %d", key, i, len(b)-16)
		}
	}
	return n, nil
}

func stormKey(d *Dict, i int) *Key {
	k := d.Key(intCell(i), nil)
	if i%3 == 0 {
		k = d.Key(cell.Of(item(uint64(i)*0x9e3779b97f4a7c15|1, 20)), nil)
	}
	return &k
}

// storm is many goroutines, through several handles, in one dict.
type storm struct {
	t       *testing.T
	handles []*Dict
	keys    int // of each writer
	writers int
	staying int // keys from there on stay
	sizes   int // of values, as a power of two
	steps   int // of each writer
	stop    atomic.Bool
}

func (s *storm) handle(i int) *Dict { return s.handles[i%len(s.handles)] }

// write is one who alone changes some keys, and so knows what they are.
func (s *storm) write(who int) error {
	d, r := s.handle(who), rand.New(rand.NewPCG(uint64(who), 5))
	now := map[int]int{}
	for n := 1; n < s.steps; n++ {
		key := who*s.keys + r.IntN(s.keys)
		k := stormKey(d, key)
		size := r.IntN(1 << r.IntN(s.sizes))
		switch r.IntN(8) {
		case 0, 1:
			ok, err := d.Delete(ctx, k, Always)
			if err != nil || ok != (now[key] != 0) {
				return fmt.Errorf("delete %d: %v, %w; it was %d", key, ok, err, now[key])
			}
			delete(now, key)
		case 2:
			if n%16 == 0 {
				other := who*s.keys + r.IntN(s.keys)
				_, _, err := d.Batch(ctx, []Change{
					{Key: *k, Value: stormValue(key, n, size)}, {Key: *stormKey(d, other), Value: stormValue(other, n, size)},
				})
				if err != nil {
					return err
				}
				now[key], now[other] = n, n
			}
		default:
			if _, err := put(d, k, stormValue(key, n, size)); err != nil {
				return err
			}
			now[key] = n
		}
		f, err := d.Get(ctx, k, nil)
		if err != nil {
			return err
		}
		if (f.Version != 0) != (now[key] != 0) {
			return fmt.Errorf("get %d: version %d, it was set by %d", key, f.Version, now[key])
		}
		if f.Version != 0 {
			if is, err := stormCheck(key, f.Value); err != nil || is != now[key] {
				return fmt.Errorf("get %d: %d, want %d: %w", key, is, now[key], err)
			}
		}
	}
	return nil
}

// read is one who looks at keys of all.
func (s *storm) read(who int) error {
	d, r := s.handle(who), rand.New(rand.NewPCG(uint64(who), 6))
	last := map[int]uint64{}
	for !s.stop.Load() {
		key := r.IntN(s.staying + 100)
		if r.IntN(2) == 0 && s.keys < 10 {
			key = r.IntN(s.keys) // those of one writer
		}
		f, err := d.Get(ctx, stormKey(d, key), nil)
		if err != nil {
			return err
		}
		if f.Version == 0 {
			if key >= s.staying {
				return fmt.Errorf("key %d is gone", key)
			}
			continue
		}
		if f.Version < last[key] {
			return fmt.Errorf("key %d has version %d after %d", key, f.Version, last[key])
		}
		last[key] = f.Version
		if _, err := stormCheck(key, f.Value); err != nil {
			return err
		}
	}
	return nil
}

// page is one who goes over all entries again and again.
func (s *storm) page(who int) error {
	d := s.handle(who)
	for !s.stop.Load() {
		seen := map[string]bool{}
		staying := 0
		for after, more := uint64(0), true; more; {
			page, err := d.Page(ctx, after, 50)
			if err != nil {
				return err
			}
			for _, e := range page {
				if e.Birth <= after {
					return fmt.Errorf("birth %d after %d", e.Birth, after)
				}
				after = e.Birth
				b, _ := e.Value.Payload(0x40)
				key := int(binary.LittleEndian.Uint64(b))
				if _, err := stormCheck(key, e.Value); err != nil {
					return err
				}
				if string(e.Key.Append(nil)) != string(stormKey(d, key).equal.Append(nil)) {
					return fmt.Errorf("an entry has key %x and a value of %d", e.Key.Append(nil), key)
				}
				if key >= s.staying {
					staying++
					if id := fmt.Sprint(key); seen[id] {
						return fmt.Errorf("key %d was seen twice", key)
					} else {
						seen[id] = true
					}
				}
			}
			more = len(page) == 50
		}
		if staying != 100 {
			return fmt.Errorf("%d of 100 keys that stay were seen", staying)
		}
		if _, err := d.Len(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Nobody ever sees what was not, whatever others do.
func TestStorm(t *testing.T) {
	for name, s := range map[string]*storm{
		"many keys":    {keys: 2000, writers: 4, sizes: 9, steps: 10_000},
		"large values": {keys: 3, writers: 2, sizes: 15, steps: 15_000},
		"hot keys":     {keys: 2, writers: 2, sizes: 10, steps: 100_000},
	} {
		t.Run(name, func(t *testing.T) { s.run(t) })
	}
}

func (s *storm) run(t *testing.T) {
	d, seg := newDict(t, Config{Bits: 2})
	other := attach(t, seg)
	t.Cleanup(other.Detach)
	s.t, s.handles = t, []*Dict{d, other}
	s.staying = s.keys * s.writers
	for i := range 100 {
		if _, err := d.Set(ctx, stormKey(d, s.staying+i), stormValue(s.staying+i, 1, i), Always); err != nil {
			t.Fatal(err)
		}
	}
	var writers, others sync.WaitGroup
	run := func(wg *sync.WaitGroup, f func(int) error, who int) {
		wg.Go(func() {
			if err := f(who); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range s.writers {
		run(&writers, s.write, i)
	}
	for i := range 3 {
		run(&others, s.read, i)
	}
	run(&others, s.page, 1)
	writers.Wait()
	s.stop.Store(true)
	others.Wait()
	if n, err := d.Len(ctx); err != nil || n < 100 {
		t.Errorf("Len %d, %v", n, err)
	}
}
