package dict

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"multiproc/internal/cell"
	"multiproc/internal/mperr"
)

// newTimed makes a dict whose entries live for ttl, and whose clock says what now is.
func newTimed(t testing.TB, bits uint, ttl time.Duration, now *int64) *Dict {
	d, _ := newDict(t, Config{Bits: bits, Timed: true, TTL: ttl})
	d.clock = func() int64 { return *now }
	return d
}

func TestTTLConfig(t *testing.T) {
	for _, c := range []struct{ given, want time.Duration }{
		{0, 0}, {1, time.Microsecond}, {time.Minute, time.Minute}, {math.MaxInt64, math.MaxInt64 / 1000 * 1000},
	} {
		d, _ := newDict(t, Config{Bits: 2, Timed: true, TTL: c.given})
		if !d.Timed || d.TTL != c.want {
			t.Errorf("a time to live of %v became %v", c.given, d.TTL)
		}
	}
	d, _ := newDict(t, Config{Bits: 2})
	if err := d.SetFor(ctx, d.intKey(1), intCell(1), time.Second); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a time to live in a dict without: %v", err)
	}
	now := int64(1)
	d = newTimed(t, 0, 0, &now)
	if err := d.SetFor(ctx, d.intKey(1), intCell(1), 0); !errors.Is(err, mperr.ErrValue) {
		t.Errorf("a time to live of nothing: %v", err)
	}
}

// timedModel is what a dict whose entries have a time to live has to be.
type timedModel struct {
	t     *testing.T
	d     *Dict
	now   int64
	rnd   *rand.Rand
	value map[int]int
	due   map[int]int64 // absent: never
	ver   map[int]uint64
	order []int // of keys
}

// pass lets time go by.
func (m *timedModel) pass(by int64) {
	m.now += by
	for key, due := range m.due {
		if due <= m.now {
			m.drop(key)
		}
	}
}

func (m *timedModel) drop(key int) {
	delete(m.value, key)
	delete(m.due, key)
	m.order = slices.DeleteFunc(m.order, func(k int) bool { return k == key })
}

func (m *timedModel) put(key, v int, ttl time.Duration) {
	if _, ok := m.value[key]; !ok {
		m.order = append(m.order, key)
	}
	m.value[key] = v
	delete(m.due, key)
	if ttl > 0 {
		m.due[key] = m.now + int64(ttl)
	}
}

