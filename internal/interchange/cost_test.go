package interchange_test

import (
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

func TestAllocations(t *testing.T) {
	check := func(name string, want float64, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != want {
			t.Errorf("%s: %v allocations, want %v", name, n, want)
		}
	}
	buf := make([]byte, 0, 256)
	ints, texts, orders := plan[int64](t), plan[string](t), plan[order](t)
	i, s, o := int64(1000), "some text", order{1, "a name", 2.5}
	bi, bs, bo := encode(t, i, nil), encode(t, s, nil), encode(t, o, nil)
	check("append int64", 0, func() { local := i; _, _ = ints.Append(buf, &local, nil) })
	check("decode int64", 0, func() { var local int64; _ = ints.Decode(bi, &local, nil) })
	check("append string", 0, func() { local := s; _, _ = texts.Append(buf, &local, nil) })
	check("decode string", 1, func() { var local string; _ = texts.Decode(bs, &local, nil) })
	check("append struct", 0, func() { local := o; _, _ = orders.Append(buf, &local, nil) })
	check("check struct", 0, func() { _ = interchange.Check(bo, interchange.Limits{}) })
	check("key", 1, func() { _, _ = interchange.Key(bs) })
	check("append value", 0, func() { _, _ = interchange.AppendValue(buf, s) })
}

func bench[T any](b *testing.B, name string, v T) {
	p := plan[T](b)
	encoded, err := p.Append(nil, &v, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(encoded))
		for b.Loop() {
			local := v
			if _, err := p.Append(buf, &local, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var w T
			if err := p.Decode(encoded, &w, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/check", func(b *testing.B) {
		for b.Loop() {
			if err := interchange.Check(encoded, interchange.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := interchange.ParseValue(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	value, err := interchange.ParseValue(encoded)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/appendvalue", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(encoded))
		for b.Loop() {
			if _, err := interchange.AppendValue(buf, value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTypes(b *testing.B) {
	floats, texts := make([]float64, 1000), map[string]int{}
	for i := range 100 {
		texts[string(rune('a'+i))] = i
	}
	bench(b, "int64", int64(1000))
	bench(b, "string16", "sixteen letters.")
	bench(b, "bytes1k", make([]byte, 1024))
	bench(b, "order", order{1, "a name", 2.5})
	bench(b, "list3", list{1, &list{2, &list{3, nil}}})
	bench(b, "floats1000", floats)
	bench(b, "map100", texts)
	bench[any](b, "any-int", 1)
	bench[any](b, "any-order", order{1, "a name", 2.5})
	bench[any](b, "any-map", map[string]any{"a": 1, "b": []any{"x", 2.5}})
	bench[any](b, "any-tuple", pyvalue.Tuple{1, "a", 2.5})
}

func BenchmarkKey(b *testing.B) {
	for name, v := range map[string]any{"text": "key17", "int": 17, "tuple": pyvalue.Tuple{1, "a"}} {
		raw, err := interchange.AppendValue(nil, v)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := interchange.Key(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
