package pyvalue

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

func call(module, name string, args ...Value) *Object {
	return &Object{Func: Global{module, name}, Args: Tuple(args)}
}

func made(name string, args ...Value) *Object {
	return &Object{Func: Global{"app", name}, Args: Tuple(args), New: true}
}

func timezone(hours int64) *Object {
	days := int64(0)
	if hours < 0 {
		days = -1
	}
	return call("datetime", "timezone", call("datetime", "timedelta", days, (hours+24)%24*3600, int64(0)))
}

func clock(hour byte, zone ...Value) *Object {
	return call("datetime", "datetime", append(Tuple{[]byte{7, 228, 1, 2, hour, 0, 0, 0, 0, 0}}, zone...)...)
}

func decimal(s string) *Object { return call("decimal", "Decimal", s) }

// What is equal in Python is equal, and has one key.
func TestObjectsEqualLikePython(t *testing.T) {
	uuid := func(n Value) *Object {
		return &Object{Func: Global{"uuid", "UUID"}, Args: Tuple{}, New: true, HasState: true, State: dict("int", n)}
	}
	classes := [][]Value{
		{int64(1), true, 1.0, decimal("1.00"), decimal("1E+0"), call("fractions", "Fraction", "1"), made("Int", int64(1)), call("http", "HTTPStatus", int64(1))},
		{0.5, decimal("0.5"), call("fractions", "Fraction", int64(1), int64(2)), call("fractions", "Fraction", "1/2"), made("Float", 0.5)},
		{decimal("0.1"), call("fractions", "Fraction", "1/10")},
		{0.1}, // which is no tenth
		{wide("100000000000000000000"), 1e20, decimal("1E+20")},
		{decimal("1E+9000"), decimal("10E+8999")},
		{"x", made("Name", "x")},
		{Tuple{int64(1), "x"}, made("Point", 1.0, "x"), made("Size", int64(1), made("Name", "x")), made("Pair", Tuple{int64(1), "x"})},
		{clock(12, timezone(0)), clock(13, timezone(1)), clock(7, timezone(-5)), clock(12, call("pytz", "_UTC")), clock(13, call("pytz", "_p", "Europe/Berlin", int64(3600), int64(0), "CET"))},
		{clock(12)},
		{clock(13)},
		{timezone(1), call("datetime", "timezone", timezone(1).Args.(Tuple)[0], "CET")},
		{call("datetime", "date", []byte{7, 228, 1, 2})},
		{call("datetime", "timedelta", int64(0), int64(1), int64(0))},
		{call("datetime", "time", []byte{1, 0, 0, 0, 0, 0}), call("datetime", "time", []byte{0x81, 0, 0, 0, 0, 0})},
		{call("datetime", "time", []byte{1, 0, 0, 0, 0, 0}, timezone(0)), call("datetime", "time", []byte{2, 0, 0, 0, 0, 0}, timezone(1))},
		{uuid(int64(7)), &Object{Func: Global{"uuid", "UUID"}, Args: Tuple{}, New: true, HasState: true, State: dict("is_safe", int64(0), "int", int64(7))}},
		{frozen(int64(1), "x"), frozen("x", decimal("1"))},
		{frozen(frozen(int64(1))), frozen(frozen(1.0))},
	}
	for i, class := range classes {
		for j, other := range classes {
			for _, a := range class {
				for _, b := range other {
					same, err := Same(a, b, nil)
					x, err1 := Key(a)
					y, err2 := Key(b)
					if same != (i == j) || err != nil {
						t.Errorf("%s and %s: %t, %v", Repr(a), Repr(b), same, err)
					}
					if (x == y) != (i == j) || err1 != nil || err2 != nil {
						t.Errorf("the keys of %s and %s: %x, %x, %v, %v", Repr(a), Repr(b), x, y, err1, err2)
					}
				}
			}
		}
	}
	if Equal(list(made("Rows"), dict(int64(1), int64(2))), list(made("Rows"), dict(1.0, 3.0))) {
		t.Error("lists with other dicts are equal")
	}
	rows, table := made("Rows"), made("Table")
	rows.Items, table.Entries = []Value{int64(1)}, dict("a", int64(1)).Entries
	if !Equal(list(int64(1)), rows) || !Equal(table, dict("a", 1.0)) {
		t.Error("subclasses of list and dict are not equal to these")
	}
}

