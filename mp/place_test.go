//go:build linux

package mp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// wantText checks that an error tells what to do.
func wantText(t *testing.T, what string, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %v does not say %q", what, err, w)
		}
	}
}

func TestOptionsThatCannotBeMeant(t *testing.T) {
	m := drivertest.Memory()
	wantText(t, "a name in memory", get2(mp.NewQueue[int](1, mp.WithName("orders"))), `WithName("orders")`, "In")
	wantText(t, "a name in memory", get2(mp.NewValue(1, mp.WithName("orders"))), `WithName("orders")`, "In")
	wantText(t, "a name in memory", get2(mp.NewMutex(mp.WithName("orders"))), `WithName("orders")`, "In")
	wantText(t, "an empty name", get2(mp.NewMutex(mp.In(m), mp.WithName(""))), "empty")
	wantText(t, "no place", get2(mp.NewMutex(mp.In(nil))), "In(nil)")
	wantText(t, "bytes of a value", get2(mp.NewValue(1, mp.MaxBytes(5))), "MaxBytes")
	wantText(t, "bytes of a dict", get2(mp.NewDict[int, int](mp.In(m), mp.MaxBytes(5))), "MaxBytes")
	_, _, err := mp.Pipe[int, int](mp.In(m))
	wantText(t, "a pipe in a place", err, "memory", "Queue")
}

// A New function that refuses its types has made nothing: also no object of
// another kind that the name would stand for from then on.
func TestTypesThatCannotBeKept(t *testing.T) { inPlaces(t, testTypesThatCannotBeKept) }

func testTypesThatCannotBeKept(t *testing.T, m driver.Place) {
	in := []mp.Option{mp.In(m), mp.WithName("orders")}
	for what, err := range map[string]error{
		"Queue": get2(mp.NewQueue[func()](1, in...)), "value": get2(mp.NewValue(make(chan int), in...)),
		"list": get2(mp.NewList[chan int](in...)), "set": get2(mp.NewSet[*int](in...)),
		"dict": get2(mp.NewDict[string, chan int](in...)),
	} {
		wantText(t, "a "+what+" of what cannot travel", err, "new "+what, "cannot travel")
	}
	wantText(t, "keys that cannot travel", get2(mp.NewDict[chan int, int](in...)), "new dict", "cannot travel")
	mutex(t, in...) // the name is free
}

// Objects of one name are one, whatever their handles were asked to be.
func TestNames(t *testing.T) {
	m, ctx := drivertest.Memory(), t.Context()
	in := []mp.Option{mp.In(m), mp.WithName("orders")}
	a, b := queue[string](t, 3, in...), queue[string](t, 5, in...)
	must(t, a.Put(ctx, "x"))
	if s := get(b.TryGet(ctx))(t); s != "x" || b.Cap() != 3 {
		t.Errorf("got %q from a queue of %d", s, b.Cap())
	}
	wantErr(t, "a queue as a dict", get2(mp.NewDict[string, int](in...)), mp.ErrType)
	in[1] = mp.WithName("n")
	v, w := value(t, 1, in...), value(t, 2, in...)
	if must(t, v.Store(ctx, 7)); get(w.Load(ctx))(t) != 7 {
		t.Errorf("got %d", get(w.Load(ctx))(t))
	}
	// The same integer, as wide as each likes it.
	narrow := value(t, int8(0), in...)
	if get(narrow.Load(ctx))(t) != 7 {
		t.Errorf("got %d", get(narrow.Load(ctx))(t))
	}
	must(t, v.Store(ctx, 1000))
	if _, err := narrow.Load(ctx); err == nil {
		t.Error("1000 is an int8")
	}
}

type badPlace struct{ driver.Place }

var errNoRoom = errors.New("no room")

func (badPlace) Open(context.Context, driver.Spec) (driver.Object, error) { return nil, errNoRoom }

func TestPlaceThatRefuses(t *testing.T) {
	p := badPlace{drivertest.Memory()}
	err := get2(mp.NewList[int](mp.In(p)))
	wantErr(t, "new list", err, errNoRoom)
	wantText(t, "new list", err, "list", p.String())
	wantErr(t, "new queue", get2(mp.NewQueue[int](0, mp.In(p))), errNoRoom)
}

// Handles that no New function made refuse everything.
func TestZeroHandles(t *testing.T) {
	ctx := t.Context()
	var d mp.Dict[string, int]
	var l mp.List[int]
	var s mp.Set[int]
	var ns mp.Namespace
	for what, err := range map[string]error{
		"Dict.Get": get2(d.Get(ctx, "k")), "Dict.Set": d.Set(ctx, "k", 1), "Dict.Len": get2(d.Len(ctx)), "Dict.Close": d.Close(),
		"Dict.SetAll": d.SetBatch(ctx, map[string]int{"a": 1}), "Dict.Update": d.Update(ctx, "k", func(*int) error { return nil }),
		"Dict.Copy": get2(d.Copy(ctx)), "List.Get": get2(l.Get(ctx, 0)), "List.Append": l.Append(ctx, 1), "List.Extend": l.AppendBatch(ctx, []int{1}),
		"List.Sort": l.Sort(ctx, false), "List.Slice": get2(l.Slice(ctx, 0, 1, 1)), "Set.Add": get2(s.Insert(ctx, 1)), "Set.Copy": get2(s.Copy(ctx)),
		"Namespace.Get": get2(ns.Get(ctx, "x")), "Namespace.Set": ns.Set(ctx, "x", 1), "Namespace.Len": get2(ns.Len(ctx)),
	} {
		wantErr(t, what, err, mp.ErrClosed)
	}
	for _, err := range d.All(ctx) {
		wantErr(t, "Dict.All", err, mp.ErrClosed)
	}
	for _, err := range d.Watch(ctx) {
		wantErr(t, "Dict.Watch", err, mp.ErrClosed)
	}
	for _, err := range s.All(ctx) {
		wantErr(t, "Set.All", err, mp.ErrClosed)
	}
	for _, err := range l.Watch(ctx) {
		wantErr(t, "List.Watch", err, mp.ErrClosed)
	}
	for _, err := range ns.Watch(ctx) {
		wantErr(t, "Namespace.Watch", err, mp.ErrClosed)
	}
	if d.String() == "" {
		t.Error("a zero handle has no words for itself")
	}
	carrier := queue[*mp.Dict[string, int]](t, 1)
	wantErr(t, "a zero handle through a queue", carrier.Put(ctx, &d), mp.ErrClosed)
	inPlace := queue[*mp.Dict[string, int]](t, 1, mp.In(drivertest.Memory()))
	wantErr(t, "a zero handle in a place", inPlace.Put(ctx, &d), mp.ErrClosed)
}

func dict[K comparable, V any](t testing.TB, p driver.Place) *mp.Dict[K, V] {
	t.Helper()
	return closing(t, get(mp.NewDict[K, V](where(p)...))(t))
}

func list[T any](t testing.TB, p driver.Place, vs ...T) *mp.List[T] {
	t.Helper()
	l := closing(t, get(mp.NewList[T](where(p)...))(t))
	must(t, l.AppendBatch(t.Context(), vs))
	return l
}
