package complete

import (
	"context"

	"multiproc/mp/driver"
)

// Value is all that a value can do.
type Value interface {
	driver.Value
	driver.ValueSwapper
	driver.ValueAdder
}

type value struct {
	driver.Value
	driver.ValueSwapper
	driver.ValueAdder
}

func newValue(o driver.Value) Value {
	b := builtValue{o}
	return &value{o, or[driver.ValueSwapper](o, b), or[driver.ValueAdder](o, b)}
}

func (v *value) bare() driver.Object { return v.Value }

// builtValue is what can be built from Get and SetVersion.
type builtValue struct{ v driver.Value }

func (b builtValue) CompareAndSwap(ctx context.Context, old, v []byte) (bool, error) {
	return swap(ctx, b.v, old, v,
		func() (driver.Versioned, error) { return b.v.Get(ctx) },
		func(v []byte, version uint64) (bool, error) { return b.v.SetVersion(ctx, v, version) })
}

func (b builtValue) Add(ctx context.Context, delta []byte) ([]byte, error) {
	return add(ctx, b.v, delta,
		func() (driver.Versioned, error) { return b.v.Get(ctx) },
		func(v []byte, version uint64) (bool, error) { return b.v.SetVersion(ctx, v, version) })
}
