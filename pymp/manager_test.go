package pymp_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

func TestDialEveryAddress(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for _, want := range []string{
			filepath.Join(t.TempDir(), "s"), fmt.Sprintf("@multiproc-pymp-%d-%s", os.Getpid(), filepath.Base(filepath.Dir(python))), "127.0.0.1:0",
		} {
			address, script := serve(t, python, want)
			m := connect(t, address)
			if m.Address() != address || !strings.Contains(m.String(), address) {
				t.Errorf("%v says its address is %q", m, m.Address())
			}
			for _, text := range []string{fmt.Sprint(m), fmt.Sprintf("%+v", m), fmt.Sprintf("%#v", m)} {
				if strings.Contains(text, "secret") || strings.Contains(text, "115 101 99") {
					t.Errorf("the key is printed: %s", text)
				}
			}
			l := create(t, m, "list", []int{1, 2, 3})
			if err := l.Call(t.Context(), "append", "four"); err != nil {
				t.Fatal(err)
			}
			if got := call[[]any](t, l, "#GETVALUE"); !reflect.DeepEqual(got, []any{1, 2, 3, "four"}) {
				t.Errorf("the list is %#v", got)
			}
			if n := objects(t, m); n != 1 {
				t.Errorf("%d objects, want 1", n)
			}
			if info, err := m.DebugInfo(t.Context()); err != nil || !strings.Contains(info, l.ID()) || !strings.Contains(info, "[1, 2, 3, 'four']") {
				t.Errorf("%q, %v", info, err)
			}
			if s, err := l.Repr(t.Context()); s != "[1, 2, 3, 'four']" {
				t.Errorf("%q, %v", s, err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if n := objects(t, m); n != 0 {
				t.Errorf("%d objects after Close", n)
			}
			if _, err := pymp.Call[int](t.Context(), l, "__len__"); !errors.Is(err, mperr.ErrClosed) {
				t.Errorf("call after Close: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Errorf("second Close: %v", err)
			}
			if err := m.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			script.Ended()
			if err := m.Ping(t.Context()); err == nil {
				t.Error("there is an answer after Shutdown")
			}
		}
	})
}

func TestWrongKey(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		address, _ := serve(t, python, filepath.Join(t.TempDir(), "s"))
		for _, key := range []string{"another", ""} {
			m, err := pymp.Dial(t.Context(), address, []byte(key))
			if m != nil || !errors.Is(err, mperr.ErrAuth) {
				t.Errorf("key %q: %v", key, err)
			}
			if err != nil && key != "" && strings.Contains(err.Error(), key+"\"") {
				t.Errorf("the error tells the key: %v", err)
			}
		}
		if err := connect(t, address).Ping(t.Context()); err != nil {
			t.Errorf("after two wrong keys: %v", err)
		}
	})
}

type point struct {
	X, Y int
	Name string `mp:"name"`
}

// What Go sends comes back as the same.
func TestValues(t *testing.T) {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	pyconntest.Each(t, func(t *testing.T, python string) {
		c := create(t, dial(t, python), "Counter")
		for _, v := range []any{
			nil, true, 0, -1, 255, 256, 70000, math.MaxInt64, math.MinInt64, huge, 1.5, math.Inf(1), "", "grüße\x00", strings.Repeat("long", 70_000),
			[]byte("\x00\xff"), 2 + 3i,
			[]any{},
			[]any{1, "a", nil, []any{2.5}},
			map[string]any{"a": 1, "b": []any{true}},
			map[any]any{1: "one", "two": 2},
			pymp.Tuple{1, "a"},
		} {
			if got := call[any](t, c, "same", v); !same(got, v) {
				t.Errorf("%#v came back as %#v", v, got)
			}
		}
		p := point{1, -2, "p"}
		if got := call[point](t, c, "same", p); got != p {
			t.Errorf("%+v came back as %+v", p, got)
		}
		if got := call[map[string]any](t, c, "same", p); !reflect.DeepEqual(got, map[string]any{"X": 1, "Y": -2, "name": "p"}) {
			t.Errorf("a struct came back as %#v", got)
		}
		if got := call[[]float64](t, c, "same", []float64{1, 2.5}); !slices.Equal(got, []float64{1, 2.5}) {
			t.Error(got)
		}
		if got := call[float64](t, c, "same", math.NaN()); !math.IsNaN(got) {
			t.Error(got)
		}
		now := time.Now().Round(time.Microsecond)
		if got := call[time.Time](t, c, "same", now); !got.Equal(now) {
			t.Errorf("%v came back as %v", now, got)
		}
		if year := call[int](t, c, "attribute", now, "year"); year != now.Year() {
			t.Errorf("for Python the year is %d", year)
		}
		for _, v := range []any{
			&pymp.Set{Items: []any{1}}, &pymp.FrozenSet{Items: []any{"a"}}, &pymp.ByteArray{B: []byte("b")},
			pymp.Range{Start: 0, Stop: 3, Step: 1},
			pymp.Slice{Start: 1},
			&pymp.Dict{Entries: []pymp.Entry{{Key: pymp.Tuple{1, 2}, Value: "t"}}},
			pymp.Global{Module: "builtins", Name: "len"},
		} {
			if got := call[any](t, c, "same", v); reflect.TypeOf(got) != reflect.TypeOf(v) || fmt.Sprint(got) != fmt.Sprint(v) {
				t.Errorf("%#v came back as %#v", v, got)
			}
		}
		got := call[[]any](t, c, "echo", 1, "b", pymp.Kwargs{"x": 1, "y": []string{"z"}})
		if want := []any{pymp.Tuple{int64(1), "b"}, map[string]any{"x": 1, "y": []any{"z"}}}; !same(got, want) {
			t.Errorf("arguments arrived as %#v", got)
		}
		if _, err := pymp.Call[int8](t.Context(), c, "same", 1000); err == nil || !strings.Contains(err.Error(), "Counter.same") {
			t.Errorf("1000 as an int8: %v", err)
		}
		if _, err := pymp.Call[int](t.Context(), c, "same", make(chan int)); err == nil {
			t.Error("a channel was sent")
		}
	})
}

