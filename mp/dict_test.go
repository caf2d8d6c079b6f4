//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
)

func TestDict(t *testing.T) { inMemoryAndPlaces(t, testDict) }

func testDict(t *testing.T, m driver.Place) {
	d, ctx := dict[string, int](t, m), t.Context()
	wantErr(t, "Get", get2(d.Get(ctx, "a")), mp.ErrNoKey)
	wantErr(t, "Pop", get2(d.Pop(ctx, "a")), mp.ErrNoKey)
	_, _, err := d.PopItem(ctx)
	wantErr(t, "PopItem", err, mp.ErrNoKey)
	must(t, d.Set(ctx, "b", 2))
	must(t, d.SetBatch(ctx, map[string]int{"a": 1, "b": 3}))
	if m := get(d.Copy(ctx))(t); !maps.Equal(m, map[string]int{"a": 1, "b": 3}) {
		t.Errorf("got %v", m)
	}
	if v := get(d.SetDefault(ctx, "a", 9))(t); v != 1 {
		t.Errorf("SetDefault = %d", v)
	}
	if v := get(d.SetDefault(ctx, "c", 9))(t); v != 9 {
		t.Errorf("SetDefault = %d", v)
	}
	if a, b := get(d.CompareAndSwap(ctx, "c", 8, 7))(t), get(d.CompareAndSwap(ctx, "c", 9, 7))(t); a || !b {
		t.Errorf("CompareAndSwap = %v, %v", a, b)
	}
	if v := get(d.Add(ctx, "c", -8))(t); v != -1 {
		t.Errorf("Add = %d", v)
	}
	if a, b := get(d.Has(ctx, "c"))(t), get(d.Has(ctx, "d"))(t); !a || b {
		t.Errorf("Has = %v, %v", a, b)
	}
	if a, b := get(d.Delete(ctx, "b"))(t), get(d.Delete(ctx, "b"))(t); !a || b {
		t.Errorf("Delete = %v, %v", a, b)
	}
	k, v, err := d.PopItem(ctx)
	if k != "c" || v != -1 || err != nil {
		t.Errorf("PopItem = %q, %d, %v", k, v, err)
	}
	if v := get(d.Pop(ctx, "a"))(t); v != 1 || get(d.Len(ctx))(t) != 0 {
		t.Errorf("Pop = %d", v)
	}
	must(t, d.Set(ctx, "x", 1))
	must(t, d.Clear(ctx))
	if n := get(d.Len(ctx))(t); n != 0 {
		t.Errorf("%d keys after Clear", n)
	}
}

type place struct {
	City string
	Zip  int
}

// What a dict of any types keeps comes back as it was.
func TestDictOfTypes(t *testing.T) { inMemoryAndPlaces(t, testDictOfTypes) }

func testDictOfTypes(t *testing.T, p driver.Place) {
	trip(t, p, map[place]order{{"Ulm", 89073}: {ID: 1, Tags: []string{"x"}, Sub: &order{}}, {}: {}})
	trip(t, p, map[[2]int][]place{{1, 2}: {{"a", 1}}, {}: nil})
	trip(t, p, map[float64]any{1.5: "x", -2: nil, 7: 3})
	trip(t, p, map[any]any{1: "int", "1": "string", 2.5: true})
}

func trip[K comparable, V any](t *testing.T, p driver.Place, m map[K]V) {
	t.Helper()
	d, ctx := dict[K, V](t, p), t.Context()
	for k, v := range m {
		must(t, d.Set(ctx, k, v))
		if got := get(d.Get(ctx, k))(t); !reflect.DeepEqual(got, v) {
			t.Errorf("%v: %#v became %#v", k, v, got)
		}
	}
	if got := get(d.Copy(ctx))(t); !reflect.DeepEqual(got, m) {
		t.Errorf("%v became %v", m, got)
	}
}

// What another program's keys are cannot always be a key in Go: Python's tuples
// are none in an any.
func TestKeysThatGoHasNot(t *testing.T) { inMemoryAndPlaces(t, testKeysThatGoHasNot) }

