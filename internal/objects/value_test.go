package objects

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestValue(t *testing.T) {
	p := newProbe(t, store.Limits{})
	v := p.create("Value", "i", int64(3))
	v.wants("3", "Value('i', 3)", "get")
	v.wants("None", "Value('i', 'x')", "set", "x")
	if o := v.begin("set", map[string]store.Item{"value": yes}); o.err != nil || v.repr() != "Value('i', True)" {
		t.Errorf("set(value=True) made %s (%v)", v.repr(), o.err)
	}
	v.wants("!TypeError(\"Value.set() missing required argument: 'value'\",)", "", "set")
	v.wants("[True, 3]", "", "mp.get")
	v.wants("None", "Value('i', 1)", "mp.set", int64(1))
	v.wants("False", "", "mp.setVersion", int64(2), int64(3))
	v.wants("True", "Value('i', 2)", "mp.setVersion", int64(2), int64(4))
	v.wants("False", "", "mp.compareAndSwap", int64(1), int64(5))
	v.wants("True", "Value('i', 5)", "mp.compareAndSwap", 2.0, int64(5))
	v.wants("9223372036854775812", "", "mp.add", int64(maxInt))
	v.wants("5", "", "mp.add", int64(-maxInt))
	v.wants("5.5", "Value('i', 5.5)", "mp.add", 0.5)
	if got, want := shape(v), "new multiprocessing.managers.Value() with {'_typecode': 'i', '_value': 5.5}"; got != want {
		t.Errorf("#GETVALUE is %s, want %s", got, want)
	}
	if _, err := v.call("mp.add", "x"); !errors.Is(err, mperr.ErrType) {
		t.Errorf("a number and a text: %v", err)
	}
	if _, err := p.tryCreate("Value", nil, "i"); err == nil {
		t.Error("a value without a value is possible")
	}
}

func TestSums(t *testing.T) {
	v := newProbe(t, store.Limits{}).create("Value", "", nil)
	for _, test := range []struct {
		a, b pyvalue.Value
		want string
	}{
		{int64(1), true, "2"},
		{int64(1), 0.5, "1.5"},
		{1.5, complex(0, 1), "(1.5+1j)"},
		{true, complex(0, 1), "(1+1j)"},
		{"a", "b", "'ab'"},
		{[]byte("a"), &pyvalue.ByteArray{B: []byte("b")}, "b'ab'"},
		{&pyvalue.ByteArray{B: []byte("a")}, []byte("b"), "bytearray(b'ab')"},
		{ints(1), ints(2), "[1, 2]"},
		{pyvalue.Tuple{"a"}, pyvalue.Tuple{"b"}, "('a', 'b')"},
		{int64(-1 << 63), int64(-1), "-9223372036854775809"},
		{int64(1 << 62), int64(1 << 62), "9223372036854775808"},
		{ints(1), pyvalue.Tuple{}, "!TypeError(\"unsupported operand type(s) for +: 'list' and 'tuple'\",)"},
		{nil, int64(1), "!TypeError(\"unsupported operand type(s) for +: 'NoneType' and 'int'\",)"},
	} {
		for _, set := range []string{"set", "mp.set"} {
			v.text(set, test.a)
			v.wants(test.want, "", "mp.add", test.b)
		}
	}
}

func TestValueCrowd(t *testing.T) {
	v := newProbe(t, store.Limits{}).create("Value", "i", int64(0))
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 300 {
				v.begin("mp.add", nil, int64(1))
				v.begin("get", nil)
			}
		}()
	}
	wg.Wait()
	v.wants("2400", "", "get")
}

func TestNamespace(t *testing.T) {
	p := newProbe(t, store.Limits{})
	ns, err := p.tryCreate("Namespace", map[string]store.Item{"b": yes, "_hidden": no})
	if err != nil {
		t.Fatal(err)
	}
	ns.wants("None", "Namespace(a='x', b=True)", "__setattr__", "a", "x")
	ns.wants("'x'", "", "__getattribute__", "a")
	ns.wants("False", "", "__getattribute__", "_hidden")
	ns.wants("!AttributeError(\"'Namespace' object has no attribute 'zz'\",)", "", "__getattribute__", "zz")
	ns.wants("Namespace", "", "__getattribute__", "__class__")
	ns.wants("{'_hidden': False, 'b': True, 'a': 'x'}", "", "__getattribute__", "__dict__")
	ns.wants("None", "Namespace(a='x')", "__delattr__", "b")
	ns.wants("!AttributeError(\"'Namespace' object has no attribute 'b'\",)", "", "__delattr__", "b")
	for _, call := range []step{
		{what: "__getattribute__", args: pyvalue.Tuple{int64(1)}},
		{what: "__setattr__", args: pyvalue.Tuple{int64(1), int64(2)}},
		{what: "__delattr__", args: pyvalue.Tuple{int64(1)}},
		{what: "mp.set", args: pyvalue.Tuple{int64(1), int64(2)}},
		{what: "mp.setAll", args: pyvalue.Tuple{ints(1), ints(2)}},
	} {
		ns.wants("!TypeError(\"attribute name must be string, not 'int'\",)", "", call.what, call.args...)
	}
	ns.wants("!TypeError(\"attribute name must be string, not 'list'\",)", "", "__getattribute__", listOf())
	if got, want := shape(ns), "new multiprocessing.managers.Namespace() with {'_hidden': False, 'a': 'x'}"; got != want {
		t.Errorf("#GETVALUE is %s, want %s", got, want)
	}
	if got, want := shape(p.create("Namespace")), "new multiprocessing.managers.Namespace()"; got != want {
		t.Errorf("#GETVALUE of nothing is %s, want %s", got, want)
	}
	if _, err := p.tryCreate("Namespace", nil, int64(1)); err == nil {
		t.Error("a namespace takes a positional argument")
	}
}

