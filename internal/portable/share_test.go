package portable_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
)

// What is one object in several places stays one.
func TestSharing(t *testing.T) {
	list := &data.List{}
	list.Items = []any{int64(1), list}
	dict := &data.Dict{}
	dict.Entries = entries("self", dict)
	inner := &data.List{}
	tuple := data.Tuple{inner, int64(1)}
	inner.Items = []any{tuple}
	object := &data.Object{Func: global("m", "C"), Args: data.Tuple{}, HasState: true}
	object.State = &data.Dict{Entries: entries("me", object)}
	set := &data.FrozenSet{Items: []any{object}}
	long := strings.Repeat("x", 100)
	raw := []byte(long)
	far := global(long, "a")
	for _, tt := range []struct {
		name  string
		value any
		bytes string
	}{
		{"list in itself", list, "d81c8201d81d00"},
		{"dict in itself", dict, "d81ca16473656c66d81d00"},
		{"tuple in itself", tuple, "d81cc78281d81d0001"},
		{"list in itself by a tuple", inner, "d81c81c782d81d0001"},
		{"twice", &data.List{Items: []any{set, set, &data.FrozenSet{}}}, "83d81cc981d81cce84cd82616d6143c78004a1626d65d81d01d81d00c980"},
		{"object in itself", object, "d81cce84cd82616d6143c78004a1626d65d81d00"},
		{"tuple as a key", &data.List{Items: []any{tuple[1:], &data.Dict{Entries: entries(tuple[1:], nil)}}}, "82d81cc78101a1d81d00f6"},
		{"long text", data.Tuple{long, long, long[1:]}, "c783d81c7864" + hex.EncodeToString(raw) + "d81d007863" + hex.EncodeToString(raw[1:])},
		{"long bytes", data.Tuple{raw, raw}, "c782d81c5864" + hex.EncodeToString(raw) + "d81d00"},
		{"long name", data.Tuple{far, far}, "c782d81ccd827864" + hex.EncodeToString(raw) + "6161d81d00"},
		{"long integer", twice(number("0x1" + long[:0] + strings.Repeat("0", 128))), "c782d81cc25841" + "01" + strings.Repeat("00", 64) + "d81d00"},
		{"short text", data.Tuple{"a", "a"}, "c78261616161"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := portable.AppendValue(nil, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b); got != tt.bytes {
				t.Errorf("written %s, want %s", got, tt.bytes)
			}
			if err := portable.Check(b, portable.Limits{}); err != nil {
				t.Fatal(err)
			}
			v, err := portable.ParseValue(b)
			if err != nil {
				t.Fatal(err)
			}
			// Only what is shared again is written so again.
			again, err := portable.AppendValue(nil, v)
			if err != nil || string(again) != string(b) {
				t.Errorf("written again %x, %v", again, err)
			}
			var a any
			err = plan[any](t).Decode(b, &a, nil)
			if strings.Contains(tt.name, " in itself") && tt.name != "object in itself" {
				if !errors.Is(err, mperr.ErrType) || a != nil {
					t.Errorf("for Go it is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if again, err = portable.AppendValue(nil, a); err != nil || len(again) < len(b) {
				t.Errorf("written by Go %x, %v", again, err)
			}
		})
	}
}

func twice(v any) data.Tuple { return data.Tuple{v, v} }

// What shares its parts shares them in an any, too. Circles are allowed if a
// pointer is among them.
func TestSharingInAny(t *testing.T) {
	l := &data.List{Items: []any{int64(1)}}
	object := &data.Object{Func: global("m", "C"), HasState: true}
	texts := &data.Dict{Entries: entries("me", object, "l", l)}
	mixed := &data.Dict{Entries: entries(int64(1), object, "l", l)}
	tuples := &data.Dict{}
	tuples.Entries = entries(data.Tuple{}, tuples)
	object.State = &data.List{Items: []any{texts, mixed}}
	b, err := portable.AppendValue(nil, data.Tuple{texts, mixed, tuples, l})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := plan[any](t).Decode(b, &v, nil); err != nil {
		t.Fatal(err)
	}
	got := v.(data.Tuple)
	a, m := got[0].(map[string]any), got[1].(map[any]any)
	a["new"], m["new"] = true, true
	a["l"].([]any)[0] = 2
	state := m[1].(*data.Object).State.([]any)
	if state[0].(map[string]any)["new"] != true || state[1].(map[any]any)["new"] != true || a["me"] != m[1] {
		t.Error("a map that holds itself by an object holds another one")
	}
	if m["l"].([]any)[0] != 2 || got[3].([]any)[0] != 2 {
		t.Error("a list in three places is not one list")
	}
	if d := got[2].(*data.Dict); d.Entries[0].Value != any(d) {
		t.Error("a dict that holds itself holds another one")
	}
	var exact struct{ A, B any }
	if err := plan[struct{ A, B any }](t).Decode(unhex(t, "82d81c8201a0d81d00"), &exact, nil); err != nil || !reflect.DeepEqual(exact.A, exact.B) {
		t.Errorf("two fields that share a list: %v, %v", exact, err)
	}
}

// A *data.List is as Python has it, circles and all.
func TestExact(t *testing.T) {
	v, err := decode[*data.List](t, unhex(t, "82018102"), nil)
	if err != nil || v.Items[0] != any(int64(1)) || v.Items[1].(*data.List).Items[0] != any(int64(2)) {
		t.Errorf("got %#v, %v", v, err)
	}
	var l *data.List
	if err := plan[*data.List](t).Decode(unhex(t, "d81c81d81d00"), &l, nil); err != nil || l.Items[0] != any(l) {
		t.Errorf("got %#v, %v", l, err)
	}
	if _, err := decode[*data.Dict](t, unhex(t, "80"), nil); !errors.Is(err, mperr.ErrType) {
		t.Errorf("a list for a dict: %v", err)
	}
}

// Of equal keys the last counts, at the place of the first.
func TestEqualKeys(t *testing.T) {
	for bytes, want := range map[string]string{
		"a3616101616202616103":       `{a 3} {b 2}`,
		"a3000100020003":             `{0 3}`,
		"a30001f402616103":           `{0 2} {a 3}`,
		"a201f5fb3ff0000000000000f4": `{1 false}`,
		"a3c7810101c781f502c7810203": `{[1] 2} {[2] 3}`,
		"a2616201616102":             `{b 1} {a 2}`,
	} {
		v, err := portable.ParseValue(unhex(t, bytes))
		if err != nil {
			t.Fatalf("%s: %v", bytes, err)
		}
		if got := strings.Trim(fmt.Sprint(v.(*data.Dict).Entries), "[]"); strings.ReplaceAll(got, "] ", "] ") != strings.Trim(want, "[]") {
			t.Errorf("%s: %s, want %s", bytes, got, want)
		}
	}
	v, err := portable.ParseValue(unhex(t, "d90102850101f5fb3ff000000000000002"))
	if err != nil || len(v.(*data.Set).Items) != 2 {
		t.Errorf("a set of equal members: %#v, %v", v, err)
	}
	m, err := decode[map[string]int](t, unhex(t, "a2616101616102"), nil)
	if err != nil || len(m) != 1 || m["a"] != 2 {
		t.Errorf("a map of equal keys: %v, %v", m, err)
	}
}

// Of two equal keys the last counts, also of times, which are objects of Python.
func TestEqualTimes(t *testing.T) {
	for _, bytes := range []string{
		"a2c0" + text("2024-01-02T03:04:05Z") + "01c0" + text("2024-01-02T03:04:05Z") + "02",
		"a2c781c0" + text("2024-01-02T03:04:05Z") + "01c781c0" + text("2024-01-02T03:04:05Z") + "02",
	} {
		v, err := portable.ParseValue(unhex(t, bytes))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.(*data.Dict).Entries; len(got) != 1 || got[0].Value != any(int64(2)) {
			t.Errorf("%s", data.Repr(v))
		}
	}
}

// Objects that look alike, and NaN, are different keys: a set of Python that has
// two such has two afterwards.
func TestAlikeKeys(t *testing.T) {
	alike := func() any { return &data.Object{Func: global("m", "C"), Args: data.Tuple{}, New: true} }
	for name, keys := range map[string][2]any{
		"objects":            {alike(), alike()},
		"objects in a tuple": {data.Tuple{alike()}, data.Tuple{alike()}},
		"objects in a set":   {&data.FrozenSet{Items: []any{alike()}}, &data.FrozenSet{Items: []any{alike()}}},
		"nan":                {math.NaN(), math.NaN()},
		"nan in a tuple":     {data.Tuple{1.5, math.NaN()}, data.Tuple{1.5, math.NaN()}},
		"complex nan":        {complex(math.NaN(), 1), complex(math.NaN(), 1)},
	} {
		set := &data.Set{Items: append([]any{int64(1)}, keys[:]...)}
		dict := &data.Dict{Entries: entries(keys[0], int64(1), keys[1], int64(2))}
		b, err := portable.AppendValue(nil, data.Tuple{set, dict})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := portable.ParseValue(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pair := v.(data.Tuple)
		if n := len(pair[0].(*data.Set).Items); n != 3 {
			t.Errorf("%s: a set of 3 has %d", name, n)
		}
		if got := pair[1].(*data.Dict).Entries; len(got) != 2 || got[0].Value != any(int64(1)) || got[1].Value != any(int64(2)) {
			t.Errorf("%s: the dict has become %s", name, data.Repr(pair[1]))
		}
	}
	// But the same object is the same key.
	same := alike()
	b, err := portable.AppendValue(nil, &data.Dict{Entries: entries(data.Tuple{same}, int64(1), data.Tuple{same}, int64(2))})
	if err != nil {
		t.Fatal(err)
	}
	v, err := portable.ParseValue(b)
	if got := v.(*data.Dict).Entries; err != nil || len(got) != 1 || got[0].Value != any(int64(2)) {
		t.Errorf("the same key twice makes %s, %v", data.Repr(v), err)
	}
}

func TestRefs(t *testing.T) {
	v := data.Tuple{
		data.Ref{ID: 1, Type: "list"},
		&data.Dict{Entries: entries("k", data.Ref{ID: 2, Type: "dict"}, "\xc6", []byte("\xc6\x48"))},
		data.Ref{ID: 1, Type: "list"},
		1.5, number("0x10000000000000000"), "",
	}
	b, err := portable.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var ids, scanned []uint64
	portable.Refs(b, func(id uint64) bool {
		ids = append(ids, id)
		return true
	})
	err = portable.Scan(b, portable.Limits{}, func(id uint64) { scanned = append(scanned, id) })
	if err != nil || fmt.Sprint(ids) != "[1 2 1]" || fmt.Sprint(scanned) != "[1 2 1]" {
		t.Errorf("Refs %v, Scan %v, %v", ids, scanned, err)
	}
	n := 0
	portable.Refs(b, func(uint64) bool { n++; return false })
	if n != 1 {
		t.Errorf("Refs goes on: %d", n)
	}
}

// What can change is no key, also where it stands elsewhere already.
func TestSharedKeys(t *testing.T) {
	list := &data.List{}
	tuple := data.Tuple{int64(1), data.Tuple{list}}
	mixed := map[any]any{"x": 1}
	for name, key := range map[string]any{
		"list": list, "tuple": tuple, "map": mixed, "map in a tuple": data.Tuple{mixed}, "slice in a tuple": data.Tuple{[]any{1}},
		"bytearray": &data.ByteArray{}, "set": &data.Set{}, "slice": data.Tuple{data.Slice{}},
	} {
		for _, holder := range []any{&data.Dict{Entries: entries(key, nil)}, &data.FrozenSet{Items: []any{key}}} {
			_, err := portable.AppendValue(nil, []any{key, list, list, mixed, holder})
			if err == nil || !strings.Contains(err.Error(), "cannot be a key or a member of a set") {
				t.Errorf("%s in a %T: %v", name, holder, err)
			}
		}
	}
	good := data.Tuple{int64(1), data.Tuple{&data.FrozenSet{}, &data.Object{Func: global("m", "C"), Args: data.Tuple{list}}}}
	b, err := portable.AppendValue(nil, []any{good, list, &data.Dict{Entries: entries(good, 1)}, &data.Set{Items: []any{good}}})
	if err == nil {
		err = portable.Check(b, portable.Limits{})
	}
	if err != nil {
		t.Error(err)
	}
}
