package complete

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// List is all that a list can do.
type List interface {
	driver.List
	driver.ListSwapper
	driver.ListAdder
	driver.ListFinder
	driver.ListEditor
	driver.ListArranger
	driver.ListWatcher
}

type list struct {
	driver.List
	driver.ListSwapper
	driver.ListAdder
	driver.ListFinder
	driver.ListEditor
	driver.ListArranger
	driver.ListWatcher
}

func newList(o driver.List) List {
	b, not := builtList{o}, noList{o}
	return &list{
		o,
		or[driver.ListSwapper](o, b),
		or[driver.ListAdder](o, b),
		or[driver.ListFinder](o, b),
		or[driver.ListEditor](o, not),
		or[driver.ListArranger](o, not),
		or[driver.ListWatcher](o, not),
	}
}

func (l *list) bare() driver.Object { return l.List }

// builtList is what can be built from Get, SetVersion and Slice.
type builtList struct{ l driver.List }

func (b builtList) CompareAndSwap(ctx context.Context, i int, old, v []byte) (ok bool, err error) {
	return swap(ctx, b.l, old, v,
		func() (driver.Versioned, error) { return b.l.Get(ctx, i) },
		func(v []byte, version uint64) (bool, error) { return b.l.SetVersion(ctx, i, v, version) })
}

func (b builtList) Add(ctx context.Context, i int, delta []byte) ([]byte, error) {
	return add(ctx, b.l, delta,
		func() (driver.Versioned, error) { return b.l.Get(ctx, i) },
		func(v []byte, version uint64) (bool, error) { return b.l.SetVersion(ctx, i, v, version) })
}

// Index goes through a copy of the list: a slice of the place would hide where it
// begins.
func (b builtList) Index(ctx context.Context, v []byte, start, stop int) (int, error) {
	all, err := b.l.Slice(ctx, nil, nil, nil)
	if err != nil {
		return 0, err
	}
	for i := pyvalue.Clamp(start, len(all)); i < pyvalue.Clamp(stop, len(all)); i++ {
		switch equal, err := driver.Equal(all[i], v); {
		case err != nil:
			return 0, fmt.Errorf("%v: %w", b.l, err)
		case equal:
			return i, nil
		}
	}
	return 0, fmt.Errorf("%v: %w", b.l, mperr.ErrNoValue)
}

func (b builtList) Has(ctx context.Context, v []byte) (bool, error) {
	_, err := b.Index(ctx, v, 0, math.MaxInt)
	if errors.Is(err, mperr.ErrNoValue) {
		return false, nil
	}
	return err == nil, err
}

func (b builtList) Count(ctx context.Context, v []byte) (n int, err error) {
	all, err := b.l.Slice(ctx, nil, nil, nil)
	if err != nil {
		return 0, err
	}
	for _, x := range all {
		equal, err := driver.Equal(x, v)
		if err != nil {
			return 0, fmt.Errorf("%v: %w", b.l, err)
		}
		if equal {
			n++
		}
	}
	return n, nil
}

// noList is what cannot be built.
type noList struct{ l driver.List }

func (n noList) missing(method string) error { return &Missing{n.l, driver.KindList, method} }

func (n noList) Extend(context.Context, [][]byte) error { return n.missing("Extend") }

func (n noList) Insert(context.Context, int, []byte) error { return n.missing("Insert") }

func (n noList) Pop(context.Context, int) ([]byte, error) { return nil, n.missing("Pop") }

func (n noList) Delete(context.Context, int) error { return n.missing("Delete") }

func (n noList) Remove(context.Context, []byte) error { return n.missing("Remove") }

func (n noList) Clear(context.Context) error { return n.missing("Clear") }

func (n noList) SetSlice(_ context.Context, _, _, _ *int, _ [][]byte) error {
	return n.missing("SetSlice")
}

func (n noList) DeleteSlice(_ context.Context, _, _, _ *int) error { return n.missing("DeleteSlice") }

func (n noList) Reverse(context.Context) error { return n.missing("Reverse") }

func (n noList) Sort(context.Context, bool) error { return n.missing("Sort") }

func (n noList) Repeat(context.Context, int) error { return n.missing("Repeat") }

func (n noList) Watch(context.Context) iter.Seq2[driver.ListChange, error] {
	return failing[driver.ListChange](n.missing("Watch"))
}
