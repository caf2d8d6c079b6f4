package mp

import (
	"context"
	"math"
)

// Begin and End are the bounds of slices of a List that are left out in
// Python: l[:3] is Slice(ctx, mp.Begin, 3, 1), l[::-1] is
// Slice(ctx, mp.End, mp.Begin, -1).
const (
	Begin = math.MinInt
	End   = math.MaxInt
)

// bounds are a slice's bounds for the place: nil is one that is left out.
func bounds(start, stop, step int) (a, b, s *int) {
	first, last := Begin, End
	if step < 0 {
		first, last = End, Begin
	}
	if start != first {
		a = &start
	}
	if stop != last {
		b = &stop
	}
	if step != 1 {
		s = &step
	}
	return a, b, s
}

// Slice returns the elements from start up to, not including, stop, each
// step-th of them: Python's l[start:stop:step]. Bounds may be negative, Begin
// or End; what lies outside of the list is left out, so there is no ErrIndex. A
// negative step goes backwards; step 0 is an error that wraps ErrValue.
func (l *List[T]) Slice(ctx context.Context, start, stop, step int) ([]T, error) {
	o, err := l.access()
	if err != nil {
		return nil, err
	}
	a, b, s := bounds(start, stop, step)
	bs, err := o.Slice(ctx, a, b, s)
	if err != nil {
		return nil, err
	}
	return decodeWhole(ctx, o, l.t, bs)
}

// Copy returns all elements as they are at one moment.
func (l *List[T]) Copy(ctx context.Context) ([]T, error) { return l.Slice(ctx, Begin, End, 1) }

// SetSlice puts vs in the place of a slice: Python's l[start:stop:step] = vs.
// With step 1 their number may differ from that of the elements they replace;
// with another step the error wraps ErrValue then.
func (l *List[T]) SetSlice(ctx context.Context, start, stop, step int, vs []T) error {
	o, bs, err := l.withAll(ctx, vs)
	if err != nil {
		return err
	}
	a, b, s := bounds(start, stop, step)
	return o.SetSlice(ctx, a, b, s, bs)
}

// DeleteSlice takes a slice out: Python's del l[start:stop:step].
func (l *List[T]) DeleteSlice(ctx context.Context, start, stop, step int) error {
	o, err := l.access()
	if err != nil {
		return err
	}
	a, b, s := bounds(start, stop, step)
	return o.DeleteSlice(ctx, a, b, s)
}

// Repeat makes the list n times what it is: Python's l *= n. With n < 1 it is
// empty then.
func (l *List[T]) Repeat(ctx context.Context, n int) error {
	o, err := l.access()
	if err != nil {
		return err
	}
	return o.Repeat(ctx, n)
}

// Index returns where v, as Python compares, first stands in the list, or an
// error that wraps ErrNoValue.
func (l *List[T]) Index(ctx context.Context, v T) (int, error) {
	return l.IndexIn(ctx, v, 0, End)
}

// IndexIn is Index that looks from start up to, not including, stop. The
// result counts from the beginning of the list all the same.
func (l *List[T]) IndexIn(ctx context.Context, v T, start, stop int) (int, error) {
	o, b, err := l.with(ctx, v)
	if err != nil {
		return 0, err
	}
	return o.Index(ctx, b, start, stop)
}

// Count is how many elements equal v, as Python compares.
func (l *List[T]) Count(ctx context.Context, v T) (int, error) {
	o, b, err := l.with(ctx, v)
	if err != nil {
		return 0, err
	}
	return o.Count(ctx, b)
}

// Has reports whether an element equals v, as Python compares.
func (l *List[T]) Has(ctx context.Context, v T) (bool, error) {
	o, b, err := l.with(ctx, v)
	if err != nil {
		return false, err
	}
	return o.Has(ctx, b)
}

// Reverse turns the order round.
func (l *List[T]) Reverse(ctx context.Context) error {
	o, err := l.access()
	if err != nil {
		return err
	}
	return o.Reverse(ctx)
}

// Sort orders the elements by Python's <, or descending; equal ones keep their
// order either way. Times are ordered by the instant, to the nanosecond. If two
// elements have no order (a number and a string, two maps) the error wraps
// ErrType and the list stays as it was.
func (l *List[T]) Sort(ctx context.Context, descending bool) error {
	o, err := l.access()
	if err != nil {
		return err
	}
	return o.Sort(ctx, descending)
}
