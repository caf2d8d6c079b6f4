package interchange_test

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
)

// pairs of values and their bytes. They are part of the protocol: programs of
// different builds must agree on them.
var dialect = []struct {
	name  string
	value pyvalue.Value
	bytes string
}{
	{"None", nil, "f6"},
	{"True", true, "f5"},
	{"False", false, "f4"},
	{"zero", int64(0), "00"},
	{"23", int64(23), "17"},
	{"24", int64(24), "1818"},
	{"256", int64(256), "190100"},
	{"2^16", int64(65536), "1a00010000"},
	{"2^32", int64(1 << 32), "1b0000000100000000"},
	{"2^63-1", int64(math.MaxInt64), "1b7fffffffffffffff"},
	{"2^63", number("0x8000000000000000"), "1b8000000000000000"},
	{"2^64-1", number("0xffffffffffffffff"), "1bffffffffffffffff"},
	{"2^64", number("0x10000000000000000"), "c249010000000000000000"},
	{"-1", int64(-1), "20"},
	{"-25", int64(-25), "3818"},
	{"-2^63", int64(math.MinInt64), "3b7fffffffffffffff"},
	{"-2^63-1", number("-0x8000000000000001"), "3b8000000000000000"},
	{"-2^64", number("-0x10000000000000000"), "3bffffffffffffffff"},
	{"-2^64-1", number("-0x10000000000000001"), "c349010000000000000000"},
	{"float", 1.0, "fb3ff0000000000000"},
	{"-0.0", math.Copysign(0, -1), "fb8000000000000000"},
	{"inf", math.Inf(1), "fb7ff0000000000000"},
	{"nan", math.NaN(), "fb7ff8000000000001"},
	{"complex", complex(1, -2), "d9a7f882fb3ff0000000000000fbc000000000000000"},
	{"str", "hé", "6368c3a9"},
	{"empty str", "", "60"},
	{"surrogate", "\xed\xa0\x80", "c843eda080"},
	{"any bytes", "a\xff", "c84261ff"},
	{"bytes", []byte{1, 2}, "420102"},
	{"no bytes", []byte{}, "40"},
	{"bytearray", &pyvalue.ByteArray{B: []byte{1}}, "ca4101"},
	{"tuple", pyvalue.Tuple{int64(1), "a"}, "c782016161"},
	{"empty tuple", pyvalue.Tuple{}, "c780"},
	{"list", &pyvalue.List{Items: []any{int64(1), nil}}, "8201f6"},
	{"dict", &pyvalue.Dict{Entries: entries("b", int64(1), int64(1), "b", pyvalue.Tuple{int64(1)}, nil)}, "a3616201016162c78101f6"},
	{"set", &pyvalue.Set{Items: []any{int64(2), int64(1)}}, "d90102820201"},
	{"frozenset", &pyvalue.FrozenSet{Items: []any{"a"}}, "c9816161"},
	{"slice", pyvalue.Slice{Start: int64(1), Step: int64(-1)}, "cb8301f620"},
	{"range", pyvalue.Range{Start: int64(0), Stop: int64(5), Step: int64(1)}, "cc83000501"},
	{"global", global("builtins", "int"), "cd82686275696c74696e7363696e74"},
	{"ref", pyvalue.Ref{ID: 258, Type: "list"}, "c64c00000000000001026c697374"},
	{"wide slice", pyvalue.Slice{Start: number("0x10000000000000000")}, "cb83c249010000000000000000f6f6"},
	{"slice of bools", pyvalue.Slice{Start: false, Stop: true}, "cb83f4f5f6"},
	{"range of bools", pyvalue.Range{Start: false, Stop: true, Step: true}, "cc83f4f5f5"},
	{"exception", &pyvalue.Exception{Class: global("m", "E"), Args: pyvalue.Tuple{"a"}}, "cf83616d6145816161"},
	{"object", &pyvalue.Object{Func: global("m", "C"), Args: pyvalue.Tuple{int64(1)}}, "ce83cd82616d6143c7810100"},
	{
		"whole object",
		&pyvalue.Object{
			Func: global("m", "C"), Args: pyvalue.Tuple{}, Kwargs: &pyvalue.Dict{}, New: true, State: nil, HasState: true,
			Items: []any{int64(1)}, Entries: entries("k", int64(2)),
		},
		"ce87cd82616d6143c780181fa0f68101a1616b02",
	},
}

