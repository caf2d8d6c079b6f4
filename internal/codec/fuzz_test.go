package codec_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"net/url"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/codec"
)

// FuzzDecode decodes any bytes as values of many types. There must be no
// panic, the value must stay as it was after an error, and what was decoded
// must be fit to travel on.
func FuzzDecode(f *testing.F) {
	types := []reflect.Type{
		reflect.TypeFor[point](), reflect.TypeFor[[]byte](), reflect.TypeFor[string](),
		reflect.TypeFor[order](), reflect.TypeFor[note](), reflect.TypeFor[map[int8]*note](), reflect.TypeFor[[][]string](),
		reflect.TypeFor[list](), reflect.TypeFor[forest](), reflect.TypeFor[tree](), reflect.TypeFor[any](),
		reflect.TypeFor[[]float64](), reflect.TypeFor[map[point][2]string](), reflect.TypeFor[map[any]any](),
		reflect.TypeFor[[]*queue[int]](), reflect.TypeFor[time.Time](), reflect.TypeFor[*big.Float](), reflect.TypeFor[*url.URL](),
		reflect.TypeFor[map[[1]any]**int](),
	}
	s := &table{handles: []codec.Handle{&queue[int]{1}}}
	seed := func(i int, v any) {
		p, err := codec.Of(types[i])
		if err != nil {
			f.Fatal(err)
		}
		at := reflect.New(types[i])
		if v != nil {
			at.Elem().Set(reflect.ValueOf(v))
		}
		if b, err := p.Append(nil, at.UnsafePointer(), s); err != nil {
			f.Fatal(err)
		} else {
			f.Add(byte(i), b)
		}
	}
	for i := range types {
		seed(i, nil)
	}
	seed(4, note{"t", []string{"a"}, map[string]int{"x": 1}, &order{Name: "n"}, []byte{0}})
	seed(9, tree{Any: []any{map[string]any{"a": int8(1)}, tree{}, &queue[int]{1}}, Kids: map[string]*tree{"a": nil}})
	seed(10, map[string]any{"a": []uint16{1}, "b": map[string][2]*point{"c": {}}, "c": big.NewInt(1), "d": time.Hour})
	seed(12, map[point][2]string{{1, 2}: {"a", "b"}})
	seed(13, map[any]any{1: 2, "a": []any{}})
	seed(14, []*queue[int]{{1}, nil})
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		typ := types[int(i)%len(types)]
		p, err := codec.Of(typ)
		if err != nil {
			t.Fatal(err)
		}
		session := &table{handles: []codec.Handle{&queue[int]{1}}}
		v := reflect.New(typ)
		if err := p.Decode(b, v.UnsafePointer(), session); err != nil {
			if !v.Elem().IsZero() {
				t.Errorf("after the error %v the value is %v", err, v.Elem())
			}
			return
		}
		if _, err := p.Append(nil, v.UnsafePointer(), session); err != nil {
			t.Errorf("what was decoded cannot be encoded: %v", err)
		}
	})
}

// FuzzAnyRoundTrip builds a value by the bytes of a recipe and sends it.
func FuzzAnyRoundTrip(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04"))
	f.Add([]byte("\x07\x03\x01\x02\x08\x02\x01a\x03\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13"))
	f.Add([]byte("\x07\xff\x13\x08\x07\x12\x11\x0e\x0d\x0c\x0b\x08\x0f"))
	f.Fuzz(func(t *testing.T, recipe []byte) {
		c := cook{recipe}
		v := c.value(0)
		p := plan[any](t)
		b, err := p.Append(nil, &v, nil)
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		var got any
		if err := p.Decode(b, &got, nil); err != nil {
			t.Fatalf("%#v as %x: %v", v, b, err)
		}
		if !reflect.DeepEqual(got, v) {
			t.Errorf("\nsent %#v\ngot  %#v\nas %x", v, got, b)
		}
	})
}

