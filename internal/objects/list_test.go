package objects

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"weak"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestListForGo(t *testing.T) {
	p := newProbe(t, store.Limits{})
	l := p.create("list")
	l.wants("None", "['a', 'b']", "mp.extend", listOf("a", "b"))
	l.wants("None", "['a', 'b', 1]", "mp.append", int64(1))
	l.wants("None", "['a', 'x', 'b', 1]", "mp.insert", int64(-2), "x")
	l.wants("None", "['a', 'x', 'b', 1, 'end']", "mp.insert", int64(99), "end")
	l.wants("['end', 5]", "", "mp.get", int64(-1))
	l.wants("!IndexError('list index out of range',)", "", "mp.get", int64(5))
	l.wants("None", "['a', 'x', 'b', 1, 2]", "mp.set", int64(4), int64(2))
	l.wants("!IndexError('list index out of range',)", "", "mp.set", int64(-6), int64(2))
	l.wants("False", "", "mp.setVersion", int64(4), int64(3), int64(5))
	version, _ := l.call("mp.get", int64(4))
	l.wants("True", "['a', 'x', 'b', 1, 3]", "mp.setVersion", int64(4), int64(3), version.(*pyvalue.List).Items[1])
	l.wants("False", "", "mp.compareAndSwap", int64(3), "1", int64(5))
	l.wants("True", "['a', 'x', 'b', 5, 3]", "mp.compareAndSwap", int64(3), 1.0, int64(5))
	l.wants("7.5", "['a', 'x', 'b', 7.5, 3]", "mp.add", int64(3), 2.5)
	l.wants("'ab'", "['ab', 'x', 'b', 7.5, 3]", "mp.add", int64(0), "b")
	l.wants("!TypeError(\"unsupported operand type(s) for +: 'str' and 'int'\",)", "", "mp.add", int64(0), int64(1))
	l.wants("7.5", "['ab', 'x', 'b', 3]", "mp.pop", int64(3))
	l.wants("None", "['x', 'b', 3]", "mp.delete", int64(0))
	l.wants("!IndexError('pop index out of range',)", "", "mp.delete", int64(3))
	l.wants("None", "['x', 3]", "mp.remove", "b")
	l.wants("!ValueError('list.remove(x): x not in list',)", "", "mp.remove", "b")
	l.wants("1", "", "mp.index", 3.0, int64(0), int64(maxInt))
	l.wants("!ValueError(\"'x' is not in list\",)", "", "mp.index", "x", int64(1), int64(2))
	l.wants("1", "", "mp.count", "x")
	l.wants("True", "", "mp.has", int64(3))
	l.wants("None", "[3, 'x']", "mp.reverse")
	l.wants("!TypeError(\"'<' not supported between instances of 'str' and 'int'\",)", "[3, 'x']", "mp.sort", false)
	l.wants("2", "", "mp.len")
	l.wants("None", "[3, 'x', 3, 'x']", "mp.repeat", int64(2))
	l.wants("[3, 3]", "", "mp.slice", nil, nil, int64(2))
	l.wants("None", "[3, 1, 2]", "mp.setSlice", int64(1), nil, nil, ints(1, 2))
	l.wants("None", "[3, 2, 1]", "mp.sort", true)
	l.wants("None", "[2]", "mp.deleteSlice", nil, nil, int64(2))
	l.wants("None", "[]", "mp.clear")
	l.wants("!TypeError('mp.len expected 0 arguments, got 1',)", "", "mp.len", int64(1))
	l.wants("!AttributeError(\"'list' object has no attribute 'mp.nothing'\",)", "", "mp.nothing")
}

