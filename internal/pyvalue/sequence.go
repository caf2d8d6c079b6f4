package pyvalue

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"multiproc/internal/mperr"
)

// What Python's lists do with positions, slices, repetition and order, for slices
// of anything. Every place keeps its elements in its own way and takes their
// meaning from here.

// Span is what a Slice means for a sequence of a certain length: N indices, from
// Start on, Step apart. Stop is where the slice ends, which may be before Start.
type Span struct{ Start, Stop, Step, N int }

// SliceOf returns the slice [start:stop:step]; nil is left out.
func SliceOf(start, stop, step *int) Slice {
	part := func(p *int) Value {
		if p == nil {
			return nil
		}
		return int64(*p)
	}
	return Slice{part(start), part(stop), part(step)}
}

// Span is Python's slice.indices for a sequence of that length. The errors are
// CPython's: a ValueError for a step of 0, a TypeError for what is no integer.
func (v Slice) Span(length int) (s Span, err error) {
	step, err := sliceBound(v.Step, 1)
	if err != nil {
		return s, err
	}
	if step == 0 {
		return s, ValueError("slice step cannot be zero")
	}
	step = max(step, -math.MaxInt)
	first, last := 0, math.MaxInt
	if step < 0 {
		first, last = math.MaxInt, math.MinInt
	}
	start, err := sliceBound(v.Start, first)
	if err != nil {
		return s, err
	}
	stop, err := sliceBound(v.Stop, last)
	if err != nil {
		return s, err
	}
	s = Span{Start: clip(start, length, step), Stop: clip(stop, length, step), Step: step}
	switch {
	case step < 0 && s.Stop < s.Start:
		s.N = (s.Start-s.Stop-1)/-step + 1
	case step > 0 && s.Start < s.Stop:
		s.N = (s.Stop-s.Start-1)/step + 1
	}
	return s, nil
}

// sliceBound is a part of a slice, which may be left out.
func sliceBound(v Value, otherwise int) (int, error) {
	if v == nil {
		return otherwise, nil
	}
	if n, ok := Saturated(v); ok {
		return n, nil
	}
	return 0, TypeError("slice indices must be integers or None or have an __index__ method")
}

// clip moves a bound of a slice into a sequence of that length.
func clip(i, length, step int) int {
	low, high := 0, length
	if step < 0 {
		low, high = -1, length-1
	}
	if i < 0 {
		i += length
	}
	return min(max(i, low), high)
}

// Clamp moves i, which counts from the end if it is negative, into [0, length]:
// where list.insert inserts, and where list.index begins and ends.
func Clamp(i, length int) int { return clip(i, length, 1) }

// Saturated returns the int that v is, or the nearest one that the machine has. ok
// is false if v is no integer.
func Saturated(v Value) (n int, ok bool) {
	if n, ok := Int(v); ok {
		return int(n), true
	}
	wide, ok := v.(*big.Int)
	switch {
	case !ok:
		return 0, false
	case wide.Sign() < 0:
		return math.MinInt, true
	}
	return math.MaxInt, true
}

// At returns the i-th index of the span.
func (s Span) At(i int) int { return s.Start + i*s.Step }

// Ascending returns the span with its indices in ascending order. It begins within the
// sequence, or at its end, also if it has none: backwards that begins before the first.
func (s Span) Ascending() Span {
	if s.Step > 0 {
		return s
	}
	if s.N == 0 {
		at := max(s.Start, 0)
		return Span{Start: at, Stop: at, Step: -s.Step}
	}
	return Span{Start: s.At(s.N - 1), Stop: s.Start + 1, Step: -s.Step, N: s.N}
}

// Whole reports whether any number of elements can be assigned to the span, which
// then take the place of those in [i, j).
func (s Span) Whole() (i, j int, ok bool) { return s.Start, max(s.Start, s.Stop), s.Step == 1 }

// Takes fails if n elements cannot be assigned to the span.
func (s Span) Takes(n int) error {
	if s.Step == 1 || n == s.N {
		return nil
	}
	return ValueError(fmt.Sprintf("attempt to assign sequence of size %d to extended slice of size %d", n, s.N))
}

