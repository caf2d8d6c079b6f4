package manager

import (
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/mp"
)

// tableRecord is a struct for what the table has in its second column.
type tableRecord struct {
	Name string `mp:"name"`
	N    int    `mp:"n"`
}

type tableKind struct{ Kind string }

type tableWhole struct {
	tableKind
	Name string
	N    int `mp:"n"`
	Next *tableWhole
}

// cell is an entry of the dict that Python has filled, read as a T.
func cell[T any](t *testing.T, m *Manager, row string, want T) {
	t.Helper()
	d, err := mp.NewDict[string, T](mp.In(m), mp.WithName("python"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.Get(t.Context(), row)
	if err != nil {
		t.Errorf("%s as %T: %v", row, want, err)
		return
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s as %T is %#v, want %#v", row, want, got, want)
	}
}

// noCell is a cell that cannot be a T.
func noCell[T any](t *testing.T, m *Manager, row string) {
	t.Helper()
	d, err := mp.NewDict[string, T](mp.In(m), mp.WithName("python"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := d.Get(t.Context(), row); err == nil {
		t.Errorf("%s as %T is %v", row, got, got)
	}
}

// Each row of the table of types in docs/python.md, in both directions and back.
func TestTableOfTypes(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		s := serveTest(t)
		m := dialTest(t, s)
		stored := make(map[string]*mp.Dict[string, any])
		for _, name := range []string{"python", "again", "go"} {
			d, err := mp.NewDict[string, any](mp.In(m), mp.WithName(name))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			stored[name] = d
		}
		turn, err := mp.NewQueue[bool](1, mp.In(m), mp.WithName("turn"))
		if err != nil {
			t.Fatal(err)
		}
		defer turn.Close()
		p := startPython(t, python, s, "table")
		p.Want("stored 52")
		typedCells(t, m)
		anyCells(t, stored["python"])
		for e, err := range stored["python"].All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if err := stored["again"].Set(t.Context(), e.Key, e.Value); err != nil {
				t.Errorf("%s: %v", e.Key, err)
			}
		}
		fillFromGo(t, m, stored["go"])
		if err := turn.Put(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		p.Want("ok")
	})
}

// typedCells reads the second column.
func typedCells(t *testing.T, m *Manager) {
	cell[*int](t, m, "None", nil)
	cell[[]int](t, m, "None", nil)
	cell[map[string]int](t, m, "None", nil)
	cell(t, m, "bool", true)
	cell(t, m, "int", -7)
	cell(t, m, "int", int8(-7))
	noCell[uint8](t, m, "int")
	noCell[int64](t, m, "big int")
	cell(t, m, "big int", uint64(1<<63))
	huge, _ := new(big.Int).SetString("-1000000000000000000000000000000", 10)
	cell(t, m, "huge int", huge)
	cell(t, m, "int", big.NewInt(-7))
	cell(t, m, "float", 1.5)
	cell(t, m, "float", float32(1.5))
	noCell[int](t, m, "float")
	cell(t, m, "inf", math.Inf(-1))
	cell(t, m, "complex", 1-2i)
	cell(t, m, "str", "a\x00€😀")
	cell(t, m, "surrogate", "\xed\xa0\x80")
	cell(t, m, "bytes", []byte("\x00\xff"))
	cell(t, m, "bytes", [2]byte{0, 0xff})
	cell(t, m, "bytearray", []byte("ab"))
	cell(t, m, "list", []any{1, "a", nil})
	cell(t, m, "list", [3]any{1, "a", nil})
	cell(t, m, "empty list", []int{})
	cell(t, m, "tuple", []any{1, "a"})
	cell(t, m, "tuple", [2]any{1, "a"})
	cell(t, m, "tuple", struct {
		A int
		B string
	}{1, "a"})
	cell(t, m, "dict", map[string]int{"a": 1})
	cell(t, m, "dict", struct {
		A int `mp:"a"`
	}{1})
	cell(t, m, "tuple keys", map[[2]int]string{{1, 2}: "x"})
	cell(t, m, "set", map[int]struct{}{1: {}})
	cell(t, m, "set", []int{1})
	cell(t, m, "frozenset", map[string]struct{}{"a": {}})
	for _, row := range []string{"datetime", "naive"} {
		cell(t, m, row, time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC))
	}
	cell(t, m, "record", tableRecord{"r", 1})
	cell(t, m, "slotted", tableRecord{"s", 2})
	cell(t, m, "pair", tableRecord{"p", 3})
	cell(t, m, "bare", tableRecord{})
	cell(t, m, "ordered", map[string]int{"b": 1, "a": 2})
	cell(t, m, "default", map[string][]int{"a": {1}})
	cell(t, m, "counter", map[string]int{"a": 2, "b": 1})
	cell(t, m, "words", map[string]int{"a": 1})
	cell(t, m, "words", struct {
		A int `mp:"a"`
	}{1})
	cell(t, m, "ordered", struct {
		A int `mp:"a"`
	}{2})
	cell(t, m, "no words", map[string]int{})
	cell(t, m, "no stack", []int{})
	cell(t, m, "stack", []int{1, 2})
	cell(t, m, "deque", []int{1})
	for _, row := range []string{"empty ordered", "empty default", "empty counter"} {
		cell(t, m, row, map[string]int{})
		noCell[[]int](t, m, row)
	}
	cell(t, m, "empty deque", []int{})
	for _, row := range []string{"empty deque", "record", "date"} {
		noCell[map[string]any](t, m, row)
	}
	noCell[[]int](t, m, "record")
	d, err := mp.NewDict[string, *mp.List[int]](mp.In(m), mp.WithName("python"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	list, err := d.Get(t.Context(), "proxy")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	if n, err := list.Len(t.Context()); n != 2 || err != nil {
		t.Errorf("the list has %d elements (%v)", n, err)
	}
}

// anyCells reads the third column.
func anyCells(t *testing.T, d *mp.Dict[string, any]) {
	huge, _ := new(big.Int).SetString("-1000000000000000000000000000000", 10)
	for row, want := range map[string]any{
		"None": nil, "bool": true, "int": -7, "big int": new(big.Int).SetUint64(1 << 63), "huge int": huge, "float": 1.5, "inf": math.Inf(-1),
		"complex": 1 - 2i, "str": "a\x00€😀", "surrogate": "\xed\xa0\x80", "bytes": []byte("\x00\xff"), "bytearray": &pyvalue.ByteArray{B: []byte("ab")},
		"list": []any{1, "a", nil}, "empty list": []any{}, "tuple": pyvalue.Tuple{1, "a"}, "empty tuple": pyvalue.Tuple{}, "dict": map[string]any{"a": 1},
		"mixed dict": map[any]any{1: "a", "b": 2, nil: 3.5},
		"tuple keys": &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: pyvalue.Tuple{1, 2}, Value: "x"}}},
		"bytes keys": &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: []byte("k"), Value: 1}}},
		"big keys":   &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: new(big.Int).SetUint64(1 << 63), Value: 1}}},
		"set":        &pyvalue.Set{Items: []any{1}}, "frozenset": &pyvalue.FrozenSet{Items: []any{"a"}},
		"datetime": time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC),
		"slice":    pyvalue.Slice{Start: 1, Step: 2}, "range": pyvalue.Range{Start: 1, Stop: 9, Step: 2},
		"ellipsis": pyvalue.Global{Module: "builtins", Name: "Ellipsis"}, "class": pyvalue.Global{Module: "builtins", Name: "int"},
	} {
		if got, err := d.Get(t.Context(), row); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, want %#v (%v)", row, got, want, err)
		}
	}
	for _, row := range []string{"naive", "record", "slotted", "pair", "bare", "decimal", "uuid", "enum", "error", "deque", "date"} {
		if got, err := d.Get(t.Context(), row); reflect.TypeOf(got) != reflect.TypeFor[*pyvalue.Object]() {
			t.Errorf("%s is a %T (%v)", row, got, err)
		}
	}
	if got, err := d.Get(t.Context(), "nan"); err != nil || got == got {
		t.Errorf("nan is %v (%v)", got, err)
	}
	if got, err := d.Get(t.Context(), "-0.0"); err != nil || !math.Signbit(got.(float64)) {
		t.Errorf("-0.0 is %v (%v)", got, err)
	}
	if got, err := d.Get(t.Context(), "proxy"); reflect.TypeOf(got) != reflect.TypeFor[pyvalue.Ref]() {
		t.Errorf("a proxy is a %T (%v)", got, err)
	}
}

