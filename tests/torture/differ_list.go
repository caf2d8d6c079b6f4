//go:build linux

package main

import (
	"context"
	"slices"

	"multiproc/mp"
)

// sequenced is the model of a list.
type sequenced[T any] struct{ all []T }

// at is where an index is, which may count from the end.
func (m *sequenced[T]) at(i int) (int, error) {
	if i < 0 {
		i += len(m.all)
	}
	if i < 0 || i >= len(m.all) {
		return 0, mp.ErrIndex
	}
	return i, nil
}

func (m *sequenced[T]) index(v T, from, to int) (int, error) {
	for i := from; i < to; i++ {
		if equal(m.all[i], v) {
			return i, nil
		}
	}
	return 0, mp.ErrNoValue
}

// span is the indexes of a slice, as Python counts them.
func (m *sequenced[T]) span(start, stop, step int) (list []int, err error) {
	if step == 0 {
		return nil, mp.ErrValue
	}
	n := len(m.all)
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	clip := func(i int) int {
		switch {
		case i == mp.Begin:
			return low
		case i == mp.End:
			return high
		case i < 0:
			i += n
		}
		return min(max(i, low), high)
	}
	for i := clip(start); step > 0 && i < clip(stop) || step < 0 && i > clip(stop); i += step {
		list = append(list, i)
	}
	return list, nil
}

// set is l[start:stop:step] = vs.
func (m *sequenced[T]) set(start, stop, step int, vs []T) error {
	at, err := m.span(start, stop, step)
	if err != nil {
		return err
	}
	if step != 1 {
		if len(vs) != len(at) {
			return mp.ErrValue
		}
		for i, to := range at {
			m.all[to] = vs[i]
		}
		return nil
	}
	from, _ := (&sequenced[T]{all: m.all}).span(start, mp.End, 1) // where it begins, also if it is empty
	begin := len(m.all)
	if len(from) > 0 {
		begin = from[0]
	}
	m.all = slices.Concat(m.all[:begin], vs, m.all[begin+len(at):])
	return nil
}

func index(n int) int { return n%40 - 20 }

func bound(n int) int {
	switch n % 24 {
	case 22:
		return mp.Begin
	case 23:
		return mp.End
	}
	return n%24 - 11
}

func stride(n int) int { return []int{1, 1, 2, -1, 3, -2, 0, 1}[n%8] }

