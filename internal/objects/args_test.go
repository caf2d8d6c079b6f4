package objects

import (
	"math"
	"math/big"
	"testing"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestBindArgs(t *testing.T) {
	for _, c := range []struct {
		args  []pyvalue.Value
		names []string
		want  string
	}{
		{[]pyvalue.Value{"x"}, []string{"a"}, "('x',)"},
		{[]pyvalue.Value{named{"a": "x"}}, []string{"a"}, "('x',)"},
		{[]pyvalue.Value{"x", named{"c": "z"}}, []string{"a", "b?", "c?"}, "('x', None, 'z')"},
		{nil, []string{"a?"}, "(None,)"},
		{nil, nil, "()"},
		{nil, []string{"block=True", "n=1", "timeout?"}, "(True, 1, None)"},
		{[]pyvalue.Value{nil, named{"timeout": 2.5}}, []string{"block=True", "n=1", "timeout?"}, "(None, 1, 2.5)"},
		{nil, []string{"a"}, "TypeError(\"f() missing required argument: 'a'\")"},
		{[]pyvalue.Value{"x"}, nil, "TypeError('f() takes no arguments (1 given)')"},
		{[]pyvalue.Value{"x", "y"}, []string{"a"}, "TypeError('f() takes 1 arguments (2 given)')"},
		{[]pyvalue.Value{"x", "y"}, []string{"a?"}, "TypeError('f() takes at most 1 arguments (2 given)')"},
		{[]pyvalue.Value{named{"z": "x", "b": "y"}}, []string{"a?"}, "TypeError(\"f() got an unexpected keyword argument 'b'\")"},
		{[]pyvalue.Value{"x", named{"a": "y"}}, []string{"a", "b?"}, "TypeError(\"f() got multiple values for argument 'a'\")"},
	} {
		bound, err := bindArgs("f", arguments(c.args), c.names...)
		var all pyvalue.Tuple
		for _, it := range bound {
			all = append(all, it.Value())
		}
		got := pyvalue.Repr(all)
		if err != nil {
			got = pythonError(err)
		}
		if got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.args, c.names, got, c.want)
		}
	}
}

func TestTruth(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	for _, v := range []pyvalue.Value{
		nil, false, int64(0), 0.0, complex(0, 0), "",
		[]byte{},
		pyvalue.Tuple{},
		pyList(), &pyvalue.Dict{}, &pyvalue.Set{},
		&pyvalue.FrozenSet{}, &pyvalue.ByteArray{},
	} {
		if pyvalue.Truth(v) {
			t.Errorf("%s is true", pyvalue.Repr(v))
		}
	}
	for _, v := range []pyvalue.Value{true, int64(-1), huge, 0.5, math.NaN(), 1i, "0", []byte{0}, pyvalue.Tuple{nil}, pyList(nil), pyvalue.Global{}} {
		if !pyvalue.Truth(v) {
			t.Errorf("%s is false", pyvalue.Repr(v))
		}
	}
}

func TestSeconds(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 80)
	for _, c := range []struct {
		v    pyvalue.Value
		want time.Duration
	}{
		{int64(2), 2 * time.Second},
		{0.25, 250 * time.Millisecond},
		{true, time.Second},
		{false, 0},
		{int64(-1), -time.Second},
		{1e-12, 1},
		{math.Inf(1), forever},
		{math.Inf(-1), -forever},
		{huge, forever},
		{new(big.Int).Neg(huge), -forever},
		{int64(math.MaxInt64), forever},
	} {
		if got, err := seconds(store.Of(c.v)); got != c.want || err != nil {
			t.Errorf("%v: %v, %v", c.v, got, err)
		}
	}
	for _, v := range []pyvalue.Value{"1", nil, math.NaN(), pyList()} {
		if _, err := seconds(store.Of(v)); err == nil {
			t.Errorf("%v is a time", v)
		}
	}
	if p, err := within(store.Of(math.Inf(1))); err != nil || !p.until.IsZero() {
		t.Error("infinity ends")
	}
}