func TestDialect(t *testing.T) {
	for _, tt := range dialect {
		t.Run(tt.name, func(t *testing.T) {
			b, err := interchange.AppendValue([]byte{1}, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b[1:]); got != tt.bytes || b[0] != 1 {
				t.Errorf("written %s, want %s", got, tt.bytes)
			}
			want := unhex(t, tt.bytes)
			if err := interchange.Check(want, interchange.Limits{}); err != nil {
				t.Error(err)
			}
			v, err := interchange.ParseValue(want)
			if err != nil || !same(v, tt.value) {
				t.Errorf("read %#v, %v; want %#v", v, err, tt.value)
			}
			again, err := interchange.AppendValue(nil, v)
			if err != nil || hex.EncodeToString(again) != tt.bytes {
				t.Errorf("written again %x, %v", again, err)
			}
			item, rest, err := interchange.Next(append(want, 0xf6))
			if err != nil || hex.EncodeToString(item) != tt.bytes || string(rest) != "\xf6" {
				t.Errorf("Next gives %x and %x, %v", item, rest, err)
			}
		})
	}
}

// A container without items is empty, also if it was made without a slice; only
// a nil pointer is None.
func TestEmpty(t *testing.T) {
	for _, tt := range []struct {
		value any
		bytes string
	}{
		{&pyvalue.List{}, "80"},
		{&pyvalue.Dict{}, "a0"},
		{&pyvalue.Set{}, "d9010280"},
		{&pyvalue.FrozenSet{}, "c980"},
		{&pyvalue.ByteArray{}, "ca40"},
		{pyvalue.Tuple(nil), "c780"},
		{(*pyvalue.List)(nil), "f6"},
		{(*pyvalue.Dict)(nil), "f6"},
		{(*pyvalue.ByteArray)(nil), "f6"},
		{[]any(nil), "f6"},
		{[]any{}, "80"},
		{map[string]any(nil), "f6"},
		{map[string]any{}, "a0"},
	} {
		b, err := interchange.AppendValue(nil, tt.value)
		if err != nil || hex.EncodeToString(b) != tt.bytes {
			t.Errorf("%#v becomes %x, %v; want %s", tt.value, b, err, tt.bytes)
		}
	}
}

// A time is one for Go, and for Python what it makes datetimes of.
func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		zone   int
		args   int // of the datetime
		days   int64
		second int64
	}{{0, 2, 0, 0}, {3600, 2, 0, 3600}, {-5 * 3600, 2, -1, 19 * 3600}} {
		when := time.Date(2024, 2, 29, 23, 59, 58, 123456789, time.FixedZone("x", tt.zone))
		b := encode(t, when, nil)
		v, err := interchange.ParseValue(b)
		if err != nil {
			t.Fatal(err)
		}
		o, ok := v.(*pyvalue.Object)
		if !ok || o.Func != any(global("datetime", "datetime")) || len(o.Args.(pyvalue.Tuple)) != 2 {
			t.Fatalf("for Python it is %#v", v)
		}
		args := o.Args.(pyvalue.Tuple)
		// hex(bytes.fromhex…) of datetime(2024, 2, 29, 23, 59, 58, 123456).__reduce__()
		if got := hex.EncodeToString(args[0].([]byte)); got != "07e8021d173b3a01e240" {
			t.Errorf("the bytes are %s", got)
		}
		delta := args[1].(*pyvalue.Object).Args.(pyvalue.Tuple)[0].(*pyvalue.Object).Args.(pyvalue.Tuple)
		if delta[0] != any(tt.days) || delta[1] != any(tt.second) || delta[2] != any(int64(0)) {
			t.Errorf("the zone is %v", delta)
		}
		// Back to Go with all that it had, and from Python with what that knows,
		// as a time and as an any.
		b, err = interchange.AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decode[time.Time](t, b, nil); err != nil || !back.Equal(when) {
			t.Errorf("back in Go it is %v, %v", back, err)
		}
		b, err = interchange.AppendValue(nil, &pyvalue.Object{Func: o.Func, Args: o.Args})
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode[time.Time](t, b, nil)
		if err != nil || !back.Equal(when.Truncate(time.Microsecond)) {
			t.Errorf("from Python comes %v, %v", back, err)
		}
		a, err := decode[any](t, b, nil)
		if at, ok := a.(time.Time); err != nil || !ok || !at.Equal(back) {
			t.Errorf("in an any comes %#v, %v", a, err)
		}
	}
}

