package interchange_test

import (
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"testing"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// trip is one row of a table of values that must arrive as they were sent.
type trip struct {
	name string
	run  func(t *testing.T)
}

func row[T any](name string, v T) trip {
	return trip{name, func(t *testing.T) {
		if got := travel(t, v, nil); !same(got, v) {
			t.Errorf("\nsent %#v\ngot  %#v", v, got)
		}
	}}
}

func ptr[T any](v T) *T { return &v }

func TestTrips(t *testing.T) {
	type (
		text   string
		dict   map[text][]point
		empty  struct{}
		family struct{ Kids map[string]*family }
		wide   struct {
			A int8
			B uint16
			C float32
			D complex64
			E [3]byte
			F [2]string
			G *[]int
			H map[point]bool
			I map[string]struct{}
			J any
			K []byte
			_ int
			L map[[2]int8]weekday
			M *bool
			N []uint64
		}
	)
	when := time.Date(2024, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	for _, tt := range []trip{
		row("bool", true),
		row("int8", int8(-128)),
		row("int64", int64(math.MinInt64)),
		row("uint64", uint64(math.MaxUint64)),
		row("float64", 1.25),
		row("negative zero", math.Copysign(0, -1)),
		row("nan", math.NaN()),
		row("inf", math.Inf(-1)),
		row("float32", float32(0.1)),
		row("float32 inf", float32(math.Inf(1))),
		row("complex128", complex(1, math.Inf(1))),
		row("string", "a\x00é"),
		row("no UTF-8", "a\xff\xed\xa0\x80"),
		row("named string", text("a")),
		row("bytes", []byte{0, 255}),
		row("nil bytes", []byte(nil)),
		row("empty bytes", []byte{}),
		row("array of bytes", [4]byte{1, 2, 3, 4}),
		row("nil slice", []int(nil)),
		row("empty slice", []int{}),
		row("slice", []int{1, -1, 1 << 30}),
		row("nested", [][]string{{"a"}, nil, {}}),
		row("large elements", [][40]int{{1}, {2}, {3}}),
		row("array", [2]string{"a", "b"}),
		row("nil map", map[string]int(nil)),
		row("empty map", map[string]int{}),
		row("map", map[string]int{"a": 1, "bb": 2, "": 3}),
		row("map of ints", map[int8]string{-1: "a", 1: "b"}),
		row("map of floats", map[float64]bool{0.5: true, 1: false}),
		row("map of structs", map[point]order{{1, 2}: {1, "n", 2}}),
		row("map of arrays", map[[2]string]point{{"a", "b"}: {1, 2}}),
		row("map of any", map[any]any{1: "a", "b": 2.5, nil: true}),
		row("named map", dict{"a": {{1, 2}}, "b": nil}),
		row("set", map[string]struct{}{"a": {}, "b": {}}),
		row("set of structs", map[point]struct{}{{1, 2}: {}}),
		row("struct", order{1, "n", 2.5}),
		row("empty struct", empty{}),
		row("list", list{1, &list{2, nil}}),
		row("embedded", outer{base{"k"}, point{1, 2}, "n"}),
		row("recursive", family{map[string]*family{"a": {}, "b": nil}}),
		row("pointer", ptr(5)),
		row("nil pointer", (*int)(nil)),
		row("pointers", ptr(ptr("a"))),
		row("wide", wide{
			-1, 2, 3, 4,
			[3]byte{5},
			[2]string{"6"},
			&[]int{7},
			map[point]bool{{8, 8}: true},
			map[string]struct{}{"9": {}},
			[]any{10},
			[]byte{11},
			0,
			map[[2]int8]weekday{{1, 2}: 3},
			ptr(false),
			[]uint64{math.MaxUint64},
		}),
		row("zero wide", wide{}),
		row("time", when),
		row("zero time", time.Time{}),
		row("UTC", when.UTC()),
		row("duration", time.Hour),
		row("big", *number("0x1234567890abcdef1234567890abcdef")),
		row("small big", number("5")),
		row("negative big", number("-0x1234567890abcdef1234567890abcdef")),
		row("nil big", (*big.Int)(nil)),
		row("big float", *big.NewFloat(0.1).SetPrec(200)),
		row("rational", *big.NewRat(1, 3)),
		row("url", url.URL{Scheme: "https", Host: "h", Path: "/p"}),
		row("address", netip.MustParseAddr("::1")),
		row("map of addresses", map[netip.Addr]int{netip.MustParseAddr("10.0.0.1"): 1}),
		row("map of times", map[time.Time]int{when.UTC(): 1}),
		row("tuple", pyvalue.Tuple{1, "a", []any{2}}),
		row("data set", &pyvalue.Set{Items: []any{1, "a"}}),
		row("nil data set", (*pyvalue.Set)(nil)),
		row("in an any", []any{
			nil, true, 1, number("0x8000000000000000"), 1.5, complex(1, 2), "a", "\xff",
			[]byte{1},
			[]any{},
			map[string]any{"a": map[string]any{}},
			map[any]any{1: 2, "a": nil},
			pyvalue.Tuple{},
			&pyvalue.Set{}, &pyvalue.FrozenSet{Items: []any{1}}, &pyvalue.ByteArray{B: []byte{1}},
			pyvalue.Slice{Start: 1},
			pyvalue.Range{Start: 1, Stop: 2, Step: 3},
			global("a", "b"),
			pyvalue.Ref{ID: 1, Type: "list"},
			&pyvalue.Dict{Entries: entries(pyvalue.Tuple{1}, 2, []byte{1}, 3)}, &pyvalue.Object{Func: global("a", "b"), Args: pyvalue.Tuple{1, nil}},
			&pyvalue.Exception{Class: global("a", "b"), Args: pyvalue.Tuple{1}}, when,
		}),
	} {
		t.Run(tt.name, tt.run)
	}
}

// as is a row of a table of values that arrive as something else.
func as[From, To any](name string, from From, want To) trip {
	return trip{name, func(t *testing.T) {
		b := encode(t, from, nil)
		if got, err := decode[To](t, b, nil); err != nil || !same(got, want) {
			t.Errorf("%x\nwant %#v\ngot  %#v, %v", b, want, got, err)
		}
	}}
}

// TestFit: the reader has declared another type than the writer, or is one of
// another language.
func TestFit(t *testing.T) {
	type (
		narrow  struct{ Name string }
		renamed struct {
			Other int
			ID    int32 `mp:"id"`
		}
		flat struct {
			Kind string
			At   point `mp:"at"`
			Note string
		}
		text struct{ Note any }
	)
	newObj := func(args any, state any) *pyvalue.Object {
		return &pyvalue.Object{Func: global("m", "C"), Args: args, New: true, State: state, HasState: state != nil}
	}
	dict := &pyvalue.Dict{Entries: entries("X", 1, "zz", nil, 5, 6, "Y", 2, "X", 3)}
	slots := pyvalue.Tuple{nil, &pyvalue.Dict{Entries: entries("X", 1)}}
	long := string(make([]byte, 100))
	type longName struct {
		N int `mp:"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"`
	}
	name := reflect.TypeFor[longName]().Field(0).Tag.Get("mp")
	for _, tt := range []trip{
		as("fewer fields", order{1, "n", 2}, narrow{"n"}),
		as("other fields", order{1, "n", 2}, renamed{0, 1}),
		as("flattened", outer{base{"k"}, point{1, 2}, "n"}, flat{"k", point{1, 2}, "n"}),
		as("struct to map", order{1, "n", 2}, map[string]any{"id": 1, "Name": "n", "Price": 2.0}),
		as("struct in any", any([]any{point{1, 2}, &point{}, []point{{}}}), any([]any{
			map[string]any{"X": 1, "Y": 2}, map[string]any{"X": 0, "Y": 0}, []any{map[string]any{"X": 0, "Y": 0}},
		})),
		as("dict to struct", dict, point{3, 2}),
		as("tuple to struct", pyvalue.Tuple{1, 2}, point{1, 2}),
		as("list to struct", []int{1, 2}, point{1, 2}),
		as("namedtuple to struct", newObj(pyvalue.Tuple{1, 2}, nil), point{1, 2}),
		as("attributes to struct", newObj(pyvalue.Tuple{}, dict), point{3, 2}),
		as("attributes in struct", []any{newObj(pyvalue.Tuple{}, dict), 5}, struct {
			P point
			N int
		}{point{3, 2}, 5}),
		as("no attributes to struct", []any{newObj(pyvalue.Tuple{}, nil), 5}, struct {
			P point
			N int
		}{point{}, 5}),
		as("slots to struct", []any{newObj(pyvalue.Tuple{}, pyvalue.Tuple{nil, dict}), 5}, struct {
			P point
			N int
		}{point{3, 2}, 5}),
		as("attributes and slots to struct", newObj(pyvalue.Tuple{}, pyvalue.Tuple{&pyvalue.Dict{Entries: entries("X", 4)}, &pyvalue.Dict{Entries: entries("Y", 5)}}), point{4, 5}),
		as("values to struct", newObj(pyvalue.Tuple{}, &pyvalue.List{Items: []any{4, 5}}), point{4, 5}),
		as("shared slots to structs", []any{newObj(pyvalue.Tuple{}, slots), newObj(pyvalue.Tuple{}, slots)}, []point{{X: 1}, {X: 1}}),
		as("shared attributes to struct", []any{dict, newObj(pyvalue.Tuple{}, dict), newObj(pyvalue.Tuple{}, dict)}, []point{{3, 2}, {3, 2}, {3, 2}}),
		as("shared name", []any{name, &pyvalue.Dict{Entries: entries(name, 7)}, &pyvalue.Dict{Entries: entries(name, 8)}}, struct {
			S    string
			A, B longName
		}{name, longName{7}, longName{8}}),
		as("shared name first", []any{&pyvalue.Dict{Entries: entries(name, 7)}, &pyvalue.Dict{Entries: entries(name, 8)}}, []longName{{7}, {8}}),
		as("shared state first", []any{newObj(pyvalue.Tuple{}, dict), dict}, [2]point{{3, 2}, {3, 2}}),
		as("object with more", []any{&pyvalue.Object{
			Func: global("m", "C"), Args: pyvalue.Tuple{1, 2}, New: true, Kwargs: dict, Items: []any{1}, Entries: entries(1, 2),
		}, 5}, struct {
			P point
			N int
		}{point{1, 2}, 5}),
		as("key to struct", map[point]int{{1, 2}: 3}, map[[2]int]int{{1, 2}: 3}),
		as("key to any", map[point]int{{1, 2}: 3}, any(&pyvalue.Dict{Entries: entries(pyvalue.Tuple{1, 2}, 3)})),
		as("tuple to slice", pyvalue.Tuple{1, 2}, []int{1, 2}),
		as("set to slice", &pyvalue.Set{Items: []any{1, 2}}, []int8{1, 2}),
		as("set to array", &pyvalue.FrozenSet{Items: []any{1, 2}}, [2]int8{1, 2}),
		as("set to set", &pyvalue.FrozenSet{Items: []any{1, 2}}, map[int8]struct{}{1: {}, 2: {}}),
		as("list to set", []string{"a", "a"}, map[string]struct{}{"a": {}}),
		as("dict to set", map[string]int{"a": 5}, map[string]struct{}{"a": {}}),
		as("int to float", 3, 3.0),
		as("negative to float", -3, float32(-3)),
		as("big to float", number("0x10000000000000000"), float64(1<<64)),
		as("int to complex", 3, complex(3, 0)),
		as("float to complex", 3.5, complex64(3.5)),
		as("bytearray to bytes", &pyvalue.ByteArray{B: []byte{1}}, []byte{1}),
		as("list to bytes", []int{1, 255}, []byte{1, 255}),
		as("list to array of bytes", []int{1, 255}, [2]byte{1, 255}),
		as("null to struct's pointer", pyvalue.Tuple{nil}, struct{ P *point }{}),
		as("long text twice", []any{long, long, []any{long}}, struct {
			A, B string
			C    []string
		}{long, long, []string{long}}),
		as("time with seconds in its zone", time.Unix(0, 0).In(time.FixedZone("", 61)), time.Unix(0, 0).UTC()),
		as("pointer to nil", ptr((*int)(nil)), (**int)(nil)),
		as("uint to any", any(uint8(5)), any(5)),
		as("nils to any", any([]any{(*point)(nil), []int(nil), map[string]any(nil), []any(nil), []byte(nil), (*big.Int)(nil)}), any([]any{nil, nil, nil, nil, nil, nil})),
		as("no text keys to any", map[int]int{1: 2}, any(map[any]any{1: 2})),
		as("empty map to any", map[int]int{}, any(map[string]any{})),
		as("into text", struct{ Note string }{"n"}, text{"n"}),
	} {
		t.Run(tt.name, tt.run)
	}
}

// Equal keys are equal bytes, and so are equal maps.
func TestDeterministic(t *testing.T) {
	m := map[string]int{}
	for i := range 100 {
		m[time.Unix(int64(i), 0).String()] = i
	}
	first := encode(t, m, nil)
	for range 5 {
		if string(encode(t, m, nil)) != string(first) {
			t.Fatal("the same map becomes different bytes")
		}
	}
	key, err := interchange.ForKey[point]()
	if err != nil {
		t.Fatal(err)
	}
	b, err := key.Append(nil, &point{1, 2}, nil)
	if err != nil || string(b) != "\xc7\x82\x01\x02" {
		t.Errorf("as a key a struct is %x, %v", b, err)
	}
	var p point
	if err := key.Decode(b, &p, nil); err != nil || p != (point{1, 2}) {
		t.Errorf("read back %v, %v", p, err)
	}
	zone := time.FixedZone("", 3600)
	times, err := interchange.ForKey[time.Time]()
	if err != nil {
		t.Fatal(err)
	}
	when := time.Unix(0, 0)
	a, err1 := times.Append(nil, ptr(when.In(zone)), nil)
	c, err2 := times.Append(nil, ptr(when.UTC()), nil)
	if err1 != nil || err2 != nil || string(a) != string(c) {
		t.Errorf("one time in two zones makes the keys %x and %x", a, c)
	}
}
