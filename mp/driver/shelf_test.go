package driver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// The place of the example passes the suite of all places.
func TestShelf(t *testing.T) {
	drivertest.Run(t, func(*testing.T) driver.Place { return &Shelf{} })
}

// careless is a place that returns something for each kind, and for some kinds
// not what they need.
type careless struct{ Shelf }

func (p *careless) String() string { return "careless shelf" }

func (p *careless) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	spec.Kind = driver.KindDict
	return p.Shelf.Open(ctx, spec)
}

// What a place does not have fails in the New function, with the place, the kind
// and, where it has something of that kind, the method that is missing.
func TestMissingKinds(t *testing.T) {
	for _, tt := range []struct {
		place driver.Place
		open  func(...mp.Option) error
		words []string
	}{
		{&Shelf{}, newList, []string{"shelf", "list"}},
		{&careless{}, newList, []string{"careless shelf", "list", "method Append"}},
		{&careless{}, newSet, []string{"careless shelf", "set", "method Add"}},
		{&careless{}, newQueue, []string{"careless shelf", "Queue", "method Cap"}},
	} {
		err := tt.open(mp.In(tt.place))
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v: %v", tt.place, err)
			continue
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q does not say %q", err, w)
			}
		}
	}
}

func newList(o ...mp.Option) error { _, err := mp.NewList[int](o...); return err }

func newSet(o ...mp.Option) error { _, err := mp.NewSet[int](o...); return err }

func newQueue(o ...mp.Option) error { _, err := mp.NewQueue[int](0, o...); return err }

// Methods that cannot be built say at once what is missing; the others work.
func TestMissingMethods(t *testing.T) {
	ctx := t.Context()
	d, err := mp.NewDict[string, int](mp.In(&Shelf{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	_, _, pop := d.PopItem(ctx)
	for method, err := range map[string]error{
		"SetAll": d.SetBatch(ctx, map[string]int{"a": 1}), "Clear": d.Clear(ctx), "PopItem": pop,
	} {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "shelf does not offer "+method+" of a dict") {
			t.Errorf("%s: %v", method, err)
		}
	}
	if err := d.Update(ctx, "a", func(n *int) error { *n += 2; return nil }); err != nil {
		t.Error(err)
	}
	if v, err := d.SetDefault(ctx, "a", 9); v != 2 || err != nil {
		t.Errorf("set default: %d, %v", v, err)
	}
	if ok, err := d.CompareAndSwap(ctx, "a", 2, 3); !ok || err != nil {
		t.Errorf("compare and swap: %v, %v", ok, err)
	}
	if v, err := d.Pop(ctx, "a"); v != 3 || err != nil {
		t.Errorf("pop: %d, %v", v, err)
	}
	if _, err := d.Pop(ctx, "a"); !errors.Is(err, mp.ErrNoKey) {
		t.Errorf("pop of nothing: %v", err)
	}
}
