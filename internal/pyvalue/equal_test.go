package pyvalue

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

// What Python says of some thousand pairs is tested in package pickle; here is
// what Python does not do.

func TestEqualEnds(t *testing.T) {
	for name, c := range map[string]struct {
		a, b Value
		want bool
	}{
		"cycles":                {cycle(3), cycle(3), true},
		"cycles unrolled":       {cycle(3), cycle(7), true},
		"cycle and its inside":  {cycle(200), cycle(200).Items[0], true},
		"bombs":                 {bomb(90), bomb(90), true},
		"bombs of other sizes":  {bomb(90), bomb(91), false},
		"deep":                  {chain(MaxDepth), chain(MaxDepth), true},
		"too deep":              {chain(10 * MaxDepth), chain(10 * MaxDepth), false},
		"objects":               {&Object{Args: Tuple{bomb(70)}}, &Object{Args: Tuple{bomb(70)}}, true},
		"dicts":                 {dict("a", bomb(70), "b", nil), dict("b", nil, "a", bomb(70)), true},
		"bytes of other forms":  {[]byte("a"), &ByteArray{[]byte("a")}, true},
		"text and its escape":   {"a\xff", "a\xed\xb3\xbf", true},
		"refs":                  {Ref{ID: 1, Type: "list"}, Ref{ID: 1}, true},
		"other refs":            {Ref{ID: 1}, Ref{ID: 2}, false},
		"exceptions":            {KeyError("a"), KeyError("a"), true},
		"other exceptions":      {KeyError("a"), IndexError("a"), false},
		"unhashable as a key":   {dict(list(), 1), dict(list(), 1), false},
		"strange values":        {struct{}{}, struct{}{}, false},
		"items of objects":      {&Object{Items: []Value{true}}, &Object{Items: []Value{int64(1)}}, true},
		"order of objects":      {&Object{Entries: dict("a", nil, "b", nil).Entries}, &Object{Entries: dict("b", nil, "a", nil).Entries}, false},
		"state that is there":   {&Object{HasState: true}, &Object{}, false},
		"sets in another order": {set("a", "b", Tuple{}), frozen(Tuple{}, "b", "a"), true},
	} {
		if got := Equal(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := Equal(c.b, c.a); got != c.want {
			t.Errorf("%s, the other way: %v", name, got)
		}
	}
}

func TestCompareEnds(t *testing.T) {
	if c, err := Compare(bomb(90), bomb(90)); c != 0 || err != nil {
		t.Errorf("bombs: %d, %v", c, err)
	}
	if c, err := Compare(cycle(3), cycle(3)); c != 0 || err != nil {
		t.Errorf("cycles: %d, %v", c, err)
	}
	a, b := list(bomb(70), list("x", int64(1))), list(bomb(70), list("x", int64(2)))
	if c, err := Compare(a, b); c != -1 || err != nil {
		t.Errorf("lists with bombs: %d, %v", c, err)
	}
	if c, err := Compare(b, a); c != 1 || err != nil {
		t.Errorf("the other way: %d, %v", c, err)
	}
	if _, err := Compare(chain(10*MaxDepth), chain(10*MaxDepth)); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("deep tuples: %v", err)
	}
}

func TestSortLikePython(t *testing.T) {
	vs := []Value{wide("100000000000000000000"), math.Inf(1), 2.5, int64(2), true, math.Inf(-1), int64(-7), 1e19}
	slices.SortStableFunc(vs, func(a, b Value) int {
		c, err := Compare(a, b)
		if err != nil {
			t.Error(err)
		}
		return c
	})
	if got, want := Repr(&List{vs}), "[-inf, -7, True, 2, 2.5, 1e+19, 100000000000000000000, inf]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	_, err := Compare(list("a", int64(1)), list("a", "b"))
	if !errors.Is(err, mperr.ErrType) || err.Error() != "'<' not supported between instances of 'int' and 'str'" {
		t.Error(err)
	}
}

