package mp

import (
	"context"
	"fmt"
	"reflect"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// placeValue is a value in a place.
type placeValue[T any] struct {
	handle[complete.Value]
	t *interchange.Type[T]
}

// openValue opens the value, and makes it x if it is new.
func openValue[T any](v *Value[T], x T, o objectOptions) error {
	t, err := interchange.For[T]()
	if err != nil {
		return fmt.Errorf("new value: %w", err)
	}
	ctx, cancel := openContext()
	defer cancel()
	init, err := t.Append(nil, &x, &inside{ctx: ctx, place: o.place})
	if err != nil {
		return fmt.Errorf("new value: %w", err)
	}
	return openIn(v, o, driver.Spec{Kind: driver.KindValue, Code: typeCode(reflect.TypeFor[T]()), Init: init})
}

// typeCode is what Python shows as the type of such a value.
func typeCode(t reflect.Type) string {
	return map[reflect.Kind]string{
		reflect.Int8: "b", reflect.Uint8: "B", reflect.Int16: "h", reflect.Uint16: "H",
		reflect.Int32: "i", reflect.Uint32: "I", reflect.Int64: "q", reflect.Uint64: "Q",
		reflect.Int: "q", reflect.Uint: "Q", reflect.Float32: "f", reflect.Float64: "d",
	}[t.Kind()]
}

func (v *placeValue[T]) load(ctx context.Context) (x T, err error) {
	now, err := v.obj.Get(ctx)
	if err != nil {
		return x, err
	}
	return decode(ctx, v.obj, v.t, now.Value)
}

func (v *placeValue[T]) store(ctx context.Context, x T) error {
	b, err := encode(ctx, v.obj, v.t, x)
	if err != nil {
		return err
	}
	return v.obj.Set(ctx, b)
}

func (v *placeValue[T]) add(ctx context.Context, delta T) (T, error) {
	return addAt(ctx, v.obj, v.t, delta, func(b []byte) ([]byte, error) { return v.obj.Add(ctx, b) })
}

func (v *placeValue[T]) compareAndSwap(ctx context.Context, old, x T) (bool, error) {
	return swapAt(ctx, v.obj, v.t, old, x, func(a, b []byte) (bool, error) { return v.obj.CompareAndSwap(ctx, a, b) })
}

func (v *placeValue[T]) update(ctx context.Context, f func(*T) error) error {
	return update(ctx, spot{obj: v.obj, get: v.obj.Get, set: v.obj.SetVersion}, v.t, f)
}

// addAt and swapAt are Add and CompareAndSwap wherever a value is kept.
func addAt[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], delta T, add func([]byte) ([]byte, error)) (sum T, err error) {
	b, err := encode(ctx, o, t, delta)
	if err != nil {
		return sum, err
	}
	if b, err = add(b); err != nil {
		return sum, err
	}
	return decode(ctx, o, t, b)
}

func swapAt[T any](ctx context.Context, o driver.Object, t *interchange.Type[T], old, v T, swap func(old, v []byte) (bool, error)) (bool, error) {
	a, err := encode(ctx, o, t, old)
	if err != nil {
		return false, err
	}
	b, err := encode(ctx, o, t, v)
	if err != nil {
		return false, err
	}
	return swap(a, b)
}
