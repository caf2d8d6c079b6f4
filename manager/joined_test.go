package manager

import (
	"reflect"
	"testing"

	"multiproc/internal/pyvalue"
)

// Values that share parts, each among its own, stay what they are where one
// result holds several of them.
func TestJoinedValuesThatShare(t *testing.T) {
	s := serveTest(t)
	m := dialTest(t, s)
	ctx := t.Context()
	pair := func(n int) any {
		row := []any{n}
		return []any{row, row}
	}
	want := []any{pair(1), pair(2)}
	list, err := New(ctx, m, "list")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	dict, err := New(ctx, m, "dict")
	if err != nil {
		t.Fatal(err)
	}
	defer dict.Close()
	for i, v := range want {
		if _, err := Call[any](ctx, list, "append", v); err != nil {
			t.Fatal(err)
		}
		if _, err := Call[any](ctx, dict, "__setitem__", i, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		o      *Object
		method string
		args   []any
	}{
		{list, "copy", nil},
		{list, "__getitem__", []any{pyvalue.Slice{Start: 0, Stop: 2}}},
		{list, "mp.slice", []any{nil, nil, nil}},
		{list, "__add__", []any{[]any{}}},
		{list, "__mul__", []any{1}},
		{dict, "values", nil},
	} {
		got, err := Call[[]any](ctx, tt.o, tt.method, tt.args...)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s returns %v, want %v (%v)", tt.method, got, want, err)
		}
	}
	items, err := Call[[][2]any](ctx, dict, "items")
	if err != nil || !reflect.DeepEqual(items, [][2]any{{0, want[0]}, {1, want[1]}}) {
		t.Errorf("items returns %v (%v)", items, err)
	}
	whole, err := Call[map[int]any](ctx, dict, "copy")
	if err != nil || !reflect.DeepEqual(whole, map[int]any{0: want[0], 1: want[1]}) {
		t.Errorf("copy returns %v (%v)", whole, err)
	}
}
