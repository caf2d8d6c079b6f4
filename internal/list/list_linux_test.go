package list

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"multiproc/internal/cell"
	"multiproc/internal/mperr"
)

// A model of a list: random calls, and what they must return.
type model struct {
	l    *List
	rnd  *rand.Rand
	now  []string
	long int
}

func (m *model) value() (cell.Cell, string) {
	v := intCell(int(m.rnd.Int64N(1 << 40)))
	switch m.rnd.IntN(10) {
	case 0, 1, 2, 3:
		v = item(m.rnd.Uint64(), m.rnd.IntN(50))
	case 4:
		v = item(m.rnd.Uint64(), m.rnd.IntN(m.long))
	}
	return v, string(v.Append(nil))
}

func (m *model) values(n int) (vs []cell.Cell, texts []string) {
	for range n {
		v, s := m.value()
		vs, texts = append(vs, v), append(texts, s)
	}
	return vs, texts
}

// step does a random change of a list of about so many items.
func (m *model) step(n int) error {
	v, text := m.value()
	have := len(m.now)
	at := m.rnd.IntN(have + 1)
	grow := m.rnd.IntN(2*n+1) >= have
	switch k := m.rnd.IntN(20); {
	case k < 4 && grow:
		m.now = append(m.now, text)
		return add(m.l, v)
	case k < 8 && grow:
		m.now = slices.Insert(m.now, at, text)
		return m.l.Insert(ctx, at, v)
	case k < 10 && at < have:
		m.now[at] = text
		ok, there, err := m.l.Set(ctx, at-have, v, Always)
		if !ok || !there {
			return fmt.Errorf("Set %d of %d: %v, %v, %w", at, have, ok, there, err)
		}
		return err
	case k < 14 && !grow, k == 14:
		if k%2 == 0 {
			at = have - 1
		}
		got, ok, err := m.l.Pop(ctx, at)
		if ok != (at >= 0 && at < have) || err != nil {
			return fmt.Errorf("Pop %d of %d: %v, %w", at, have, ok, err)
		}
		if ok {
			if string(got.Append(nil)) != m.now[at] {
				return fmt.Errorf("Pop %d: %+v, want %x", at, got, m.now[at])
			}
			m.now = slices.Delete(m.now, at, at+1)
		}
	case k == 15:
		end := min(have, at+m.rnd.IntN(1<<m.rnd.IntN(10)))
		size := m.rnd.IntN(1 << m.rnd.IntN(10))
		if m.rnd.IntN(3) == 0 {
			at, end = have, have
		}
		if !grow {
			size = 0
		}
		vs, texts := m.values(size)
		m.now = slices.Replace(m.now, at, end, texts...)
		return m.l.Splice(ctx, func(int) (int, int, error) { return at, end, nil }, vs)
	case k == 16 && m.rnd.IntN(20) == 0:
		slices.Reverse(m.now)
		return m.l.Rewrite(ctx, func(now []cell.Cell) (Edit, error) {
			slices.Reverse(now)
			return Edit{0, len(now), now}, nil
		})
	case k == 17 && m.rnd.IntN(20+n) == 0:
		m.now = nil
		return m.l.Clear(ctx)
	}
	return nil
}

// look compares some of the list with the model.
func (m *model) look() error {
	n, err := m.l.Len(ctx)
	if err != nil || n != len(m.now) {
		return fmt.Errorf("Len %d, %w; want %d", n, err, len(m.now))
	}
	at := m.rnd.IntN(n + 1)
	f, err := m.l.Get(ctx, at, nil)
	if err != nil || (f.Version != 0) != (at < n) || at < n && string(f.Value.Append(nil)) != m.now[at] {
		return fmt.Errorf("Get %d of %d: %+v, %w", at, n, f, err)
	}
	again := at
	if at < n && m.rnd.IntN(2) == 0 {
		again -= n
	}
	if w, ok := m.l.GetWord(again); ok != (f.Value.Word != 0) || ok && w != f.Value.Word {
		return fmt.Errorf("GetWord %d of %d: %x, %v; Get has %+v", again, n, w, ok, f)
	}
	return nil
}

func (m *model) whole() error {
	all, _, err := m.l.Read(ctx, whole)
	if err != nil || len(all) != len(m.now) {
		return fmt.Errorf("%d items, %w; want %d", len(all), err, len(m.now))
	}
	for i, v := range all {
		if string(v.Append(nil)) != m.now[i] {
			return fmt.Errorf("item %d is %x, want %x", i, v.Append(nil), m.now[i])
		}
	}
	return m.l.check()
}

func TestModel(t *testing.T) {
	defer func() {
		if shortWays.Load() == 0 {
			t.Error("AppendWord never appended anything")
		}
	}()
	for _, c := range []struct{ n, steps, every, long int }{
		{2, 2000, 10, 100}, {20, 4000, 50, 300_000}, {600, 6000, 500, 3000}, {20_000, 8000, 4000, 200}, {70_000, 8000, 4000, 20},
	} {
		l, _ := newList(t)
		m := &model{l: l, rnd: rand.New(rand.NewPCG(uint64(c.n), 1)), long: c.long}
		if c.n > 10_000 {
			vs, texts := m.values(c.n)
			m.now = texts
			if err := l.Splice(ctx, func(int) (int, int, error) { return 0, 0, nil }, vs); err != nil {
				t.Fatal(err)
			}
		}
		for i := range c.steps {
			err := m.step(c.n)
			if err == nil {
				err = m.look()
			}
			if err == nil && i%c.every == 0 {
				err = m.whole()
			}
			if err != nil {
				t.Fatalf("%d items, step %d: %v", c.n, i, err)
			}
		}
		if err := m.whole(); err != nil {
			t.Fatal(err)
		}
		x := l.call()
		x.h.BeginHeap(offHeap, offJournal)
		size, dead := x.h.Size()
		t.Logf("%d items: %d bytes, %d dead", len(m.now), size, dead)
	}
}

