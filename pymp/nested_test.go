package pymp_test

import (
	"errors"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// close closes proxies.
func closeAll(t *testing.T, proxies ...*pymp.Proxy) {
	t.Helper()
	for _, p := range proxies {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Proxies travel as arguments and come back, at any depth, over every kind of
// address.
func TestNestedProxies(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for _, address := range []string{filepath.Join(t.TempDir(), "s"), "127.0.0.1:0", "localhost:0"} {
			bound, _ := serve(t, python, address)
			if strings.HasPrefix(address, "localhost") { // it calls itself by its number
				_, port, _ := strings.Cut(bound, ":")
				bound = "localhost:" + port
			}
			m := connect(t, bound)
			d, l, c := create(t, m, "dict"), create(t, m, "list"), create(t, m, "Counter")

			back := call[*pymp.Proxy](t, c, "touch", d)
			if back.ID() != d.ID() || back.Typeid() != "dict" || !slices.Contains(back.Methods(), "setdefault") {
				t.Errorf("%v came back as %v, with %v", d, back, back.Methods())
			}
			if n := call[int](t, back, "__getitem__", "touched"); n != 1 {
				t.Errorf("touched %d times", n)
			}
			second := c
			if filepath.Base(t.Name()) == "3.8" { // its AutoProxy does not know an argument that its RebuildProxy passes
				second = create(t, m, "Value", "i", 0)
			}
			if err := l.Call(t.Context(), "extend", []any{d, second, 7, map[string]any{"inner": d}}); err != nil {
				t.Fatal(err)
			}
			closeAll(t, back, d)

			first := call[any](t, l, "__getitem__", 0).(*pymp.Proxy)
			if n := call[int](t, first, "get", "touched"); n != 1 {
				t.Errorf("a dict that only a list kept has %d", n)
			}
			all := call[[]any](t, l, "#GETVALUE")
			counter, inner := all[1].(*pymp.Proxy), all[3].(map[string]any)["inner"].(*pymp.Proxy)
			if counter.ID() != second.ID() || counter.Typeid() != second.Typeid() || inner.ID() != first.ID() || all[2] != int64(7) && all[2] != 7 {
				t.Errorf("%v", all)
			}
			if second == c && call[int](t, counter, "increment") != 1 {
				t.Error("a counter that came back does not count")
			}
			typed := call[[]*pymp.Proxy](t, l, "__getitem__", pymp.Slice{Start: int64(0), Stop: int64(2)})
			type wrapped struct {
				Inner *pymp.Proxy `mp:"inner"`
			}
			w := call[wrapped](t, l, "__getitem__", 3)
			if w.Inner.ID() != first.ID() || len(typed) != 2 || typed[1].ID() != second.ID() {
				t.Errorf("%v %v", w, typed)
			}
			closeAll(t, first, all[0].(*pymp.Proxy), counter, inner, w.Inner, typed[0], typed[1], l, c, second)
			if n := objects(t, m); n != 0 {
				info, _ := m.DebugInfo(t.Context())
				t.Errorf("%d objects are left:\n%s", n, info)
			}
		}
	})
}

// Methods that return shared objects, and the iterators among them.
func TestNewObjectsAndIterators(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := dial(t, python)
		c := create(t, m, "Counter", 7)
		child := call[*pymp.Proxy](t, c, "child")
		if n := call[int](t, child, "increment"); n != 8 || child.Typeid() != "Child" {
			t.Errorf("%v counts %d", child, n)
		}
		if _, err := pymp.Call[int](t.Context(), c, "child"); !errors.Is(err, mperr.ErrType) {
			t.Errorf("a shared object as an int: %v", err)
		}
		if err := c.Call(t.Context(), "child"); err != nil {
			t.Error(err)
		}
		it := call[*pymp.Proxy](t, c, "numbers", 4)
		if got := collect[int](t, pymp.Iter[int](t.Context(), it)); !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Errorf("the iterator yields %v", got)
		}
		d := create(t, m, "dict", map[string]int{"a": 1, "b": 2})
		keys := collect[string](t, pymp.Iter[string](t.Context(), d))
		if slices.Sort(keys); !slices.Equal(keys, []string{"a", "b"}) {
			t.Errorf("the dict has %v", keys)
		}
		l := create(t, m, "list", []string{"x", "y"})
		if got := collect[string](t, pymp.Iter[string](t.Context(), l)); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("the list has %v", got)
		}
		for v, err := range pymp.Iter[string](t.Context(), l) { // an early end
			if v != "x" || err != nil {
				t.Error(v, err)
			}
			break
		}
		for _, err := range pymp.Iter[int](t.Context(), l) {
			if err == nil {
				t.Error("a text is an int")
			}
		}
		closeAll(t, c, child, it, d, l)
		if n := objects(t, m); n != 0 {
			t.Errorf("%d objects are left", n)
		}
	})
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// A key belongs to an address: a proxy that leads from one manager to another,
// which has another key, works.
func TestProxyOfAnotherManager(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		one, _ := serveWith(t, python, filepath.Join(t.TempDir(), "one"), "secret", "second")
		two, _ := serveWith(t, python, filepath.Join(t.TempDir(), "two"), "second", "second")
		m1 := connect(t, one)
		m2, err := pymp.Dial(t.Context(), two, []byte("second"))
		if err != nil {
			t.Fatal(err)
		}
		defer m2.Close()
		l, d := create(t, m1, "list"), create(t, m2, "dict", map[string]int{"n": 5})
		if err := l.Call(t.Context(), "append", d); err != nil {
			t.Fatal(err)
		}
		back := call[*pymp.Proxy](t, l, "__getitem__", 0)
		if back.Manager() != m2 || call[int](t, back, "get", "n") != 5 {
			t.Errorf("%v of %v", back, back.Manager())
		}
		if err := m2.Close(); err != nil {
			t.Error(err)
		}
		if _, err := pymp.Call[*pymp.Proxy](t.Context(), l, "__getitem__", 0); !errors.Is(err, mperr.ErrAuth) || !strings.Contains(err.Error(), two) {
			t.Errorf("a proxy of a manager whose key is not known: %v", err)
		}
		again := connect(t, one, pymp.WithKey(two, []byte("second")))
		there, err := again.Attach(t.Context(), "list", l.ID())
		if err != nil {
			t.Fatal(err)
		}
		if p := call[any](t, there, "__getitem__", 0).(*pymp.Proxy); call[int](t, p, "get", "n") != 5 {
			t.Error("the dict has changed")
		}
	})
}

