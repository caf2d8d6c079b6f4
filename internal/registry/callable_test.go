package registry

import (
	"reflect"
	"strings"
	"testing"

	"multiproc/internal/store"
)

// Arguments that Python names reach the parameters of these names.
func TestNamedArguments(t *testing.T) {
	c, err := newCallable("f", reflect.ValueOf(func(a, b int, rest ...int) []int { return append([]int{a, b}, rest...) }))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.setParams([]string{"a", "b", "c"}); err != nil {
		t.Fatal(err)
	}
	one := func(n int64) store.Item { return store.Of(n) }
	for _, x := range []struct {
		args store.Args
		want []int
		err  string
	}{
		{store.Args{Pos: []store.Item{one(1), one(2)}}, []int{1, 2}, ""},
		{store.Args{Named: map[string]store.Item{"b": one(2), "a": one(1)}}, []int{1, 2}, ""},
		{store.Args{Pos: []store.Item{one(1)}, Named: map[string]store.Item{"c": one(3), "b": one(2)}}, []int{1, 2, 3}, ""},
		{store.Args{Pos: []store.Item{one(1)}, Named: map[string]store.Item{"a": one(3)}}, nil, "multiple values for argument 'a'"},
		{store.Args{Pos: []store.Item{one(1)}, Named: map[string]store.Item{"c": one(3)}}, nil, "needs the argument 'b'"},
		{store.Args{Named: map[string]store.Item{"d": one(3)}}, nil, "unexpected keyword argument 'd'"},
		{store.Args{Named: map[string]store.Item{"a": one(3)}}, nil, "2 positional arguments"},
	} {
		out, err := c.call(t.Context(), reflect.Value{}, x.args)
		switch {
		case x.err != "":
			if err == nil || !strings.Contains(err.Error(), x.err) {
				t.Errorf("%v: %v, want %q", x.args, err, x.err)
			}
		case err != nil:
			t.Errorf("%v: %v", x.args, err)
		case !reflect.DeepEqual(out[0].Interface(), x.want):
			t.Errorf("%v: %v, want %v", x.args, out[0], x.want)
		}
	}
	if err := c.setParams([]string{"a"}); err == nil {
		t.Error("one name for three parameters")
	}
}
