package interchange_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// What is one object in several places stays one.
func TestSharing(t *testing.T) {
	list := &pyvalue.List{}
	list.Items = []any{int64(1), list}
	dict := &pyvalue.Dict{}
	dict.Entries = entries("self", dict)
	inner := &pyvalue.List{}
	tuple := pyvalue.Tuple{inner, int64(1)}
	inner.Items = []any{tuple}
	object := &pyvalue.Object{Func: global("m", "C"), Args: pyvalue.Tuple{}, HasState: true}
	object.State = &pyvalue.Dict{Entries: entries("me", object)}
	set := &pyvalue.FrozenSet{Items: []any{object}}
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
		{"twice", &pyvalue.List{Items: []any{set, set, &pyvalue.FrozenSet{}}}, "83d81cc981d81cce84cd82616d6143c78004a1626d65d81d01d81d00c980"},
		{"object in itself", object, "d81cce84cd82616d6143c78004a1626d65d81d00"},
		{"tuple as a key", &pyvalue.List{Items: []any{tuple[1:], &pyvalue.Dict{Entries: entries(tuple[1:], nil)}}}, "82d81cc78101a1d81d00f6"},
		{"long text", pyvalue.Tuple{long, long, long[1:]}, "c783d81c7864" + hex.EncodeToString(raw) + "d81d007863" + hex.EncodeToString(raw[1:])},
		{"long bytes", pyvalue.Tuple{raw, raw}, "c782d81c5864" + hex.EncodeToString(raw) + "d81d00"},
		{"long name", pyvalue.Tuple{far, far}, "c782d81ccd827864" + hex.EncodeToString(raw) + "6161d81d00"},
		{"long integer", twice(number("0x1" + long[:0] + strings.Repeat("0", 128))), "c782d81cc25841" + "01" + strings.Repeat("00", 64) + "d81d00"},
		{"short text", pyvalue.Tuple{"a", "a"}, "c78261616161"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := interchange.AppendValue(nil, tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(b); got != tt.bytes {
				t.Errorf("written %s, want %s", got, tt.bytes)
			}
			if err := interchange.Check(b, interchange.Limits{}); err != nil {
				t.Fatal(err)
			}
			v, err := interchange.ParseValue(b)
			if err != nil {
				t.Fatal(err)
			}
			// Only what is shared again is written so again.
			again, err := interchange.AppendValue(nil, v)
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
			if again, err = interchange.AppendValue(nil, a); err != nil || len(again) < len(b) {
				t.Errorf("written by Go %x, %v", again, err)
			}
		})
	}
}

func twice(v any) pyvalue.Tuple { return pyvalue.Tuple{v, v} }

// What shares its parts shares them in an any, too. Circles are allowed if a
// pointer is among them.
func TestSharingInAny(t *testing.T) {
	l := &pyvalue.List{Items: []any{int64(1)}}
	object := &pyvalue.Object{Func: global("m", "C"), HasState: true}
	texts := &pyvalue.Dict{Entries: entries("me", object, "l", l)}
	mixed := &pyvalue.Dict{Entries: entries(int64(1), object, "l", l)}
	tuples := &pyvalue.Dict{}
	tuples.Entries = entries(pyvalue.Tuple{}, tuples)
	object.State = &pyvalue.List{Items: []any{texts, mixed}}
	b, err := interchange.AppendValue(nil, pyvalue.Tuple{texts, mixed, tuples, l})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := plan[any](t).Decode(b, &v, nil); err != nil {
		t.Fatal(err)
	}
	got := v.(pyvalue.Tuple)
	a, m := got[0].(map[string]any), got[1].(map[any]any)
	a["new"], m["new"] = true, true
	a["l"].([]any)[0] = 2
	state := m[1].(*pyvalue.Object).State.([]any)
	if state[0].(map[string]any)["new"] != true || state[1].(map[any]any)["new"] != true || a["me"] != m[1] {
		t.Error("a map that holds itself by an object holds another one")
	}
	if m["l"].([]any)[0] != 2 || got[3].([]any)[0] != 2 {
		t.Error("a list in three places is not one list")
	}
	if d := got[2].(*pyvalue.Dict); d.Entries[0].Value != any(d) {
		t.Error("a dict that holds itself holds another one")
	}
	var exact struct{ A, B any }
	if err := plan[struct{ A, B any }](t).Decode(unhex(t, "82d81c8201a0d81d00"), &exact, nil); err != nil || !reflect.DeepEqual(exact.A, exact.B) {
		t.Errorf("two fields that share a list: %v, %v", exact, err)
	}
}

// A *pyvalue.List is as Python has it, circles and all.
func TestExact(t *testing.T) {
	v, err := decode[*pyvalue.List](t, unhex(t, "82018102"), nil)
	if err != nil || v.Items[0] != any(int64(1)) || v.Items[1].(*pyvalue.List).Items[0] != any(int64(2)) {
		t.Errorf("got %#v, %v", v, err)
	}
	var l *pyvalue.List
	if err := plan[*pyvalue.List](t).Decode(unhex(t, "d81c81d81d00"), &l, nil); err != nil || l.Items[0] != any(l) {
		t.Errorf("got %#v, %v", l, err)
	}
	if _, err := decode[*pyvalue.Dict](t, unhex(t, "80"), nil); !errors.Is(err, mperr.ErrType) {
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
		v, err := interchange.ParseValue(unhex(t, bytes))
		if err != nil {
			t.Fatalf("%s: %v", bytes, err)
		}
		if got := strings.Trim(fmt.Sprint(v.(*pyvalue.Dict).Entries), "[]"); strings.ReplaceAll(got, "] ", "] ") != strings.Trim(want, "[]") {
			t.Errorf("%s: %s, want %s", bytes, got, want)
		}
	}
	v, err := interchange.ParseValue(unhex(t, "d90102850101f5fb3ff000000000000002"))
	if err != nil || len(v.(*pyvalue.Set).Items) != 2 {
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
		v, err := interchange.ParseValue(unhex(t, bytes))
		if err != nil {
			t.Fatal(err)
		}
		if got := v.(*pyvalue.Dict).Entries; len(got) != 1 || got[0].Value != any(int64(2)) {
			t.Errorf("%s", pyvalue.Repr(v))
		}
	}
}

