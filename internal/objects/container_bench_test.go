package objects

import (
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// The cost of a call from the store's side: no connection, no translation.
func BenchmarkContainers(b *testing.B) {
	p := newProbe(b, store.Limits{})
	d := p.create("dict", dictOf("key", int64(1)))
	l := p.create("list", ints(1, 2, 3))
	for _, bench := range []struct {
		th     *thing
		method string
		args   []pyvalue.Value
	}{
		{d, "mp.get", []pyvalue.Value{"key"}},
		{d, "mp.set", []pyvalue.Value{"key", int64(2)}},
		{d, "mp.add", []pyvalue.Value{"key", int64(1)}},
		{d, "__getitem__", []pyvalue.Value{"key"}},
		{d, "__setitem__", []pyvalue.Value{"key", int64(2)}},
		{l, "mp.get", []pyvalue.Value{int64(1)}},
		{l, "__getitem__", []pyvalue.Value{int64(1)}},
		{l, "__contains__", []pyvalue.Value{int64(3)}},
	} {
		first := bench.th.begin(bench.method, nil, bench.args...)
		b.Run(bench.th.typ+"."+bench.method, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				o := &outcome{}
				o.Method, o.Args, o.Python = first.Method, first.Args, first.Python
				p.ss.Begin(&o.Call, bench.th.id, o)
			}
		})
	}
	b.Run("list.append+pop", func(b *testing.B) {
		b.ReportAllocs()
		push := l.begin("mp.append", nil, int64(7)).Args
		pop := l.begin("mp.pop", nil, int64(0)).Args
		for b.Loop() {
			for _, c := range []struct {
				method string
				args   store.Args
			}{{"mp.append", push}, {"mp.pop", pop}} {
				o := &outcome{}
				o.Method, o.Args = c.method, c.args
				p.ss.Begin(&o.Call, l.id, o)
			}
		}
	})
}

// Looking for a value in a list that Go and Python have filled.
func BenchmarkListCount(b *testing.B) {
	p := newProbe(b, store.Limits{})
	l := p.create("list")
	for i := range 5000 {
		l.begin("mp.append", nil, int64(i))
		l.begin("append", nil, "text")
	}
	for b.Loop() {
		l.begin("count", nil, "text")
	}
}
