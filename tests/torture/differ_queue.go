//go:build linux

package main

import (
	"context"
	"io"
	"slices"
	"time"

	"multiproc/mp"
)

// lined is the model of a queue.
type lined struct {
	items  []int // in the order in which they were put: every item is another
	lent   []int // those of them that are
	back   []int // those of them that were lent and are not any more
	next   int   // the last that was put
	owed   int   // were taken for good, and not yet called done
	closed bool
}

const room = 12

// free are the items that can be taken.
func (m *lined) free() []int {
	return slices.DeleteFunc(slices.Clone(m.items), func(n int) bool { return slices.Contains(m.lent, n) })
}

// take takes so many, lent or for good.
func (m *lined) take(n int, lend bool) ([]int, error) {
	f := m.free()
	if len(f) == 0 {
		if m.closed && len(m.items) == 0 {
			return nil, io.EOF
		}
		return nil, mp.ErrEmpty
	}
	f = f[:min(n, len(f))]
	for _, n := range f {
		m.back = slices.DeleteFunc(m.back, func(i int) bool { return i == n })
		if !lend {
			m.items = slices.DeleteFunc(m.items, func(i int) bool { return i == n })
		}
	}
	if lend {
		m.lent = append(m.lent, f...)
	} else {
		m.owed += len(f)
	}
	return f, nil
}

// settle ends the lease of one.
func (m *lined) settle(d draw, again bool) {
	if len(m.lent) == 0 {
		return
	}
	i := d.a % len(m.lent)
	n := m.lent[i]
	m.lent = slices.Delete(m.lent, i, i+1)
	if again {
		m.back = append(m.back, n)
	} else {
		m.items = slices.DeleteFunc(m.items, func(i int) bool { return i == n })
	}
}

// queued is a queue, what was received of it, and the model of it: where places may answer
// as they like, it is not asked.
type queued struct {
	*mp.Queue[int]
	loans []*mp.Delivery[int]
	is    *lined
}

func (o *queued) settle(d draw, f func(*mp.Delivery[int]) error) (any, error) {
	if len(o.loans) == 0 {
		return nil, nil
	}
	i := d.a % len(o.loans)
	l := o.loans[i]
	o.loans = slices.Delete(o.loans, i, i+1)
	return nil, f(l)
}

