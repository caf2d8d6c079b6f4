package list

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/cell"
)

// A value that tells whether it was read whole: whose it is, a number that grows, and
// bytes that follow from both.
func stormValue(who, n, size int) cell.Cell {
	if size == 0 {
		return intCell(who<<32 | n)
	}
	b := cell.AppendHead(nil, 0x40, uint64(16+size))
	b = binary.LittleEndian.AppendUint64(b, uint64(who))
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	for i := range size {
		b = append(b, byte(who+n+i))
	}
	return cell.Of(b)
}

func stormCheck(c cell.Cell) (who, n int, err error) {
	if i, ok := c.Int(); ok {
		return int(i >> 32), int(i & (1<<32 - 1)), nil
	}
	b, ok := c.Payload(0x40)
	if !ok || len(b) < 16 {
		return 0, 0, fmt.Errorf("an item is %x", c.Append(nil))
	}
	who, n = int(binary.LittleEndian.Uint64(b)), int(binary.LittleEndian.Uint64(b[8:]))
	for i, x := range b[16:] {
		if x != byte(who+n+i) {
			return 0, 0, fmt.Errorf("item %d of %d is torn at %d of %d", n, who, i, len(b)-16)
		}
	}
	return who, n, nil
}

// storm is many goroutines, through several handles, in one list. Each writer's items have
// numbers that grow, and stand in their order: it puts them behind its last one, or changes
// them all the same way.
type storm struct {
	handles []*List
	sizes   int
	steps   int
	stop    atomic.Bool
}

const stormWriters = 3

// write appends and takes from the front: the items of one are in the order of their
// numbers at every moment.
func (s *storm) write(who int) error {
	l, r := s.handles[who%len(s.handles)], rand.New(rand.NewPCG(uint64(who), 5))
	for n := 1; n < s.steps; n++ {
		v := stormValue(who, n, r.IntN(1<<r.IntN(s.sizes)))
		var err error
		switch r.IntN(8) {
		case 0, 1:
			_, _, err = l.Pop(ctx, 0)
		case 2:
			_, _, err = l.Pop(ctx, r.IntN(400))
		case 3:
			more := []cell.Cell{v}
			for range r.IntN(40) {
				n++
				more = append(more, stormValue(who, n, r.IntN(30)))
			}
			err = l.Splice(ctx, func(n int) (int, int, error) { return n, n, nil }, more)
		case 4:
			err = l.Splice(ctx, func(n int) (int, int, error) { return min(n, 10), min(n, 10+r.IntN(50)), nil }, nil)
		case 5: // the same item again, with other bytes
			i := r.IntN(300)
			f, failed := l.Get(ctx, i, nil)
			if err = failed; err == nil && f.Version != 0 {
				of, number, failed := stormCheck(f.Value)
				if failed != nil {
					return failed
				}
				_, _, err = l.Set(ctx, i, stormValue(of, number, r.IntN(100)), f.Version)
			}
		default:
			err = add(l, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read is one who looks at items, one and all.
func (s *storm) read(who int) error {
	l, r := s.handles[who%len(s.handles)], rand.New(rand.NewPCG(uint64(who), 6))
	for !s.stop.Load() {
		f, err := l.Get(ctx, r.IntN(300)-150, nil)
		if err != nil {
			return err
		}
		if f.Version != 0 {
			if _, _, err := stormCheck(f.Value); err != nil {
				return err
			}
		}
		if w, ok := l.GetWord(r.IntN(300) - 150); ok {
			if _, _, err := stormCheck(cell.Cell{Word: w}); err != nil {
				return err
			}
		}
		if _, err := l.Len(ctx); err != nil {
			return err
		}
		if r.IntN(50) > 0 {
			continue
		}
		all, _, err := l.Read(ctx, whole)
		if err != nil {
			return err
		}
		last := map[int]int{}
		for i, v := range all {
			who, n, err := stormCheck(v)
			if err != nil {
				return err
			}
			if n <= last[who] {
				return fmt.Errorf("item %d of %d: number %d of %d after %d", i, len(all), n, who, last[who])
			}
			last[who] = n
		}
	}
	return nil
}

// Nobody ever sees what was not, whatever others do.
func TestStorm(t *testing.T) {
	for name, s := range map[string]*storm{
		"small items": {sizes: 6, steps: 12_000},
		"large items": {sizes: 14, steps: 4_000},
	} {
		t.Run(name, func(t *testing.T) {
			l, seg := newList(t)
			other := attach(t, seg)
			t.Cleanup(other.Detach)
			s.handles = []*List{l, other}
			var writers, readers sync.WaitGroup
			run := func(wg *sync.WaitGroup, f func(int) error, who int) {
				wg.Go(func() {
					if err := f(who); err != nil {
						t.Error(err)
					}
				})
			}
			for i := range stormWriters {
				run(&writers, s.write, i)
			}
			for i := range 3 {
				run(&readers, s.read, i)
			}
			writers.Wait()
			s.stop.Store(true)
			readers.Wait()
			if err := l.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// All items are read as they are at one moment: of two that are always set one after the
// other the first is never behind.
func TestOneMoment(t *testing.T) {
	const n, steps = 5000, 30_000
	l, seg := newList(t)
	vs := make([]cell.Cell, n)
	for i := range vs {
		vs[i] = intCell(0)
	}
	if err := l.Splice(ctx, func(int) (int, int, error) { return 0, 0, nil }, vs); err != nil {
		t.Fatal(err)
	}
	other := attach(t, seg)
	t.Cleanup(other.Detach)
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		defer stop.Store(true)
		for k := range steps {
			for _, i := range [...]int{0, n - 1} {
				if _, _, err := other.Set(ctx, i, intCell(k), Always); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for !stop.Load() {
		all, _, err := l.Read(ctx, whole)
		if err != nil {
			t.Error(err)
			break
		}
		a, _ := all[0].Int()
		b, _ := all[n-1].Int()
		if a != b && a != b+1 {
			t.Errorf("the first is %d, the last %d", a, b)
			break
		}
	}
	wg.Wait()
}
