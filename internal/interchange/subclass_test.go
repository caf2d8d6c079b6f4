package interchange_test

import (
	"errors"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// made is what Python's pickle makes of an instance of a class of its own.
func made(o pyvalue.Object) *pyvalue.Object {
	o.Func, o.New = global("m", "C"), true
	if o.Args == nil {
		o.Args = pyvalue.Tuple{}
	}
	return &o
}

// An instance of a subclass of dict or list is read as a dict or list would be,
// with the attributes that it has besides.
func TestSubclasses(t *testing.T) {
	y := &pyvalue.Dict{Entries: entries("Y", 2)}
	for _, tt := range []trip{
		as("dict to struct", made(pyvalue.Object{Entries: entries("X", 1, "Y", 2)}), point{1, 2}),
		as("dict with attributes to struct", made(pyvalue.Object{State: y, HasState: true, Entries: entries("X", 1)}), point{1, 2}),
		as("list to struct", made(pyvalue.Object{Items: []any{1, 2}}), point{1, 2}),
		as("list with attributes to struct", made(pyvalue.Object{State: y, HasState: true, Items: []any{5}}), point{0, 2}),
		as("in a slice", []any{made(pyvalue.Object{Entries: entries("X", 1)}), made(pyvalue.Object{Items: []any{1, 2}})}, []point{{X: 1}, {1, 2}}),
		as("empty dict to map", []any{made(pyvalue.Object{})}, []map[string]int{{}}),
		as("empty list to slice", []any{made(pyvalue.Object{})}, [][]int{{}}),
		as("dict to map", made(pyvalue.Object{State: y, HasState: true, Entries: entries("X", 1)}), map[string]int{"X": 1}),
		as("list to slice", made(pyvalue.Object{State: y, HasState: true, Items: []any{1}}), []int{1}),
	} {
		t.Run(tt.name, tt.run)
	}
	for name, o := range map[string]*pyvalue.Object{
		"too few items": made(pyvalue.Object{Items: []any{1}}),
	} {
		if _, err := decode[point](t, encode(t, any(o), nil), nil); !errors.Is(err, mperr.ErrType) {
			t.Errorf("%s: %v", name, err)
		}
	}
	attributes := made(pyvalue.Object{State: y, HasState: true})
	if m, err := decode[map[string]int](t, encode(t, any(attributes), nil), nil); !errors.Is(err, mperr.ErrType) {
		t.Errorf("an object with attributes only is the map %v, %v", m, err)
	}
}

// A part that many objects share is gone over for each of them, which has its
// bound, and counts as what it is: not as the reference to it.
func TestSharedPartsOfObjects(t *testing.T) {
	big := &pyvalue.Dict{}
	for i := range 10_000 {
		big.Entries = append(big.Entries, pyvalue.Entry{Key: int64(i), Value: int64(i)})
	}
	state, args := pyvalue.Tuple{nil, big}, pyvalue.Tuple{big}
	slots, counters := &pyvalue.List{}, &pyvalue.List{}
	for range 2000 {
		slots.Items = append(slots.Items, made(pyvalue.Object{State: state, HasState: true}))
		counters.Items = append(counters.Items, &pyvalue.Object{Func: global("collections", "Counter"), Args: args})
	}
	b := encode(t, any(slots), nil)
	if _, err := decode[[]point](t, b, nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "too often") {
		t.Errorf("%d objects of one state, in %d bytes: %v", len(slots.Items), len(b), err)
	}
	b = encode(t, any(counters), nil)
	if _, err := decode[[]map[int]int](t, b, nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "too often") {
		t.Errorf("%d counters of one dict, in %d bytes: %v", len(counters.Items), len(b), err)
	}
}

// However much there is, to read each object once is not too often.
func TestManyObjects(t *testing.T) {
	const n, size = 10_000, 2000
	type bag struct {
		N int
		B []byte
	}
	raw := func() any { return make([]byte, size) }
	var tuples, slots, counters []any
	for range n {
		tuples = append(tuples, made(pyvalue.Object{Args: pyvalue.Tuple{1, raw()}}))
		slots = append(slots, made(pyvalue.Object{HasState: true, State: pyvalue.Tuple{
			&pyvalue.Dict{Entries: entries("B", raw())}, &pyvalue.Dict{Entries: entries("N", 1)},
		}}))
		counters = append(counters, &pyvalue.Object{
			Func: global("collections", "Counter"), Args: pyvalue.Tuple{&pyvalue.Dict{Entries: entries("a", raw())}},
		})
	}
	for name, list := range map[string][]any{"namedtuples": tuples, "objects with slots": slots} {
		got, err := decode[[]bag](t, encode(t, list, nil), nil)
		if err != nil || len(got) != n || got[n-1].N != 1 || len(got[n-1].B) != size {
			t.Errorf("%d %s: %v", n, name, err)
		}
	}
	got, err := decode[[]map[string][]byte](t, encode(t, counters, nil), nil)
	if err != nil || len(got) != n || len(got[n-1]["a"]) != size {
		t.Errorf("%d counters: %v", n, err)
	}
}

// Objects that are made of each other are gone over at each level.
func TestObjectsInArguments(t *testing.T) {
	type link struct {
		Next *link
		Rest []int
	}
	deep := any(made(pyvalue.Object{Args: pyvalue.Tuple{nil, make([]any, 100_000)}}))
	for range 400 {
		deep = made(pyvalue.Object{Args: pyvalue.Tuple{deep, nil}})
	}
	if _, err := decode[link](t, encode(t, deep, nil), nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "nested too deep") {
		t.Errorf("objects in objects: %v", err)
	}
}
