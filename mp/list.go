package mp

import (
	"context"
	"errors"
	"iter"
	"math"
	"unsafe"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// List is a shared sequence: what Python's manager.list() is. It lives in shared
// memory, where NewList makes it, or In a place. A negative index counts from the end, -1 is the last element; an
// index that is out of range is an error that wraps ErrIndex.
//
// Elements are of any type whose values can travel; see In for what they are
// in the place. Where programs have put values of several types, T is any.
// Elements may be, or hold, handles of objects in the same place, and those
// stay shared; a handle that a method returns is the caller's to close.
//
// After an Add or a Pop whose error says that the result is no T, the sum is
// there, and what was taken is gone.
//
// In memory, reading takes no lock, writes nothing and waits for nobody, and what a killed
// process was changing is as it was before or after. One lock serves all who change it: a
// stopped process that holds it stops these. Append and what is at the end cost about
// as much as in a Dict, what is in the middle some microseconds. Sort, Reverse, Repeat,
// Remove and slices with a step write the list anew; they are computed without the lock,
// and with it if others change the list again and again meanwhile. An item has at most
// 2 GiB. Elements that are or hold handles are refused, and Watch says
// errors.ErrUnsupported.
type List[T any] struct {
	travels
	h    handle[complete.List]
	t    *interchange.Type[T]
	near *nearList // nil: through bytes
}

// NewList makes an empty list, in memory or In a place; see WithName.
func NewList[T any](opts ...Option) (*List[T], error) {
	l := &List[T]{}
	return made(l, newObject(l.travel(), driver.KindList, opts))
}

func (l *List[T]) plan() (err error) {
	l.t, err = interchange.For[T]()
	return err
}

func (l *List[T]) travel() traveller {
	return planned[complete.List]{handle: &l.h, types: l.plan, opened: func(obj driver.Object) { l.near = nearListOf[T](obj) }}
}

// with is the list and a value as it is there.
func (l *List[T]) with(ctx context.Context, v T) (complete.List, []byte, error) {
	o, err := l.h.access()
	if err != nil {
		return nil, nil, err
	}
	b, err := encode(ctx, o, l.t, v)
	return o, b, err
}

// withAll is with for many values.
func (l *List[T]) withAll(ctx context.Context, vs []T) (complete.List, [][]byte, error) {
	o, err := l.h.access()
	if err != nil {
		return nil, nil, err
	}
	bs, err := encodeAll(ctx, o, l.t, vs)
	return o, bs, err
}

// Get returns element i.
func (l *List[T]) Get(ctx context.Context, i int) (v T, err error) {
	if n := l.near; n != nil {
		if n.getWord(ctx, i, unsafe.Pointer(&v)) {
			return v, nil
		}
		if done, err := n.get(ctx, i, unsafe.Pointer(&v)); done {
			return v, err
		}
	}
	o, err := l.h.access()
	if err != nil {
		return v, err
	}
	now, err := o.Get(ctx, i)
	if err != nil {
		return v, err
	}
	return decode(ctx, o, l.t, now.Value)
}

// Set sets element i, which is there already.
func (l *List[T]) Set(ctx context.Context, i int, v T) error {
	if n := l.near; n != nil {
		if done, err := n.set(ctx, i, unsafe.Pointer(&v)); done {
			return err
		}
	}
	o, b, err := l.with(ctx, v)
	if err != nil {
		return err
	}
	return o.Set(ctx, i, b)
}

// Append puts v at the end.
func (l *List[T]) Append(ctx context.Context, v T) error {
	if n := l.near; n != nil {
		if done, err := n.append(ctx, unsafe.Pointer(&v)); done {
			return err
		}
	}
	o, b, err := l.with(ctx, v)
	if err != nil {
		return err
	}
	return o.Append(ctx, b)
}

// AppendBatch puts all values at the end at one moment: Python's extend.
func (l *List[T]) AppendBatch(ctx context.Context, vs []T) error {
	o, bs, err := l.withAll(ctx, vs)
	if err != nil {
		return err
	}
	return o.Extend(ctx, bs)
}

// Insert puts v before element i, and at the beginning or end if i lies beyond
// it. So there is no ErrIndex.
func (l *List[T]) Insert(ctx context.Context, i int, v T) error {
	o, b, err := l.with(ctx, v)
	if err != nil {
		return err
	}
	return o.Insert(ctx, i, b)
}

// Pop takes element i out and returns it: -1 is the last one.
func (l *List[T]) Pop(ctx context.Context, i int) (v T, err error) {
	o, err := l.h.access()
	if err != nil {
		return v, err
	}
	b, err := o.Pop(ctx, i)
	if err != nil {
		return v, err
	}
	return taken(ctx, o, l.t, b)
}

// RemoveAt takes element i out.
func (l *List[T]) RemoveAt(ctx context.Context, i int) error {
	o, err := l.h.access()
	if err != nil {
		return err
	}
	return o.Delete(ctx, i)
}

// Remove takes out the first element that equals v, as Python compares, and
// reports whether there was one.
func (l *List[T]) Remove(ctx context.Context, v T) (bool, error) {
	o, b, err := l.with(ctx, v)
	if err != nil {
		return false, err
	}
	err = o.Remove(ctx, b)
	if errors.Is(err, ErrNoValue) {
		return false, nil
	}
	return err == nil, err
}

// Add adds delta to element i and returns the sum. Strings and lists are
// appended to. The error wraps ErrType if there is no such sum. Numbers do not
// wrap: the element becomes the sum, also where T is too small for it and Add
// returns an error that says so.
func (l *List[T]) Add(ctx context.Context, i int, delta T) (sum T, err error) {
	o, err := l.h.access()
	if err != nil {
		return sum, err
	}
	return addAt(ctx, o, l.t, delta, func(b []byte) ([]byte, error) { return o.Add(ctx, i, b) })
}

// CompareAndSwap sets element i to v if it equals old, as Python compares, and
// reports whether it did.
func (l *List[T]) CompareAndSwap(ctx context.Context, i int, old, v T) (bool, error) {
	o, err := l.h.access()
	if err != nil {
		return false, err
	}
	return swapAt(ctx, o, l.t, old, v, func(a, b []byte) (bool, error) { return o.CompareAndSwap(ctx, i, a, b) })
}

// Update changes element i by f, with no change by others in between. f is
// called again, on what element i is by then, if the list has changed there
// meanwhile, until ctx ends: it should have no other effect than on its
// argument, which it must not keep. If f returns an error, nothing is changed.
// Handles in the element that came from the place are closed when the change is
// made.
//
// Cost: two round trips, and again as many for each change of somebody else
// that came between.
func (l *List[T]) Update(ctx context.Context, i int, f func(*T) error) error {
	o, err := l.h.access()
	if err != nil {
		return err
	}
	return update(ctx, spot{
		obj: o,
		get: func(ctx context.Context) (driver.Versioned, error) { return o.Get(ctx, i) },
		set: func(ctx context.Context, v []byte, version uint64) (bool, error) {
			return o.SetVersion(ctx, i, v, version)
		},
	}, l.t, f)
}

// Len is the number of elements.
func (l *List[T]) Len(ctx context.Context) (int, error) {
	return ask(ctx, &l.h, complete.List.Len)
}

// Clear takes all elements out.
func (l *List[T]) Clear(ctx context.Context) error { return l.h.do(ctx, complete.List.Clear) }

// All iterates over the elements in order, some hundreds a round trip, so that
// a list of any length costs little memory. An error is the last pair, as with
// Queue.Drain. It goes by index: where others insert or take out elements in
// front of it meanwhile, an element is seen twice or not at all. Copy is one
// moment's state. For elements with handles see Dict.All.
func (l *List[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		o, err := l.h.access()
		if err != nil {
			yield(*new(T), err)
			return
		}
		for start := 0; ; start += pageSize {
			a, b, s := bounds(start, start+pageSize, 1)
			page, err := o.Slice(ctx, a, b, s)
			if err != nil {
				yield(*new(T), err)
				return
			}
			if !newPage(ctx, o, l.t, page).each(yield) || len(page) < pageSize {
				return
			}
		}
	}
}

// ListChange is what happened to a List.
type ListChange[T any] struct {
	// Op is the method's name: "append", "extend", "insert", "set" (also by Add,
	// Update and CompareAndSwap), "pop", "delete", "remove", "reverse", "sort",
	// "clear", "setSlice", "deleteSlice", "repeat". Index is where the one element
	// stands that it is about, counted from the beginning, and -1 where there is
	// no such; Value is what was put there.
	Op      string
	Index   int
	Value   T
	Version uint64 // grows from change to change
}

// Watch yields every change that is made after it has returned, in order; see
// Dict.Watch.
func (l *List[T]) Watch(ctx context.Context) iter.Seq2[ListChange[T], error] {
	o, err := l.h.access()
	if err != nil {
		return failing[ListChange[T]](err)
	}
	changes := once(o, o.Watch(ctx))
	return func(yield func(ListChange[T], error) bool) {
		for c, err := range changes {
			out := ListChange[T]{Op: c.Op, Index: c.Index, Version: c.Version}
			if err == nil && c.Value != nil {
				out.Value, err = decode(ctx, o, l.t, c.Value)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

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
	o, err := l.h.access()
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

// RemoveSlice takes a slice out: Python's del l[start:stop:step].
func (l *List[T]) RemoveSlice(ctx context.Context, start, stop, step int) error {
	o, err := l.h.access()
	if err != nil {
		return err
	}
	a, b, s := bounds(start, stop, step)
	return o.DeleteSlice(ctx, a, b, s)
}

// Repeat makes the list n times what it is: Python's l *= n. With n < 1 it is
// empty then.
func (l *List[T]) Repeat(ctx context.Context, n int) error {
	o, err := l.h.access()
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
func (l *List[T]) Reverse(ctx context.Context) error { return l.h.do(ctx, complete.List.Reverse) }

// Sort orders the elements by Python's <, or descending; equal ones keep their
// order either way. Times are ordered by the instant, to the nanosecond. If two
// elements have no order (a number and a string, two maps) the error wraps
// ErrType and the list stays as it was.
func (l *List[T]) Sort(ctx context.Context, descending bool) error {
	o, err := l.h.access()
	if err != nil {
		return err
	}
	return o.Sort(ctx, descending)
}

// Close gives the handle back.
func (l *List[T]) Close() error { return l.h.Close() }

// String names the object.
func (l *List[T]) String() string { return l.h.String() }
