//go:build linux

package main

import (
	"context"
	"iter"
	"math"
	"math/big"
	"strings"

	"multiproc/mp"
)

// The values that keys and values in an any are drawn from: many are equal to others.
var (
	huge   = new(big.Int).Lsh(big.NewInt(1), 70)
	values = []any{
		0, 1, 2, -1, true, false, 0.0, 1.0, math.Copysign(0, -1), 2.5, "", "a", "b", strings.Repeat("x", 300), strings.Repeat("y", 20000),
		huge, math.Ldexp(1, 70), 1 << 53, float64(1 << 53), 1<<53 + 1, math.MaxInt64, math.MinInt64, math.Inf(1), nil,
	}
)

func valueOf(n int) any { return values[n%len(values)] }

// numeral is what a value is as a number; a bool is one.
func numeral(v any) (r *big.Rat, inf float64, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewRat(1, 1), 0, true
		}
		return new(big.Rat), 0, true
	case int:
		return new(big.Rat).SetInt64(int64(v)), 0, true
	case *big.Int:
		return new(big.Rat).SetInt(v), 0, true
	case float64:
		if math.IsInf(v, 0) {
			return nil, v, true
		}
		return new(big.Rat).SetFloat64(v), 0, true
	}
	return nil, 0, false
}

// equal compares as Python does.
func equal[T any](a, b T) bool {
	x, y := any(a), any(b)
	r, i, ok := numeral(x)
	q, j, too := numeral(y)
	switch {
	case !ok && !too:
		return x == y
	case !ok || !too:
		return false
	case r == nil || q == nil:
		return r == nil && q == nil && i == j
	}
	return r.Cmp(q) == 0
}

// sum adds as Python does what the draws have.
func sum(a, b any) (any, error) {
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			return s + t, nil
		}
	}
	r, _, ok := numeral(a)
	q, _, too := numeral(b)
	if !ok || !too {
		return nil, mp.ErrType
	}
	x, f := a.(float64)
	y, g := b.(float64)
	switch {
	case f && !g:
		y, _ = q.Float64()
	case g && !f:
		x, _ = r.Float64()
	}
	if f || g {
		return x + y, nil
	}
	n := new(big.Int).Add(r.Num(), q.Num())
	if n.IsInt64() {
		return int(n.Int64()), nil
	}
	return n, nil
}

// entries is the model of a dict: pairs in the order in which the keys came.
type entries[K, V any] struct {
	keys   []K
	values []V
}

func (e *entries[K, V]) find(k K) int {
	for i := range e.keys {
		if equal(e.keys[i], k) {
			return i
		}
	}
	return -1
}

func (e *entries[K, V]) set(k K, v V) {
	if i := e.find(k); i >= 0 {
		e.values[i] = v
		return
	}
	e.keys, e.values = append(e.keys, k), append(e.values, v)
}

func (e *entries[K, V]) get(k K) (v V, err error) {
	if i := e.find(k); i >= 0 {
		return e.values[i], nil
	}
	return v, mp.ErrNoKey
}

func (e *entries[K, V]) remove(k K) bool {
	i := e.find(k)
	if i >= 0 {
		e.keys, e.values = append(e.keys[:i:i], e.keys[i+1:]...), append(e.values[:i:i], e.values[i+1:]...)
	}
	return i >= 0
}

func (e *entries[K, V]) all() (list []any) {
	for i := range e.keys {
		list = append(list, e.keys[i], e.values[i])
	}
	return list
}

// listed is what an iteration yields, of pairs by parts.
func listed[T any](s iter.Seq2[T, error], parts func(T) []any) (any, error) {
	var list []any
	for v, err := range s {
		if err != nil {
			return nil, err
		}
		list = append(list, parts(v)...)
	}
	return list, nil
}

func one[T any](v T) []any { return []any{v} }