// Where a class decides that is not known, nothing is guessed.
func TestUndecided(t *testing.T) {
	red, one := call("app", "Color", int64(1)), call("app", "Number", int64(1))
	for _, c := range []struct{ a, b Value }{
		{red, int64(1)},
		{1.0, red},
		{red, one},
		{red, made("Int", int64(1))},
		{list(int64(2), red), list(int64(2), true)},
		{Tuple{red}, Tuple{int64(1)}},
		{set(red), set(int64(1))},
		{dict(red, "v"), dict(int64(1), "v")},
		{dict("k", red), dict("k", one)},
		{made("Name", "x"), Tuple{"x"}},
		{call("app", "Frozen", list(int64(1))), set(int64(1))},
		{made("Rows"), list()},
		{dict(), made("Table")},
		{call("app", "Moment", []byte{7, 228, 1, 2, 0, 0, 0, 0, 0, 0}), clock(0)},
	} {
		if same, err := Same(c.a, c.b, nil); same || !errors.Is(err, mperr.ErrType) || !strings.Contains(err.Error(), "cannot tell") {
			t.Errorf("%s and %s: %t, %v", Repr(c.a), Repr(c.b), same, err)
		}
	}
	for _, c := range []struct {
		a, b Value
		want bool
	}{
		{red, call("app", "Color", int64(1)), true},
		{red, call("app", "Color", int64(2)), false},
		{red, int64(2), false},
		{red, "1", false},
		{list(red, int64(1)), list(int64(1), int64(2)), false},
		{set(red), set(int64(2)), false},
		{call("pathlib", "PosixPath", "x"), "x", false},
		{call("builtins", "ValueError", "x"), "x", false},
		{dict(red, "v"), dict(int64(1), "w", int64(2), "v"), false},
	} {
		if same, err := Same(c.a, c.b, nil); same != c.want || err != nil {
			t.Errorf("%s and %s: %t, %v", Repr(c.a), Repr(c.b), same, err)
		}
	}
	a, err1 := KeyOf(Tuple{red, int64(2)}, 1000)
	b, err2 := KeyOf(Tuple{int64(1), int64(2)}, 1000)
	if err1 != nil || err2 != nil || a.Key == b.Key || a.CoarseKey() != b.CoarseKey() || !a.Doubt || b.Doubt {
		t.Errorf("the keys are %+v and %+v, %v, %v", a, b, err1, err2)
	}
	unknown := clock(12, call("app", "Zone"))
	if _, err := Key(unknown); !errors.Is(err, mperr.ErrType) || !strings.Contains(err.Error(), "astimezone") {
		t.Errorf("the key of a time of an unknown zone: %v", err)
	}
	if _, err := Same(unknown, clock(12, timezone(0)), nil); !errors.Is(err, mperr.ErrType) {
		t.Errorf("a time of an unknown zone: %v", err)
	}
	if same, err := Same(unknown, clock(12, call("app", "Zone")), nil); !same || err != nil {
		t.Errorf("the same time of an unknown zone: %t, %v", same, err)
	}
}

func TestOrderOfObjects(t *testing.T) {
	for _, sorted := range [][]Value{
		{decimal("-Infinity"), decimal("-1E+30000"), -1.5, decimal("-1.49"), int64(0), decimal("1E-30000"), call("fractions", "Fraction", "1/3"), decimal("0.34"), 0.5, true, decimal("1E+400"), decimal("1E+30000"), math.Inf(1)},
		{"a", made("Name", "b"), "c"},
		{call("app", "Number", int64(1)), call("app", "Number", int64(2)), int64(3)},
		{clock(5, timezone(1)), clock(5, timezone(0)), clock(5, timezone(-1)), clock(7, timezone(0))},
		{clock(5), clock(6)},
		{Tuple{"a", clock(5)}, made("Point", "a", clock(6)), Tuple{"b", nil}},
		{call("datetime", "timedelta", int64(-1), int64(86399), int64(0)), call("datetime", "timedelta", int64(0), int64(0), int64(0))},
	} {
		for i, a := range sorted {
			for j, b := range sorted {
				if c, err := Compare(a, b); c != compareInts(int64(i), int64(j)) || err != nil {
					t.Errorf("%s < %s: %d, %v", Repr(a), Repr(b), c, err)
				}
			}
		}
	}
	for _, c := range []struct {
		a, b Value
		want string
	}{
		{clock(5), clock(5, timezone(0)), "can't compare offset-naive and offset-aware datetimes"},
		{made("Row", "x", list()), call("app", "Row"), "'<' not supported between instances of 'Row' and 'Row'"},
		{timezone(0), timezone(1), "'<' not supported between instances of 'timezone' and 'timezone'"},
		{clock(5), call("datetime", "date", []byte{7, 228, 1, 2}), "'<' not supported"},
	} {
		if _, err := Compare(c.a, c.b); !errors.Is(err, mperr.ErrType) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s < %s: %v", Repr(c.a), Repr(c.b), err)
		}
	}
}