func (m *timedModel) step(keys int) {
	t, d, key, v := m.t, m.d, m.rnd.IntN(keys), m.rnd.IntN(1<<30)
	k := (&model{d: d}).key(key)
	_, there := m.value[key]
	switch m.rnd.IntN(12) {
	case 0, 1, 2, 3:
		ttl := 1 + time.Duration(m.rnd.IntN(3*keys))
		if err := d.SetFor(ctx, k, intCell(v), ttl); err != nil {
			t.Fatal(err)
		}
		m.put(key, v, ttl)
	case 4, 5:
		if _, err := d.Set(ctx, k, intCell(v), Always); err != nil {
			t.Fatal(err)
		}
		m.put(key, v, d.TTL)
	case 6:
		ok, err := d.Delete(ctx, k, Always)
		if err != nil || ok != there {
			t.Fatalf("delete %d: %v, %v, want %v", key, ok, err, there)
		}
		m.drop(key)
	case 7: // none is there
		ok, err := d.Set(ctx, k, intCell(v), 0)
		if err != nil || ok == there {
			t.Fatalf("set %d if there is none: %v, %v; there %v", key, ok, err, there)
		}
		if ok {
			m.put(key, v, d.TTL)
		}
	case 8: // the version that it had, perhaps long ago
		version := m.ver[key]
		if version == 0 {
			return
		}
		ok, err := d.Set(ctx, k, intCell(v), version)
		if err != nil || ok && !there {
			t.Fatalf("set %d of version %d: %v, %v; there %v", key, version, ok, err, there)
		}
		if ok {
			m.put(key, v, d.TTL)
		}
	case 9:
		e, ok, err := d.PopItem(ctx)
		if err != nil || ok != (len(m.order) > 0) {
			t.Fatalf("popitem: %v, %v, want one of %v", ok, err, m.order)
		}
		if ok {
			last := m.order[len(m.order)-1]
			if got, _ := e.Value.Int(); int(got) != m.value[last] {
				t.Fatalf("popitem: %d, want %d", got, m.value[last])
			}
			m.drop(last)
		}
	case 10:
		var changes []Change
		after := map[int]bool{}
		for range m.rnd.IntN(4) {
			key, gone := m.rnd.IntN(keys), m.rnd.IntN(3) == 0
			if _, twice := after[key]; twice {
				continue
			}
			after[key] = gone
			changes = append(changes, Change{Key: *(&model{d: d}).key(key), Value: intCell(v), Gone: gone})
			if gone {
				m.drop(key)
			} else {
				m.put(key, v, d.TTL)
			}
		}
		if _, _, err := d.Batch(ctx, changes); err != nil {
			t.Fatal(err)
		}
		return
	case 11:
		n, err := d.Len(ctx)
		if err != nil || n != len(m.order) {
			t.Fatalf("len: %d, %v, want %d", n, err, len(m.order))
		}
	}
	f, err := d.Get(ctx, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	was, there := m.value[key]
	if got, _ := f.Value.Int(); there != (f.Version != 0) || there && int(got) != was {
		t.Fatalf("get %d: %d of version %d, want %d, %v", key, got, f.Version, was, there)
	}
	if w, version, ok := d.GetWord(k.equal.Word); k.equal.Word != 0 && ok && (version != f.Version || version != 0 && w != f.Value.Word) {
		t.Fatalf("get %d: %+v, GetWord %#x of version %d", key, f, w, version)
	}
	if there {
		m.ver[key] = f.Version
	}
}

// all compares all entries, in their order.
func (m *timedModel) all() {
	all, err := m.d.All(ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	var got, want []int
	for _, e := range all {
		v, _ := e.Value.Int()
		got = append(got, int(v))
	}
	for _, key := range m.order {
		want = append(want, m.value[key])
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("all is %v, want %v", got, want)
	}
}

func TestTTLModel(t *testing.T) {
	for _, c := range []struct {
		bits        uint
		keys, steps int
		ttl         time.Duration
	}{{0, 5, 4000, 0}, {0, 40, 20000, time.Microsecond}, {2, 300, 20000, 0}, {2, 2000, 40000, time.Microsecond}} {
		m := &timedModel{
			t: t, now: 1, rnd: rand.New(rand.NewPCG(uint64(c.keys), 3)),
			value: map[int]int{}, due: map[int]int64{}, ver: map[int]uint64{},
		}
		m.d = newTimed(t, c.bits, c.ttl, &m.now)
		for i := range c.steps {
			m.step(c.keys)
			if i%50 == 0 {
				m.all()
			}
			m.pass(m.rnd.Int64N(4))
		}
	}
}

// TestTTLMemory sets keys that are all new, each for a while: what the dict takes is bound
// by those of which the time is not up.
func TestTTLMemory(t *testing.T) {
	now := int64(1)
	d := newTimed(t, 0, time.Microsecond, &now)
	most := uint64(0)
	for i := range 50_000 {
		if _, err := d.Set(ctx, d.intKey(i), cell.Of(item(uint64(i), 100)), Always); err != nil {
			t.Fatal(err)
		}
		now++ // a thousand are alive
		if i > 10_000 && i%100 == 0 {
			size, _, _ := d.sizes(0)
			most = max(most, size)
		}
		if n := d.shards[0].load(frontCount) >> 32; n > 1500 {
			t.Fatalf("%d entries are there, of which 1000 are alive", n)
		}
	}
	if most > 1<<20 {
		t.Errorf("a thousand entries of 100 bytes take %d", most)
	}
	now += 2000
	if n, err := d.Len(ctx); n != 0 || err != nil {
		t.Errorf("when the time of all is up there are %d, %v", n, err)
	}
	if n := d.shards[0].load(frontCount) >> 32; n != 0 {
		t.Errorf("Len left %d behind", n)
	}
}

// Looking at entries does not allocate: it happens under a lock that is pinned.
func TestTTLAllocations(t *testing.T) {
	now := int64(1)
	d := newTimed(t, 0, time.Microsecond, &now)
	for i := range 1000 {
		if _, err := d.Set(ctx, d.intKey(i), intCell(i), Always); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	if n := testing.AllocsPerRun(500, func() {
		now += 10
		k := d.Key(intCell(i), nil)
		i++
		if _, err := d.Set(ctx, &k, intCell(i), Always); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("a change that looks at entries allocates %v times", n)
	}
}

func BenchmarkTimed(b *testing.B) {
	d, _ := newDict(b, Config{Bits: 6, Timed: true, TTL: time.Hour})
	for i := range 1000 {
		if _, err := d.Set(ctx, d.intKey(i), intCell(i), Always); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	b.Run("get", func(b *testing.B) {
		for range b.N {
			k := d.Key(intCell(r.IntN(1000)), nil)
			if f, err := d.Get(ctx, &k, nil); err != nil || f.Version == 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("set", func(b *testing.B) {
		for range b.N {
			k := d.Key(intCell(r.IntN(1000)), nil)
			if ok, err := d.Set(ctx, &k, intCell(1), Always); err != nil || !ok {
				b.Fatal(err)
			}
		}
	})
}