func TestListErrorsForGo(t *testing.T) {
	l := newProbe(t, store.Limits{}).create("list", ints(1))
	for method, want := range map[string]struct {
		err  error
		args pyvalue.Tuple
	}{
		"mp.get":      {mperr.ErrIndex, pyvalue.Tuple{int64(1)}},
		"mp.remove":   {mperr.ErrNoValue, pyvalue.Tuple{int64(7)}},
		"mp.index":    {mperr.ErrNoValue, pyvalue.Tuple{int64(7), int64(0), int64(1)}},
		"mp.add":      {mperr.ErrType, pyvalue.Tuple{int64(0), "x"}},
		"mp.setSlice": {mperr.ErrValue, pyvalue.Tuple{nil, nil, int64(2), ints(1, 2)}},
		"mp.slice":    {mperr.ErrValue, pyvalue.Tuple{nil, nil, int64(0)}},
	} {
		if _, err := l.call(method, want.args...); !errors.Is(err, want.err) {
			t.Errorf("%s: %v, want %v", method, err, want.err)
		}
	}
}

func TestListVersionsGoWithElements(t *testing.T) {
	l := newProbe(t, store.Limits{}).create("list", ints(10, 20, 30))
	l.wants("[20, 2]", "", "mp.get", int64(1))
	l.wants("None", "[20, 30]", "mp.delete", int64(0))
	l.wants("[20, 2]", "", "mp.get", int64(0))
	l.wants("True", "[21, 30]", "mp.setVersion", int64(0), int64(21), int64(2))
	l.wants("False", "[21, 30]", "mp.setVersion", int64(0), int64(22), int64(2))
}

func TestListWatch(t *testing.T) {
	p := newProbe(t, store.Limits{})
	l := p.create("list")
	w := l.begin("mp.watch", nil)
	l.text("append", "a")
	l.text("insert", int64(0), "b")
	l.text("__setitem__", int64(-1), "c")
	l.text("mp.set", int64(-1), "d")
	l.text("sort")
	l.text("pop")
	l.text("mp.remove", "zzz")
	l.text("remove", "b")
	l.text("extend", "xyz")
	l.text("__imul__", int64(2))
	l.text("__delitem__", pyvalue.Slice{Step: int64(2)})
	l.text("__setitem__", pyvalue.Slice{}, ints(1))
	l.text("clear")
	want := []string{
		"['append', 0, 'a', 1, True]", "['insert', 0, 'b', 2, True]", "['set', 1, 'c', 3, True]", "['set', 1, 'd', 4, True]",
		"['sort', -1, None, 5, False]", "['pop', 1, None, 6, False]", "['remove', 0, None, 7, False]", "['extend', -1, None, 10, False]",
		"['repeat', -1, None, 13, False]", "['deleteSlice', -1, None, 14, False]", "['setSlice', -1, None, 15, False]", "['clear', -1, None, 16, False]",
	}
	if got := w.seen(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("watched\n%q, want\n%q", got, want)
	}
	w.Cancel()
	l.text("append", "unseen")
	if got := w.seen(); len(got) != len(want) {
		t.Errorf("after its end a watcher saw %q", got[len(want):])
	}
}

// A watcher that does not keep up is told so, and nobody else is.
func TestWatchOverrun(t *testing.T) {
	l := newProbe(t, store.Limits{}).create("list")
	slow, good := l.begin("mp.watch", nil), l.begin("mp.watch", nil)
	slow.room = 2
	for i := range 5 {
		l.text("append", int64(i))
	}
	if !errors.Is(slow.err, mperr.ErrOverrun) || len(slow.seen()) != 2 {
		t.Errorf("the slow one saw %d changes and then %v", len(slow.seen()), slow.err)
	}
	if len(good.seen()) != 5 || good.replied {
		t.Errorf("the other one saw %d changes and was answered: %v", len(good.seen()), good.replied)
	}
	if err := l.ss.Decref(l.id); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(good.err, mperr.ErrClosed) {
		t.Errorf("the end of the list is %v for a watcher, want ErrClosed", good.err)
	}
}

