package drivertest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// list is the body of a list. Each element has a version of its own, which it
// keeps where it goes.
type list struct{ items []driver.Versioned }

type listHandle struct {
	*handle
	l *list
}

// index is where element i stands.
func (l *list) index(i int) (int, error) {
	return pyvalue.Offset(int64(i), len(l.items), fmt.Sprintf("element %d of %d", i, len(l.items)))
}

// find is the first place in [start, stop) of an element that equals v, or -1.
func (l *list) find(v []byte, start, stop int) (int, error) {
	for i := pyvalue.Clamp(start, len(l.items)); i < pyvalue.Clamp(stop, len(l.items)); i++ {
		if ok, err := equal(l.items[i].Value, v); ok || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// fresh gives values a version.
func (h *listHandle) fresh(vs ...[]byte) []driver.Versioned {
	out := make([]driver.Versioned, len(vs))
	for i, v := range vs {
		out[i] = driver.Versioned{Value: v, Version: h.session.store.next()}
	}
	return out
}

// change calls f, and tells the watchers what it returns.
func (h *listHandle) change(ctx context.Context, f func() (driver.ListChange, error)) error {
	return h.do(ctx, func() error {
		c, err := f()
		if err == nil && c.Op != "" {
			c.Version = h.session.store.next()
			h.o.emit(c)
		}
		return err
	})
}

func (h *listHandle) Get(ctx context.Context, i int) (v driver.Versioned, err error) {
	err = h.do(ctx, func() error {
		j, err := h.l.index(i)
		if err == nil {
			v = h.l.items[j]
		}
		return err
	})
	return v, err
}

// set sets element i if it may.
func (h *listHandle) set(ctx context.Context, i int, v []byte, may func(driver.Versioned) (bool, error)) (ok bool, err error) {
	err = h.change(ctx, func() (c driver.ListChange, err error) {
		j, err := h.l.index(i)
		if err != nil {
			return c, err
		}
		if ok, err = may(h.l.items[j]); !ok {
			return c, err
		}
		h.l.items[j] = h.fresh(v)[0]
		return driver.ListChange{Op: "set", Index: j, Value: v}, nil
	})
	return ok, err
}

func (h *listHandle) Set(ctx context.Context, i int, v []byte) error {
	_, err := h.set(ctx, i, v, func(driver.Versioned) (bool, error) { return true, nil })
	return err
}

func (h *listHandle) SetVersion(ctx context.Context, i int, v []byte, version uint64) (bool, error) {
	return h.set(ctx, i, v, func(now driver.Versioned) (bool, error) { return now.Version == version, nil })
}

func (h *listHandle) CompareAndSwap(ctx context.Context, i int, old, v []byte) (bool, error) {
	return h.set(ctx, i, v, func(now driver.Versioned) (bool, error) { return equal(now.Value, old) })
}

func (h *listHandle) Add(ctx context.Context, i int, delta []byte) (now []byte, err error) {
	err = h.change(ctx, func() (c driver.ListChange, err error) {
		j, err := h.l.index(i)
		if err != nil {
			return c, err
		}
		if now, err = sum(h.l.items[j].Value, delta); err != nil {
			return c, err
		}
		h.l.items[j] = h.fresh(now)[0]
		return driver.ListChange{Op: "set", Index: j, Value: now}, nil
	})
	return now, err
}

func (h *listHandle) Append(ctx context.Context, v []byte) error {
	return h.change(ctx, func() (driver.ListChange, error) {
		h.l.items = append(h.l.items, h.fresh(v)...)
		return driver.ListChange{Op: "append", Index: len(h.l.items) - 1, Value: v}, nil
	})
}

func (h *listHandle) Extend(ctx context.Context, vs [][]byte) error {
	return h.change(ctx, func() (driver.ListChange, error) {
		h.l.items = append(h.l.items, h.fresh(vs...)...)
		return driver.ListChange{Op: "extend", Index: -1}, nil
	})
}

func (h *listHandle) Insert(ctx context.Context, i int, v []byte) error {
	return h.change(ctx, func() (driver.ListChange, error) {
		j := pyvalue.Clamp(i, len(h.l.items))
		h.l.items = slices.Insert(h.l.items, j, h.fresh(v)...)
		return driver.ListChange{Op: "insert", Index: j, Value: v}, nil
	})
}

// delete takes element i out.
func (h *listHandle) delete(ctx context.Context, op string, i int) (v []byte, err error) {
	err = h.change(ctx, func() (c driver.ListChange, err error) {
		j, err := h.l.index(i)
		if err != nil {
			return c, err
		}
		v = h.l.items[j].Value
		h.l.items = slices.Delete(h.l.items, j, j+1)
		return driver.ListChange{Op: op, Index: j}, nil
	})
	return v, err
}

func (h *listHandle) Pop(ctx context.Context, i int) ([]byte, error) { return h.delete(ctx, "pop", i) }

func (h *listHandle) Delete(ctx context.Context, i int) error {
	_, err := h.delete(ctx, "delete", i)
	return err
}

func (h *listHandle) Remove(ctx context.Context, v []byte) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		i, err := h.l.find(v, 0, len(h.l.items))
		if err == nil && i < 0 {
			err = mperr.ErrNoValue
		}
		if err != nil {
			return c, err
		}
		h.l.items = slices.Delete(h.l.items, i, i+1)
		return driver.ListChange{Op: "remove", Index: i}, nil
	})
}