// Objects that look alike, and NaN, are different keys: a set of Python that has
// two such has two afterwards.
func TestAlikeKeys(t *testing.T) {
	alike := func() any { return &pyvalue.Object{Func: global("m", "C"), Args: pyvalue.Tuple{}, New: true} }
	for name, keys := range map[string][2]any{
		"objects":            {alike(), alike()},
		"objects in a tuple": {pyvalue.Tuple{alike()}, pyvalue.Tuple{alike()}},
		"objects in a set":   {&pyvalue.FrozenSet{Items: []any{alike()}}, &pyvalue.FrozenSet{Items: []any{alike()}}},
		"nan":                {math.NaN(), math.NaN()},
		"nan in a tuple":     {pyvalue.Tuple{1.5, math.NaN()}, pyvalue.Tuple{1.5, math.NaN()}},
		"complex nan":        {complex(math.NaN(), 1), complex(math.NaN(), 1)},
	} {
		set := &pyvalue.Set{Items: append([]any{int64(1)}, keys[:]...)}
		dict := &pyvalue.Dict{Entries: entries(keys[0], int64(1), keys[1], int64(2))}
		b, err := interchange.AppendValue(nil, pyvalue.Tuple{set, dict})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v, err := interchange.ParseValue(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pair := v.(pyvalue.Tuple)
		if n := len(pair[0].(*pyvalue.Set).Items); n != 3 {
			t.Errorf("%s: a set of 3 has %d", name, n)
		}
		if got := pair[1].(*pyvalue.Dict).Entries; len(got) != 2 || got[0].Value != any(int64(1)) || got[1].Value != any(int64(2)) {
			t.Errorf("%s: the dict has become %s", name, pyvalue.Repr(pair[1]))
		}
	}
	// But the same object is the same key.
	same := alike()
	b, err := interchange.AppendValue(nil, &pyvalue.Dict{Entries: entries(pyvalue.Tuple{same}, int64(1), pyvalue.Tuple{same}, int64(2))})
	if err != nil {
		t.Fatal(err)
	}
	v, err := interchange.ParseValue(b)
	if got := v.(*pyvalue.Dict).Entries; err != nil || len(got) != 1 || got[0].Value != any(int64(2)) {
		t.Errorf("the same key twice makes %s, %v", pyvalue.Repr(v), err)
	}
}

func TestRefs(t *testing.T) {
	v := pyvalue.Tuple{
		pyvalue.Ref{ID: 1, Type: "list"},
		&pyvalue.Dict{Entries: entries("k", pyvalue.Ref{ID: 2, Type: "dict"}, "\xc6", []byte("\xc6\x48"))},
		pyvalue.Ref{ID: 1, Type: "list"},
		1.5, number("0x10000000000000000"), "",
	}
	b, err := interchange.AppendValue(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var ids, scanned []uint64
	interchange.Refs(b, func(id uint64) bool {
		ids = append(ids, id)
		return true
	})
	err = interchange.Scan(b, interchange.Limits{}, func(id uint64) { scanned = append(scanned, id) })
	if err != nil || fmt.Sprint(ids) != "[1 2 1]" || fmt.Sprint(scanned) != "[1 2 1]" {
		t.Errorf("Refs %v, Scan %v, %v", ids, scanned, err)
	}
	n := 0
	interchange.Refs(b, func(uint64) bool { n++; return false })
	if n != 1 {
		t.Errorf("Refs goes on: %d", n)
	}
}

// What can change is no key, also where it stands elsewhere already.
func TestSharedKeys(t *testing.T) {
	list := &pyvalue.List{}
	tuple := pyvalue.Tuple{int64(1), pyvalue.Tuple{list}}
	mixed := map[any]any{"x": 1}
	for name, key := range map[string]any{
		"list": list, "tuple": tuple, "map": mixed, "map in a tuple": pyvalue.Tuple{mixed}, "slice in a tuple": pyvalue.Tuple{[]any{1}},
		"bytearray": &pyvalue.ByteArray{}, "set": &pyvalue.Set{}, "slice": pyvalue.Tuple{pyvalue.Slice{}},
	} {
		for _, holder := range []any{&pyvalue.Dict{Entries: entries(key, nil)}, &pyvalue.FrozenSet{Items: []any{key}}} {
			_, err := interchange.AppendValue(nil, []any{key, list, list, mixed, holder})
			if err == nil || !strings.Contains(err.Error(), "cannot be a key or a member of a set") {
				t.Errorf("%s in a %T: %v", name, holder, err)
			}
		}
	}
	good := pyvalue.Tuple{int64(1), pyvalue.Tuple{&pyvalue.FrozenSet{}, &pyvalue.Object{Func: global("m", "C"), Args: pyvalue.Tuple{list}}}}
	b, err := interchange.AppendValue(nil, []any{good, list, &pyvalue.Dict{Entries: entries(good, 1)}, &pyvalue.Set{Items: []any{good}}})
	if err == nil {
		err = interchange.Check(b, interchange.Limits{})
	}
	if err != nil {
		t.Error(err)
	}
}