// dictOf is a dict with keys and values that are made of numbers. add, where there is one,
// is the sum; fit is whether it is a V.
func dictOf[K comparable, V any](name string, key func(int) K, value func(int) V, add func(a, b V) (V, error)) *kindred {
	type D = *mp.Dict[K, V]
	type M = *entries[K, V]
	pair := func(e mp.Entry[K, V]) []any { return []any{e.Key, e.Value} }
	methods := []method[D, M]{
		{
			"All", 1, func(ctx context.Context, o D, _ draw) (any, error) { return listed(o.All(ctx), pair) },
			func(m M, _ draw) (any, error) { return m.all(), nil },
		},
		{
			"Set", 8, func(ctx context.Context, o D, d draw) (any, error) { return nil, o.Set(ctx, key(d.a), value(d.b)) },
			func(m M, d draw) (any, error) { m.set(key(d.a), value(d.b)); return nil, nil },
		},
		{
			"Get", 4, func(ctx context.Context, o D, d draw) (any, error) { return o.Get(ctx, key(d.a)) },
			func(m M, d draw) (any, error) { return m.get(key(d.a)) },
		},
		{
			"Has", 2, func(ctx context.Context, o D, d draw) (any, error) { return o.Has(ctx, key(d.a)) },
			func(m M, d draw) (any, error) { return m.find(key(d.a)) >= 0, nil },
		},
		{
			"Len", 2, func(ctx context.Context, o D, _ draw) (any, error) { return o.Len(ctx) },
			func(m M, _ draw) (any, error) { return len(m.keys), nil },
		},
		{
			"Delete", 4, func(ctx context.Context, o D, d draw) (any, error) { return o.Delete(ctx, key(d.a)) },
			func(m M, d draw) (any, error) { return m.remove(key(d.a)), nil },
		},
		{
			"Pop", 2, func(ctx context.Context, o D, d draw) (any, error) { return o.Pop(ctx, key(d.a)) },
			func(m M, d draw) (any, error) {
				v, err := m.get(key(d.a))
				m.remove(key(d.a))
				return v, err
			},
		},
		{"PopItem", 2, func(ctx context.Context, o D, _ draw) (any, error) {
			k, v, err := o.PopItem(ctx)
			return []any{k, v}, err
		}, func(m M, _ draw) (any, error) {
			if len(m.keys) == 0 {
				return nil, mp.ErrNoKey
			}
			k, v := m.keys[len(m.keys)-1], m.values[len(m.keys)-1]
			m.remove(k)
			return []any{k, v}, nil
		}},
		{
			"SetDefault", 4, func(ctx context.Context, o D, d draw) (any, error) { return o.SetDefault(ctx, key(d.a), value(d.b)) },
			func(m M, d draw) (any, error) {
				if m.find(key(d.a)) < 0 {
					m.set(key(d.a), value(d.b))
				}
				return m.get(key(d.a))
			},
		},
		{"CompareAndSwap", 4, func(ctx context.Context, o D, d draw) (any, error) {
			return o.CompareAndSwap(ctx, key(d.a), value(d.b), value(d.c))
		}, func(m M, d draw) (any, error) {
			v, err := m.get(key(d.a))
			if err != nil || !equal(v, value(d.b)) {
				return false, nil
			}
			m.set(key(d.a), value(d.c))
			return true, nil
		}},
		{"Update", 4, func(ctx context.Context, o D, d draw) (any, error) {
			var was V
			err := o.Update(ctx, key(d.a), func(v *V) error { was, *v = *v, value(d.b); return nil })
			return was, err
		}, func(m M, d draw) (any, error) {
			was, _ := m.get(key(d.a))
			m.set(key(d.a), value(d.b))
			return was, nil
		}},
		{"Update that fails", 1, func(ctx context.Context, o D, d draw) (any, error) {
			return nil, o.Update(ctx, key(d.a), func(*V) error { return mp.ErrNotHeld })
		}, func(M, draw) (any, error) { return nil, mp.ErrNotHeld }},
		// The entries of a map have no order; so they are there before, one after the other.
		{"SetBatch", 2, func(ctx context.Context, o D, d draw) (any, error) {
			for _, n := range []int{d.a, d.b} {
				if _, err := o.SetDefault(ctx, key(n), value(n)); err != nil {
					return nil, err
				}
			}
			return nil, o.SetBatch(ctx, map[K]V{key(d.a): value(d.c)})
		}, func(m M, d draw) (any, error) {
			for _, n := range []int{d.a, d.b} {
				if m.find(key(n)) < 0 {
					m.set(key(n), value(n))
				}
			}
			m.set(key(d.a), value(d.c))
			return nil, nil
		}},
		{
			"Keys", 1, func(ctx context.Context, o D, _ draw) (any, error) { return listed(o.Keys(ctx), one[K]) },
			func(m M, _ draw) (any, error) {
				var list []any
				for _, k := range m.keys {
					list = append(list, k)
				}
				return list, nil
			},
		},
		{"Copy", 1, func(ctx context.Context, o D, d draw) (any, error) {
			c, err := o.Copy(ctx)
			return len(c), err
		}, func(m M, _ draw) (any, error) { return len(m.keys), nil }},
		{"Clear", 1, func(ctx context.Context, o D, d draw) (any, error) {
			if d.a%4 > 0 {
				return nil, nil
			}
			return nil, o.Clear(ctx)
		}, func(m M, d draw) (any, error) {
			if d.a%4 == 0 {
				*m = entries[K, V]{}
			}
			return nil, nil
		}},
	}
	if add != nil {
		methods = append(methods, method[D, M]{"Add", 6, func(ctx context.Context, o D, d draw) (any, error) {
			return o.Add(ctx, key(d.a), value(d.b))
		}, func(m M, d draw) (any, error) {
			s := value(d.b) // of a key that is not there
			was, err := m.get(key(d.a))
			if err == nil {
				s, err = add(was, s)
			} else if any(s) == nil {
				return nil, mp.ErrType
			} else {
				err = nil
			}
			if err != nil {
				return nil, err
			}
			m.set(key(d.a), s)
			return s, nil
		}})
	}
	return alike(name, func(where ...mp.Option) (D, error) { return mp.NewDict[K, V](where...) },
		func() M { return &entries[K, V]{} }, methods)
}

