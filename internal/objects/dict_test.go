package objects

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"sync"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// The same for dicts and namespaces: both are a driver.Dict.
func TestDictForGo(t *testing.T) {
	for _, typ := range []string{"dict", "Namespace"} {
		t.Run(typ, func(t *testing.T) {
			d := newProbe(t, store.Limits{}).create(typ)
			d.wants("None", "", "mp.setAll", listOf("a", "b", "a"), ints(1, 2, 3))
			d.wants("[['a', 'b'], [3, 2], 0]", "", "mp.page", int64(0), int64(0))
			d.wants("[['a'], [3], 1]", "", "mp.page", int64(0), int64(1))
			d.wants("[['b'], [2], 0]", "", "mp.page", int64(1), int64(1))
			d.wants("!ValueError('there must be as many values as keys',)", "", "mp.setAll", listOf("a"), ints())
			d.wants("[3, 5]", "", "mp.get", "a")
			d.wants("!KeyError('x',)", "", "mp.get", "x")
			d.wants("None", "", "mp.set", "a", int64(4))
			d.wants("False", "", "mp.setVersion", "a", int64(5), int64(5))
			d.wants("[4, 6]", "", "mp.get", "a")
			d.wants("True", "", "mp.setVersion", "a", nil, int64(6))
			d.wants("[None, 7]", "", "mp.get", "a")
			d.wants("False", "", "mp.setVersion", "a", int64(6))
			d.wants("True", "", "mp.setVersion", "a", int64(7))
			d.wants("False", "", "mp.has", "a")
			d.wants("True", "", "mp.setVersion", "a", int64(0))
			d.wants("True", "", "mp.setVersion", "a", int64(1), int64(0))
			d.wants("1", "", "mp.setDefault", "a", int64(9))
			d.wants("9", "", "mp.setDefault", "c", int64(9))
			d.wants("False", "", "mp.compareAndSwap", "a", int64(2), int64(3))
			d.wants("True", "", "mp.compareAndSwap", "a", 1.0, int64(3))
			d.wants("False", "", "mp.compareAndSwap", "x", nil, int64(3))
			d.wants("2.5", "", "mp.add", "a", -0.5)
			d.wants("'x'", "", "mp.add", "new", "x")
			d.wants("!TypeError(\"unsupported operand type(s) for +: 'int' and 'dict'\",)", "", "mp.add", "newer", dictOf())
			d.wants("True", "", "mp.delete", "b")
			d.wants("False", "", "mp.delete", "b")
			d.wants("2.5", "", "mp.pop", "a")
			d.wants("!KeyError('a',)", "", "mp.pop", "a")
			d.wants("['new', 'x']", "", "mp.popItem")
			d.wants("1", "", "mp.len")
			d.wants("None", "", "mp.clear")
			d.wants("!KeyError('popitem(): dictionary is empty',)", "", "mp.popItem")
			d.wants("[[], [], 0]", "", "mp.page", int64(0), int64(10))
			d.wants("[[], 0]", "", "mp.pageKeys", int64(0), int64(10))
		})
	}
}

// A page of keys is not bounded by the values, which it does not have.
func TestKeysWithoutValues(t *testing.T) {
	p := newProbe(t, store.Limits{})
	d := p.create("dict")
	for i := range 10 {
		d.wants("None", "", "mp.set", int64(i), string(make([]byte, pageBytes)))
	}
	d.wants("[[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0]", "", "mp.pageKeys", int64(0), int64(10))
}

