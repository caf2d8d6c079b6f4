package codec_test

import (
	"fmt"
	"reflect"
	"testing"

	"multiproc/internal/codec"
)

// allocs counts the allocations to encode a stack variable into a buffer with
// room, and to decode it.
func allocs[T any](t *testing.T, v T) (encode, decode float64) {
	t.Helper()
	p := plan[T](t)
	encoded, err := p.Append(nil, &v, nil)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	encode = testing.AllocsPerRun(100, func() {
		local := v
		if _, err := p.Append(buf, &local, nil); err != nil {
			t.Error(err)
		}
	})
	decode = testing.AllocsPerRun(100, func() {
		var local T
		if err := p.Decode(encoded, &local, nil); err != nil {
			t.Error(err)
		}
	})
	return encode, decode
}

func TestAllocations(t *testing.T) {
	check := func(name string, encode, decode, wantDecode float64) {
		if encode != 0 || decode != wantDecode {
			t.Errorf("%s: %v allocations to encode, %v to decode; want 0 and %v", name, encode, decode, wantDecode)
		}
	}
	e, d := allocs(t, int64(1))
	check("int64", e, d, 0)
	e, d = allocs(t, [4]point{})
	check("points", e, d, 0)
	e, d = allocs(t, "some text")
	check("string", e, d, 1)
	e, d = allocs(t, []byte("some bytes"))
	check("bytes", e, d, 1)
	if n := testing.AllocsPerRun(100, func() { codec.Of(reflect.TypeFor[order]()) }); n != 0 {
		t.Errorf("Of a known type: %v allocations", n)
	}
}

func bench[T any](b *testing.B, name string, v T) {
	p := plan[T](b)
	encoded, err := p.Append(nil, &v, nil)
	if err != nil {
		b.Fatal(err)
	}
	label := fmt.Sprintf("%s/%v", name, p.Kind())
	b.Run(label+"/append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 2*len(encoded))
		for b.Loop() {
			if _, err := p.Append(buf, &v, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(label+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var w T
			if err := p.Decode(encoded, &w, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTypes(b *testing.B) {
	numbers := make([]float64, 1000)
	bench(b, "int64", int64(1))
	bench(b, "string16", "sixteen letters.")
	bench(b, "bytes1k", make([]byte, 1024))
	bench(b, "order", order{1, "a name", 2.5})
	bench(b, "list3", list{1, &list{2, &list{3, nil}}})
	bench(b, "floats1000", numbers)
	bench[any](b, "any-int", 1)
	bench[any](b, "any-order", order{1, "a name", 2.5})
	bench[any](b, "any-map", map[string]any{"a": 1, "b": []any{"x", 2.5}})
}

func BenchmarkOf(b *testing.B) {
	for b.Loop() {
		if _, err := codec.Of(reflect.TypeFor[order]()); err != nil {
			b.Fatal(err)
		}
	}
}