// listOf is a list of values that are made of numbers. add is their sum, less their order.
func listOf[T any](name string, value func(int) T, add func(a, b T) (T, error), less func(a, b T) int) *kindred {
	type L = *mp.List[T]
	type M = *sequenced[T]
	some := func(d draw) (vs []T) {
		for i := range d.c % 5 {
			vs = append(vs, value(d.b+i))
		}
		return vs
	}
	whole := func(m M) (list []any) {
		for _, v := range m.all {
			list = append(list, v)
		}
		return list
	}
	return alike(name, func(where ...mp.Option) (L, error) { return mp.NewList[T](where...) }, func() M { return &sequenced[T]{} }, []method[L, M]{
		{
			"All", 1, func(ctx context.Context, o L, _ draw) (any, error) { return listed(o.All(ctx), one[T]) },
			func(m M, _ draw) (any, error) { return whole(m), nil },
		},
		{
			"Append", 4, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.Append(ctx, value(d.a)) },
			func(m M, d draw) (any, error) { m.all = append(m.all, value(d.a)); return nil, nil },
		},
		{
			"AppendBatch", 2, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.AppendBatch(ctx, some(d)) },
			func(m M, d draw) (any, error) { m.all = append(m.all, some(d)...); return nil, nil },
		},
		{
			"Insert", 4, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.Insert(ctx, index(d.a), value(d.b)) },
			func(m M, d draw) (any, error) {
				i := index(d.a)
				if i < 0 {
					i = max(0, i+len(m.all))
				}
				m.all = slices.Insert(m.all, min(i, len(m.all)), value(d.b))
				return nil, nil
			},
		},
		{
			"Get", 3, func(ctx context.Context, o L, d draw) (any, error) { return o.Get(ctx, index(d.a)) },
			func(m M, d draw) (any, error) {
				i, err := m.at(index(d.a))
				if err != nil {
					return nil, err
				}
				return m.all[i], nil
			},
		},
		{
			"Set", 3, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.Set(ctx, index(d.a), value(d.b)) },
			func(m M, d draw) (any, error) {
				i, err := m.at(index(d.a))
				if err == nil {
					m.all[i] = value(d.b)
				}
				return nil, err
			},
		},
		{
			"Pop", 2, func(ctx context.Context, o L, d draw) (any, error) { return o.Pop(ctx, index(d.a)) },
			func(m M, d draw) (any, error) {
				i, err := m.at(index(d.a))
				if err != nil {
					return nil, err
				}
				v := m.all[i]
				m.all = slices.Delete(m.all, i, i+1)
				return v, nil
			},
		},
		{
			"RemoveAt", 1, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.RemoveAt(ctx, index(d.a)) },
			func(m M, d draw) (any, error) {
				i, err := m.at(index(d.a))
				if err == nil {
					m.all = slices.Delete(m.all, i, i+1)
				}
				return nil, err
			},
		},
		{
			"Remove", 1, func(ctx context.Context, o L, d draw) (any, error) { return o.Remove(ctx, value(d.a)) },
			func(m M, d draw) (any, error) {
				i, err := m.index(value(d.a), 0, len(m.all))
				if err == nil {
					m.all = slices.Delete(m.all, i, i+1)
				}
				return err == nil, nil
			},
		},
		{
			"Has", 1, func(ctx context.Context, o L, d draw) (any, error) { return o.Has(ctx, value(d.a)) },
			func(m M, d draw) (any, error) {
				_, err := m.index(value(d.a), 0, len(m.all))
				return err == nil, nil
			},
		},
		{
			"Count", 1, func(ctx context.Context, o L, d draw) (any, error) { return o.Count(ctx, value(d.a)) },
			func(m M, d draw) (any, error) {
				n := 0
				for _, v := range m.all {
					if equal(v, value(d.a)) {
						n++
					}
				}
				return n, nil
			},
		},
		{
			"Index", 1, func(ctx context.Context, o L, d draw) (any, error) { return o.Index(ctx, value(d.a)) },
			func(m M, d draw) (any, error) { return m.index(value(d.a), 0, len(m.all)) },
		},
		{"IndexIn", 2, func(ctx context.Context, o L, d draw) (any, error) {
			return o.IndexIn(ctx, value(d.a), bound(d.b), bound(d.c))
		}, func(m M, d draw) (any, error) {
			at, _ := m.span(bound(d.b), bound(d.c), 1)
			if len(at) == 0 {
				return 0, mp.ErrNoValue
			}
			return m.index(value(d.a), at[0], at[len(at)-1]+1)
		}},
		{
			"Len", 1, func(ctx context.Context, o L, _ draw) (any, error) { return o.Len(ctx) },
			func(m M, _ draw) (any, error) { return len(m.all), nil },
		},
		{"Slice", 3, func(ctx context.Context, o L, d draw) (any, error) {
			vs, err := o.Slice(ctx, bound(d.a), bound(d.b), stride(d.c))
			return whole(&sequenced[T]{vs}), err
		}, func(m M, d draw) (any, error) {
			at, err := m.span(bound(d.a), bound(d.b), stride(d.c))
			var list []any
			for _, i := range at {
				list = append(list, m.all[i])
			}
			return list, err
		}},
		{"SetSlice", 3, func(ctx context.Context, o L, d draw) (any, error) {
			return nil, o.SetSlice(ctx, bound(d.a), bound(d.b), stride(d.c), some(d))
		}, func(m M, d draw) (any, error) { return nil, m.set(bound(d.a), bound(d.b), stride(d.c), some(d)) }},
		{"RemoveSlice", 2, func(ctx context.Context, o L, d draw) (any, error) {
			return nil, o.RemoveSlice(ctx, bound(d.a), bound(d.b), stride(d.c))
		}, func(m M, d draw) (any, error) {
			at, err := m.span(bound(d.a), bound(d.b), stride(d.c))
			slices.Sort(at)
			for _, i := range slices.Backward(at) {
				m.all = slices.Delete(m.all, i, i+1)
			}
			return nil, err
		}},
		{"CompareAndSwap", 2, func(ctx context.Context, o L, d draw) (any, error) {
			return o.CompareAndSwap(ctx, index(d.a), value(d.b), value(d.c))
		}, func(m M, d draw) (any, error) {
			i, err := m.at(index(d.a))
			if err != nil || !equal(m.all[i], value(d.b)) {
				return false, err
			}
			m.all[i] = value(d.c)
			return true, nil
		}},
		{
			"Add", 3, func(ctx context.Context, o L, d draw) (any, error) { return o.Add(ctx, index(d.a), value(d.b)) },
			func(m M, d draw) (any, error) {
				i, err := m.at(index(d.a))
				if err != nil {
					return nil, err
				}
				s, err := add(m.all[i], value(d.b))
				if err == nil {
					m.all[i] = s
				}
				return s, err
			},
		},
		{"Update", 2, func(ctx context.Context, o L, d draw) (any, error) {
			var was T
			err := o.Update(ctx, index(d.a), func(v *T) error { was, *v = *v, value(d.b); return nil })
			return was, err
		}, func(m M, d draw) (any, error) {
			i, err := m.at(index(d.a))
			if err != nil {
				return nil, err
			}
			was := m.all[i]
			m.all[i] = value(d.b)
			return was, nil
		}},
		{"Repeat", 1, func(ctx context.Context, o L, d draw) (any, error) {
			n, err := o.Len(ctx)
			if err != nil || n > 20 {
				return nil, err
			}
			return nil, o.Repeat(ctx, d.a%4-1)
		}, func(m M, d draw) (any, error) {
			if len(m.all) <= 20 {
				m.all = slices.Repeat(m.all, max(0, d.a%4-1))
			}
			return nil, nil
		}},
		{
			"Reverse", 1, func(ctx context.Context, o L, _ draw) (any, error) { return nil, o.Reverse(ctx) },
			func(m M, _ draw) (any, error) { slices.Reverse(m.all); return nil, nil },
		},
		{
			"Sort", 1, func(ctx context.Context, o L, d draw) (any, error) { return nil, o.Sort(ctx, d.a%2 == 0) },
			func(m M, d draw) (any, error) { return nil, m.sort(less, d.a%2 == 0) },
		},
		{
			"Clear", 1, func(ctx context.Context, o L, _ draw) (any, error) { return nil, o.Clear(ctx) },
			func(m M, _ draw) (any, error) { m.all = nil; return nil, nil },
		},
	})
}

