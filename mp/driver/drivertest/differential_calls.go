package drivertest

import (
	"context"
	"math"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

// call takes the next call off the tape. All arguments are chosen, whatever the
// method needs, so that the same bytes are the same arguments.
func (t *tape) call(kind driver.Kind) call {
	all := differentialOps[kind]
	c := call{op: &all[t.pick(len(all))]}
	names := kind == driver.KindNamespace && t.pick(16) > 0
	for range 1 + t.pick(3) {
		k := t.value(0)
		if names {
			k = []string{"a", "b", "_c", "ä", ""}[t.pick(5)]
		}
		c.keys, c.vs = append(c.keys, encoded(k)), append(c.vs, encoded(t.value(0)))
	}
	c.i = t.index()
	for i := range c.bounds {
		if t.pick(3) > 0 {
			n := t.index()
			c.bounds[i] = &n
		}
	}
	c.reverse = t.pick(2) == 1
	return c
}

// index is a number that counts elements.
func (t *tape) index() int {
	extremes := []int{math.MaxInt, math.MinInt, math.MinInt + 1, 1 << 40}
	if n := t.pick(24); n < len(extremes) {
		return extremes[n]
	}
	return t.pick(12) - 5
}

// differentialOps are the methods of each kind. None of them waits.
var differentialOps = map[driver.Kind][]op{
	driver.KindDict: dictOps, driver.KindNamespace: dictOps, driver.KindList: listOps, driver.KindSet: setOps,
	driver.KindValue: valueOps, driver.KindQueue: queueOps,
}

// on makes an op of what is done with an object of type O.
func on[O driver.Object](name string, run func(ctx context.Context, o O, s *subject, c *call, r *reply)) op {
	return op{name: name, run: func(ctx context.Context, s *subject, c *call, r *reply) { run(ctx, s.Object.(O), s, c, r) }}
}

var dictOps = []op{
	on("Get", func(ctx context.Context, o complete.Dict, s *subject, c *call, r *reply) {
		v, err := o.Get(ctx, c.keys[0])
		s.version = v.Version
		r.add(err, v.Value)
	}),
	on("Set", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		r.add(o.Set(ctx, c.keys[0], c.vs[0]))
	}),
	on("SetVersion", func(ctx context.Context, o complete.Dict, s *subject, c *call, r *reply) {
		ok, err := o.SetVersion(ctx, c.keys[0], c.vs[0], s.version)
		r.add(err, ok)
	}),
	on("SetVersion to nothing", func(ctx context.Context, o complete.Dict, s *subject, c *call, r *reply) {
		ok, err := o.SetVersion(ctx, c.keys[0], nil, s.version)
		r.add(err, ok)
	}),
	on("Get and SetVersion", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		v, err := o.Get(ctx, c.keys[0])
		r.add(err, v.Value)
		ok, err := o.SetVersion(ctx, c.keys[0], c.vs[0], v.Version)
		r.add(err, ok)
	}),
	on("SetDefault", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		v, err := o.SetDefault(ctx, c.keys[0], c.vs[0])
		r.add(err, v)
	}),
	on("CompareAndSwap", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		ok, err := o.CompareAndSwap(ctx, c.keys[0], c.keys[len(c.keys)-1], c.vs[0])
		r.add(err, ok)
	}),
	on("Add", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		v, err := o.Add(ctx, c.keys[0], c.vs[0])
		r.add(err, v)
	}),
	on("Delete", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		ok, err := o.Delete(ctx, c.keys[0])
		r.add(err, ok)
	}),
	on("Pop", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		v, err := o.Pop(ctx, c.keys[0])
		r.add(err, v)
	}),
	on("PopItem", func(ctx context.Context, o complete.Dict, _ *subject, _ *call, r *reply) {
		k, v, err := o.PopItem(ctx)
		r.add(err, k, v)
	}),
	on("Has", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		ok, err := o.Has(ctx, c.keys[0])
		r.add(err, ok)
	}),
	on("Len", func(ctx context.Context, o complete.Dict, _ *subject, _ *call, r *reply) {
		n, err := o.Len(ctx)
		r.add(err, n)
	}),
	on("SetAll", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		r.add(o.SetAll(ctx, c.keys, c.vs))
	}),
	on("SetAll of too few", func(ctx context.Context, o complete.Dict, _ *subject, c *call, r *reply) {
		r.add(o.SetAll(ctx, c.keys, c.vs[1:]))
	}),
	on("Page", func(ctx context.Context, o complete.Dict, _ *subject, _ *call, r *reply) {
		keys, vs, next, err := o.Page(ctx, 0, 2)
		r.add(err, keys, vs, next != 0)
		if next != 0 {
			keys, next, err = o.PageKeys(ctx, next, 2)
			r.add(err, keys, next != 0)
		}
	}),
	clearOp[complete.Dict](),
}