func TestDictErrorsForGo(t *testing.T) {
	d := newProbe(t, store.Limits{}).create("dict", dictOf("k", "v"))
	for method, want := range map[string]struct {
		err  error
		args pyvalue.Tuple
	}{
		"mp.get":     {mperr.ErrNoKey, pyvalue.Tuple{"x"}},
		"mp.pop":     {mperr.ErrNoKey, pyvalue.Tuple{"x"}},
		"mp.set":     {mperr.ErrType, pyvalue.Tuple{listOf(), "x"}},
		"mp.has":     {mperr.ErrType, pyvalue.Tuple{listOf()}},
		"mp.add":     {mperr.ErrType, pyvalue.Tuple{"k", int64(1)}},
		"mp.setAll":  {mperr.ErrValue, pyvalue.Tuple{listOf("a"), listOf()}},
		"mp.page":    {mperr.ErrType, pyvalue.Tuple{"x", int64(1)}},
		"mp.nothing": {mperr.ErrNoKey, nil},
	} {
		if _, err := d.call(method, want.args...); !errors.Is(err, want.err) {
			t.Errorf("%s: %v, want %v", method, err, want.err)
		}
	}
	d.text("clear")
	if _, err := d.call("mp.popItem"); !errors.Is(err, mperr.ErrNoKey) {
		t.Errorf("popItem of nothing: %v", err)
	}
}

// Keys that Python calls equal are one, whichever language they come from, and
// the first of them stays.
func TestEqualKeys(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 63)
	for _, same := range [][]pyvalue.Value{
		{int64(1), true, 1.0, complex(1, 0)},
		{1.0, int64(1)},
		{int64(0), false, math.Copysign(0, -1)},
		{huge, float64(1 << 63)},
		{pyvalue.Tuple{int64(1), "a"}, pyvalue.Tuple{1.0, "a"}},
		{"text"},
		{[]byte("text")},
		{nil},
		{math.NaN()},
	} {
		for _, method := range []string{"mp.set", "__setitem__"} {
			d := newProbe(t, store.Limits{}).create("dict")
			for i, k := range same {
				d.text(method, k, int64(i))
				other := map[string]string{"mp.set": "__setitem__", "__setitem__": "mp.set"}[method]
				d.text(other, k, int64(i))
			}
			want := pyvalue.Repr(dictOf(same[0], int64(len(same)-1)))
			if got := d.repr(); got != want {
				t.Errorf("%s of equal keys: %s, want %s", method, got, want)
			}
			for _, k := range same {
				for _, has := range []string{"mp.has", "__contains__"} {
					if got := d.text(has, k); got != "True" {
						t.Errorf("%s %s is %s", pyvalue.Repr(k), has, got)
					}
				}
			}
		}
	}
}

func TestDictWatch(t *testing.T) {
	d := newProbe(t, store.Limits{}).create("dict", dictOf("old", int64(0)))
	w := d.begin("mp.watch", nil)
	d.text("__setitem__", "a", nil)
	d.text("mp.add", "b", int64(1))
	d.text("update", dictOf("a", int64(1), "c", int64(2)))
	d.text("__delitem__", "old")
	d.text("pop", "zzz", int64(1))
	d.text("setdefault", "a", int64(7))
	d.text("mp.compareAndSwap", "a", int64(1), int64(3))
	d.text("popitem")
	d.text("clear")
	want := []string{
		"[0, 'a', None, 4]", "[0, 'b', 1, 6]", "[0, 'a', 1, 7]", "[0, 'c', 2, 9]", "[1, 'old', None, 10]", "[0, 'a', 3, 11]",
		"[1, 'c', None, 12]", "[2, None, None, 13]",
	}
	if got := w.seen(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("watched\n%q, want\n%q", got, want)
	}
}