func testKeysThatGoHasNot(t *testing.T, p driver.Place) {
	d, ctx := dict[any, any](t, p), t.Context()
	s := closing(t, get(mp.NewSet[any](where(p)...))(t))
	for _, k := range []any{"k", [2]int{1, 2}} {
		must(t, d.Set(ctx, k, 1))
		must(t, get2(s.Insert(ctx, k)))
	}
	err := get2(d.Copy(ctx))
	wantErr(t, "Dict.Copy", err, mp.ErrType)
	wantText(t, "Dict.Copy", err, d.String(), "[1 2]", "All")
	err = get2(s.Copy(ctx))
	wantErr(t, "Set.Copy", err, mp.ErrType)
	wantText(t, "Set.Copy", err, s.String(), "[1 2]", "All")
	n := 0
	for e, err := range d.All(ctx) {
		must(t, err)
		must(t, get2(d.Get(ctx, e.Key))) // it is the key all the same
		n++
	}
	for v, err := range s.All(ctx) {
		must(t, err)
		if !get(s.Has(ctx, v))(t) {
			t.Errorf("%v is not in the set it came from", v)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d of 4 keys were seen", n)
	}
	pairs := closing(t, get(mp.NewDict[[2]any, int](where(p)...))(t))
	must(t, pairs.Set(ctx, [2]any{1, [1]int{2}}, 1))
	wantErr(t, "a tuple within an array", get2(pairs.Copy(ctx)), mp.ErrType)
}

// A value of another type than the handle's is an error of the call that reads
// it. What was taken is gone then, what was only read is not.
func TestValuesOfAnotherType(t *testing.T) { inPlaces(t, testValuesOfAnotherType) }

func testValuesOfAnotherType(t *testing.T, p driver.Place) {
	ctx, in := t.Context(), []mp.Option{mp.In(p), mp.WithName("d")}
	texts := closing(t, get(mp.NewDict[string, string](in...))(t))
	must(t, texts.SetBatch(ctx, map[string]string{"a": "x", "b": "y"}))
	numbers := closing(t, get(mp.NewDict[string, int](in...))(t))
	for what, err := range map[string]error{
		"Get": get2(numbers.Get(ctx, "a")), "SetDefault": get2(numbers.SetDefault(ctx, "a", 1)),
		"Add": get2(numbers.Add(ctx, "a", 1)), "Update": numbers.Update(ctx, "a", func(*int) error { return nil }),
	} {
		wantErr(t, what, err, mp.ErrType)
	}
	if m := get(texts.Copy(ctx))(t); !maps.Equal(m, map[string]string{"a": "x", "b": "y"}) {
		t.Errorf("a call that failed changed the dict to %v", m)
	}
	err := get2(numbers.Pop(ctx, "a"))
	wantErr(t, "Pop", err, mp.ErrType)
	wantText(t, "Pop", err, "taken")
	_, _, err = numbers.PopItem(ctx)
	wantErr(t, "PopItem", err, mp.ErrType)
	if n := get(texts.Len(ctx))(t); n != 0 {
		t.Errorf("%d of the values that were taken are there", n)
	}
}

func TestDictIterates(t *testing.T) { inPlaces(t, testDictIterates) }

func testDictIterates(t *testing.T, m driver.Place) {
	ctx := t.Context()
	d := dict[int, string](t, m)
	const n = 1234 // some pages
	want := map[int]string{}
	for i := range n {
		want[i] = fmt.Sprint("v", i)
	}
	must(t, d.SetBatch(ctx, want))
	got := map[int]string{}
	for e, err := range d.All(ctx) {
		must(t, err)
		got[e.Key] = e.Value
		if len(got) == 10 {
			must(t, get2(d.Delete(ctx, 2000))) // changes do not disturb it
			must(t, d.Set(ctx, 2000, "late"))
		}
	}
	delete(got, 2000)
	if !maps.Equal(got, want) {
		t.Errorf("All gave %d of %d entries", len(got), n)
	}
	must(t, get2(d.Delete(ctx, 2000)))
	var keys []int
	for k, err := range d.Keys(ctx) {
		must(t, err)
		keys = append(keys, k)
	}
	var values []string
	for v, err := range d.Values(ctx) {
		must(t, err)
		values = append(values, v)
	}
	slices.Sort(keys)
	if len(values) != n || len(keys) != n || keys[0] != 0 || keys[n-1] != n-1 {
		t.Errorf("%d keys, %d values, want %d", len(keys), len(values), n)
	}
	for range d.All(ctx) {
		break
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range d.Keys(ended) {
		wantErr(t, "Keys", err, context.Canceled)
	}
	odd := closing(t, get(mp.NewDict[string, int](mp.In(m), mp.WithName("odd")))(t))
	must(t, odd.Set(ctx, "k", 1))
	as := closing(t, get(mp.NewDict[int, int](mp.In(m), mp.WithName("odd")))(t))
	for _, err := range as.All(ctx) {
		if err == nil {
			t.Error("a text is an integer")
		}
	}
	if _, err := as.Copy(ctx); err == nil {
		t.Error("a text is an integer")
	}
}

func TestDictWatch(t *testing.T) { inPlaces(t, testDictWatch) }

func testDictWatch(t *testing.T, m driver.Place) {
	d := dict[string, int](t, m)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := d.Watch(ctx)
	must(t, d.Set(ctx, "a", 1))
	must(t, get2(d.Add(ctx, "a", 1)))
	must(t, get2(d.Delete(ctx, "a")))
	must(t, d.Clear(ctx))
	var got []string
	var version uint64
	for c, err := range changes {
		if err != nil {
			wantErr(t, "the last pair", err, context.Canceled)
			break
		}
		if c.Version <= version {
			t.Errorf("version %d after %d", c.Version, version)
		}
		version = c.Version
		got = append(got, fmt.Sprint(c.Op, c.Key, c.Value))
		if c.Op == "clear" {
			cancel()
		}
	}
	if want := []string{"seta1", "seta2", "deletea0", "clear0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A second loop over a Watch ends at once.
func TestWatchIsForOneLoop(t *testing.T) { inPlaces(t, testWatchIsForOneLoop) }

func testWatchIsForOneLoop(t *testing.T, m driver.Place) {
	ctx := within(t, 10*time.Second)
	d, l := dict[string, int](t, m), list[int](t, m)
	changes, listChanges := d.Watch(ctx), l.Watch(ctx)
	must(t, d.Set(ctx, "a", 1))
	must(t, l.Append(ctx, 1))
	for range changes {
		break
	}
	for range listChanges {
		break
	}
	for _, err := range changes {
		wantErr(t, "the second loop over a dict's changes", err, mp.ErrClosed)
	}
	for _, err := range listChanges {
		wantErr(t, "the second loop over a list's changes", err, mp.ErrClosed)
	}
}

func TestDictUpdate(t *testing.T) { inMemoryAndPlaces(t, testDictUpdate) }

func testDictUpdate(t *testing.T, m driver.Place) {
	d, ctx := dict[string, []int](t, m), t.Context()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				must(t, d.Update(ctx, "k", func(v *[]int) error { *v = append(*v, i); return nil }))
			}
		})
	}
	all.Wait()
	if v := get(d.Get(ctx, "k"))(t); len(v) != 400 {
		t.Errorf("%d of 400 updates are there", len(v))
	}
	wantErr(t, "Update", d.Update(ctx, "k", func(v *[]int) error { *v = nil; return errMine }), errMine)
	if v := get(d.Get(ctx, "k"))(t); len(v) != 400 {
		t.Error("an update that failed changed the value")
	}
}

