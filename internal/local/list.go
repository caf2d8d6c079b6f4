package local

import (
	"context"
	"errors"
	"math"
	"slices"

	"multiproc/internal/cell"
	"multiproc/internal/interchange"
	"multiproc/internal/list"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// sequence implements driver.List.
type sequence struct {
	object
	l *list.List // apart: resident locks are kept, the handle must not be
}

var (
	_ driver.List         = (*sequence)(nil)
	_ driver.ListFinder   = (*sequence)(nil)
	_ driver.ListEditor   = (*sequence)(nil)
	_ driver.ListArranger = (*sequence)(nil)
	_ ListEngine          = (*sequence)(nil)
)

// ListEngine is a list for callers who know its type.
type ListEngine interface {
	Engine
	List() *list.List
}

func (l *sequence) List() *list.List { return l.l }

func newList(p *Place, seg *shm.Segment) (*sequence, error) {
	l := &sequence{l: &list.List{}}
	return l, l.open(p, seg, l.l)
}

// The errors of an index that leads to no item, as Python has them.
var (
	ErrNoItem      = pyvalue.IndexError("list index out of range")
	ErrNoItemToSet = pyvalue.IndexError("list assignment index out of range")
	errNoItemToPop = pyvalue.IndexError("pop index out of range")
)

func (l *sequence) Get(ctx context.Context, i int) (v driver.Versioned, err error) {
	if err := l.enter(ctx); err != nil {
		return v, err
	}
	defer l.Exit()
	f, err := l.l.Get(ctx, i, nil)
	switch {
	case err != nil:
		return v, l.named(err)
	case f.Version == 0:
		return v, l.named(ErrNoItem)
	}
	return driver.Versioned{Value: f.Value.Append(nil), Version: f.Version}, nil
}

func (l *sequence) Set(ctx context.Context, i int, v []byte) error {
	_, err := l.set(ctx, i, v, list.Always)
	return err
}

func (l *sequence) SetVersion(ctx context.Context, i int, v []byte, version uint64) (bool, error) {
	if version == list.Always { // which no item ever has
		version = 0
	}
	return l.set(ctx, i, v, version)
}

func (l *sequence) set(ctx context.Context, i int, v []byte, version uint64) (bool, error) {
	if err := l.enter(ctx); err != nil {
		return false, err
	}
	defer l.Exit()
	ok, there, err := l.l.Set(ctx, i, cell.Of(v), version)
	if err == nil && !there {
		return false, l.named(ErrNoItemToSet)
	}
	return ok, l.named(err)
}

func (l *sequence) Append(ctx context.Context, v []byte) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.Exit()
	return l.named(l.l.Append(ctx, cell.Of(v)))
}

func (l *sequence) Len(ctx context.Context) (int, error) {
	if err := l.enter(ctx); err != nil {
		return 0, err
	}
	defer l.Exit()
	n, err := l.l.Len(ctx)
	return n, l.named(err)
}

func (l *sequence) Slice(ctx context.Context, start, stop, step *int) (vs [][]byte, err error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.Exit()
	slice := pyvalue.SliceOf(start, stop, step)
	var failed error
	items, _, err := l.l.Read(ctx, func(n int) list.Span {
		var s pyvalue.Span
		s, failed = slice.Span(n)
		return list.Span{Start: s.Start, Step: s.Step, N: s.N}
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, l.named(err)
	}
	vs = make([][]byte, len(items))
	for i := range items {
		vs[i] = items[i].Append(nil)
	}
	return vs, nil
}

// cells are the cells of items.
func cells(vs [][]byte) []cell.Cell {
	items := make([]cell.Cell, len(vs))
	for i := range vs {
		items[i] = cell.Of(vs[i])
	}
	return items
}

// splice puts items in the place of those that span says of the length.
func (l *sequence) splice(ctx context.Context, span func(n int) (i, j int, err error), vs []cell.Cell) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.Exit()
	return l.named(l.l.Splice(ctx, span, vs))
}

// rewrite makes the change that f says of all items.
func (l *sequence) rewrite(ctx context.Context, f func(now []cell.Cell) (list.Edit, error)) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.Exit()
	return l.named(l.l.Rewrite(ctx, f))
}

// all is the change that makes vs of n items.
func all(n int, vs []cell.Cell) list.Edit { return list.Edit{From: 0, To: n, Items: vs} }

func (l *sequence) Extend(ctx context.Context, vs [][]byte) error {
	return l.splice(ctx, func(n int) (i, j int, err error) { return n, n, nil }, cells(vs))
}

func (l *sequence) Insert(ctx context.Context, i int, v []byte) error {
	return l.splice(ctx, func(n int) (from, to int, err error) {
		at := pyvalue.Clamp(i, n)
		return at, at, nil
	}, []cell.Cell{cell.Of(v)})
}

