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

var valueTests = []test{
	{"get and set", testValueSet},
	{"conditional", testValueConditional},
	{"sums", testValueSums},
	{"crowd", testValueCrowd},
}

func newValue(t *testing.T, p driver.Place, v pyvalue.Value) complete.Value {
	t.Helper()
	return open[complete.Value](t, p, driver.Spec{Kind: driver.KindValue, Init: item(t, v)})
}

func testValueSet(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for i, v := range sampleItems(t) {
		x := open[complete.Value](t, p, driver.Spec{Kind: driver.KindValue, Init: v})
		got, err := x.Get(ctx)
		reads(t, fmt.Sprint("first value ", i), got.Value, err, text(t, v))
		must(t, x.Set(ctx, item(t, i)))
		got, err = x.Get(ctx)
		reads(t, "set", got.Value, err, fmt.Sprint(i))
		must(t, x.Set(ctx, v))
		got, err = x.Get(ctx)
		reads(t, fmt.Sprint("value ", i), got.Value, err, text(t, v))
	}
	x := open[complete.Value](t, p, driver.Spec{Kind: driver.KindValue, Code: "i", Init: item(t, 5)})
	got, err := x.Get(ctx)
	reads(t, "a value with a code", got.Value, err, "5")
}

func testValueConditional(t *testing.T, p driver.Place) {
	x, ctx := newValue(t, p, "a"), within(t, timeLimit)
	ok, err := x.CompareAndSwap(ctx, item(t, "b"), item(t, "c"))
	is(t, "swap of another", ok, err, false)
	ok, err = x.CompareAndSwap(ctx, item(t, "a"), item(t, "c"))
	is(t, "swap", ok, err, true)
	first, err := x.Get(ctx)
	reads(t, "swapped", first.Value, err, "'c'")
	must(t, x.Set(ctx, item(t, "c")))
	ok, err = x.SetVersion(ctx, item(t, "d"), first.Version)
	is(t, "set by an old version", ok, err, false)
	second, err := x.Get(ctx)
	must(t, err)
	ok, err = x.SetVersion(ctx, item(t, "d"), second.Version)
	is(t, "set by version", ok, err, true)
	third, err := x.Get(ctx)
	reads(t, "set", third.Value, err, "'d'")
	if first.Version == 0 || second.Version <= first.Version || third.Version <= second.Version {
		t.Errorf("versions %d, %d, %d", first.Version, second.Version, third.Version)
	}
}

func testValueSums(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, s := range sums {
		x, what := newValue(t, p, s.before), pyvalue.Repr(s.before)+" + "+pyvalue.Repr(s.delta)
		v, err := x.Add(ctx, item(t, s.delta))
		now, gone := x.Get(ctx)
		if s.after == "" {
			wantErr(t, what, err, mperr.ErrType)
			reads(t, "after "+what, now.Value, gone, pyvalue.Repr(s.before))
			continue
		}
		reads(t, what, v, err, s.after)
		reads(t, "after "+what, now.Value, gone, s.after)
	}
}

func testValueCrowd(t *testing.T, p driver.Place) {
	x, one := newValue(t, p, 0), item(t, 1)
	crowd(t, 10, 1000, func(ctx context.Context) error {
		_, err := x.Add(ctx, one)
		return err
	})
	now, err := x.Get(within(t, timeLimit))
	reads(t, "the sum", now.Value, err, "10000")
}