// clearer has everything that clear is tried with.
type clearer interface {
	driver.Object
	Clear(ctx context.Context) error
}

func clearOp[O clearer]() op {
	o := on("Clear", func(ctx context.Context, o O, _ *subject, _ *call, r *reply) { r.add(o.Clear(ctx)) })
	o.fits = func(_ context.Context, _ *subject, c *call) bool { return c.reverse && c.i%2 == 0 } // not too often
	return o
}

var listOps = []op{
	on("Get", func(ctx context.Context, o complete.List, s *subject, c *call, r *reply) {
		v, err := o.Get(ctx, c.i)
		s.version = v.Version
		r.add(err, v.Value)
	}),
	on("Set", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Set(ctx, c.i, c.vs[0]))
	}),
	on("SetVersion", func(ctx context.Context, o complete.List, s *subject, c *call, r *reply) {
		ok, err := o.SetVersion(ctx, c.i, c.vs[0], s.version)
		r.add(err, ok)
	}),
	on("Get and SetVersion", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		v, err := o.Get(ctx, c.i)
		r.add(err, v.Value)
		ok, err := o.SetVersion(ctx, c.i, c.vs[0], v.Version)
		r.add(err, ok)
	}),
	on("CompareAndSwap", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		ok, err := o.CompareAndSwap(ctx, c.i, c.keys[0], c.vs[0])
		r.add(err, ok)
	}),
	on("Add", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		v, err := o.Add(ctx, c.i, c.vs[0])
		r.add(err, v)
	}),
	on("Append", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Append(ctx, c.vs[0]))
	}),
	on("Extend", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Extend(ctx, c.vs))
	}),
	on("Extend by nothing", func(ctx context.Context, o complete.List, _ *subject, _ *call, r *reply) {
		r.add(o.Extend(ctx, nil))
	}),
	on("Insert", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Insert(ctx, c.i, c.vs[0]))
	}),
	on("Pop", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		v, err := o.Pop(ctx, c.i)
		r.add(err, v)
	}),
	on("Delete", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Delete(ctx, c.i))
	}),
	on("Remove", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Remove(ctx, c.vs[0]))
	}),
	on("Index", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		start, stop := 0, math.MaxInt
		if c.bounds[0] != nil {
			start = *c.bounds[0]
		}
		if c.bounds[1] != nil {
			stop = *c.bounds[1]
		}
		i, err := o.Index(ctx, c.vs[0], start, stop)
		r.add(err, i)
	}),
	on("Count", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		n, err := o.Count(ctx, c.vs[0])
		r.add(err, n)
	}),
	on("Has", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		ok, err := o.Has(ctx, c.vs[0])
		r.add(err, ok)
	}),
	on("Reverse", func(ctx context.Context, o complete.List, _ *subject, _ *call, r *reply) {
		r.add(o.Reverse(ctx))
	}),
	on("Sort", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.Sort(ctx, c.reverse))
	}),
	on("SetSlice to what has an order, and Sort", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.SetSlice(ctx, nil, nil, nil, numbers(c)))
		r.add(o.Sort(ctx, c.reverse))
	}),
	on("Len", func(ctx context.Context, o complete.List, _ *subject, _ *call, r *reply) {
		n, err := o.Len(ctx)
		r.add(err, n)
	}),
	on("Slice", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		vs, err := o.Slice(ctx, c.bounds[0], c.bounds[1], c.bounds[2])
		r.add(err, vs)
	}),
	on("SetSlice", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.SetSlice(ctx, c.bounds[0], c.bounds[1], c.bounds[2], c.vs))
	}),
	on("DeleteSlice", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		r.add(o.DeleteSlice(ctx, c.bounds[0], c.bounds[1], c.bounds[2]))
	}),
	on("Repeat, SetVersion and DeleteSlice", func(ctx context.Context, o complete.List, _ *subject, c *call, r *reply) {
		v, err := o.Get(ctx, 0)
		r.add(err, v.Value)
		r.add(o.Repeat(ctx, 1+c.i&1))
		ok, err := o.SetVersion(ctx, 0, c.vs[0], v.Version)
		r.add(err, ok)
		r.add(o.DeleteSlice(ctx, c.bounds[0], nil, nil))
	}),
	{
		"Repeat", func(ctx context.Context, s *subject, c *call, r *reply) {
			r.add(s.Object.(complete.List).Repeat(ctx, c.i))
		},
		func(ctx context.Context, s *subject, _ *call) bool {
			n, err := s.Object.(complete.List).Len(ctx)
			return err != nil || n < 32 // it grows by powers
		},
	},
	clearOp[complete.List](),
}