// SetVersion's promise: an item that was read, and has changed since or stands elsewhere,
// has another version.
func TestVersions(t *testing.T) {
	l, _ := newList(t)
	for i := range 10 {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	version := func() uint64 {
		f, err := l.Get(ctx, 9, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f.Version
	}
	v := version()
	if err := l.Append(ctx, intCell(1)); err != nil {
		t.Fatal(err)
	}
	if ok, there, err := l.Set(ctx, 9, intCell(1), v); !ok || !there || err != nil {
		t.Errorf("%v, %v, %v after an Append elsewhere", ok, there, err)
	}
	for what, change := range map[string]func() error{
		"Set":    func() error { _, _, err := l.Set(ctx, 9, intCell(2), Always); return err },
		"Insert": func() error { return l.Insert(ctx, 0, intCell(3)) },
		"Delete": func() error { _, _, err := l.Pop(ctx, 0); return err },
		"Pop and Append": func() error {
			for n, _ := l.Len(ctx); n > 9; n-- {
				if _, _, err := l.Pop(ctx, -1); err != nil {
					return err
				}
			}
			return l.Append(ctx, intCell(4))
		},
	} {
		v := version()
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if ok, there, err := l.Set(ctx, 9, intCell(5), v); ok || !there || err != nil {
			t.Errorf("%v, %v, %v after %s", ok, there, err, what)
		}
	}
	if ok, there, err := l.Set(ctx, 99, intCell(5), Always); ok || there || err != nil {
		t.Errorf("%v, %v, %v beyond the end", ok, there, err)
	}
}

// A span that is not in the list is an error, and the lock is free afterwards.
func TestSpan(t *testing.T) {
	l, _ := newList(t)
	for _, c := range [][2]int{{0, 1}, {-1, 0}, {1, 0}} {
		err := l.Splice(ctx, func(int) (int, int, error) { return c[0], c[1], nil }, nil)
		if !errors.Is(err, mperr.ErrIndex) {
			t.Errorf("%v of an empty list: %v", c, err)
		}
	}
	if err := l.Append(ctx, intCell(1)); err != nil {
		t.Error(err)
	}
}

// An insertion moves items of other leaves, too.
func TestMovedItems(t *testing.T) {
	l, _ := newList(t)
	for i := range 2000 {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := l.Get(ctx, 1500, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Insert(ctx, 0, intCell(1)); err != nil {
		t.Fatal(err)
	}
	if ok, _, err := l.Set(ctx, 1500, intCell(1), f.Version); ok || err != nil {
		t.Errorf("%v, %v, another item stands there", ok, err)
	}
}

// Who looks at the last item while it is taken out where it stands hears of it: its place
// is used again.
func TestPopIsHeard(t *testing.T) {
	l, _ := newList(t)
	for i := range 5 {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	c := l.call()
	for range 3 {
		before, body := c.h.Moves(offHeap), l.load(offBody)
		if _, _, err := l.Pop(ctx, -1); err != nil {
			t.Fatal(err)
		}
		if after := c.h.Moves(offHeap); after == before && body == l.load(offBody) {
			t.Errorf("moves stay %d, and the body where it is", after)
		}
	}
}

func BenchmarkInt(b *testing.B) {
	l, _ := newList(b)
	b.Run("append", func(b *testing.B) {
		for i := range b.N {
			if err := l.Append(ctx, intCell(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := l.Clear(ctx); err != nil {
		b.Fatal(err)
	}
	const n = 1_000_000
	for i := range n {
		if err := l.Append(ctx, intCell(i)); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	b.Run("get", func(b *testing.B) {
		for range b.N {
			if f, err := l.Get(ctx, r.IntN(n), nil); err != nil || f.Version == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("set", func(b *testing.B) {
		for i := range b.N {
			if ok, _, err := l.Set(ctx, r.IntN(n), intCell(i), Always); err != nil || !ok {
				b.Fatal(err)
			}
		}
	})
	b.Run("insert", func(b *testing.B) {
		for i := range b.N {
			if err := l.Insert(ctx, r.IntN(n), intCell(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// An index from the end means another item when there is one more.
func TestVersionFromTheEnd(t *testing.T) {
	l, _ := newList(t)
	for i := range 10 {
		if err := l.Append(ctx, intCell(i)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := l.Get(ctx, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := l.Set(ctx, -1, intCell(9), f.Version); !ok || err != nil {
		t.Errorf("%v, %v when nothing was changed", ok, err)
	}
	if f, err = l.Get(ctx, -1, nil); err != nil {
		t.Fatal(err)
	}
	if err := add(l, intCell(10)); err != nil {
		t.Fatal(err)
	}
	if ok, _, err := l.Set(ctx, -1, intCell(11), f.Version); ok || err != nil {
		t.Errorf("%v, %v: the last item is another one", ok, err)
	}
}