func TestListOfSharedLists(t *testing.T) {
	p := newProbe(t, store.Limits{})
	a, b := p.create("list", ints(1, 2)), p.create("list")
	b.wants("None", "", "append", a.ref())
	b.wants("None", "", "append", b.ref())
	want := fmt.Sprintf("[<AutoProxy[list] object, typeid 'list' at 0x%x>, <AutoProxy[list] object, typeid 'list' at 0x%x>]", a.id, b.id)
	if got := b.repr(); got != want {
		t.Errorf("repr is %s, want %s", got, want)
	}
	var ids []uint64
	b.object().Refs(func(id uint64) bool { ids = append(ids, id); return true })
	if fmt.Sprint(ids) != fmt.Sprint([]uint64{a.id, b.id}) {
		t.Errorf("it refers to %v, want %v", ids, []uint64{a.id, b.id})
	}
	a.wants("None", "[1, 2, 1, 2]", "extend", a.ref())
	a.wants("None", "[1, 2]", "__setitem__", pyvalue.Slice{Start: int64(2)}, p.create("set").ref())
	a.wants("[1, 2, 1, 2]", "[1, 2]", "__add__", a.ref())
	a.wants("None", "[1, 2, 'k']", "extend", p.create("dict", dictOf("k", int64(1))).ref())
	q := p.create("Value", "i", int64(1))
	a.wants("!TypeError(\"'AutoProxy[Value]' object is not iterable\",)", "[1, 2, 'k']", "extend", q.ref())
	a.wants("!TypeError('can only concatenate list (not \"AutoProxy[Value]\") to list',)", "", "__add__", q.ref())
}

// What Python iterates over, but what is not a plain container.
func TestIterables(t *testing.T) {
	p := newProbe(t, store.Limits{})
	object := func(module, name string, args pyvalue.Tuple) *pyvalue.Object {
		return &pyvalue.Object{Func: pyvalue.Global{Module: module, Name: name}, Args: args}
	}
	iter := object("builtins", "iter", pyvalue.Tuple{ints(1, 2, 3)})
	iter.State, iter.HasState = int64(2), true
	back := object("builtins", "reversed", pyvalue.Tuple{ints(1, 2, 3)})
	back.State, back.HasState = int64(1), true
	deque := object("collections", "deque", pyvalue.Tuple{})
	deque.Items = []pyvalue.Value{"d"}
	ordered := object("collections", "OrderedDict", pyvalue.Tuple{})
	ordered.Entries = dictOf("o", int64(1)).Entries
	for _, test := range []struct {
		v    pyvalue.Value
		want string
	}{
		{iter, "[3]"},
		{back, "[2, 1]"},
		{deque, "['d']"},
		{ordered, "['o']"},
		{object("collections", "deque", pyvalue.Tuple{}), "[]"},
		{arrayOf("h", 1, 0, 2, 0), "[1, 2]"},
		{"aä𝄞\xed\xa0\x80", `['a', 'ä', '𝄞', '\ud800']`},
	} {
		l, err := p.tryCreate("list", nil, test.v)
		if err != nil || l.repr() != test.want {
			t.Errorf("list(%s) is %s, want %s (%v)", pyvalue.Repr(test.v), l.repr(), test.want, err)
		}
	}
	for _, v := range []pyvalue.Value{object("x", "y", pyvalue.Tuple{}), int64(1), pyvalue.Range{Start: int64(0), Stop: int64(1 << 60), Step: int64(1)}} {
		if _, err := p.tryCreate("list", nil, v); err == nil {
			t.Errorf("list(%s) is possible", pyvalue.Repr(v))
		}
	}
	d := p.create("dict", ordered)
	d.wants("1", "{'o': 1}", "__getitem__", "o")
}

func TestSortTakesNoCode(t *testing.T) {
	l := newProbe(t, store.Limits{}).create("list", ints(2, 1))
	o := l.begin("sort", map[string]store.Item{"key": store.Of(pyvalue.Global{Module: "builtins", Name: "len"})})
	if !errors.Is(o.err, mperr.ErrType) {
		t.Errorf("sort with a key: %v", o.err)
	}
}

