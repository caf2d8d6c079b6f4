package drivertest

import (
	"context"
	"fmt"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

var listTests = []test{
	{"elements", testListElements},
	{"ends", testListEnds},
	{"search", testListSearch},
	{"sort", testListSort},
	{"sort of the unlike", testListSortRefused},
	{"conditional", testListConditional},
	{"sums", testListSums},
	{"samples", testListSamples},
	{"crowd", testListCrowd},
}

func newList(t *testing.T, p driver.Place, vs ...pyvalue.Value) complete.List {
	t.Helper()
	l := open[complete.List](t, p, driver.Spec{Kind: driver.KindList})
	for _, v := range vs {
		must(t, l.Append(within(t, timeLimit), item(t, v)))
	}
	return l
}

// holds checks all elements.
func holds(t *testing.T, what string, l complete.List, want string) {
	t.Helper()
	vs, err := l.Slice(within(t, timeLimit), nil, nil, nil)
	readAll(t, what, vs, err, want)
}

func testListElements(t *testing.T, p driver.Place) {
	l, ctx := newList(t, p), within(t, timeLimit)
	holds(t, "a new list", l, "")
	for i := range 3 {
		must(t, l.Append(ctx, item(t, i)))
	}
	for i, want := range map[int]string{0: "0", 2: "2", -1: "2", -3: "0"} {
		v, err := l.Get(ctx, i)
		reads(t, fmt.Sprint("element ", i), v.Value, err, want)
	}
	must(t, l.Set(ctx, -1, item(t, "z")))
	must(t, l.Set(ctx, 0, item(t, "a")))
	holds(t, "set", l, "'a' 1 'z'")
	must(t, l.Extend(ctx, items(t, 7, 8, 9)))
	v, err := l.Pop(ctx, -1)
	reads(t, "pop", v, err, "9")
	v, err = l.Pop(ctx, 0)
	reads(t, "pop", v, err, "'a'")
	must(t, l.Delete(ctx, -2))
	holds(t, "then", l, "1 'z' 8")
	n, err := l.Len(ctx)
	is(t, "len", n, err, 3)
	must(t, l.Reverse(ctx))
	holds(t, "reversed", l, "8 'z' 1")
	must(t, l.Repeat(ctx, 2))
	holds(t, "twice", l, "8 'z' 1 8 'z' 1")
	must(t, l.Repeat(ctx, -1))
	holds(t, "no times", l, "")
	must(t, l.Append(ctx, item(t, 1)))
	must(t, l.Clear(ctx))
	holds(t, "cleared", l, "")
}

func testListEnds(t *testing.T, p driver.Place) {
	l, ctx := newList(t, p, 0, 1, 2), within(t, timeLimit)
	for _, i := range []int{3, -4, 1 << 40} {
		_, err := l.Get(ctx, i)
		wantErr(t, fmt.Sprint("get ", i), err, mperr.ErrIndex)
		wantErr(t, fmt.Sprint("set ", i), l.Set(ctx, i, item(t, 9)), mperr.ErrIndex)
		_, err = l.Pop(ctx, i)
		wantErr(t, fmt.Sprint("pop ", i), err, mperr.ErrIndex)
		wantErr(t, fmt.Sprint("delete ", i), l.Delete(ctx, i), mperr.ErrIndex)
		_, err = l.Add(ctx, i, item(t, 1))
		wantErr(t, fmt.Sprint("add ", i), err, mperr.ErrIndex)
		_, err = l.CompareAndSwap(ctx, i, item(t, 1), item(t, 2))
		wantErr(t, fmt.Sprint("swap ", i), err, mperr.ErrIndex)
	}
	for _, x := range []struct {
		i    int
		want string
	}{
		{0, "'x' 0 1 2"},
		{1, "0 'x' 1 2"},
		{3, "0 1 2 'x'"},
		{100, "0 1 2 'x'"},
		{-1, "0 1 'x' 2"},
		{-3, "'x' 0 1 2"},
		{-100, "'x' 0 1 2"},
	} {
		l := newList(t, p, 0, 1, 2)
		must(t, l.Insert(ctx, x.i, item(t, "x")))
		holds(t, fmt.Sprint("insert ", x.i), l, x.want)
	}
	_, err := newList(t, p).Pop(ctx, -1)
	wantErr(t, "pop of nothing", err, mperr.ErrIndex)
}

func testListSearch(t *testing.T, p driver.Place) {
	l, ctx := newList(t, p, "a", 1, "b", 1.0, "a", true, nil), within(t, timeLimit)
	for _, x := range []struct {
		v           pyvalue.Value
		start, stop int
		want        int // -1: none
	}{
		{"a", 0, 100, 0},
		{"a", 1, 100, 4},
		{"a", -3, 100, 4},
		{"a", 1, 4, -1},
		{"a", 1, -2, 4},
		{int64(1), 0, 100, 1},
		{1.0, 2, 100, 3},
		{true, 4, 100, 5},
		{nil, 0, 100, 6},
		{"c", 0, 100, -1},
		{"a", 100, 0, -1},
	} {
		what := fmt.Sprintf("index of %s in [%d:%d]", pyvalue.Repr(x.v), x.start, x.stop)
		i, err := l.Index(ctx, item(t, x.v), x.start, x.stop)
		if x.want < 0 {
			wantErr(t, what, err, mperr.ErrNoValue)
			continue
		}
		is(t, what, i, err, x.want)
	}
	n, err := l.Count(ctx, item(t, 1))
	is(t, "count", n, err, 3)
	n, err = l.Count(ctx, item(t, "c"))
	is(t, "count of nothing", n, err, 0)
	ok, err := l.Has(ctx, item(t, "b"))
	is(t, "has", ok, err, true)
	ok, err = l.Has(ctx, item(t, "c"))
	is(t, "has not", ok, err, false)
	must(t, l.Remove(ctx, item(t, "a")))
	must(t, l.Remove(ctx, item(t, true)))
	holds(t, "removed", l, "'b' 1.0 'a' True None")
	wantErr(t, "remove of nothing", l.Remove(ctx, item(t, "c")), mperr.ErrNoValue)
}

func testListSort(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, x := range []struct {
		vs       []pyvalue.Value
		up, down string
	}{
		{[]pyvalue.Value{int64(3), 1.5, true, int64(-2), 1.0}, "-2 True 1.0 1.5 3", "3 1.5 True 1.0 -2"},
		{[]pyvalue.Value{"b", "", "ä", "a", "B"}, "'' 'B' 'a' 'b' 'ä'", "'ä' 'b' 'a' 'B' ''"},
		{
			[]pyvalue.Value{pyvalue.Tuple{int64(1), "b"}, pyvalue.Tuple{int64(1), "a"}, pyvalue.Tuple{int64(0)}},
			"(0,) (1, 'a') (1, 'b')", "(1, 'b') (1, 'a') (0,)",
		},
		{nil, "", ""},
	} {
		l := newList(t, p, x.vs...)
		must(t, l.Sort(ctx, false))
		holds(t, "sorted", l, x.up)
		l = newList(t, p, x.vs...)
		must(t, l.Sort(ctx, true))
		holds(t, "sorted downwards", l, x.down)
	}
}

func testListSortRefused(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, vs := range [][]pyvalue.Value{{int64(2), "a", int64(1)}, {nil, nil}, {&pyvalue.Dict{}, &pyvalue.Dict{}}} {
		l := newList(t, p, vs...)
		wantErr(t, "sort", l.Sort(ctx, false), mperr.ErrType)
		holds(t, "after it", l, texts(t, items(t, vs...)))
	}
}

func testListConditional(t *testing.T, p driver.Place) {
	l, ctx := newList(t, p, "a", "b", "c"), within(t, timeLimit)
	ok, err := l.CompareAndSwap(ctx, -1, item(t, "b"), item(t, "x"))
	is(t, "swap of another", ok, err, false)
	ok, err = l.CompareAndSwap(ctx, -1, item(t, "c"), item(t, "x"))
	is(t, "swap", ok, err, true)

	v, err := l.Get(ctx, 1)
	must(t, err)
	ok, err = l.SetVersion(ctx, 1, item(t, "y"), v.Version)
	is(t, "set by version", ok, err, true)
	ok, err = l.SetVersion(ctx, 1, item(t, "z"), v.Version)
	is(t, "set by an old version", ok, err, false)
	holds(t, "then", l, "'a' 'y' 'x'")

	v, err = l.Get(ctx, 1)
	must(t, err)
	must(t, l.Insert(ctx, 0, item(t, "new"))) // now another one stands there
	ok, err = l.SetVersion(ctx, 1, item(t, "z"), v.Version)
	is(t, "set after an insertion before", ok, err, false)
	holds(t, "then", l, "'new' 'a' 'y' 'x'")
	if v.Version == 0 {
		t.Error("an element has version 0")
	}
}

func testListSums(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, s := range sums {
		l, what := newList(t, p, "other", s.before), pyvalue.Repr(s.before)+" + "+pyvalue.Repr(s.delta)
		v, err := l.Add(ctx, -1, item(t, s.delta))
		if s.after == "" {
			wantErr(t, what, err, mperr.ErrType)
			holds(t, "after "+what, l, "'other' "+pyvalue.Repr(s.before))
			continue
		}
		reads(t, what, v, err, s.after)
		holds(t, "after "+what, l, "'other' "+s.after)
	}
}

func testListSamples(t *testing.T, p driver.Place) {
	l := newList(t, p, samples()...)
	holds(t, "samples", l, texts(t, sampleItems(t)))
}

func testListCrowd(t *testing.T, p driver.Place) {
	l, one := newList(t, p, 0), item(t, 1)
	crowd(t, 10, 1000, func(ctx context.Context) error {
		_, err := l.Add(ctx, 0, one)
		return err
	})
	holds(t, "the sum", l, "10000")
	crowd(t, 5, 100, func(ctx context.Context) error { return l.Append(ctx, one) })
	n, err := l.Len(within(t, timeLimit))
	is(t, "len", n, err, 501)
}