// setOf is a set of values that are made of numbers.
func setOf[T comparable](name string, value func(int) T) *kindred {
	type S = *mp.Set[T]
	type M = *entries[T, struct{}]
	three := func(d draw) []T { return []T{value(d.a), value(d.b), value(d.c)} }
	return alike(name, func(where ...mp.Option) (S, error) { return mp.NewSet[T](where...) }, func() M { return &entries[T, struct{}]{} },
		[]method[S, M]{
			{"every value", 1, func(ctx context.Context, o S, _ draw) (any, error) {
				list := make([]any, len(values)+64)
				for v, err := range o.All(ctx) {
					if err != nil {
						return nil, err
					}
					for n := range list { // a set has no order
						if equal(value(n), v) {
							list[n] = "there"
						}
					}
				}
				return list, nil
			}, func(m M, _ draw) (any, error) {
				list := make([]any, len(values)+64)
				for n := range list {
					if m.find(value(n)) >= 0 {
						list[n] = "there"
					}
				}
				return list, nil
			}},
			{
				"Insert", 6, func(ctx context.Context, o S, d draw) (any, error) { return o.Insert(ctx, value(d.a)) },
				func(m M, d draw) (any, error) {
					n := len(m.keys)
					m.set(value(d.a), struct{}{})
					return len(m.keys) > n, nil
				},
			},
			{
				"Remove", 4, func(ctx context.Context, o S, d draw) (any, error) { return o.Remove(ctx, value(d.a)) },
				func(m M, d draw) (any, error) { return m.remove(value(d.a)), nil },
			},
			{
				"Has", 3, func(ctx context.Context, o S, d draw) (any, error) { return o.Has(ctx, value(d.a)) },
				func(m M, d draw) (any, error) { return m.find(value(d.a)) >= 0, nil },
			},
			{
				"Len", 2, func(ctx context.Context, o S, _ draw) (any, error) { return o.Len(ctx) },
				func(m M, _ draw) (any, error) { return len(m.keys), nil },
			},
			{
				"InsertBatch", 2, func(ctx context.Context, o S, d draw) (any, error) { return o.InsertBatch(ctx, three(d)) },
				func(m M, d draw) (any, error) {
					n := len(m.keys)
					for _, v := range three(d) {
						m.set(v, struct{}{})
					}
					return len(m.keys) - n, nil
				},
			},
			{
				"RemoveBatch", 2, func(ctx context.Context, o S, d draw) (any, error) { return o.RemoveBatch(ctx, three(d)) },
				func(m M, d draw) (any, error) {
					n := len(m.keys)
					for _, v := range three(d) {
						m.remove(v)
					}
					return n - len(m.keys), nil
				},
			},
			{"Retain", 1, func(ctx context.Context, o S, d draw) (any, error) {
				if d.a%3 > 0 {
					return o.RemoveBatch(ctx, three(d))
				}
				return o.Retain(ctx, three(d))
			}, func(m M, d draw) (any, error) {
				n := len(m.keys)
				kept := entries[T, struct{}]{}
				for _, k := range m.keys {
					in := false
					for _, v := range three(d) {
						in = in || equal(k, v)
					}
					if in == (d.a%3 == 0) {
						kept.set(k, struct{}{})
					}
				}
				*m = kept
				return n - len(m.keys), nil
			}},
			{"Pop of an empty one", 1, func(ctx context.Context, o S, _ draw) (any, error) {
				if n, err := o.Len(ctx); n > 0 || err != nil {
					return nil, err
				}
				return o.Pop(ctx)
			}, func(m M, _ draw) (any, error) {
				if len(m.keys) > 0 {
					return nil, nil
				}
				return nil, mp.ErrEmpty
			}},
			{
				"Clear", 1, func(ctx context.Context, o S, _ draw) (any, error) { return nil, o.Clear(ctx) },
				func(m M, _ draw) (any, error) { *m = entries[T, struct{}]{}; return nil, nil },
			},
		})
}

