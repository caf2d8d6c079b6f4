package drivertest

import (
	"context"
	"fmt"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// span is what [start:stop:step] means for n elements, as Python's
// slice.indices has it.
func span(n int, start, stop, step *int) (a, b, s int, err error) {
	s = 1
	if step != nil {
		s = *step
	}
	if s == 0 {
		return 0, 0, 0, fmt.Errorf("slice step 0: %w", mperr.ErrValue)
	}
	low, high := 0, n
	if s < 0 {
		low, high = -1, n-1
	}
	bound := func(p *int, left int) int {
		if p == nil {
			return left
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if s > 0 {
		return bound(start, low), bound(stop, high), s, nil
	}
	return bound(start, high), bound(stop, low), s, nil
}

// indices are the places of a slice's elements, in its order.
func indices(a, b, s int) (out []int) {
	for i := a; s > 0 && i < b || s < 0 && i > b; i += s {
		out = append(out, i)
		if s > 0 && i > b-s || s < 0 && i < b-s {
			break // i+s may be beyond what an int holds
		}
	}
	return out
}

func (h *listHandle) Slice(ctx context.Context, start, stop, step *int) (vs [][]byte, err error) {
	err = h.do(ctx, func() error {
		a, b, s, err := span(len(h.l.items), start, stop, step)
		if err != nil {
			return err
		}
		for _, i := range indices(a, b, s) {
			vs = append(vs, h.l.items[i].Value)
		}
		return nil
	})
	return vs, err
}

func (h *listHandle) SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		a, b, s, err := span(len(h.l.items), start, stop, step)
		if err != nil {
			return c, err
		}
		c.Op, c.Index = "setSlice", -1
		if s == 1 {
			h.l.items = slices.Replace(h.l.items, a, max(a, b), h.fresh(vs...)...)
			return c, nil
		}
		at := indices(a, b, s)
		if len(at) != len(vs) {
			return c, fmt.Errorf("%d values for a slice of %d elements: %w", len(vs), len(at), mperr.ErrValue)
		}
		for k, v := range h.fresh(vs...) {
			h.l.items[at[k]] = v
		}
		return c, nil
	})
}

func (h *listHandle) DeleteSlice(ctx context.Context, start, stop, step *int) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		a, b, s, err := span(len(h.l.items), start, stop, step)
		if err != nil {
			return c, err
		}
		at := indices(a, b, s)
		slices.Sort(at)
		for _, i := range slices.Backward(at) {
			h.l.items = slices.Delete(h.l.items, i, i+1)
		}
		return driver.ListChange{Op: "deleteSlice", Index: -1}, nil
	})
}
