package objects

import (
	"math"
	"math/big"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// span is what a slice means for a sequence: n indices from start on, step
// apart.
type span struct {
	start, stop, step int
	n                 int
}

// at is the i-th index of the span.
func (s span) at(i int) int { return s.start + i*s.step }

// ascending is the span with its indices in ascending order.
func (s span) ascending() span {
	if s.step > 0 || s.n == 0 {
		return s
	}
	return span{start: s.at(s.n - 1), stop: s.start + 1, step: -s.step, n: s.n}
}

// spanOf is Python's slice.indices for a sequence of that length.
func spanOf(v data.Slice, length int) (s span, err error) {
	step, err := sliceBound(v.Step, 1)
	if err != nil {
		return s, err
	}
	if step == 0 {
		return s, data.ValueError("slice step cannot be zero")
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
	s = span{start: clip(start, length, step), stop: clip(stop, length, step), step: step}
	switch {
	case step < 0 && s.stop < s.start:
		s.n = (s.start-s.stop-1)/-step + 1
	case step > 0 && s.start < s.stop:
		s.n = (s.stop-s.start-1)/step + 1
	}
	return s, nil
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

// sliceBound is a part of a slice, which may be left out.
func sliceBound(v data.Value, otherwise int) (int, error) {
	if v == nil {
		return otherwise, nil
	}
	if n, ok := saturated(v); ok {
		return n, nil
	}
	return 0, data.TypeError("slice indices must be integers or None or have an __index__ method")
}

// saturated is an int, or the nearest one that the machine knows.
func saturated(v data.Value) (int, bool) {
	if n, ok := data.Int(v); ok {
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

// position is where element v of a sequence of that length stands. ok is false
// if v is no integer.
func position(v data.Value, length int, outOfRange string) (i int, ok bool, err error) {
	if _, wide := v.(*big.Int); wide {
		return 0, true, data.IndexError("cannot fit 'int' into an index-sized integer")
	}
	n, ok := data.Int(v)
	if !ok {
		return 0, false, nil
	}
	i, err = within0(n, length, outOfRange)
	return i, true, err
}

// within0 counts negative indices from the end.
func within0(n int64, length int, outOfRange string) (int, error) {
	if n < 0 {
		n += int64(length)
	}
	if n < 0 || n >= int64(length) {
		return 0, data.IndexError(outOfRange)
	}
	return int(n), nil
}

// sliceArgs is the slice that three arguments of a method for Go make.
func sliceArgs(a []store.Item) data.Slice {
	return data.Slice{Start: a[0].Value(), Stop: a[1].Value(), Step: a[2].Value()}
}
