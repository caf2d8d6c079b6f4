package dict

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"multiproc/internal/cell"
)

var ctx = context.Background()

func intCell(i int) cell.Cell {
	c, ok := cell.OfInt(int64(i))
	if !ok {
		panic(i)
	}
	return c
}

func (d *Dict) intKey(i int) *Key {
	k := d.Key(intCell(i), nil)
	return &k
}

// item is CBOR of n bytes, of its own for each seed.
func item(seed uint64, n int) []byte {
	b := cell.AppendHead(nil, 0x40, uint64(n))
	for range n {
		b = append(b, byte(seed))
		seed = seed>>1 | seed<<63
	}
	return b
}

// A model of a dict: random calls, and what they must return.
type model struct {
	t    *testing.T
	d    *Dict
	rnd  *rand.Rand
	now  map[int][]byte // value by key
	ver  map[int]uint64
	keys int
}

func (m *model) key(i int) *Key {
	var k Key
	switch i % 3 {
	case 0:
		k = m.d.Key(intCell(i), nil)
	case 1: // a key of bytes
		b := item(uint64(i)*0x9e3779b97f4a7c15, 8+i%40)
		k = m.d.Key(cell.Of(b), nil)
	default: // given is not what it equals
		k = m.d.Key(intCell(i), binary.LittleEndian.AppendUint64([]byte{0xfb}, uint64(i)))
	}
	return &k
}

func (m *model) value() []byte {
	switch m.rnd.IntN(10) {
	case 0, 1, 2, 3, 4:
		return intCell(int(m.rnd.Int64N(1<<40)) - 1<<39).Append(nil)
	case 5:
		return item(m.rnd.Uint64(), m.rnd.IntN(3000))
	default:
		return item(m.rnd.Uint64(), m.rnd.IntN(64))
	}
}

func (m *model) check(i int) {
	m.t.Helper()
	f, err := m.d.Get(ctx, m.key(i), nil)
	if err != nil {
		m.t.Fatalf("get %d: %v", i, err)
	}
	want, ok := m.now[i]
	if k := m.key(i); k.equal.Word != 0 && !m.d.NoValues {
		w, version, sure := m.d.GetWord(k.equal.Word)
		if sure && (version != f.Version || version != 0 && w != f.Value.Word) {
			m.t.Fatalf("get %d: %+v, GetWord %#x of version %d", i, f, w, version)
		}
	}
	if ok != (f.Version != 0) {
		m.t.Fatalf("get %d: version %d, there: %v", i, f.Version, ok)
	}
	if !ok {
		return
	}
	if got := f.Value.Append(nil); string(got) != string(want) {
		m.t.Fatalf("get %d: %x, want %x", i, got, want)
	}
	if f.Version < m.ver[i] {
		m.t.Fatalf("get %d: version %d after %d", i, f.Version, m.ver[i])
	}
	m.ver[i] = f.Version
}

func (m *model) step() {
	i := m.rnd.IntN(m.keys)
	k := m.key(i)
	switch m.rnd.IntN(10) {
	case 0, 1, 2:
		ok, err := m.d.Delete(ctx, k, Always)
		_, there := m.now[i]
		if err != nil || ok != there {
			m.t.Fatalf("delete %d: %v, %v; there %v", i, ok, err, there)
		}
		delete(m.now, i)
	case 3:
		m.check(i)
	default:
		v := m.value()
		ok, err := put(m.d, k, cell.Of(v))
		if err != nil || !ok {
			m.t.Fatalf("set %d: %v, %v", i, ok, err)
		}
		m.now[i] = v
		m.ver[i]++ // greater than before
	}
	m.check(i)
}

func TestModel(t *testing.T) {
	defer func() {
		if shortWays.Load() == 0 {
			t.Error("SetWord never set anything")
		}
	}()
	for _, c := range []struct{ keys, steps int }{{1, 1000}, {10, 5000}, {300, 20000}, {20000, 200000}} {
		d, _ := newDict(t, Config{Bits: 2})
		m := &model{t: t, d: d, rnd: rand.New(rand.NewPCG(uint64(c.keys), 1)), now: map[int][]byte{}, ver: map[int]uint64{}, keys: c.keys}
		for range c.steps {
			m.step()
		}
		for i := range c.keys {
			m.check(i)
		}
		for i := range d.shards {
			size, dead, idle := d.sizes(i)
			t.Logf("%d keys: shard %d: %d bytes, %d dead, %d idle, count %d, holes %d", c.keys, i, size, dead, idle, d.shards[i].load(frontCount)>>32, d.shards[i].load(frontHoles))
			if dead > size/2 && dead > 1<<16 {
				t.Errorf("%d keys, shard %d: of %d bytes %d are dead: what was left is not moved together", c.keys, i, size, dead)
			}
		}
	}
}

func (d *Dict) sizes(i int) (size, dead, idle uint64) {
	c := call{d: d, s: &d.shards[i]}
	c.h.Space = &d.space
	c.h.BeginHeap(c.s.back+backHeap, c.s.back+backJournal)
	size, dead = c.h.Size()
	return size, dead, c.h.Load(c.s.back + backHeap + 64)
}

func BenchmarkGetInt(b *testing.B) {
	for _, n := range []int{1000, 1000000} {
		d, _ := newDict(b, Config{Bits: 6})
		for i := range n {
			if _, err := d.Set(ctx, d.intKey(i), intCell(i), Always); err != nil {
				b.Fatal(err)
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		b.Run(name(n), func(b *testing.B) {
			for range b.N {
				k := d.Key(intCell(r.IntN(n)), nil)
				if f, err := d.Get(ctx, &k, nil); err != nil || f.Version == 0 {
					b.Fatal(err)
				}
			}
		})
		b.Run("set"+name(n), func(b *testing.B) {
			for range b.N {
				i := r.IntN(n)
				k := d.Key(intCell(i), nil)
				if ok, err := d.Set(ctx, &k, intCell(i), Always); err != nil || !ok {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInsertInt(b *testing.B) {
	d, _ := newDict(b, Config{Bits: 6})
	for i := range b.N {
		k := d.Key(intCell(i), nil)
		if ok, err := d.Set(ctx, &k, intCell(i), Always); err != nil || !ok {
			b.Fatal(err)
		}
	}
	size := uint64(0)
	for i := range d.shards {
		s, _, _ := d.sizes(i)
		size += s
	}
	b.ReportMetric(float64(size)/float64(b.N), "B/entry")
}

func name(n int) string {
	if n == 1000 {
		return "1k"
	}
	return "1M"
}
