package mp

import (
	"context"
	"fmt"

	"multiproc/internal/interchange"
	"multiproc/internal/local"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Value is one value, in shared memory or in a place.
//
// In memory T has no pointers in it: numbers, bools, and structs and arrays of
// them. In a place it is any type whose values can travel.
//
// Every change is atomic, also against the death of the process that makes
// it: Load sees the value before or after a Store or Update and nothing in
// between. In memory nobody waits for anybody's function, and Load for nobody.
type Value[T any] struct {
	travels
	near *memoryValue[T] // one of the two, or neither for a handle that was never made
	far  *placeValue[T]
}

// The calls that cost least in memory go to near directly, as those of Queue.

// valueBody is where a value lives.
type valueBody[T any] interface {
	load(ctx context.Context) (T, error)
	store(ctx context.Context, x T) error
	update(ctx context.Context, f func(*T) error) error
	add(ctx context.Context, delta T) (T, error)
	compareAndSwap(ctx context.Context, old, x T) (bool, error)
	Close() error
	String() string
}

// body is where the value lives. The zero memoryValue answers everything with
// the error of a handle that was never made.
func (v *Value[T]) body() valueBody[T] {
	switch {
	case v.near != nil:
		return v.near
	case v.far != nil:
		return v.far
	}
	return &memoryValue[T]{}
}

// NewValue makes a shared value that is x at first.
//
// Cost: some 20 µs and a page of memory. In a place: a round trip, as each call
// is.
func NewValue[T any](x T, opts ...Option) (*Value[T], error) {
	o, err := unbounded(opts)
	if err != nil {
		return nil, fmt.Errorf("new value: %w", err)
	}
	v := &Value[T]{}
	if o.in {
		return made(v, openValue(v, x, o))
	}
	m, err := newMemoryValue(x)
	if err != nil {
		return nil, fmt.Errorf("new value: %w", err)
	}
	v.near = m
	return v, nil
}

// Load returns the value. In memory it waits for nobody.
//
// Cost: 3 to 10 ns.
func (v *Value[T]) Load(ctx context.Context) (T, error) {
	if v.near != nil {
		return v.near.load(ctx)
	}
	return v.body().load(ctx)
}

// Store sets the value. In memory ctx bounds the wait for an Update that has
// the turn.
func (v *Value[T]) Store(ctx context.Context, x T) error {
	if v.near != nil {
		return v.near.store(ctx, x)
	}
	return v.body().store(ctx, x)
}

// Update changes the value by f, with no other change in between:
// v.Update(ctx, func(x *int) error { *x++; return nil }). If f returns an error
// or panics, nothing is changed. If the process is killed inside f, nothing is
// changed and others go on. f must not keep its argument.
//
// Nobody waits for f, so it may be called several times: if somebody has changed
// the value meanwhile it is called again, on what the value is by then, until
// its change comes in time or ctx ends. So f should have no other effect than on
// its argument. An Update that has lost against others for a millisecond has the
// turn: the others hold back for up to 10 ms, and longer each time that this was
// not enough.
//
// Handles in the value that came from a place are closed when f's change is
// made.
//
// Cost: 15 to 40 ns, and f. In a place: two round trips, and again as many for
// each change of somebody else that came between.
func (v *Value[T]) Update(ctx context.Context, f func(*T) error) error {
	if v.near != nil {
		return v.near.update(ctx, f)
	}
	return v.body().update(ctx, f)
}

// Add adds delta to the value and returns the sum. In memory T is a type of
// numbers, or the error wraps ErrType, and sums wrap around as Go's do. In a
// place strings and lists are appended to as well, and numbers do not wrap:
// the value becomes the sum, also where T is too small for it and Add returns
// an error that says so.
func (v *Value[T]) Add(ctx context.Context, delta T) (sum T, err error) {
	return v.body().add(ctx, delta)
}

// CompareAndSwap sets the value to x if it equals old, and reports whether it
// did. NaN equals nothing.
func (v *Value[T]) CompareAndSwap(ctx context.Context, old, x T) (swapped bool, err error) {
	return v.body().compareAndSwap(ctx, old, x)
}

// Close gives the handle back. In memory a value lives for as long as another
// handle to it exists in any process, and in a place also by its name.
func (v *Value[T]) Close() error { return v.body().Close() }

// String names the object.
func (v *Value[T]) String() string { return v.body().String() }

// What a Value shows to sessions.

func (v *Value[T]) travel() traveller { return v }

func (v *Value[T]) kind() shm.Kind                { return shm.KindValue }
func (v *Value[T]) finger(byte) ([16]byte, error) { return fixedFinger[T]() }
func (v *Value[T]) side() byte                    { return 0 }

func (v *Value[T]) borrow() (*shm.Segment, func(), error) {
	if v.near == nil {
		return nil, nil, local.ErrNoObject
	}
	return v.near.Borrow()
}

func (v *Value[T]) attach(_ *family, seg *shm.Segment, _ byte) error {
	m := &memoryValue[T]{}
	if err := m.attach(seg); err != nil {
		return err
	}
	v.near = m
	return nil
}

func (v *Value[T]) remote() driver.Object {
	if v.far == nil {
		return nil
	}
	return v.far.remote()
}

func (v *Value[T]) open(obj driver.Object) error {
	t, err := interchange.For[T]()
	if err != nil {
		_ = obj.Close()
		return err
	}
	p := &placeValue[T]{t: t}
	if err := p.open(obj); err != nil {
		return err
	}
	v.far = p
	return nil
}
