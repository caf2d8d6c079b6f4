//go:build linux

package mp_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
)

// wantList checks all elements.
func wantList[T comparable](t *testing.T, what string, l *mp.List[T], want ...T) {
	t.Helper()
	if got := get(l.Copy(t.Context()))(t); !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestList(t *testing.T) { inMemoryAndPlaces(t, testList) }

func testList(t *testing.T, m driver.Place) {
	l, ctx := list[string](t, m), t.Context()
	must(t, l.Append(ctx, "b"))
	must(t, l.AppendBatch(ctx, []string{"c", "d"}))
	must(t, l.Insert(ctx, 0, "a"))
	must(t, l.Insert(ctx, 99, "e"))
	must(t, l.Set(ctx, -1, "E"))
	wantList(t, "made", l, "a", "b", "c", "d", "E")
	if a, b := get(l.Get(ctx, 1))(t), get(l.Get(ctx, -2))(t); a != "b" || b != "d" {
		t.Errorf("Get = %q, %q", a, b)
	}
	if a, b := get(l.Pop(ctx, -1))(t), get(l.Pop(ctx, 0))(t); a != "E" || b != "a" {
		t.Errorf("Pop = %q, %q", a, b)
	}
	must(t, l.RemoveAt(ctx, 1))
	wantList(t, "then", l, "b", "d")
	must(t, l.AppendBatch(ctx, []string{"b", "a"}))
	if a, b := get(l.Index(ctx, "b"))(t), get(l.IndexIn(ctx, "b", 1, mp.End))(t); a != 0 || b != 2 {
		t.Errorf("Index = %d, %d", a, b)
	}
	if n := get(l.Count(ctx, "b"))(t); n != 2 {
		t.Errorf("Count = %d", n)
	}
	if ok := get(l.Remove(ctx, "b"))(t); !ok {
		t.Error("Remove found nothing")
	}
	must(t, l.Sort(ctx, false))
	wantList(t, "sorted", l, "a", "b", "d")
	must(t, l.Sort(ctx, true))
	wantList(t, "sorted downwards", l, "d", "b", "a")
	must(t, l.Reverse(ctx))
	must(t, l.Repeat(ctx, 2))
	wantList(t, "twice", l, "a", "b", "d", "a", "b", "d")
	if a, b := get(l.Has(ctx, "d"))(t), get(l.Has(ctx, "x"))(t); !a || b {
		t.Errorf("Has = %v, %v", a, b)
	}
	if s := get(l.Add(ctx, 0, "bc"))(t); s != "abc" {
		t.Errorf("Add = %q", s)
	}
	if a, b := get(l.CompareAndSwap(ctx, 0, "x", "y"))(t), get(l.CompareAndSwap(ctx, 0, "abc", "y"))(t); a || !b {
		t.Errorf("CompareAndSwap = %v, %v", a, b)
	}
	must(t, l.Clear(ctx))
	if n := get(l.Len(ctx))(t); n != 0 {
		t.Errorf("Len = %d", n)
	}
	for what, err := range map[string]error{
		"Get": get2(l.Get(ctx, 0)), "Set": l.Set(ctx, 0, ""), "Pop": get2(l.Pop(ctx, -1)), "Delete": l.RemoveAt(ctx, 0),
		"Update": l.Update(ctx, 0, func(*string) error { return nil }), "Add": get2(l.Add(ctx, 0, "")),
	} {
		wantErr(t, what+" of nothing", err, mp.ErrIndex)
	}
	if ok := get(l.Remove(ctx, "x"))(t); ok {
		t.Error("Remove of nothing found something")
	}
	wantErr(t, "Index of nothing", get2(l.Index(ctx, "x")), mp.ErrNoValue)
}

func TestListSlices(t *testing.T) { inMemoryAndPlaces(t, testListSlices) }

func testListSlices(t *testing.T, m driver.Place) {
	l, ctx := list(t, m, 0, 1, 2, 3, 4, 5), t.Context()
	for _, x := range []struct {
		start, stop, step int
		want              []int
	}{
		{mp.Begin, mp.End, 1, []int{0, 1, 2, 3, 4, 5}},
		{mp.Begin, 2, 1, []int{0, 1}},
		{-2, mp.End, 1, []int{4, 5}},
		{mp.End, mp.Begin, -1, []int{5, 4, 3, 2, 1, 0}},
		{3, mp.Begin, -2, []int{3, 1}},
		{mp.End, 3, -1, []int{5, 4}},
		{mp.Begin, mp.End, mp.End, []int{0}},
		{mp.End, mp.Begin, mp.Begin, []int{5}},
		{mp.End, mp.Begin, 1, nil},
		{mp.Begin, mp.End, -1, nil},
		{1, 100, 2, []int{1, 3, 5}},
	} {
		if got := get(l.Slice(ctx, x.start, x.stop, x.step))(t); !slices.Equal(got, x.want) {
			t.Errorf("[%d:%d:%d] = %v, want %v", x.start, x.stop, x.step, got, x.want)
		}
	}
	wantErr(t, "step 0", get2(l.Slice(ctx, 0, 1, 0)), mp.ErrValue)
	must(t, l.SetSlice(ctx, 1, 3, 1, []int{9}))
	wantList(t, "set", l, 0, 9, 3, 4, 5)
	must(t, l.SetSlice(ctx, mp.End, mp.Begin, -2, []int{7, 8, 9}))
	wantList(t, "set backwards", l, 9, 9, 8, 4, 7)
	wantErr(t, "too few", l.SetSlice(ctx, mp.Begin, mp.End, 2, []int{1}), mp.ErrValue)
	must(t, l.RemoveSlice(ctx, mp.Begin, mp.End, 2))
	wantList(t, "deleted", l, 9, 4)
}

func TestListIterates(t *testing.T) { inMemoryAndPlaces(t, testListIterates) }

func testListIterates(t *testing.T, m driver.Place) {
	l, ctx := list[int](t, m), t.Context()
	for _, n := range []int{0, 500, 1234} {
		must(t, l.Clear(ctx))
		want := make([]int, n)
		for i := range want {
			want[i] = i
		}
		must(t, l.AppendBatch(ctx, want))
		var got []int
		for v, err := range l.All(ctx) {
			must(t, err)
			got = append(got, v)
		}
		if !slices.Equal(got, want) {
			t.Errorf("All gave %d of %d elements", len(got), n)
		}
	}
	for range l.All(ctx) {
		break
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for _, err := range l.All(ended) {
		wantErr(t, "All", err, context.Canceled)
	}
}

func TestListUpdate(t *testing.T) { inMemoryAndPlaces(t, testListUpdate) }

func testListUpdate(t *testing.T, m driver.Place) {
	l, ctx := list(t, m, place{"Ulm", 0}), t.Context()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			for range 50 {
				must(t, l.Update(ctx, -1, func(p *place) error { p.Zip++; return nil }))
			}
		})
	}
	all.Wait()
	wantList(t, "updated", l, place{"Ulm", 250})
}

func TestListWatch(t *testing.T) { inPlaces(t, testListWatch) }

func testListWatch(t *testing.T, m driver.Place) {
	l, ctx := list[string](t, m), t.Context()
	changes := l.Watch(ctx)
	must(t, l.Append(ctx, "a"))
	must(t, l.Set(ctx, -1, "b"))
	must(t, l.Reverse(ctx))
	must(t, l.Clear(ctx))
	var got []string
	for c, err := range changes {
		must(t, err)
		got = append(got, fmt.Sprint(c.Op, " ", c.Index, " ", c.Value))
		if c.Op == "clear" {
			break
		}
	}
	if want := []string{"append 0 a", "set 0 b", "reverse -1 ", "clear -1 "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
