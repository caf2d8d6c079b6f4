package codec_test

import (
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"multiproc/internal/codec"
)

type (
	pair[A, B any] struct {
		First  A
		Second B
	}
	unknown struct{ A int }
	weekday int
)

func init() {
	codec.RegisterType(reflect.TypeFor[point](), "")
	codec.RegisterType(reflect.TypeFor[order](), "shop/order")
	codec.RegisterType(reflect.TypeFor[tree](), "")
	codec.RegisterType(reflect.TypeFor[weekday](), "")
	codec.RegisterType(reflect.TypeFor[octets](), "")
	codec.RegisterType(reflect.TypeFor[pair[string, []point]](), "")
	codec.RegisterType(reflect.TypeFor[*queue[int]](), "")
}

// TestAnyTrips sends values of many types inside an any, which is in turn a
// message, an element of a list, of a map, and a field behind a pointer.
func TestAnyTrips(t *testing.T) {
	n := 0
	for _, v := range []any{
		nil, true, false, 0, -1, math.MaxInt, math.MinInt, "", "text", "\xff", 0.0, 1.5, math.Inf(1), math.NaN(),
		int8(3), int16(-3), int32(3), int64(math.MinInt64), uint(3), uint8(3), uint16(3), uint32(3), uint64(math.MaxUint64),
		float32(0.1), float32(math.NaN()), complex64(1i), complex128(2i),
		[]byte{},
		[]byte{1},
		[]byte(nil),
		[]any{},
		[]any(nil),
		[]any{nil, 1, []any{"a"}},
		map[string]any{},
		map[string]any(nil),
		map[string]any{"a": nil, "b": []any{int8(1)}, "\xff": map[string]any{"": 1}},
		[]uint16{1, 2},
		[]uint16(nil),
		[]string{},
		[3]int{1, 2, 3},
		[2]string{"a", "b"},
		[0]int{},
		[][]byte{nil, {}},
		map[string][]float32{"a": {1}, "b": nil},
		map[any]any{1: "a", "a": int8(1), point{}: nil},
		map[string]struct{}{"a": {}},
		struct{}{},
		[]struct{}{{}, {}},
		&n, new(any), (*int)(nil), (**int)(nil), new(*int),
		[1]*string{new(string)},
		point{1, 2},
		&point{1, 2}, (*point)(nil),
		[]point{{1, 2}},
		map[point]*point{{}: {}},
		[2]point{},
		order{1, "a", 2},
		&order{},
		tree{Any: tree{Any: 1}},
		weekday(3),
		[]weekday{1},
		octets{1},
		pair[string, []point]{"a", nil},
		&pair[string, []point]{"a", []point{{1, 2}}},
		time.Hour,
		[]time.Duration{1},
		time.Unix(5, 6).UTC(), time.May, big.NewInt(7), *big.NewInt(-7),
	} {
		t.Run(strings.ReplaceAll(typeName(v), "/", "."), func(t *testing.T) {
			type holder struct{ V *any }
			for _, whole := range []any{v, []any{v, 1}, map[string]any{"v": v}, []map[string]any{{"v": v}}, map[string][1]any{"v": {v}}} {
				if got := travel(t, whole, nil); typeName(got) != typeName(whole) || !same(deep(got), deep(whole)) {
					t.Errorf("sent %#v, got %#v", whole, got)
				}
			}
			if !reflect.DeepEqual(v, v) { // a NaN, which same does not find behind a pointer
				return
			}
			if got := *travel(t, holder{&v}, nil).V; typeName(got) != typeName(v) || !same(deep(got), deep(v)) {
				t.Errorf("sent %#v, got %#v", v, got)
			}
		})
	}
}

func typeName(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}

// deep follows pointers, which same does not.
func deep(v any) any {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && !r.IsNil() {
		return r.Elem().Interface()
	}
	return v
}

func TestAnyRefusals(t *testing.T) {
	type local struct{ A int }
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"unregistered", unknown{}, "interface {}: codec_test.unknown inside an any has no name on the wire; call mp.RegisterType[codec_test.unknown]() in a package variable or init function"},
		{"unregistered inside", map[string]any{"a": []any{1, []*local{}}}, "interface {}[a][1]: codec_test.local inside an any has no name on the wire; call mp.RegisterType[codec_test.local]() in a package variable or init function"},
		{"channel", []any{make(chan int)}, "interface {}[0]: chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead"},
		{"path within", map[string]any{"k": []func(){}}, "interface {}[k]: []func()[]: func() cannot travel to another process; make it a task with mp.Func, or send what it needs to know"},
		{"anonymous", struct{ A int }{}, "interface {}: struct { A int } inside an any has no name; declare a named type and call mp.RegisterType with it"},
		{"large array", [maxArray + 1]bool{}, "interface {}: [1048577]bool inside an any: type expression \"[1048577]bool\": shared memory or message is corrupt: an array of more than 1048576 elements or bytes; in an any, use a slice"},
		{"deep", []any{tree{Any: map[string]any{"x": unknown{}}}}, "interface {}[0](codec_test.tree).Any[x]: codec_test.unknown inside an any has no name on the wire; call mp.RegisterType[codec_test.unknown]() in a package variable or init function"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dst := []byte("kept")
			b, err := plan[any](t).Append(dst, &tt.value, nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("\ngot  %v\nwant %s", err, tt.want)
			}
			if string(b) != "kept" {
				t.Errorf("dst is %q after an error", b)
			}
		})
	}
}

const maxArray = 1 << 20

func TestRegisterTypePanics(t *testing.T) {
	for _, tt := range []struct {
		typ  reflect.Type
		name string
		want string
	}{
		{reflect.TypeFor[unknown](), "shop/order", `mp.RegisterType: "shop/order" cannot name multiproc/internal/codec_test.unknown, it already names multiproc/internal/codec_test.order`},
		{reflect.TypeFor[order](), "other", `mp.RegisterType: multiproc/internal/codec_test.order cannot be named "other", it is already named "shop/order"`},
		{reflect.TypeFor[unknown](), "int", `mp.RegisterType: "int" cannot name multiproc/internal/codec_test.unknown, it already names int`},
		{reflect.TypeFor[unknown](), "a b", `mp.RegisterType: "a b" cannot name codec_test.unknown; give a name of letters, digits, dots and slashes`},
		{reflect.TypeFor[unknown](), "map[int]", `mp.RegisterType: "map[int]" cannot name codec_test.unknown; give a name of letters, digits, dots and slashes`},
		{reflect.TypeFor[[]int](), "ints", `mp.RegisterType: []int has no name in Go, and needs none here`},
		{reflect.TypeFor[struct{ C chan int }](), "x", `mp.RegisterType: struct { C chan int }.C: chan int cannot travel to another process; share a *mp.Queue or a *mp.Conn instead`},
		{nil, "x", `mp.RegisterType: no type given`},
	} {
		func() {
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("\ngot  %v\nwant %v", got, tt.want)
				}
			}()
			codec.RegisterType(tt.typ, tt.name)
		}()
	}
	codec.RegisterType(reflect.TypeFor[order](), "shop/order") // again, harmless
}
