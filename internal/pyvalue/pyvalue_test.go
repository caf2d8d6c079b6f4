package pyvalue

import (
	"math"
	"math/big"
	"strings"
	"testing"
)

func list(items ...Value) *List { return &List{Items: items} }

func dict(keysAndValues ...Value) *Dict {
	d := &Dict{}
	for i := 0; i < len(keysAndValues); i += 2 {
		d.Entries = append(d.Entries, Entry{keysAndValues[i], keysAndValues[i+1]})
	}
	return d
}

func set(items ...Value) *Set { return &Set{Items: items} }

func frozen(items ...Value) *FrozenSet { return &FrozenSet{Items: items} }

func wide(s string) *big.Int {
	x, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(s)
	}
	return x
}

// cycle is a list that contains itself behind n others.
func cycle(n int) *List {
	first := list()
	last := first
	for range n {
		next := list()
		last.Items = append(last.Items, next)
		last = next
	}
	last.Items = append(last.Items, first)
	return first
}

// bomb is a list of n levels, each twice in the one above: 2 to the power of n
// leaves in the memory of n lists.
func bomb(n int) Value {
	v := list(int64(1))
	for range n {
		v = list(v, v)
	}
	return v
}

// chain is n tuples within each other.
func chain(n int) (v Value) {
	v = Tuple{}
	for range n - 1 {
		v = Tuple{v}
	}
	return v
}

func TestWalkEnds(t *testing.T) {
	for name, v := range map[string]Value{"cycle": cycle(5), "bomb": bomb(60), "deep": chain(100_000)} {
		n := 0
		Walk(v, func(Value) bool { n++; return true })
		if n > 100_001 {
			t.Errorf("%s: %d visits", name, n)
		}
		if size := Size(v); size < 100 || size > 10_000_000 {
			t.Errorf("%s: size %d", name, size)
		}
	}
	n := 0
	Walk(list(int64(1), int64(2), int64(3)), func(Value) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("visited %d after it was told to stop at 2", n)
	}
}

func TestRefs(t *testing.T) {
	r := func(id uint64) Ref { return Ref{ID: id} }
	shared := list(r(3))
	v := Tuple{r(1), dict("k", r(2), r(5), nil), shared, shared, &Object{Func: Global{}, Args: Tuple{r(4)}}, frozen(r(1)), 1.5}
	count := map[uint64]int{}
	Refs(v, func(r Ref) bool { count[r.ID]++; return true })
	for id, want := range map[uint64]int{1: 2, 2: 1, 3: 1, 4: 1, 5: 1} {
		if count[id] != want {
			t.Errorf("reference %d was found %d times, want %d", id, count[id], want)
		}
	}
	n := 0
	Refs(v, func(Ref) bool { n++; return false })
	if n != 1 {
		t.Errorf("%d references after it was told to stop", n)
	}
}

func TestSize(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	if one, many := Size(list(long)), Size(list(long, long, long)); many > one+100 || one < 10_000 {
		t.Errorf("one text %d, the same three times %d", one, many)
	}
	if n := Size(&Object{Func: Global{"m", "n"}, Args: Tuple{make([]byte, 500)}, HasState: true, State: dict("a", wide("1"+strings.Repeat("0", 4000)))}); n < 2000 || n > 3500 {
		t.Errorf("size of an object is %d", n)
	}
}

func TestDeeper(t *testing.T) {
	for _, c := range []struct {
		name  string
		v     Value
		depth int
	}{
		{"scalar", int64(1), 0},
		{"empty", list(), 1},
		{"chain", chain(100_000), 100_000},
		{"widest first", list(list(list()), list(), list(list(list(list(), "x")))), 5},
		{"dict", dict("k", dict("k", list(Tuple{})), "l", nil), 4},
		{"bomb", bomb(60), 61},
		{"cycle", cycle(5), 6},
	} {
		if Deeper(c.v, c.depth, false) {
			t.Errorf("%s is deeper than %d", c.name, c.depth)
		}
		if c.depth > 0 && !Deeper(c.v, c.depth-1, false) {
			t.Errorf("%s is not deeper than %d", c.name, c.depth-1)
		}
		if c.name == "cycle" || c.name == "bomb" {
			continue // those are no trees
		}
		if Deeper(c.v, c.depth, true) || c.depth > 0 && !Deeper(c.v, c.depth-1, true) {
			t.Errorf("%s: as a tree it is not %d deep", c.name, c.depth)
		}
	}
	// A list that stands at two depths counts by the greater one, whichever is seen first.
	below := list(list(list()))
	for _, v := range []Value{list(below, list(list(below))), list(list(list(below)), below)} {
		if Deeper(v, 6, false) || !Deeper(v, 5, false) {
			t.Errorf("%s is not 6 deep", Repr(v))
		}
	}
}