// queues are queues, with and without leases.
func queues() []*kindred {
	type Q = *queued
	type M = *lined
	// What came back takes room in a manager, and none in memory.
	puts := func(m M) bool { return len(m.back) == 0 }
	// A TaskDone for what is lent is one too many: who tells of that is a place's affair.
	ends := func(m M) bool { return m.owed > 0 || len(m.items) == 0 }
	first := func(list []int, err error) (any, error) {
		if err != nil {
			return nil, err
		}
		return list[0], nil
	}
	methods := []method[Q, M]{
		{"Len, Leased", 1, func(ctx context.Context, o Q, _ draw) (any, error) {
			n, err := o.Len(ctx)
			if err != nil {
				return nil, err
			}
			k, err := o.Leased(ctx)
			return []any{n, k}, err
		}, func(m M, _ draw) (any, error) { return []any{len(m.free()), len(m.lent)}, nil }},
		{"TryPut", 8, func(ctx context.Context, o Q, _ draw) (any, error) {
			if !puts(o.is) {
				return nil, nil
			}
			return nil, o.TryPut(ctx, o.is.next+1)
		}, func(m M, _ draw) (any, error) {
			switch {
			case !puts(m):
				return nil, nil
			case m.closed:
				return nil, mp.ErrClosed
			case len(m.free()) >= room:
				return nil, mp.ErrFull
			}
			m.next++
			m.items = append(m.items, m.next)
			return nil, nil
		}},
		{"PutBatch", 2, func(ctx context.Context, o Q, d draw) (any, error) {
			n := d.a % 4
			if !puts(o.is) || len(o.is.free())+n > room {
				return nil, nil
			}
			var list []int
			for i := range n {
				list = append(list, o.is.next+1+i)
			}
			return o.PutBatch(ctx, list)
		}, func(m M, d draw) (any, error) {
			n := d.a % 4
			switch {
			case !puts(m) || len(m.free())+n > room:
				return nil, nil
			case m.closed && n > 0:
				return nil, mp.ErrClosed
			}
			for range n {
				m.next++
				m.items = append(m.items, m.next)
			}
			return n, nil
		}},
		{
			"TryGet", 3, func(ctx context.Context, o Q, _ draw) (any, error) { return o.TryGet(ctx) },
			func(m M, _ draw) (any, error) { return first(m.take(1, false)) },
		},
		{"GetBatch", 2, func(ctx context.Context, o Q, d draw) (any, error) {
			if len(o.is.free()) == 0 {
				return nil, nil
			}
			return o.GetBatch(ctx, 1+d.a%5)
		}, func(m M, d draw) (any, error) {
			if len(m.free()) == 0 {
				return nil, nil
			}
			return m.take(1+d.a%5, false)
		}},
		{"TryReceive", 4, func(ctx context.Context, o Q, _ draw) (any, error) {
			l, err := o.TryReceive(ctx)
			if err != nil {
				return nil, err
			}
			o.loans = append(o.loans, l)
			return l.Value, nil
		}, func(m M, _ draw) (any, error) { return first(m.take(1, true)) }},
		{"ReceiveBatch", 2, func(ctx context.Context, o Q, d draw) (any, error) {
			if len(o.is.free()) == 0 {
				return nil, nil
			}
			ls, err := o.ReceiveBatch(ctx, 1+d.a%3)
			var list []int
			for _, l := range ls {
				list = append(list, l.Value)
			}
			o.loans = append(o.loans, ls...)
			return list, err
		}, func(m M, d draw) (any, error) {
			if len(m.free()) == 0 {
				return nil, nil
			}
			return m.take(1+d.a%3, true)
		}},
		{"Ack", 3, func(ctx context.Context, o Q, d draw) (any, error) {
			return o.settle(d, func(l *mp.Delivery[int]) error { return l.Ack(ctx) })
		}, func(m M, d draw) (any, error) { m.settle(d, false); return nil, nil }},
		{"Nack", 3, func(ctx context.Context, o Q, d draw) (any, error) {
			return o.settle(d, func(l *mp.Delivery[int]) error { return l.Nack(ctx, 0) })
		}, func(m M, d draw) (any, error) { m.settle(d, true); return nil, nil }},
		{"TaskDone", 3, func(ctx context.Context, o Q, _ draw) (any, error) {
			if !ends(o.is) {
				return nil, nil
			}
			return nil, o.TaskDone(ctx)
		}, func(m M, _ draw) (any, error) {
			switch {
			case !ends(m):
				return nil, nil
			case m.owed == 0:
				return nil, mp.ErrTaskDone
			}
			m.owed--
			return nil, nil
		}},
		{"Empty, Full", 1, func(ctx context.Context, o Q, _ draw) (any, error) {
			if !puts(o.is) {
				return nil, nil
			}
			e, err := o.Empty(ctx)
			if err != nil {
				return nil, err
			}
			f, err := o.Full(ctx)
			return []any{e, f}, err
		}, func(m M, _ draw) (any, error) {
			if !puts(m) {
				return nil, nil
			}
			return []any{len(m.free()) == 0, len(m.free()) == room}, nil
		}},
		{"Join", 1, func(ctx context.Context, o Q, _ draw) (any, error) {
			if o.is.owed > 0 || len(o.is.items) > 0 {
				return nil, nil
			}
			return nil, o.Join(ctx)
		}, func(M, draw) (any, error) { return nil, nil }},
		{"CloseWrite", 1, func(ctx context.Context, o Q, d draw) (any, error) {
			if d.a > 2 {
				return nil, nil
			}
			return nil, o.CloseWrite(ctx)
		}, func(m M, d draw) (any, error) { m.closed = m.closed || d.a <= 2; return nil, nil }},
	}
	for i, m := range methods {
		methods[i].real = func(ctx context.Context, o Q, d draw) (any, error) {
			v, err := m.real(ctx, o, d)
			_, _ = m.want(o.is, d)
			return v, err
		}
	}
	return []*kindred{
		with("queue", func(where ...mp.Option) (Q, error) {
			q, err := mp.NewQueue[int](room, append(slices.Clone(where), mp.WithLease(time.Hour))...)
			return &queued{Queue: q, is: &lined{}}, err
		}, func(o Q) *mp.Queue[int] { return o.Queue }, func(q *mp.Queue[int]) Q { return &queued{Queue: q, is: &lined{}} },
			func() M { return &lined{} }, methods),
	}
}