func (l *sequence) Pop(ctx context.Context, i int) ([]byte, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.Exit()
	v, ok, err := l.l.Pop(ctx, i)
	switch {
	case err != nil:
		return nil, l.named(err)
	case !ok:
		return nil, l.named(errNoItemToPop)
	}
	return v.Append(nil), nil
}

func (l *sequence) Delete(ctx context.Context, i int) error {
	_, err := l.Pop(ctx, i)
	return err
}

func (l *sequence) Remove(ctx context.Context, v []byte) error {
	m := newSearch(ctx, v)
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		i, err := m.first(now)
		if err == nil && i < 0 {
			err = pyvalue.NoValue("list.remove(x): x not in list")
		}
		return list.Edit{From: i, To: i + 1}, err
	})
}

func (l *sequence) Clear(ctx context.Context) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.Exit()
	return l.named(l.l.Clear(ctx))
}

func (l *sequence) SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error {
	slice, items := pyvalue.SliceOf(start, stop, step), cells(vs)
	if step == nil || *step == 1 {
		return l.splice(ctx, func(n int) (i, j int, err error) {
			s, err := slice.Span(n)
			i, j, _ = s.Whole()
			return i, j, err
		}, items)
	}
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		n := len(now)
		s, err := slice.Span(n)
		if err == nil {
			now, err = pyvalue.Assign(now, s, items)
		}
		return all(n, now), err
	})
}

func (l *sequence) DeleteSlice(ctx context.Context, start, stop, step *int) error {
	slice := pyvalue.SliceOf(start, stop, step)
	if step == nil || *step == 1 || *step == -1 {
		return l.splice(ctx, func(n int) (i, j int, err error) {
			s, err := slice.Span(n)
			s = s.Ascending()
			return s.Start, s.Start + s.N, err
		}, nil)
	}
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		s, err := slice.Span(len(now))
		if err != nil {
			return list.Edit{}, err
		}
		return all(len(now), pyvalue.Drop(now, s, nil)), nil
	})
}

func (l *sequence) Reverse(ctx context.Context) error {
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		slices.Reverse(now)
		return all(len(now), now), nil
	})
}

func (l *sequence) Sort(ctx context.Context, reverse bool) error {
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		var failed error
		sorted, err := pyvalue.Sorted(now, func(c cell.Cell) pyvalue.Value {
			v, err := valueOf(c)
			if err != nil {
				failed = err
			}
			return v
		}, reverse, ended(ctx))
		if failed != nil {
			err = failed
		}
		return all(len(now), sorted), err
	})
}

func (l *sequence) Repeat(ctx context.Context, n int) error {
	n = max(n, 0)
	return l.rewrite(ctx, func(now []cell.Cell) (list.Edit, error) {
		if n == 0 {
			return all(len(now), nil), nil
		}
		end := list.Edit{From: len(now), To: len(now)}
		err := pyvalue.Repeats(len(now), n)
		if err == nil {
			end.Items = pyvalue.Repeated(now, n-1)
		}
		return end, err
	})
}

// search calls f with a search for v, the items from start up to stop at one moment, and
// where they begin.
func (l *sequence) search(ctx context.Context, v []byte, start, stop int, f func(m *search, items []cell.Cell, begin int) error) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.Exit()
	begin := 0
	items, _, err := l.l.Read(ctx, func(n int) list.Span {
		begin = pyvalue.Clamp(start, n)
		return list.Span{Start: begin, Step: 1, N: pyvalue.Clamp(stop, n) - begin}
	})
	if err == nil {
		err = f(newSearch(ctx, v), items, begin)
	}
	return l.named(err)
}

func (l *sequence) Index(ctx context.Context, v []byte, start, stop int) (at int, err error) {
	err = l.search(ctx, v, start, stop, func(m *search, items []cell.Cell, begin int) error {
		i, err := m.first(items)
		if err == nil && i < 0 {
			err = mperr.ErrNoValue
		}
		at = begin + i
		return err
	})
	return at, err
}

func (l *sequence) Has(ctx context.Context, v []byte) (has bool, err error) {
	err = l.search(ctx, v, 0, math.MaxInt, func(m *search, items []cell.Cell, _ int) error {
		i, err := m.first(items)
		has = err == nil && i >= 0
		return err
	})
	return has, err
}

func (l *sequence) Count(ctx context.Context, v []byte) (n int, err error) {
	err = l.search(ctx, v, 0, math.MaxInt, func(m *search, items []cell.Cell, _ int) error {
		for i := range items {
			same, err := m.equals(items[i])
			if err != nil {
				return err
			}
			if same {
				n++
			}
		}
		return nil
	})
	return n, err
}

// valueOf is the value of an item.
func valueOf(c cell.Cell) (pyvalue.Value, error) {
	if i, ok := c.Int(); ok {
		return i, nil
	}
	return interchange.ParseValue(c.Append(nil))
}