func (h *listHandle) Index(ctx context.Context, v []byte, start, stop int) (i int, err error) {
	err = h.do(ctx, func() (err error) {
		if i, err = h.l.find(v, start, stop); err == nil && i < 0 {
			err = mperr.ErrNoValue
		}
		return err
	})
	return i, err
}

func (h *listHandle) Count(ctx context.Context, v []byte) (n int, err error) {
	err = h.do(ctx, func() error {
		n = 0
		for _, item := range h.l.items {
			ok, err := equal(item.Value, v)
			if err != nil {
				return err
			}
			if ok {
				n++
			}
		}
		return nil
	})
	return n, err
}

func (h *listHandle) Has(ctx context.Context, v []byte) (has bool, err error) {
	err = h.do(ctx, func() error {
		i, err := h.l.find(v, 0, len(h.l.items))
		has = i >= 0
		return err
	})
	return has, err
}

func (h *listHandle) Reverse(ctx context.Context) error {
	return h.change(ctx, func() (driver.ListChange, error) {
		slices.Reverse(h.l.items)
		return driver.ListChange{Op: "reverse", Index: -1}, nil
	})
}

func (h *listHandle) Sort(ctx context.Context, reverse bool) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		var failed error
		sorted, err := pyvalue.Sorted(h.l.items, func(item driver.Versioned) pyvalue.Value {
			v, err := parse(item.Value)
			failed = cmp.Or(failed, err)
			return v
		}, reverse, nil)
		if err = cmp.Or(failed, err); err != nil {
			return c, err
		}
		h.l.items = sorted
		return driver.ListChange{Op: "sort", Index: -1}, nil
	})
}

func (h *listHandle) Len(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.l.items); return nil })
	return n, err
}

func (h *listHandle) Clear(ctx context.Context) error {
	return h.change(ctx, func() (driver.ListChange, error) {
		h.l.items = nil
		return driver.ListChange{Op: "clear", Index: -1}, nil
	})
}

func (h *listHandle) Slice(ctx context.Context, start, stop, step *int) (vs [][]byte, err error) {
	err = h.do(ctx, func() error {
		span, err := pyvalue.SliceOf(start, stop, step).Span(len(h.l.items))
		if err != nil {
			return err
		}
		for _, item := range pyvalue.Pick(h.l.items, span) {
			vs = append(vs, item.Value)
		}
		return nil
	})
	return vs, err
}

func (h *listHandle) SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		span, err := pyvalue.SliceOf(start, stop, step).Span(len(h.l.items))
		if err != nil {
			return c, err
		}
		h.l.items, err = pyvalue.Assign(h.l.items, span, h.fresh(vs...))
		return driver.ListChange{Op: "setSlice", Index: -1}, err
	})
}

func (h *listHandle) DeleteSlice(ctx context.Context, start, stop, step *int) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		span, err := pyvalue.SliceOf(start, stop, step).Span(len(h.l.items))
		if err != nil {
			return c, err
		}
		h.l.items = pyvalue.Drop(h.l.items, span, nil)
		return driver.ListChange{Op: "deleteSlice", Index: -1}, nil
	})
}

// Repeat leaves the elements that there are as they are, as Python's *= does.
func (h *listHandle) Repeat(ctx context.Context, n int) error {
	return h.change(ctx, func() (c driver.ListChange, err error) {
		n = max(n, 0)
		if err := pyvalue.Repeats(len(h.l.items), n); err != nil {
			return c, err
		}
		more := pyvalue.Repeated(h.l.items, n-1)
		for i := range more {
			more[i].Version = h.session.store.next()
		}
		h.l.items = append(h.l.items[:len(h.l.items)*min(n, 1)], more...)
		return driver.ListChange{Op: "repeat", Index: -1}, nil
	})
}

func (h *listHandle) Watch(ctx context.Context) iter.Seq2[driver.ListChange, error] {
	return watch[driver.ListChange](ctx, h.handle)
}