// numbers are values that have an order among each other, chosen by the
// arguments of a call.
func numbers(c *call) (out [][]byte) {
	for i, v := range c.vs {
		for _, b := range v {
			out = append(out, encoded(numeric[(int(b)+i)%len(numeric)]))
		}
	}
	return out[:min(len(out), 100)]
}

var setOps = []op{
	on("Add", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		ok, err := o.Add(ctx, c.keys[0])
		r.add(err, ok)
	}),
	on("Remove", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		ok, err := o.Remove(ctx, c.keys[0])
		r.add(err, ok)
	}),
	on("Has", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		ok, err := o.Has(ctx, c.keys[0])
		r.add(err, ok)
	}),
	on("Pop", func(ctx context.Context, o complete.Set, _ *subject, _ *call, r *reply) {
		v, err := o.Pop(ctx)
		r.add(err, v)
	}),
	on("Len", func(ctx context.Context, o complete.Set, _ *subject, _ *call, r *reply) {
		n, err := o.Len(ctx)
		r.add(err, n)
	}),
	on("AddAll", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		n, err := o.AddAll(ctx, c.keys)
		r.add(err, n)
	}),
	on("RemoveAll", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		n, err := o.RemoveAll(ctx, c.keys)
		r.add(err, n)
	}),
	on("Retain", func(ctx context.Context, o complete.Set, _ *subject, c *call, r *reply) {
		n, err := o.Retain(ctx, append(c.keys, c.vs...))
		r.add(err, n)
	}),
	on("Page", func(ctx context.Context, o complete.Set, _ *subject, _ *call, r *reply) {
		vs, next, err := o.Page(ctx, 0, 2)
		r.add(err, vs, next != 0)
		if next != 0 {
			vs, next, err = o.Page(ctx, next, 2)
			r.add(err, vs, next != 0)
		}
	}),
	clearOp[complete.Set](),
}