// Whatever strangers call containers with, there is one answer and no panic.
func TestStrangeCalls(t *testing.T) {
	c := chooser{rand.New(rand.NewPCG(1, 2))}
	p := newProbe(t, store.Limits{Bytes: 1 << 20})
	things := []*thing{
		p.create("list", ints(1, 2, 3)), p.create("dict", dictOf("a", int64(1))), p.create("set", ints(1, 2)),
		p.create("Namespace"), p.create("Value", "i", int64(1)), p.create("Array", "i", ints(1, 2)), p.create("Array", "u", "ab"),
	}
	methods := []string{"mp.unknown", "unknown", ""}
	for _, k := range []map[string]bool{names(listClass.methods), names(dictClass.methods), names(setClass.methods), names(valueClass.methods), names(mappingClass.methods), names(namespaceClass.methods), names(arrayMethods.methods)} {
		for m := range k {
			methods = append(methods, m)
		}
	}
	slices.Sort(methods)
	argument := func() pyvalue.Value {
		return choose[pyvalue.Value](c, c.any(), c.index(), c.slice(), c.iterable(), things[c.IntN(len(things))].ref(),
			pyvalue.Ref{ID: 1, Type: "list"}, pyvalue.Global{Module: "a", Name: "b"}, arrayOf("i", 1, 2), &pyvalue.Object{}, listOf(c.any(), c.any()))
	}
	for range 30_000 {
		var args []pyvalue.Value
		for range c.IntN(5) {
			args = append(args, argument())
		}
		var named map[string]store.Item
		if c.IntN(10) == 0 {
			named = map[string]store.Item{choose(c, "value", "reverse", "x"): store.Of(argument())}
		}
		th, method := things[c.IntN(len(things))], methods[c.IntN(len(methods))]
		if o := th.begin(method, named, args...); !o.replied && o.newID == 0 && method != "mp.watch" {
			t.Fatalf("%s.%s does not answer", th.typ, method)
		}
	}
	for _, th := range things {
		th.object().Repr()
		th.object().Snapshot()
	}
}

// What debug_info shows of an object does not cost a look at all of it, and is
// the beginning of its repr.
func TestReprWithin(t *testing.T) {
	p := newProbe(t, store.Limits{})
	long := listOf()
	for i := range 1000 {
		long.Items = append(long.Items, string(rune('𝄞'+i)))
	}
	for _, th := range []*thing{
		p.create("list", long), p.create("list"), p.create("dict", dictOf("k", long, "l", long)), p.create("dict"), p.create("set", long),
		p.create("set"), p.create("Value", "i", long), p.create("Array", "u", long), p.create("Array", "i", ints(1)), p.create("Namespace"),
	} {
		whole := []rune(th.repr())
		part := []rune(th.object().(store.Abridged).ReprWithin(75))
		n := min(75, len(whole))
		if len(part) < n || string(part[:n]) != string(whole[:n]) || len(part) > 400 {
			t.Errorf("%s: %q begins otherwise than %q", th.typ, string(part), string(whole[:n]))
		}
	}
	if info := p.s.DebugInfo(); !strings.Contains(info, "Value('i', ['𝄞', ") {
		t.Errorf("DebugInfo is %s", info)
	}
}

func names[T any](m map[string]method[T]) map[string]bool {
	out := map[string]bool{}
	for name := range m {
		out[name] = true
	}
	return out
}

// What Python may call is carried out: no exposed method is missing.
func TestContainersHaveWhatTheyExpose(t *testing.T) {
	for typ, has := range map[string]map[string]bool{
		"list": names(listClass.methods), "dict": names(dictClass.methods), "set": names(setClass.methods),
		"Value": names(valueClass.methods), "Array": names(arrayMethods.methods), "Namespace": names(namespaceClass.methods),
	} {
		s := store.New(store.Limits{})
		Register(s)
		for _, m := range s.Type(typ).Exposed {
			if !has[m] {
				t.Errorf("%s exposes %s and does not have it", typ, m)
			}
		}
		s.Close()
	}
}