// sort keeps the order of equal ones. less is -1, 0, 1, or 2 for two that have no order.
func (m *sequenced[T]) sort(less func(a, b T) int, descending bool) error {
	sorted, none := slices.Clone(m.all), false
	slices.SortStableFunc(sorted, func(a, b T) int {
		c := less(a, b)
		none = none || c == 2
		if descending {
			return -c
		}
		return c
	})
	if none {
		return mp.ErrType
	}
	m.all = sorted
	return nil
}

// order is that of Python, 2 for two that have none.
func ordered[T any](a, b T) int {
	s, ok := any(a).(string)
	t, too := any(b).(string)
	if ok && too {
		if s < t {
			return -1
		}
		return map[bool]int{true: 1}[s > t]
	}
	r, i, ok := numeral(any(a))
	q, j, too := numeral(any(b))
	switch {
	case !ok || !too:
		return 2
	case r == nil && q == nil:
		return map[bool]int{true: 1}[i > j] - map[bool]int{true: 1}[i < j]
	case r == nil:
		return map[bool]int{true: 1, false: -1}[i > 0]
	case q == nil:
		return map[bool]int{true: -1, false: 1}[j > 0]
	}
	return r.Cmp(q)
}

// lists are lists; in memory as soon as there are some.
func lists() []*kindred {
	return []*kindred{
		listOf("list of ints", small, func(a, b int) (int, error) { return a + b, nil }, ordered[int]),
		listOf("list of texts", word, func(a, b string) (string, error) { return a + b, nil }, ordered[string]),
		listOf("list of anything", valueOf, sum, ordered[any]),
	}
}