// A proxy that the program forgot gives its reference back, and so does Close of
// the Manager for those that are open.
func TestReferencesAreGivenBack(t *testing.T) {
	python := pyconntest.Pythons(t)[0]
	address, _ := serve(t, python, filepath.Join(t.TempDir(), "s"))
	watch := connect(t, address)
	m := connect(t, address)
	kept := create(t, m, "list")
	func() {
		for range 5 {
			create(t, m, "dict")
		}
	}()
	for deadline := time.Now().Add(pyconntest.Timeout); objects(t, watch) != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d objects are left", objects(t, watch))
		}
		runtime.GC()
	}
	runtime.KeepAlive(kept)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if n := objects(t, watch); n != 0 {
		t.Errorf("%d objects after the manager's Close", n)
	}
	if _, err := m.Create(t.Context(), "list"); !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("create after Close: %v", err)
	}
	if err := kept.Call(t.Context(), "append", 1); !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("call after Close: %v", err)
	}
}

// A list that contains itself comes as what it is.
func TestCycles(t *testing.T) {
	c := create(t, dial(t, pyconntest.Pythons(t)[0]), "Counter")
	l := &pymp.List{Items: []any{int64(1)}}
	l.Items = append(l.Items, l)
	got, err := pymp.Call[*pymp.List](t.Context(), c, "same", l)
	if err != nil || len(got.Items) != 2 || got.Items[1] != any(got) {
		t.Errorf("a list in itself: %v, %v", got, err)
	}
	if _, err := pymp.Call[[]any](t.Context(), c, "same", l); err == nil {
		t.Error("a list in itself is a slice")
	}
}

// A map may have NaN for keys, which no Go program finds again but by going over
// them.
func TestProxiesUnderNaN(t *testing.T) {
	m := dial(t, pyconntest.Pythons(t)[0])
	c, d := create(t, m, "Counter"), create(t, m, "dict")
	got := call[map[any]any](t, c, "same", map[any]any{math.NaN(): d, math.Copysign(math.NaN(), -1): 2, "d": d})
	found := 0
	for _, v := range got {
		if p, ok := v.(*pymp.Proxy); ok && p.ID() == d.ID() {
			found++
			closeAll(t, p)
		}
	}
	if len(got) != 3 || found != 2 {
		t.Errorf("came back as %v", got)
	}
}