// cook makes values of what is left of a recipe; zeros follow its end.
type cook struct{ recipe []byte }

func (c *cook) next(n int) []byte {
	b := make([]byte, n)
	c.recipe = c.recipe[copy(b, c.recipe):]
	return b
}

func (c *cook) number() uint64 { return binary.LittleEndian.Uint64(c.next(8)) }
func (c *cook) text() string   { return string(c.next(int(c.next(1)[0]) % 8)) }
func (c *cook) float() float64 { return orZero(math.Float64frombits(c.number())) }
func (c *cook) single() float32 {
	return float32(orZero(float64(math.Float32frombits(uint32(c.number())))))
}

func orZero(f float64) float64 {
	if math.IsNaN(f) { // not equal to itself
		return 0
	}
	return f
}

func (c *cook) value(depth int) any {
	n := int(c.next(1)[0])
	if depth > 20 || len(c.recipe) == 0 {
		n %= 7
	}
	switch n % 20 {
	case 0:
		return nil
	case 1:
		return c.next(1)[0]&1 == 0
	case 2:
		return int(c.number())
	case 3:
		return c.text()
	case 4:
		return c.float()
	case 5:
		return []byte(c.text())
	case 6:
		return int8(c.number())
	case 7:
		s := make([]any, int(c.next(1)[0])%6)
		for i := range s {
			s[i] = c.value(depth + 1)
		}
		return s
	case 8:
		m := map[string]any{}
		for range int(c.next(1)[0]) % 4 {
			m[c.text()] = c.value(depth + 1)
		}
		return m
	case 9:
		return c.number()
	case 10:
		return c.single()
	case 11:
		return complex(c.float(), c.float())
	case 12:
		return []uint16{uint16(c.number()), 1}
	case 13:
		return map[string][]float32{c.text(): {c.single()}, "nil": nil}
	case 14:
		return [3]int{int(c.number())}
	case 15:
		return &point{int32(c.number()), 1}
	case 16:
		return order{int64(c.number()), c.text(), c.float()}
	case 17:
		return tree{Any: c.value(depth + 1)}
	case 18:
		v := c.value(depth + 1)
		return &v
	default:
		return map[any]any{c.text(): c.value(depth + 1), int8(c.number()): weekday(c.number())}
	}
}

// FuzzTypeExpression sends a zero value under any type expression. Whatever
// type it turns out to be, the receiver must name it alike when it sends it on.
func FuzzTypeExpression(f *testing.F) {
	for _, s := range []string{
		"int8", "[]uint16", "map[string][]float32", "[3]int", "*shop/order", "codec_test.point", "struct{}", "any",
		"map[any]any", "map[[2]string]*[]any", "[1048576]bool", "[1024][1024]struct{}", "map[[]int]int", "map[", "[", "[]", "*",
		"[01]int", "[-1]int", "[4294967296]int", "codec_test.pair[string,[]multiproc/internal/codec_test.point]",
		"map[codec_test.point]map[int]string", "****************int", "*****************int", "int int", "", "*codec_test.queue[int]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		// The content is null or an empty array, which are zeros of many types.
		for _, content := range []string{"\xf6", "\x80", "\x40", "\x00", "\xf4"} {
			b := append([]byte("\xc7\x82\x7a"), binary.BigEndian.AppendUint32(nil, uint32(len(s)))...)
			b = append(append(b, s...), content...)
			p := plan[any](t)
			var v any
			if err := p.Decode(b, &v, nil); err != nil || v == nil {
				continue
			}
			again, err := p.Append(nil, &v, nil)
			if err != nil {
				t.Fatalf("%q gives %T: %v", s, v, err)
			}
			var w any
			if err := p.Plan.Decode(again, unsafe.Pointer(&w), nil); err != nil || reflect.TypeOf(w) != reflect.TypeOf(v) {
				t.Fatalf("%q gives %T, then %T, %v", s, v, w, err)
			}
		}
	})
}
