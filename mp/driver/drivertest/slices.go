package drivertest

import (
	"fmt"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

var sliceTests = []test{
	{"read and delete", testSlices},
	{"set", testSetSlice},
	{"refused", testSlicesRefused},
}

func at(i int) *int { return &i }

// cut are slices of [0, 1, 2, 3, 4, 5], and what is left of it if they are
// deleted. CPython wrote them.
var cut = []struct {
	start, stop, step *int
	slice, rest       string
}{
	{at(0), at(0), at(1), "", "0 1 2 3 4 5"},
	{at(100), at(100), at(3), "", "0 1 2 3 4 5"},
	{nil, at(-5), at(2), "0", "1 2 3 4 5"},
	{at(-1), at(100), at(1), "5", "0 1 2 3 4"},
	{at(5), nil, at(-100), "5", "0 1 2 3 4"},
	{at(0), at(-5), at(3), "0", "1 2 3 4 5"},
	{at(-100), at(-100), at(-2), "", "0 1 2 3 4 5"},
	{at(-5), at(-6), at(-100), "1", "0 2 3 4 5"},
	{at(-3), at(-6), nil, "", "0 1 2 3 4 5"},
	{at(100), nil, at(-100), "5", "0 1 2 3 4"},
	{at(6), at(-1), at(-1), "", "0 1 2 3 4 5"},
	{at(0), at(-5), at(-1), "", "0 1 2 3 4 5"},
	{at(3), at(-100), at(1), "", "0 1 2 3 4 5"},
	{nil, at(100), at(-100), "", "0 1 2 3 4 5"},
	{at(-3), at(100), at(1), "3 4 5", "0 1 2"},
	{at(0), at(3), at(2), "0 2", "1 3 4 5"},
	{at(-1), at(0), at(-100), "5", "0 1 2 3 4"},
	{at(-6), nil, at(100), "0", "1 2 3 4 5"},
	{at(5), at(6), at(100), "5", "0 1 2 3 4"},
	{at(1), at(-3), at(2), "1", "0 2 3 4 5"},
	{at(-6), at(-3), nil, "0 1 2", "3 4 5"},
	{at(5), at(-5), at(-2), "5 3", "0 1 2 4"},
	{at(-5), at(6), at(2), "1 3 5", "0 2 4"},
	{at(-100), at(5), nil, "0 1 2 3 4", "5"},
	{at(-5), at(-6), at(-2), "1", "0 2 3 4 5"},
	{nil, at(-1), at(2), "0 2 4", "1 3 5"},
	{at(-5), at(-1), at(2), "1 3", "0 2 4 5"},
	{at(-5), at(-3), at(1), "1 2", "0 3 4 5"},
	{at(-1), at(-100), at(-100), "5", "0 1 2 3 4"},
	{at(-1), at(-3), at(-2), "5", "0 1 2 3 4"},
	{at(-6), at(6), at(2), "0 2 4", "1 3 5"},
	{at(-6), nil, at(1), "0 1 2 3 4 5", ""},
	{at(-5), nil, at(1), "1 2 3 4 5", "0"},
	{at(-5), nil, at(100), "1", "0 2 3 4 5"},
	{at(1), at(100), at(100), "1", "0 2 3 4 5"},
	{at(1), nil, at(3), "1 4", "0 2 3 5"},
	{at(-6), at(3), at(100), "0", "1 2 3 4 5"},
	{at(-6), at(5), at(2), "0 2 4", "1 3 5"},
	{at(-6), at(100), nil, "0 1 2 3 4 5", ""},
	{at(5), at(-100), at(-2), "5 3 1", "0 2 4"},
	{nil, nil, nil, "0 1 2 3 4 5", ""},
	{nil, nil, at(-1), "5 4 3 2 1 0", ""},
	{at(3), nil, at(-1), "3 2 1 0", "4 5"},
	{nil, at(3), at(-1), "5 4", "0 1 2 3"},
	{at(5), at(0), at(-2), "5 3 1", "0 2 4"},
	{at(0), at(0), at(1), "", "0 1 2 3 4 5"},
	{at(6), at(3), at(1), "", "0 1 2 3 4 5"},
	{at(100), at(-100), at(-1), "5 4 3 2 1 0", ""},
}

func name(start, stop, step *int) string {
	s := "["
	for i, p := range []*int{start, stop, step} {
		if i > 0 {
			s += ":"
		}
		if p != nil {
			s += fmt.Sprint(*p)
		}
	}
	return s + "]"
}

func testSlices(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, x := range cut {
		l := newList(t, p, 0, 1, 2, 3, 4, 5)
		vs, err := l.Slice(ctx, x.start, x.stop, x.step)
		readAll(t, name(x.start, x.stop, x.step), vs, err, x.slice)
		must(t, l.DeleteSlice(ctx, x.start, x.stop, x.step))
		holds(t, "without "+name(x.start, x.stop, x.step), l, x.rest)
		must(t, l.Close())
	}
}

func testSetSlice(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, x := range []struct {
		start, stop, step *int
		vs                []pyvalue.Value
		want              string
	}{
		{nil, nil, nil, []pyvalue.Value{"x"}, "'x'"},
		{at(0), at(0), nil, []pyvalue.Value{"x", "y"}, "'x' 'y' 0 1 2 3 4 5"},
		{at(2), at(4), nil, nil, "0 1 4 5"},
		{at(2), at(4), at(1), []pyvalue.Value{"x", "y", "z"}, "0 1 'x' 'y' 'z' 4 5"},
		{at(4), at(2), nil, []pyvalue.Value{"x"}, "0 1 2 3 'x' 4 5"},
		{at(100), nil, nil, []pyvalue.Value{"x"}, "0 1 2 3 4 5 'x'"},
		{at(-2), nil, nil, []pyvalue.Value{"x"}, "0 1 2 3 'x'"},
		{nil, nil, at(2), []pyvalue.Value{"x", "y", "z"}, "'x' 1 'y' 3 'z' 5"},
		{nil, nil, at(-1), []pyvalue.Value{5, 4, 3, 2, 1, "x"}, "'x' 1 2 3 4 5"},
		{at(4), at(1), at(-2), []pyvalue.Value{"x", "y"}, "0 1 'y' 3 'x' 5"},
	} {
		l := newList(t, p, 0, 1, 2, 3, 4, 5)
		must(t, l.SetSlice(ctx, x.start, x.stop, x.step, items(t, x.vs...)))
		holds(t, name(x.start, x.stop, x.step), l, x.want)
	}
}

func testSlicesRefused(t *testing.T, p driver.Place) {
	l, ctx := newList(t, p, 0, 1, 2, 3), within(t, timeLimit)
	_, err := l.Slice(ctx, nil, nil, at(0))
	wantErr(t, "slice with step 0", err, mperr.ErrValue)
	wantErr(t, "delete with step 0", l.DeleteSlice(ctx, nil, nil, at(0)), mperr.ErrValue)
	wantErr(t, "set with step 0", l.SetSlice(ctx, nil, nil, at(0), nil), mperr.ErrValue)
	wantErr(t, "too few", l.SetSlice(ctx, nil, nil, at(2), items(t, 1)), mperr.ErrValue)
	wantErr(t, "too many", l.SetSlice(ctx, nil, nil, at(2), items(t, 1, 2, 3)), mperr.ErrValue)
	holds(t, "after it", l, "0 1 2 3")
}
