package interchange_test

import (
	"bytes"
	"math/big"
	"net/url"
	"reflect"
	"testing"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

func seeds(f *testing.F, add func(b []byte)) {
	for _, tt := range dialect {
		add(unhex(f, tt.bytes))
	}
	for _, v := range []any{
		note{"t", []string{"a"}, map[string]int{"x": 1}, &order{Name: "n"}, []byte{0}, pyvalue.Tuple{1}, time.Unix(1, 0)},
		map[point][]*list{{1, 2}: {{1, nil}, nil}},
		map[string]any{"a": []any{1, map[any]any{1: "b"}}, "b": time.Unix(0, 1)},
	} {
		b, err := interchange.AppendValue(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
	}
	for _, s := range []string{"d81c8201d81d00", "82d81cc78101a1d81d00f6", "83d81cc981d81cce84cd82616d6143c78004a1626d65d81d01d81d00c980", "a201f5fb3ff0000000000000f4"} {
		add(unhex(f, s))
	}
}

// FuzzParse: what Check accepts, and nothing else, parses; what was parsed can
// be written, and is then the same value.
func FuzzParse(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		bad := interchange.Check(b, interchange.Limits{})
		v, err := interchange.ParseValue(b)
		if (err == nil) != (bad == nil) {
			t.Fatalf("Check says %v, ParseValue %v", bad, err)
		}
		if _, kerr := interchange.Key(b); err != nil {
			_ = interchange.FromValue(v, new(any), nil)
			interchange.Refs(b, func(uint64) bool { return true })
			_, _, _ = interchange.Next(b)
			return
		} else if kerr == nil {
			if k1, _ := interchange.Key(b); k1 == "" {
				t.Error("an empty key")
			}
		}
		item, rest, err := interchange.Next(b)
		if err != nil || len(rest) != 0 || !bytes.Equal(item, b) {
			t.Fatalf("Next finds %x, %x, %v", item, rest, err)
		}
		once, err := interchange.AppendValue(nil, v)
		if err != nil {
			return // nested too deep once its references are followed
		}
		if err := interchange.Check(once, interchange.Limits{}); err != nil {
			t.Fatalf("%x becomes %x: %v", b, once, err)
		}
		w, err := interchange.ParseValue(once)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := interchange.AppendValue(nil, w)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x becomes %x, then %x, %v", b, once, twice, err)
		}
	})
}

// FuzzDecode decodes any bytes as values of many types. There must be no
// panic, the value must stay as it was after an error, and what was decoded
// must be fit to travel on.
func FuzzDecode(f *testing.F) {
	types := []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[note](), reflect.TypeFor[list](), reflect.TypeFor[map[any]any](),
		reflect.TypeFor[[]string](), reflect.TypeFor[map[point][]*list](), reflect.TypeFor[[]byte](), reflect.TypeFor[string](),
		reflect.TypeFor[int8](), reflect.TypeFor[uint16](), reflect.TypeFor[float32](), reflect.TypeFor[bool](), reflect.TypeFor[complex64](),
		reflect.TypeFor[[3]byte](), reflect.TypeFor[map[string]struct{}](), reflect.TypeFor[*big.Int](), reflect.TypeFor[*big.Float](),
		reflect.TypeFor[*url.URL](), reflect.TypeFor[time.Time](), reflect.TypeFor[[]*queue[int]](), reflect.TypeFor[outer](),
		reflect.TypeFor[pyvalue.Tuple](), reflect.TypeFor[*pyvalue.List](), reflect.TypeFor[*pyvalue.Object](), reflect.TypeFor[map[[1]any]**int](),
	}
	seeds(f, func(b []byte) {
		for i := range types {
			f.Add(byte(i), b)
		}
	})
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		p, err := interchange.OfType(types[int(i)%len(types)])
		if err != nil {
			t.Fatal(err)
		}
		v := reflect.New(p.Type())
		if err := p.Decode(b, v.UnsafePointer(), sessions{}); err != nil {
			if !v.Elem().IsZero() {
				t.Errorf("after the error %v the value is %v", err, v.Elem())
			}
			return
		}
		again, err := p.Append(nil, v.UnsafePointer(), sessions{})
		if err != nil {
			return // keys of *pyvalue.Dict, depth
		}
		if err := interchange.Check(again, interchange.Limits{}); err != nil {
			t.Errorf("%x becomes %x: %v", b, again, err)
		}
		if err := p.Decode(again, reflect.New(p.Type()).UnsafePointer(), sessions{}); err != nil {
			t.Errorf("%x becomes %x, which does not decode: %v", b, again, err)
		}
	})
}