// Pick returns the elements of a span, in its order.
func Pick[E any](items []E, s Span) []E {
	out := make([]E, s.N)
	for i := range out {
		out[i] = items[s.At(i)]
	}
	return out
}

// Assign returns items after with was assigned to a span. It may change items.
func Assign[E any](items []E, s Span, with []E) ([]E, error) {
	if err := s.Takes(len(with)); err != nil {
		return items, err
	}
	if i, j, ok := s.Whole(); ok {
		return slices.Replace(items, i, j, with...), nil
	}
	for i, e := range with {
		items[s.At(i)] = e
	}
	return items, nil
}

// Drop returns items without those of a span, in one pass, which changes items.
// gone is called for each that is dropped; it may be nil.
func Drop[E any](items []E, s Span, gone func(E)) []E {
	s = s.Ascending()
	kept, next := 0, 0
	for i := range items {
		if next < s.N && i == s.At(next) {
			if gone != nil {
				gone(items[i])
			}
			next++
			continue
		}
		items[kept] = items[i]
		kept++
	}
	clear(items[kept:])
	return items[:kept]
}

// Position returns where element v of a sequence of that length stands; a
// negative v counts from the end. ok is false if v is no integer. outOfRange is
// the text of the IndexError.
func Position(v Value, length int, outOfRange string) (i int, ok bool, err error) {
	if _, wide := v.(*big.Int); wide {
		return 0, true, IndexError("cannot fit 'int' into an index-sized integer")
	}
	n, ok := Int(v)
	if !ok {
		return 0, false, nil
	}
	i, err = Offset(n, length, outOfRange)
	return i, true, err
}

// Offset is Position of an int.
func Offset(n int64, length int, outOfRange string) (int, error) {
	if n < 0 {
		n += int64(length)
	}
	if n < 0 || n >= int64(length) {
		return 0, IndexError(outOfRange)
	}
	return int(n), nil
}

// maxRepeated bounds what a few bytes on the wire can make of a list.
const maxRepeated = 1 << 24

// Repeats fails if n times a list of that length is too much: with a MemoryError,
// as Python does where its memory ends. The end here is 16 million elements.
func Repeats(length, n int) error {
	if length > 0 && n > maxRepeated/length {
		return builtin("MemoryError", mperr.ErrLimit)
	}
	return nil
}

// Repeated returns the items n times, none if n is negative. Repeats has said that
// this is not too much.
func Repeated[E any](items []E, n int) []E {
	if len(items) == 0 || n <= 0 {
		return nil
	}
	all := make([]E, len(items)*n)
	for i := range n {
		CopyParts(all[i*len(items):], items)
	}
	return all
}

// CopyParts is copy, part by part: the collector cannot stop a goroutine in the
// middle of a copy of what holds pointers, and all others wait for it then.
func CopyParts[E any](to, from []E) {
	const part = 1 << 12
	for len(from) > part {
		copy(to, from[:part])
		to, from = to[part:], from[part:]
	}
	copy(to, from)
}

// checkSortEvery is after how many comparisons a sort asks whether it is to go on.
const checkSortEvery = 1 << 10

// Sorted returns the items in the order of their values as list.sort has it, which
// is stable in both directions. The error is that of two values that have no
// order, or that of check, which is called now and then and may be nil. Values
// with an order in part, as sets and NaN, end up in some order.
func Sorted[E any](items []E, value func(E) Value, reverse bool, check func() error) ([]E, error) {
	type keyed struct {
		item E
		key  Value
	}
	all := make([]keyed, len(items))
	for i, x := range items {
		all[i] = keyed{x, value(x)}
	}
	var failed error
	steps, comparer := 0, Comparer{Work: NewWork(MaxWork, check)}
	slices.SortStableFunc(all, func(a, b keyed) int {
		if steps++; steps%checkSortEvery == 0 && failed == nil && check != nil {
			failed = check()
		}
		if failed != nil {
			return 0
		}
		n, err := comparer.Compare(a.key, b.key)
		failed = err
		if reverse {
			n = -n
		}
		return n
	})
	if failed != nil {
		return nil, failed
	}
	out := make([]E, len(all))
	for i := range all {
		out[i] = all[i].item
	}
	return out, nil
}
