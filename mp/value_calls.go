package mp

import (
	"context"
	"runtime"
)

// Get returns the value, as Load does, with an error instead of a panic:
// ErrClosed, or that of the value's place.
func (v *Value[T]) Get(ctx context.Context) (x T, err error) {
	if err := ctx.Err(); err != nil {
		return x, err
	}
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			return v.far.get(ctx)
		}
		return x, v.errGone()
	}
	v.read(&x)
	runtime.KeepAlive(c)
	return x, nil
}

// Set sets the value, as Store does, with an error instead of a panic. ctx
// bounds the wait for an Update that has the turn.
func (v *Value[T]) Set(ctx context.Context, x T) error {
	if v.far != nil {
		return v.far.set(ctx, x)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.set(ctx, &x)
}

// Add adds delta to the value and returns the sum. In memory T is a type of
// numbers, or the error wraps ErrType, and sums wrap around as Go's do. In a
// place strings and lists are appended to as well, and numbers do not wrap:
// the value becomes the sum, also where T is too small for it and Add returns
// an error that says so.
func (v *Value[T]) Add(ctx context.Context, delta T) (sum T, err error) {
	if v.far != nil {
		return v.far.add(ctx, delta)
	}
	add, err := summer[T]()
	if err != nil {
		return sum, err
	}
	err = v.Update(ctx, func(p *T) error {
		add(p, &delta)
		sum = *p
		return nil
	})
	return sum, err
}

// CompareAndSwap sets the value to x if it equals old, and reports whether it
// did. NaN equals nothing.
func (v *Value[T]) CompareAndSwap(ctx context.Context, old, x T) (swapped bool, err error) {
	if v.far != nil {
		return v.far.swap(ctx, old, x)
	}
	err = v.Update(ctx, func(p *T) error {
		if swapped = any(*p) == any(old); swapped {
			*p = x
		}
		return nil
	})
	return swapped && err == nil, err
}

// Close gives back this process's handle; later calls that return an error
// return ErrClosed, the others panic with it. The value lives for as long as
// another handle to it exists in any process, and in a place also by its name.
// A second Close returns ErrClosed.
func (v *Value[T]) Close() error {
	if v.far != nil {
		return v.far.Close()
	}
	err := v.small.Close()
	if err == nil {
		v.lock.Abort()
	}
	return err
}