func small(n int) int { return n % 24 }

func word(n int) string { return strings.Repeat(string(rune('a'+n%12)), 1+n%5*n%5*n*10) }

// dicts are all kinds of maps.
func dicts() []*kindred {
	type N = *mp.Namespace
	type M = *entries[string, any]
	whole := func(ctx context.Context, o N, _ draw) (any, error) {
		return listed(o.All(ctx), func(e mp.Entry[string, any]) []any { return []any{e.Key, e.Value} })
	}
	return []*kindred{
		dictOf("dict of ints", small, func(n int) int { return n }, func(a, b int) (int, error) { return a + b, nil }),
		dictOf("dict of texts", word, word, func(a, b string) (string, error) { return a + b, nil }),
		dictOf("dict of anything", valueOf, valueOf, sum),
		dictOf("dict of structs", func(n int) [2]int { return [2]int{n % 5, n % 3} }, func(n int) point { return point{n, word(n)} }, nil),
		setOf("set of ints", small),
		setOf("set of anything", valueOf),
		alike("namespace", func(where ...mp.Option) (N, error) { return mp.NewNamespace(where...) }, func() M { return &entries[string, any]{} },
			[]method[N, M]{
				{"All", 1, whole, func(m M, _ draw) (any, error) { return m.all(), nil }},
				{
					"Set", 6, func(ctx context.Context, o N, d draw) (any, error) { return nil, o.Set(ctx, word(d.a), valueOf(d.b)) },
					func(m M, d draw) (any, error) { m.set(word(d.a), valueOf(d.b)); return nil, nil },
				},
				{
					"Get", 4, func(ctx context.Context, o N, d draw) (any, error) { return o.Get(ctx, word(d.a)) },
					func(m M, d draw) (any, error) { return m.get(word(d.a)) },
				},
				{
					"Has", 2, func(ctx context.Context, o N, d draw) (any, error) { return o.Has(ctx, word(d.a)) },
					func(m M, d draw) (any, error) { return m.find(word(d.a)) >= 0, nil },
				},
				{
					"Len", 2, func(ctx context.Context, o N, _ draw) (any, error) { return o.Len(ctx) },
					func(m M, _ draw) (any, error) { return len(m.keys), nil },
				},
				{
					"Delete", 3, func(ctx context.Context, o N, d draw) (any, error) { return o.Delete(ctx, word(d.a)) },
					func(m M, d draw) (any, error) { return m.remove(word(d.a)), nil },
				},
				{
					"Add", 4, func(ctx context.Context, o N, d draw) (any, error) { return o.Add(ctx, word(d.a), valueOf(d.b)) },
					func(m M, d draw) (any, error) {
						s := valueOf(d.b)
						was, err := m.get(word(d.a))
						switch {
						case err == nil:
							if s, err = sum(was, s); err != nil {
								return nil, err
							}
						case s == nil:
							return nil, mp.ErrType
						}
						m.set(word(d.a), s)
						return s, nil
					},
				},
				{
					"SetAttr", 2, func(ctx context.Context, o N, d draw) (any, error) { return nil, mp.SetAttr(ctx, o, word(d.a), d.b) },
					func(m M, d draw) (any, error) { m.set(word(d.a), d.b); return nil, nil },
				},
				{
					"Attr", 2, func(ctx context.Context, o N, d draw) (any, error) { return mp.Attr[string](ctx, o, word(d.a)) },
					func(m M, d draw) (any, error) {
						v, err := m.get(word(d.a))
						if err != nil {
							return nil, err
						}
						if s, ok := v.(string); ok {
							return s, nil
						}
						return nil, mp.ErrType
					},
				},
			}),
	}
}

type point struct {
	X    int
	Name string
}