// An iterator is an object of its own, whose dict may be released before it.
func TestDictIterator(t *testing.T) {
	p := newProbe(t, store.Limits{})
	d := p.create("dict", dictOf("a", int64(1), "b", int64(2)))
	it := d.iterator()
	if it.typ != "Iterator" {
		t.Fatalf("__iter__ returns a %s", it.typ)
	}
	it.wants("'a'", "", "__next__")
	d.text("__setitem__", "a", int64(3)) // its size is the same
	if err := p.ss.Decref(d.id); err != nil {
		t.Fatal(err)
	}
	it.wants("'b'", "", "__next__")
	it.wants("!StopIteration()", "", "__next__")
	it.wants("!StopIteration()", "", "__next__")
	it.wants("!AttributeError(\"'dict_keyiterator' object has no attribute 'send'\",)", "", "send", int64(1))

	d = p.create("dict", dictOf("a", int64(1), "b", int64(2)))
	it = d.iterator()
	d.text("__setitem__", "c", int64(1))
	it.wants("!RuntimeError('dictionary changed size during iteration',)", "", "__next__")
	d.text("__delitem__", "c")
	it.wants("!RuntimeError('dictionary changed size during iteration',)", "", "__next__")

	it = d.iterator()
	it.wants("'a'", "", "__next__")
	it.wants("'b'", "", "__next__")
	d.text("__delitem__", "a")
	d.text("__setitem__", "c", int64(1))
	it.wants("!RuntimeError('dictionary keys changed during iteration',)", "", "__next__")
}

// A dict that is gone counts as long as iterators keep its contents.
func TestIteratorsKeepTheCharge(t *testing.T) {
	for _, first := range []string{"dict", "iterator"} {
		p := newProbe(t, store.Limits{})
		d := p.create("dict", dictOf("k", string(make([]byte, 1000))))
		a, b := d.begin("__iter__", nil), d.begin("__iter__", nil)
		ids := []uint64{d.id, a.newID, b.newID}
		if first == "iterator" {
			ids = []uint64{a.newID, b.newID, d.id}
		}
		for i, id := range ids {
			if n := p.s.Bytes(); n < 1000 {
				t.Errorf("%s first: %d bytes are charged after %d of 3 went", first, n, i)
			}
			if err := p.ss.Decref(id); err != nil {
				t.Fatal(err)
			}
		}
		if n := p.s.Bytes(); n != 0 {
			t.Errorf("%s first: %d bytes are charged for nothing", first, n)
		}
	}
}

func TestDictReplies(t *testing.T) {
	p := newProbe(t, store.Limits{})
	d := p.create("dict", dictOf("a", int64(1)))
	for method, want := range map[string]string{
		"keys":         "builtins.list(['a'],)",
		"values":       "builtins.list([1],)",
		"items":        "builtins.list([('a', 1)],)",
		"__reversed__": "builtins.iter(['a'],)",
		"copy":         "{'a': 1}",
	} {
		v, err := d.call(method)
		if got := shapeOf(v); err != nil || got != want {
			t.Errorf("%s replies %s, want %s (%v)", method, got, want, err)
		}
	}
	d.wants("('a', 1)", "{}", "popitem")
	d.wants("NotImplemented", "", "__or__", listOf())
	other := p.create("dict", dictOf("x", int64(2)))
	d.wants("{'x': 2}", "{}", "__or__", other.ref())
	d.wants("None", "{'x': 2}", "update", other.ref())
	o := d.begin("update", map[string]store.Item{"z": yes, "y": no}, listOf(pyvalue.Tuple{"p", int64(1)}, "qr"))
	if got := d.repr(); o.err != nil || got != "{'x': 2, 'p': 1, 'q': 'r', 'y': False, 'z': True}" {
		t.Errorf("update made %s (%v)", got, o.err)
	}
	d.wants("!TypeError('update expected at most 1 argument, got 2',)", "", "update", int64(1), int64(2))
	l := p.create("list", ints(1))
	if got := shapeOf(must(l.call("__reversed__"))); got != "builtins.reversed([1],) with 0" {
		t.Errorf("reversed(list) is %s", got)
	}
	if got := shapeOf(must(p.create("list").call("__reversed__"))); got != "builtins.reversed([],) with -1" {
		t.Errorf("reversed([]) is %s", got)
	}
}

