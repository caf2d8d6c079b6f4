//go:build linux

package mp_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
)

// pairOf is a generic task: every instance is a task of its own.
func pairOf[A, B any](_ context.Context, a A) (map[string]A, error) {
	var b B
	_ = b
	return map[string]A{"got": a}, nil
}

var (
	PairInt    = mp.Func(echo[int])
	PairString = mp.Func(echo[string])
	EchoBytes  = mp.Func(echo[[]byte])
	EchoAny    = mp.Func(echo[any])
	EchoOrder  = mp.Func(echo[order])
	EchoPtr    = mp.Func(echo[*int])
	EchoTime   = mp.Func(echo[time.Time])
	EchoNone   = mp.Func(echo[mp.None])
	EchoArray  = mp.Func(echo[[3]float32])
	EchoMap    = mp.Func(pairOf[map[string]int, bool])
)

func echo[T any](_ context.Context, v T) (T, error) { return v, nil }

func TestGenericTasks(t *testing.T) {
	if a, b := PairInt.Name(), PairString.Name(); a == b || !strings.Contains(a, "int") || !strings.HasSuffix(b, "string]") {
		t.Errorf("names %q and %q", a, b)
	}
	if n := get(PairInt.Run(t.Context(), -5))(t); n != -5 {
		t.Errorf("got %d", n)
	}
	if s := get(PairString.Run(t.Context(), "s"))(t); s != "s" {
		t.Errorf("got %q", s)
	}
	if b := get(EchoBytes.Run(t.Context(), make([]byte, 3<<20)))(t); len(b) != 3<<20 {
		t.Errorf("got %d bytes", len(b))
	}
	if v := get(EchoAny.Run(t.Context(), []any{1, nil, point{1, 2}}))(t); v.([]any)[2] != (point{1, 2}) {
		t.Errorf("got %v", v)
	}
	if o := get(EchoOrder.Run(t.Context(), order{ID: 1, Sub: &order{Name: "s"}}))(t); o.Sub.Name != "s" {
		t.Errorf("got %+v", o)
	}
	seven := 7
	if p := get(EchoPtr.Run(t.Context(), &seven))(t); p == nil || *p != 7 || p == &seven {
		t.Errorf("got %v", p)
	}
	if p := get(EchoPtr.Run(t.Context(), nil))(t); p != nil {
		t.Errorf("nil became %v", p)
	}
	now := time.Now()
	if tm := get(EchoTime.Run(t.Context(), now))(t); !tm.Equal(now) {
		t.Errorf("%v became %v", now, tm)
	}
	_ = get(EchoNone.Run(t.Context(), mp.None{}))(t)
	if a := get(EchoArray.Run(t.Context(), [3]float32{1, 2, 3}))(t); a != [3]float32{1, 2, 3} {
		t.Errorf("got %v", a)
	}
	if m := get(EchoMap.Run(t.Context(), map[string]int{"a": 1}))(t); m["got"]["a"] != 1 {
		t.Errorf("got %v", m)
	}
}

type hasMethod struct{}

func (hasMethod) Run(context.Context, int) error { return nil }

func late(context.Context, int) error { return nil }

// The name is looked at before everything else, so refusals can be tried after
// Init; what could be registered is refused as too late.
func TestRefusals(t *testing.T) {
	x := 1
	for _, tt := range []struct {
		name string
		f    func()
		want []string
	}{
		{"literal", func() { mp.Proc(func(context.Context, int) error { return nil }) }, []string{"function literal", "task_test.go:", "mp.Named"}},
		{"closure", func() { mp.Func(func(context.Context, int) (int, error) { return x, nil }) }, []string{"function literal", "package level"}},
		{"method value", func() { mp.Proc(hasMethod{}.Run) }, []string{"method value", "receiver"}},
		{"nil", func() { mp.Proc[int](nil) }, []string{"no function", "task_test.go:"}},
		{"late", func() { mp.Proc(late) }, []string{"after Init", "task_test.go:", "package-level variable"}},
		{"channel", func() {
			mp.Proc(func(context.Context, struct{ A struct{ C []chan int } }) error { return nil }, mp.Named("a"))
		}, []string{"argument", ".A.C[]", "chan int cannot travel"}},
		{"function", func() { mp.Proc(func(context.Context, func()) error { return nil }, mp.Named("a")) }, []string{"func() cannot travel"}},
		{"lock", func() { mp.Proc(func(context.Context, *sync.Mutex) error { return nil }, mp.Named("a")) }, []string{"sync.Mutex", "mp.Mutex"}},
		{"unexported", func() { mp.Proc(func(context.Context, struct{ a int }) error { return nil }, mp.Named("a")) }, []string{".a", "unexported"}},
		{"context", func() { mp.Proc(func(context.Context, context.Context) error { return nil }, mp.Named("a")) }, []string{"context of its own"}},
		{"result", func() { mp.Func(func(context.Context, int) (chan int, error) { return nil, nil }, mp.Named("a")) }, []string{"result", "chan int"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, want := range tt.want {
				wantPanic(t, want, tt.f)
			}
		})
	}
}

// Declared functions may have names as the compiler gives to literals.
func func1(_ context.Context, n int) (int, error) { return n + 1, nil }
func func2(_ context.Context, n int) error        { return nil }
func func3[T any](_ context.Context, v T) error   { return nil }

var (
	taskFunc1 = mp.Func(func1)
	taskFunc2 = mp.Proc(func2)
	taskFunc3 = mp.Proc(func3[int])
)

func TestDeclaredNames(t *testing.T) {
	if n := get(taskFunc1.Run(t.Context(), 1))(t); n != 2 {
		t.Errorf("func1 returned %d", n)
	}
	get(taskFunc2.Run(t.Context(), 1))(t)
	get(taskFunc3.Run(t.Context(), 1))(t)
	for symbol, want := range map[string]bool{
		"main.func1":                  true,
		"main.func12[...]":            true,
		"example.com/a.func/b.run":    true,
		"gopkg.in/a%2efunc.v3.run":    false, // never: the dot would be escaped
		"gopkg.in/yaml%2efunc1.run":   true,
		"main.main.func1":             false,
		"main.init.func1":             false,
		"main.glob..func1":            false,
		"main.main.mk.func2":          false,
		"main.run[...].func1":         false,
		"main.main.func1.2":           false,
		"example.com/a/b.run.func1":   false,
		"example.com/a.func/b.f.func": false,
	} {
		if got := mp.Declared(symbol); got != want {
			t.Errorf("%s is declared: %v", symbol, got)
		}
	}
}