// A datetime without a zone is a time for who wants one, else itself.
func TestNaiveTimes(t *testing.T) {
	fold := []byte{0x07, 0xe8, 0x82, 29, 1, 2, 3, 0, 0, 4}
	naive := &pyvalue.Object{Func: global("datetime", "datetime"), Args: pyvalue.Tuple{fold}}
	b, err := interchange.AppendValue(nil, naive)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode[time.Time](t, b, nil)
	if want := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %v, %v", got, err)
	}
	a, err := decode[any](t, b, nil)
	if _, ok := a.(*pyvalue.Object); err != nil || !ok {
		t.Errorf("got %#v, %v", a, err)
	}
	for name, o := range map[string]*pyvalue.Object{
		"other class": {Func: global("datetime", "date"), Args: pyvalue.Tuple{fold}},
		"short":       {Func: global("datetime", "datetime"), Args: pyvalue.Tuple{fold[:9]}},
		"no day":      {Func: global("datetime", "datetime"), Args: pyvalue.Tuple{[]byte{7, 0xe8, 2, 31, 0, 0, 0, 0, 0, 0}}},
		"zone by name": {
			Func: global("datetime", "datetime"),
			Args: pyvalue.Tuple{fold, &pyvalue.Object{Func: global("zoneinfo", "ZoneInfo._unpickle"), Args: pyvalue.Tuple{"Europe/Paris", true}}},
		},
	} {
		b, err := interchange.AppendValue(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode[time.Time](t, b, nil); err == nil || !strings.Contains(err.Error(), "a Python object for time.Time") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	raw := func(v any) string {
		t.Helper()
		b, err := interchange.AppendValue(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		k, err := interchange.Key(b)
		if err != nil {
			t.Fatalf("%#v: %v", v, err)
		}
		want, err := pyvalue.Key(v)
		if err != nil || k != want {
			t.Errorf("%#v has the key %x, pyvalue.Key says %x, %v", v, k, want, err)
		}
		return k
	}
	for _, class := range [][]any{
		{int64(1), true, 1.0, complex(1, 0)},
		{int64(0), false, math.Copysign(0, -1)},
		{"a"},
		{[]byte("a")},
		{"\xed\xa0\x80"},
		{number("0x8000000000000000"), float64(1 << 63)},
		{number("0x10000000000000000"), float64(1 << 64)},
		{number("-0x10000000000000000"), -float64(1 << 64)},
		{1.5},
		{pyvalue.Tuple{int64(1), "a"}, pyvalue.Tuple{true, "a"}},
		{&pyvalue.FrozenSet{Items: []any{int64(1), "a"}}, &pyvalue.FrozenSet{Items: []any{"a", 1.0}}},
		{nil},
	} {
		for _, v := range class {
			if raw(v) != raw(class[0]) {
				t.Errorf("%#v and %#v have different keys", v, class[0])
			}
		}
	}
	for _, bad := range []string{"80", "a0", "c78180", "d9010280", "ff", ""} {
		if k, err := interchange.Key(unhex(t, bad)); err == nil {
			t.Errorf("%s has the key %x", bad, k)
		}
	}
}