// A time that a Go program sent keeps its nanoseconds in comparisons.
func TestNanoseconds(t *testing.T) {
	a, b := clock(12, timezone(0)), clock(13, timezone(1))
	a.Nanos = 1
	if Equal(a, b) {
		t.Error("a nanosecond is nothing")
	}
	if c, err := Compare(b, a); c != -1 || err != nil {
		t.Errorf("%d, %v", c, err)
	}
	if k, _ := Key(a); k == must(Key(b)) {
		t.Error("they have one key")
	}
}

func must(k string, err error) string {
	if err != nil {
		panic(err)
	}
	return k
}

// The work grows with the values, however deep they are nested or shared, and
// ends with its bound or when it is told to.
func TestWorkIsBounded(t *testing.T) {
	const n = 100_000
	nested := func() Value {
		v := Value(frozen("x"))
		for i := range n {
			if i%(MaxDepth/2) == 0 {
				v = frozen("y") // no deeper than allowed
			}
			v = frozen(v)
		}
		return v
	}
	keyer := Keyer{}
	for v := range slices.Values(frozen(nested(), nested()).Items) {
		if _, err := keyer.Keyed(v, 200*MaxDepth); err != nil {
			t.Errorf("nested sets: %v", err)
		}
	}
	var entries []Entry
	shared := Value(Tuple{strings.Repeat("x", 100)})
	for range 50 {
		shared = Tuple{shared, shared}
	}
	for i := range 1000 {
		entries = append(entries, Entry{Tuple{int64(i), shared}, nil})
	}
	a, b := &Dict{entries}, &Dict{slices.Clone(entries)}
	slices.Reverse(b.Entries)
	w := NewWork(100_000, nil)
	if same, err := Same(a, b, w); !same || err != nil {
		t.Errorf("dicts with large keys: %t, %v", same, err)
	}
	stopped := errors.New("stopped")
	long := list()
	for i := range n {
		long.Items = append(long.Items, Tuple{int64(i)})
	}
	other := list(slices.Clone(long.Items)...)
	for i := range other.Items {
		other.Items[i] = Tuple{float64(i)}
	}
	if _, err := Same(long, other, NewWork(MaxWork, func() error { return stopped })); !errors.Is(err, stopped) {
		t.Errorf("a comparison that is to stop: %v", err)
	}
	if _, err := Same(long, other, NewWork(n, nil)); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("a comparison that takes too much: %v", err)
	}
	if c, err := (&Comparer{Work: NewWork(n, nil)}).Compare(long, other); c != 0 || !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("an order that takes too much: %d, %v", c, err)
	}
}

// A set of which it is not known whether it is a part of another has no order; one
// that is a part or is none whatever the class may be has.
func TestOrderOfSetsInDoubt(t *testing.T) {
	enum := call("app", "Color", "x") // of an Enum or of a StrEnum
	for _, c := range []struct {
		a, b Value
		want int
		ok   bool
	}{
		{frozen("x"), frozen(enum, Tuple{"y"}), 0, false},
		{frozen(enum, int64(1)), frozen("x"), 0, false},
		{frozen("y"), frozen(enum, int64(1)), 0, true},
		{frozen("y"), frozen(enum, "y"), -1, true},
		{frozen(enum, "y"), frozen(enum), 1, true},
	} {
		n, err := Compare(c.a, c.b)
		if n != c.want && c.ok || (err == nil) != c.ok {
			t.Errorf("%v, %v: %d, %v", Repr(c.a), Repr(c.b), n, err)
		}
	}
}