func TestNumbers(t *testing.T) {
	if v := Norm(big.NewInt(5)); v != Value(int64(5)) {
		t.Errorf("Norm(5) is a %T", v)
	}
	if v := Norm(wide("9223372036854775808")); TypeName(v) != "int" || Repr(v) != "9223372036854775808" {
		t.Errorf("Norm(2**63) is %v", v)
	}
	if v := Uint(math.MaxUint64); Repr(v) != "18446744073709551615" {
		t.Errorf("Uint(max) is %v", v)
	}
	if v := Uint(7); v != Value(int64(7)) {
		t.Errorf("Uint(7) is a %T", v)
	}
	for _, c := range []struct {
		v    Value
		want int64
		ok   bool
	}{{int64(-3), -3, true}, {true, 1, true}, {false, 0, true}, {1.0, 0, false}, {nil, 0, false}} {
		if n, ok := Int(c.v); n != c.want || ok != c.ok {
			t.Errorf("Int(%v) is %d, %v", c.v, n, ok)
		}
	}
}

func TestIdentity(t *testing.T) {
	long := strings.Repeat("x", 100)
	a, b := list(), list()
	tuple := Tuple{int64(1), int64(2)}
	for _, c := range []struct {
		a, b Value
		same bool
	}{
		{a, a, true},
		{a, b, false},
		{tuple, tuple, true},
		{tuple, tuple[:1], false},
		{tuple, Tuple{int64(1), int64(2)}, false},
		{long, long, true},
		{long, strings.Clone(long), false},
		{long, long[:50], false},
	} {
		ida, oka := Identity(c.a)
		idb, okb := Identity(c.b)
		if !oka || !okb || (ida == idb) != c.same {
			t.Errorf("%s and %s: %v %v, want same %v", Repr(c.a), Repr(c.b), oka, okb, c.same)
		}
	}
	for _, v := range []Value{nil, int64(1), "short", []byte("short"), Tuple{}, 1.5, Ref{}, Slice{}} {
		if _, ok := Identity(v); ok {
			t.Errorf("%s has an identity", Repr(v))
		}
	}
}

func TestTypeName(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{nil, "NoneType"},
		{true, "bool"},
		{int64(1), "int"},
		{wide("99999999999999999999"), "int"},
		{1.5, "float"},
		{1i, "complex"},
		{"", "str"},
		{[]byte{}, "bytes"},
		{&ByteArray{}, "bytearray"},
		{Tuple{}, "tuple"},
		{list(), "list"},
		{dict(), "dict"},
		{set(), "set"},
		{frozen(), "frozenset"},
		{Slice{}, "slice"},
		{Range{}, "range"},
		{Global{"builtins", "int"}, "type"},
		{Global{"builtins", "Ellipsis"}, "ellipsis"},
		{Global{"builtins", "NotImplemented"}, "NotImplementedType"},
		{KeyError("x"), "KeyError"},
		{&Object{Func: Global{"decimal", "Decimal"}}, "Decimal"},
		{&Object{Func: Global{"copyreg", "_reconstructor"}, Args: Tuple{Global{"m", "C"}}}, "C"},
		{&Object{Func: &Object{}}, "object"},
		{Ref{Type: "list", Proxy: Global{"multiprocessing.managers", "ListProxy"}}, "ListProxy"},
		{Ref{Type: "Queue"}, "AutoProxy[Queue]"},
		{struct{}{}, "struct {}"},
	} {
		if got := TypeName(c.v); got != c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
}