// fillFromGo is the table from the right to the left.
func fillFromGo(t *testing.T, m *Manager, d *mp.Dict[string, any]) {
	huge, _ := new(big.Int).SetString("-1000000000000000000000000000000", 10)
	list, err := mp.NewList[int](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	if err := list.AppendBatch(t.Context(), []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	five := 5
	type pair struct {
		A int
		B string
	}
	for row, v := range map[string]any{
		"nil pointer": (*int)(nil), "nil slice": []int(nil), "nil map": map[string]int(nil), "empty slice": []int{}, "empty map": map[string]int{},
		"bool": true, "int8": int8(-128), "int": math.MinInt64, "uint64": uint64(math.MaxUint64), "big": huge, "small big": big.NewInt(5),
		"float64": 0.1, "float32": float32(0.5), "nan": math.NaN(), "complex": 1 - 2i, "string": "€\x00", "no text": "a\xff",
		"[]byte": []byte("\x00\xff"), "[2]byte": [2]byte{'a', 'b'}, "bytearray": &pyvalue.ByteArray{B: []byte("ab")},
		"slice": []int{1, 2}, "array": [2]int{1, 2}, "tuple": pyvalue.Tuple{1, "a"}, "map": map[string]int{"a": 1}, "int map": map[int]string{1: "a"},
		"struct map": map[pair]int{{1, "a"}: 2}, "struct set": map[pair]struct{}{{1, "a"}: {}}, "array map": map[[2]int]int{{1, 2}: 3},
		"set": map[int]struct{}{1: {}}, "pymp set": &pyvalue.Set{Items: []any{1}}, "frozenset": &pyvalue.FrozenSet{Items: []any{1}},
		"struct": tableWhole{tableKind: tableKind{"k"}, Name: "n", N: 1}, "time": time.Date(2024, 2, 29, 1, 2, 3, 4000, time.FixedZone("", -3600)),
		"text": netip.MustParseAddr("127.0.0.1"), "any": []any{1, "a", nil, map[string]any{"b": []any{2.5}}}, "pointer": &five,
		"slice value": pyvalue.Slice{Start: 1}, "range": pyvalue.Range{Start: 0, Stop: 3, Step: 1}, "global": pyvalue.Global{Module: "builtins", Name: "len"},
		"list": list,
	} {
		if err := d.Set(t.Context(), row, v); err != nil {
			t.Errorf("%s: %v", row, err)
		}
	}
}