// An update that never wins ends with its context, and has changed nothing.
func TestUpdateThatNeverWins(t *testing.T) { inMemoryAndPlaces(t, testUpdateThatNeverWins) }

func testUpdateThatNeverWins(t *testing.T, m driver.Place) {
	d, ctx := dict[string, int](t, m), within(t, 5*short)
	tries := 0
	err := d.Update(ctx, "k", func(v *int) error {
		tries++
		*v = -1
		return d.Set(t.Context(), "k", tries)
	})
	wantErr(t, "Update", err, context.DeadlineExceeded)
	if v := get(d.Get(t.Context(), "k"))(t); v != tries || tries < 3 {
		t.Errorf("%d after %d tries", v, tries)
	}
}

func TestSumBeyondTheType(t *testing.T) { inMemoryAndPlaces(t, testSumBeyondTheType) }

func testSumBeyondTheType(t *testing.T, m driver.Place) {
	d, ctx := dict[string, int8](t, m), t.Context()
	must(t, d.Set(ctx, "k", 127))
	if _, err := d.Add(ctx, "k", 1); err == nil {
		t.Error("128 is an int8")
	}
	wide := dict[string, any](t, m)
	must(t, wide.Set(ctx, "k", "text"))
	err := get2(wide.Add(ctx, "k", 1))
	wantErr(t, "text + 1", err, mp.ErrType)
	if errors.Is(err, mp.ErrNoKey) {
		t.Error("the wrong sentinel")
	}
}