func TestRepr(t *testing.T) {
	inner := list(int64(1))
	inner.Items = append(inner.Items, inner)
	d := dict("k", nil)
	d.Entries[0].Value = d
	o := &Object{Func: Global{"app", "Point"}, Args: Tuple{}}
	for _, c := range []struct {
		v    Value
		want string
	}{
		{inner, "[1, [...]]"},
		{d, "{'k': {...}}"},
		{Tuple{inner, inner}, "([1, [...]], [1, [...]])"},
		{o, "<app.Point object>"},
		{list(o), "[<app.Point object>]"},
		{Ref{ID: 255, Type: "list", Proxy: Global{"multiprocessing.managers", "ListProxy"}}, "<ListProxy object, typeid 'list' at 0xff>"},
		{Global{"builtins", "int"}, "<class 'int'>"},
		{list(Global{"builtins", "Ellipsis"}, Global{"builtins", "NotImplemented"}), "[Ellipsis, NotImplemented]"},
		{Global{"decimal", "Decimal"}, "<class 'decimal.Decimal'>"},
		{KeyError("x"), "KeyError('x')"},
		{&Object{Func: Global{"builtins", "ValueError"}, Args: Tuple{"x", int64(1)}}, "ValueError('x', 1)"},
		{set(), "set()"},
		{frozen(), "frozenset()"},
		{frozen("a"), "frozenset({'a'})"},
		{"\xff", `'\udcff'`},
		{struct{}{}, "<struct {}>"},
		{Range{int64(0), int64(3), int64(1)}, "range(0, 3)"},
		{Range{int64(0), int64(3), int64(2)}, "range(0, 3, 2)"},
	} {
		if got := Repr(c.v); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
	if Str("a'b") != "a'b" || Str(list("a")) != "['a']" {
		t.Error("Str is not Python's str()")
	}
}

func TestReprIsBounded(t *testing.T) {
	for name, v := range map[string]Value{
		"bomb": bomb(90), "cycle": cycle(10_000), "deep": chain(100_000), "text": strings.Repeat("ä", 1_000_000), "bytes": make([]byte, 1_000_000),
		"dict": dict("k", bomb(90)), "set": set(frozen(Tuple{strings.Repeat("x", 10_000)})), "bytearray": &ByteArray{make([]byte, 1_000_000)},
	} {
		for _, limit := range []int{0, 75, 1000} {
			if s := ReprWithin(v, limit); len(s) > limit+3 || limit > 0 && !strings.HasSuffix(s, "...") {
				t.Errorf("%s: %d bytes where %d were asked for: …%s", name, len(s), limit, s[max(0, len(s)-20):])
			}
		}
	}
	if s := ReprWithin(list(int64(1)), 3); s != "[1]" {
		t.Errorf("what fits is cut: %s", s)
	}
	if s := Repr(wide("1" + strings.Repeat("0", 10_000))); s != "<int of 33220 bits>" {
		t.Errorf("a huge integer is %.50s", s)
	}
	if s := Repr(cycle(2000)); !strings.Contains(s, "...") {
		t.Errorf("a deep list is %.50s", s)
	}
}

func TestWTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain ä€𝄞":                "plain ä€𝄞",
		"\xff":                     "\xed\xb3\xbf",
		"\x80":                     "\xed\xb2\x80",
		"ä\xc3":                    "ä\xed\xb3\x83",
		"\xed\xa0\x80":             "\xed\xa0\x80", // a lone surrogate stays
		"\xed\xa0\x80\xed\xb0\x80": "\xed\xa0\x80\xed\xb0\x80",
		"\xed\xa0":                 "\xed\xb3\xad\xed\xb2\xa0",
		"\xef\xbf\xbd":             "\ufffd",
	} {
		if got := WTF8(in); got != want {
			t.Errorf("%x became %x, want %x", in, got, want)
		}
		if got := WTF8(WTF8(in)); got != want {
			t.Errorf("%x changes again to %x", in, got)
		}
	}
}