func TestListMemory(t *testing.T) {
	p := newProbe(t, store.Limits{Bytes: 40_000})
	l := p.create("list")
	for range 100 {
		l.text("append", "0123456789")
	}
	before, contents := p.s.Bytes(), l.repr()
	for _, call := range []struct {
		method string
		args   pyvalue.Tuple
	}{
		{"__imul__", pyvalue.Tuple{int64(1000)}},
		{"append", pyvalue.Tuple{string(make([]byte, 40_000))}},
		{"__setitem__", pyvalue.Tuple{int64(0), string(make([]byte, 40_000))}},
		{"__setitem__", pyvalue.Tuple{pyvalue.Slice{}, listOf(string(make([]byte, 40_000)))}},
		{"mp.add", pyvalue.Tuple{int64(0), string(make([]byte, 40_000))}},
		{"__imul__", pyvalue.Tuple{int64(1 << 60)}},
		{"__mul__", pyvalue.Tuple{int64(1 << 60)}},
	} {
		_, err := l.call(call.method, call.args...)
		if e := pyvalue.ToException(err); e == nil || e.Class.Name != "MemoryError" {
			t.Errorf("%s beyond the limit: %v", call.method, err)
		}
	}
	if _, err := l.call("append", string(make([]byte, 40_000))); !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("append beyond the limit: %v, want ErrLimit", err)
	}
	if p.s.Bytes() != before || l.repr() != contents {
		t.Errorf("what failed changed something: %d bytes, were %d", p.s.Bytes(), before)
	}
	l.text("__delitem__", pyvalue.Slice{Step: int64(3)})
	l.text("reverse")
	l.text("__setitem__", pyvalue.Slice{Stop: int64(5)}, ints())
	l.text("__setitem__", pyvalue.Slice{Step: int64(2)}, ints(make([]int64, 31)...))
	l.text("pop", int64(3))
	l.text("clear")
	if got := p.s.Bytes(); got != 0 {
		t.Errorf("an empty list keeps %d bytes", got)
	}
	l.text("append", "x")
	if err := p.ss.Decref(l.id); err != nil || p.s.Bytes() != 0 {
		t.Errorf("a list that is gone keeps %d bytes (%v)", p.s.Bytes(), err)
	}
}

// Both ends of a list are cheap, and memory comes back.
func TestListEnds(t *testing.T) {
	p := newProbe(t, store.Limits{})
	l := p.create("list")
	for i := range 100_000 {
		l.begin("mp.append", nil, int64(i))
	}
	for i := range 100_000 {
		if v, err := l.call("pop", int64(0)); err != nil || v != int64(i) {
			t.Fatalf("pop(0) is %v, want %d (%v)", v, i, err)
		}
	}
	if c := cap(l.object().(*list).items); c > 40_000 {
		t.Errorf("an empty list has room for %d elements", c)
	}
}

// What few elements are left of many does not keep the memory of all.
func TestShortListsAreSmall(t *testing.T) {
	const n = 100_000
	for what, shorten := range map[string]func(*thing){
		"delete at the front": func(l *thing) { l.text("__delitem__", pyvalue.Slice{Stop: int64(-3)}) },
		"delete at the end":   func(l *thing) { l.text("__delitem__", pyvalue.Slice{Start: int64(3)}) },
		"pop(0)": func(l *thing) {
			for range n - 3 {
				l.begin("pop", nil, int64(0))
			}
		},
	} {
		p := newProbe(t, store.Limits{})
		l := p.create("list", ints(make([]int64, n)...))
		all := weak.Make(&l.object().(*list).items[0])
		shorten(l)
		runtime.GC()
		if all.Value() != nil {
			t.Errorf("%s: %s keeps the memory of %d elements", what, l.repr(), n)
		}
	}
}

func TestListCrowd(t *testing.T) {
	const each = 200
	p := newProbe(t, store.Limits{})
	l := p.create("list", ints(0))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range each {
				l.begin("mp.add", nil, int64(0), int64(1))
				l.begin("append", nil, int64(g*each+i))
				l.begin("__getitem__", nil, pyvalue.Slice{Step: int64(7)})
				l.object().Repr()
			}
		}()
	}
	wg.Wait()
	l.wants("1601", "", "__len__")
	l.wants("1600", "", "__getitem__", int64(0))
}
