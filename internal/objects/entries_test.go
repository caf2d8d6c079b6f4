package objects

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// Entries behave like a map and a list of its keys in the order in which they
// came.
func TestEntriesAgainstModel(t *testing.T) {
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 1))
		var e entries
		var order []int64
		values := map[int64]int{}
		for i := range 20_000 {
			key := int64(r.IntN(1 + r.IntN(400)))
			k, err := hashOf(store.Of(key))
			if err != nil {
				t.Fatal(err)
			}
			row := e.at(k.hash)
			_, has := values[key]
			if (row != nil) != has {
				t.Fatalf("step %d: key %d is there: %v, want %v", i, key, row != nil, has)
			}
			switch op := r.IntN(100); {
			case op < 50:
				if !has {
					order = append(order, key)
				}
				values[key] = i
				e.set(k, intItem(i))
			case op < 97:
				if has {
					e.remove(row)
					delete(values, key)
					order = slices.DeleteFunc(order, func(x int64) bool { return x == key })
				}
			case op < 99:
				for range r.IntN(20) {
					if row := e.firstRow(); row != nil {
						delete(values, row.key.Value().(int64))
						e.remove(row)
						order = order[1:]
					}
				}
			case r.IntN(20) == 0:
				e.clear()
				order, values = nil, map[int64]int{}
			}
			if e.live != len(order) || len(e.rows) > 2*e.live+40 {
				t.Fatalf("step %d: %d entries in %d rows, want %d", i, e.live, len(e.rows), len(order))
			}
		}
		keys, vals := e.all()
		if len(keys) != len(order) {
			t.Fatalf("%d keys, want %d", len(keys), len(order))
		}
		for i, key := range order {
			if keys[i].Value() != key || vals[i].Value() != int64(values[key]) {
				t.Errorf("entry %d is %v: %v, want %d: %d", i, keys[i].Value(), vals[i].Value(), key, values[key])
			}
		}
	}
}

// What stays while somebody turns pages is seen exactly once, also if the rows
// are compacted meanwhile.
func TestPagesUnderCompaction(t *testing.T) {
	var e entries
	hash := func(name string, i int) hashed {
		k, err := hashOf(store.Of(fmt.Sprint(name, i)))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for i := range 1000 {
		e.set(hash("go", i), none)
		e.set(hash("stay", i), none)
	}
	seen := map[string]int{}
	for cursor, turn, more := uint64(0), 0, true; more; turn++ {
		keys, _, next := e.page(cursor, 10)
		for _, k := range keys {
			seen[k.Value().(string)]++
		}
		cursor, more = next, next != 0
		for i := range 20 {
			if row := e.at(hash("go", turn*20+i).hash); row != nil {
				e.remove(row)
			}
		}
		e.set(hash("come", turn), none)
		if turn > 50 {
			e.remove(e.lastRow())
		}
	}
	for i := range 1000 {
		if n := seen[fmt.Sprint("stay", i)]; n != 1 {
			t.Errorf("stay%d was seen %d times", i, n)
		}
	}
	for name, n := range seen {
		if n > 1 {
			t.Errorf("%s was seen %d times", name, n)
		}
	}
}

// What few entries are left of many does not keep the memory of all, whichever
// way the others went.
func TestFewEntriesAreSmall(t *testing.T) {
	const n = 20_000
	for what, remove := range map[string]func(*entries){
		"first": func(e *entries) { e.remove(e.firstRow()) },
		"last":  func(e *entries) { e.remove(e.lastRow()) },
	} {
		var e entries
		for i := range n {
			k, err := hashOf(intItem(i))
			if err != nil {
				t.Fatal(err)
			}
			e.set(k, none)
		}
		for e.live > 3 {
			remove(&e)
		}
		if c := cap(e.rows); c > n/10 {
			t.Errorf("3 entries have room for %d after the %s ones went", c, what)
		}
	}
}

// foldedKey is a small tuple whose key is large: one of its parts, which is
// itself made of shared parts, stands in it twice.
func foldedKey(i, levels int) pyvalue.Tuple {
	t := pyvalue.Tuple{"0123456789"}
	for range levels {
		t = pyvalue.Tuple{t, t}
	}
	return pyvalue.Tuple{int64(i), t}
}

// What a key is found by is memory too, and short for keys that are large
// because they refer to their own parts.
func TestKeysAreCharged(t *testing.T) {
	p := newProbe(t, store.Limits{})
	key := foldedKey(0, 12)
	hash, err := pyvalue.Key(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, th := range []*thing{p.create("dict"), p.create("set")} {
		before := p.s.Bytes()
		if th.typ == "set" {
			th.wants("None", "", "add", key)
		} else {
			th.wants("None", "", "__setitem__", key, nil)
		}
		if n := p.s.Bytes() - before; n < int64(len(hash)) {
			t.Errorf("a %s is charged %d bytes for a key of %d", th.typ, n, len(hash))
		}
		th.wants("None", "", "clear")
		if n := p.s.Bytes(); n != before {
			t.Errorf("an empty %s keeps %d bytes", th.typ, n-before)
		}
	}

	keys := listOf()
	for i := range 40 {
		keys.Items = append(keys.Items, foldedKey(i, 16))
	}
	p.create("set").wants("None", "", "update", keys)
	p.create("set").wants("True", "", "isdisjoint", keys)
}

func TestPageIsBounded(t *testing.T) {
	var e entries
	big := store.Of(string(make([]byte, pageBytes/4)))
	for i := range 20 {
		k, _ := hashOf(intItem(i))
		e.set(k, big)
	}
	keys, _, next := e.page(0, 500)
	if len(keys) > 6 || next == 0 {
		t.Errorf("a page has %d entries of a quarter of its bound, and is followed by %d", len(keys), next)
	}
	if keys, _, next := e.page(0, 0); len(keys) != 20 || next != 0 {
		t.Errorf("everything is %d entries, followed by %d", len(keys), next)
	}
}

func BenchmarkEntriesFIFO(b *testing.B) {
	var e entries
	n := 0
	for b.Loop() {
		k, _ := hashOf(store.Of(int64(n)))
		e.set(k, none)
		if n++; e.live > 1000 {
			e.remove(e.firstRow())
		}
	}
}
