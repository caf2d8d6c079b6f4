//go:build linux

package main

import (
	"context"
	"slices"

	"multiproc/mp"
)

// cells are values, counters and arrays.
func cells() []*kindred {
	type V = *mp.Value[int]
	type C = *mp.Counter
	add := method[V, *int]{
		"Add", 2, func(ctx context.Context, o V, d draw) (any, error) { return o.Add(ctx, d.a-32) },
		func(m *int, d draw) (any, error) { *m += d.a - 32; return *m, nil },
	}
	return []*kindred{
		alike("value", func(where ...mp.Option) (V, error) { return mp.NewValue(0, where...) }, func() *int { return new(int) },
			[]method[V, *int]{
				{
					"Load", 1, func(ctx context.Context, o V, _ draw) (any, error) { return o.Load(ctx) },
					func(m *int, _ draw) (any, error) { return *m, nil },
				},
				{
					"Store", 1, func(ctx context.Context, o V, d draw) (any, error) { return nil, o.Store(ctx, d.a%3) },
					func(m *int, d draw) (any, error) { *m = d.a % 3; return nil, nil },
				},
				{
					"CompareAndSwap", 2, func(ctx context.Context, o V, d draw) (any, error) { return o.CompareAndSwap(ctx, d.a%3, d.b%3) },
					func(m *int, d draw) (any, error) {
						if *m != d.a%3 {
							return false, nil
						}
						*m = d.b % 3
						return true, nil
					},
				},
				{"Update", 1, func(ctx context.Context, o V, d draw) (any, error) {
					return nil, o.Update(ctx, func(x *int) error {
						if *x *= 2; d.a%4 == 0 {
							return mp.ErrNotHeld
						}
						*x %= 1000
						return nil
					})
				}, func(m *int, d draw) (any, error) {
					if d.a%4 == 0 {
						return nil, mp.ErrNotHeld
					}
					*m = *m * 2 % 1000
					return nil, nil
				}},
				add,
			}),
		alike("counter", func(...mp.Option) (C, error) { return mp.NewCounter(0) }, func() *int64 { return new(int64) },
			[]method[C, *int64]{
				{
					"Load", 1, func(_ context.Context, o C, _ draw) (any, error) { return o.Load(), nil },
					func(m *int64, _ draw) (any, error) { return *m, nil },
				},
				{
					"Add", 1, func(_ context.Context, o C, d draw) (any, error) { return o.Add(int64(d.a - 32)), nil },
					func(m *int64, d draw) (any, error) { *m += int64(d.a - 32); return *m, nil },
				},
				{
					"Store", 1, func(_ context.Context, o C, d draw) (any, error) { o.Store(int64(d.a % 3)); return nil, nil },
					func(m *int64, d draw) (any, error) { *m = int64(d.a % 3); return nil, nil },
				},
				{"CompareAndSwap", 1, func(_ context.Context, o C, d draw) (any, error) {
					return o.CompareAndSwap(int64(d.a%3), int64(d.b)), nil
				}, func(m *int64, d draw) (any, error) {
					if *m != int64(d.a%3) {
						return false, nil
					}
					*m = int64(d.b)
					return true, nil
				}},
			}).in(true, false),
		arrayOf("array of ints", func(n int) int { return n }),
		arrayOf("array of structs", func(n int) wide { return wide{n, byte(n), [3]int{n, n + 1, n + 2}} }),
	}
}

type wide struct {
	A int
	B byte
	C [3]int
}

const elements = 30

func arrayOf[T any](name string, value func(int) T) *kindred {
	type A = *mp.Array[T]
	at := func(n int) int { return n % elements }
	part := func(d draw) (i, j int) { return min(at(d.a), at(d.b)), max(at(d.a), at(d.b)) }
	fill := func(all []T, d draw) {
		i, j := part(d)
		for ; i < j; i++ {
			all[i] = value(d.c + i)
		}
	}
	return alike(name, func(...mp.Option) (A, error) { return mp.NewArray[T](elements) }, func() []T { return make([]T, elements) },
		[]method[A, []T]{
			{
				"Copy", 1, func(ctx context.Context, o A, _ draw) (any, error) { return o.Copy(ctx) },
				func(m []T, _ draw) (any, error) { return m, nil },
			},
			{
				"Load", 1, func(_ context.Context, o A, d draw) (any, error) { return o.Load(at(d.a)), nil },
				func(m []T, d draw) (any, error) { return m[at(d.a)], nil },
			},
			{
				"Store", 2, func(_ context.Context, o A, d draw) (any, error) { o.Store(at(d.a), value(d.b)); return nil, nil },
				func(m []T, d draw) (any, error) { m[at(d.a)] = value(d.b); return nil, nil },
			},
			{
				"Slice", 1, func(ctx context.Context, o A, d draw) (any, error) { i, j := part(d); return o.Slice(ctx, i, j) },
				func(m []T, d draw) (any, error) { i, j := part(d); return m[i:j], nil },
			},
			{"SetSlice", 1, func(ctx context.Context, o A, d draw) (any, error) {
				i, j := part(d)
				all := make([]T, elements)
				fill(all, d)
				return nil, o.SetSlice(ctx, i, all[i:j])
			}, func(m []T, d draw) (any, error) { fill(m, d); return nil, nil }},
			{"Update", 1, func(ctx context.Context, o A, d draw) (any, error) {
				return nil, o.Update(ctx, func(all []T) error { fill(all, d); return nil })
			}, func(m []T, d draw) (any, error) { fill(m, d); return nil, nil }},
			{"View", 1, func(ctx context.Context, o A, d draw) (v any, err error) {
				err = o.View(ctx, func(all []T) error { v = slices.Clone(all); return nil })
				return v, err
			}, func(m []T, _ draw) (any, error) { return m, nil }},
		}).in(true, false)
}