var valueOps = []op{
	on("Get", func(ctx context.Context, o complete.Value, s *subject, _ *call, r *reply) {
		v, err := o.Get(ctx)
		s.version = v.Version
		r.add(err, v.Value)
	}),
	on("Set", func(ctx context.Context, o complete.Value, _ *subject, c *call, r *reply) {
		r.add(o.Set(ctx, c.vs[0]))
	}),
	on("SetVersion", func(ctx context.Context, o complete.Value, s *subject, c *call, r *reply) {
		ok, err := o.SetVersion(ctx, c.vs[0], s.version)
		r.add(err, ok)
	}),
	on("CompareAndSwap", func(ctx context.Context, o complete.Value, _ *subject, c *call, r *reply) {
		ok, err := o.CompareAndSwap(ctx, c.keys[0], c.vs[0])
		r.add(err, ok)
	}),
	on("Set and CompareAndSwap", func(ctx context.Context, o complete.Value, _ *subject, c *call, r *reply) {
		r.add(o.Set(ctx, c.keys[0]))
		ok, err := o.CompareAndSwap(ctx, c.vs[0], c.vs[0])
		r.add(err, ok)
	}),
	on("Add", func(ctx context.Context, o complete.Value, _ *subject, c *call, r *reply) {
		v, err := o.Add(ctx, c.vs[0])
		r.add(err, v)
	}),
	on("Set and Add", func(ctx context.Context, o complete.Value, _ *subject, c *call, r *reply) {
		r.add(o.Set(ctx, c.keys[0]))
		v, err := o.Add(ctx, c.vs[0])
		r.add(err, v)
	}),
}

// room and some are when a call of a queue does not wait.
func room(ctx context.Context, s *subject, _ *call) bool {
	full, err := s.Object.(complete.Queue).Full(ctx)
	return err != nil || !full
}

func some(ctx context.Context, s *subject, _ *call) bool {
	n, err := s.Object.(complete.Queue).Len(ctx)
	return err != nil || n > 0
}

var queueOps = []op{
	{"Put", func(ctx context.Context, s *subject, c *call, r *reply) {
		r.add(s.Object.(complete.Queue).Put(ctx, c.vs[0]))
	}, room},
	on("TryPut", func(ctx context.Context, o complete.Queue, _ *subject, c *call, r *reply) {
		r.add(o.TryPut(ctx, c.vs[0]))
	}),
	{"PutBatch", func(ctx context.Context, s *subject, c *call, r *reply) {
		n, err := s.Object.(complete.Queue).PutBatch(ctx, c.vs[:1])
		r.add(err, n)
	}, room},
	on("PutBatch of nothing", func(ctx context.Context, o complete.Queue, _ *subject, _ *call, r *reply) {
		n, err := o.PutBatch(ctx, nil)
		r.add(err, n)
	}),
	{"Get", func(ctx context.Context, s *subject, _ *call, r *reply) {
		v, err := s.Object.(complete.Queue).Get(ctx)
		r.add(err, v)
	}, some},
	on("TryGet", func(ctx context.Context, o complete.Queue, _ *subject, _ *call, r *reply) {
		v, err := o.TryGet(ctx)
		r.add(err, v)
	}),
	{"GetBatch", func(ctx context.Context, s *subject, c *call, r *reply) {
		vs, err := s.Object.(complete.Queue).GetBatch(ctx, c.i)
		r.add(err, vs)
	}, some},
	{"Await", func(ctx context.Context, s *subject, _ *call, r *reply) {
		r.add(s.Object.(complete.Queue).Await(ctx))
	}, some},
	on("Full", func(ctx context.Context, o complete.Queue, _ *subject, _ *call, r *reply) {
		full, err := o.Full(ctx)
		r.add(err, full, o.Cap())
	}),
	on("TaskDone", func(ctx context.Context, o complete.Queue, _ *subject, _ *call, r *reply) {
		r.add(o.TaskDone(ctx))
	}),
	{"CloseWrite", func(ctx context.Context, s *subject, _ *call, r *reply) {
		r.add(s.Object.(complete.Queue).CloseWrite(ctx))
	}, func(_ context.Context, _ *subject, c *call) bool { return c.reverse && c.i == 0 }},
}