// Each Python pickles lists of this depth, some of them much deeper ones.
func TestDeepValues(t *testing.T) {
	deep := any(1)
	for range 450 {
		deep = []any{deep}
	}
	pyconntest.Each(t, func(t *testing.T, python string) {
		c := create(t, dial(t, python), "Counter")
		if got := call[any](t, c, "same", deep); fmt.Sprint(got) != fmt.Sprint(deep) {
			t.Errorf("came back as %v", got)
		}
	})
}

// same compares what came with what was sent: integers have one type on the wire.
func same(a, b any) bool {
	return fmt.Sprintf("%v", a) == fmt.Sprintf("%v", b) && (reflect.TypeOf(a) == reflect.TypeOf(b) || a != nil && b != nil)
}

// Types that the Python program registered itself, by name.
func TestCustomTypes(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := dial(t, python)
		c := create(t, m, "Counter", 10, pymp.Kwargs{"step": 5})
		if n := call[int](t, c, "increment"); n != 15 {
			t.Errorf("increment() is %d", n)
		}
		if n := call[int](t, c, "increment", pymp.Kwargs{"by": 2}); n != 17 {
			t.Errorf("increment(by=2) is %d", n)
		}
		if c.Typeid() != "Counter" || c.Manager() != m || !slices.Contains(c.Methods(), "increment") || c.ID() == "" {
			t.Errorf("%v: %s %s %v", c, c.Typeid(), c.ID(), c.Methods())
		}
		auto := create(t, m, "Auto")
		if !slices.Contains(auto.Methods(), "value") || slices.Contains(auto.Methods(), "_hidden") {
			t.Errorf("Auto offers %v", auto.Methods())
		}
		if err := auto.Call(t.Context(), "_hidden"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a method that is not exposed: %v", err)
		}

		a, b := create(t, m, "get_orders"), create(t, m, "get_orders")
		if a.ID() != b.ID() {
			t.Error("one queue has two idents")
		}
		if err := a.Call(t.Context(), "put", map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
		if got := call[map[string]int](t, b, "get", true, 5); got["n"] != 1 {
			t.Error(got)
		}
		again, err := m.Attach(t.Context(), "get_orders", a.ID())
		if err != nil || !slices.Equal(again.Methods(), a.Methods()) {
			t.Errorf("attached: %v, %v", again, err)
		}
		if n := call[int](t, again, "qsize"); n != 0 {
			t.Errorf("%d orders", n)
		}
		if _, err := m.Attach(t.Context(), "list", "123abc"); !errors.Is(err, mperr.ErrNoHandle) {
			t.Errorf("attach to nothing: %v", err)
		}
		if _, err := m.Create(t.Context(), "Nonsense"); !errors.Is(err, mperr.ErrNoKey) {
			t.Errorf("create what is not registered: %v", err)
		}
		if _, err := m.Create(t.Context(), "Counter", 1, 2, 3, 4); !errors.Is(err, mperr.ErrType) {
			t.Errorf("create with too many arguments: %v", err)
		}
	})
}

// Many goroutines on one proxy: nothing is lost, and nothing is mixed up.
func TestConcurrentCalls(t *testing.T) {
	python := pyconntest.Pythons(t)[0]
	m := dial(t, python, pymp.MaxIdle(3))
	l := create(t, m, "list")
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			c, err := m.Create(t.Context(), "Counter")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				n, err := pymp.Call[int](t.Context(), c, "increment")
				if err != nil || n != i+1 {
					t.Errorf("increment %d is %d, %v", i+1, n, err)
				}
				if err := l.Call(t.Context(), "append", g*100+i); err != nil {
					t.Error(err)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := call[[]int](t, l, "#GETVALUE")
	slices.Sort(got)
	if len(got) != 400 || len(slices.Compact(got)) != 400 {
		t.Errorf("%d appends arrived", len(got))
	}
	if n := objects(t, m); n != 1 {
		t.Errorf("%d objects", n)
	}
	runtime.KeepAlive(l) // or the collector gives it back
}