// Named entries come in the order of the call.
func TestNamedEntries(t *testing.T) {
	p := newProbe(t, store.Limits{})
	args := store.Args{Named: map[string]store.Item{"z": yes, "a": no, "m": none}, Order: []string{"z", "a", "m"}}
	for typ, want := range map[string]string{"dict": "{'z': True, 'a': False, 'm': None}", "Namespace": "Namespace(a=False, m=None, z=True)"} {
		id, _, err := p.ss.Create(typ, args)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&thing{p, id, typ}).repr(); got != want {
			t.Errorf("%s(z=True, a=False, m=None) is %s, want %s", typ, got, want)
		}
	}
}

func must(v pyvalue.Value, err error) pyvalue.Value {
	if err != nil {
		return err
	}
	return v
}

func TestDictMemory(t *testing.T) {
	p := newProbe(t, store.Limits{Bytes: 80_000})
	for _, typ := range []string{"dict", "Namespace"} {
		d := p.create(typ)
		for i := range 50 {
			d.text("mp.set", fmt.Sprint(i), "0123456789")
		}
		before, contents, big := p.s.Bytes(), d.repr(), string(make([]byte, 80_000))
		for _, call := range []step{
			{what: "mp.set", args: pyvalue.Tuple{"x", big}},
			{what: "mp.set", args: pyvalue.Tuple{"1", big}},
			{what: "mp.setAll", args: pyvalue.Tuple{listOf("1", "y"), listOf("z", big)}},
			{what: "mp.add", args: pyvalue.Tuple{"1", big}},
			{what: "mp.setDefault", args: pyvalue.Tuple{"x", big}},
			{what: "mp.compareAndSwap", args: pyvalue.Tuple{"1", "0123456789", big}},
		} {
			if _, err := d.call(call.what, call.args...); !errors.Is(err, mperr.ErrLimit) {
				t.Errorf("%s beyond the limit: %v", call.what, err)
			}
		}
		if p.s.Bytes() != before || d.repr() != contents {
			t.Errorf("what failed changed something: %d bytes, were %d", p.s.Bytes(), before)
		}
		d.text("mp.setAll", listOf("1", "n", "n"), listOf("1", "2", "3"))
		for i := range 30 {
			d.text("mp.delete", fmt.Sprint(i))
		}
		d.text("mp.popItem")
		for d.text("mp.len") != "0" {
			d.text("mp.popItem")
		}
		if got := p.s.Bytes(); got != 0 {
			t.Errorf("an empty %s keeps %d bytes", typ, got)
		}
		d.text("mp.set", "x", "y")
		if err := p.ss.Decref(d.id); err != nil || p.s.Bytes() != 0 {
			t.Errorf("a %s that is gone keeps %d bytes (%v)", typ, p.s.Bytes(), err)
		}
	}
}

func TestDictCrowd(t *testing.T) {
	p := newProbe(t, store.Limits{})
	d := p.create("dict")
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				d.begin("mp.add", nil, "n", int64(1))
				d.begin("__setitem__", nil, int64(i), "x")
				d.begin("pop", nil, int64(i), nil)
				d.begin("items", nil)
				d.iterator().begin("__next__", nil)
			}
		}()
	}
	wg.Wait()
	d.wants("1600", "{'n': 1600}", "get", "n")
}

func TestContainersReferToContents(t *testing.T) {
	p := newProbe(t, store.Limits{})
	l := p.create("list")
	d, v := p.create("dict"), p.create("Value", "i", listOf(l.ref()))
	ns, s := p.create("Namespace"), p.create("set", listOf(l.ref()))
	d.text("__setitem__", l.ref(), pyvalue.Tuple{l.ref(), l.ref()})
	ns.text("mp.set", "x", dictOf("k", l.ref()))
	for th, want := range map[*thing]int{d: 3, v: 1, ns: 1, s: 1, l: 0} {
		n := 0
		th.object().Refs(func(id uint64) bool {
			if id != l.id {
				t.Errorf("%s refers to %x", th.typ, id)
			}
			n++
			return true
		})
		if n != want {
			t.Errorf("%s refers to %d objects, want %d", th.typ, n, want)
		}
		th.object().Refs(func(uint64) bool { return false })
	}
}
