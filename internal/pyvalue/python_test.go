package pyvalue_test

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
)

// sample is a value, and the expression by which Python makes it.
type sample struct {
	py string
	v  pyvalue.Value
}

func made(module, class string, args ...pyvalue.Value) *pyvalue.Object {
	return &pyvalue.Object{Func: pyvalue.Global{Module: module, Name: class}, Args: pyvalue.Tuple(args)}
}

func pow2(sign int64, n uint, d int64) pyvalue.Value {
	x := new(big.Int).Lsh(big.NewInt(sign), n)
	return pyvalue.Norm(x.Add(x, big.NewInt(d)))
}

// samples are values of all shapes; those from objects on have no sum here.
var samples, objects = []sample{
	{"None", nil},
	{"True", true},
	{"False", false},
	{"0", int64(0)},
	{"1", int64(1)},
	{"-1", int64(-1)},
	{"2**53", int64(1 << 53)},
	{"2**53+1", int64(1<<53 + 1)},
	{"2**63-1", int64(math.MaxInt64)},
	{"-2**63", int64(math.MinInt64)},
	{"2**63", pow2(1, 63, 0)},
	{"2**200", pow2(1, 200, 0)},
	{"2**2000", pow2(1, 2000, 0)},
	{"-2**2000", pow2(-1, 2000, 0)},
	{"2**1024-2**970-1", new(big.Int).Sub(pow2(1, 1024, -1).(*big.Int), pow2(1, 970, 0).(*big.Int))},
	{"2**1024-2**970", new(big.Int).Sub(pow2(1, 1024, 0).(*big.Int), pow2(1, 970, 0).(*big.Int))},
	{"0.0", 0.0},
	{"-0.0", math.Copysign(0, -1)},
	{"1.5", 1.5},
	{"1.0", 1.0},
	{"2.0**53", float64(1 << 53)},
	{"2.0**63", float64(1 << 63)},
	{"float('nan')", math.NaN()},
	{"float('inf')", math.Inf(1)},
	{"-float('inf')", math.Inf(-1)},
	{"1.7976931348623157e308", math.MaxFloat64},
	{"5e-324", math.SmallestNonzeroFloat64},
	{"complex(1, 0)", complex(1, 0)},
	{"complex(1, -2)", complex(1, -2)},
	{"''", ""},
	{"'a'", "a"},
	{"'ä'", "ä"},
	{`'\udcff'`, "\xff"},
	{`'\U0001f600'`, "😀"},
	{`'\uffff'`, "\uffff"},
	{"b''", []byte{}},
	{"b'a'", []byte("a")},
	{"bytearray(b'a')", &pyvalue.ByteArray{B: []byte("a")}},
	{"bytearray(b'b')", &pyvalue.ByteArray{B: []byte("b")}},
	{"()", pyvalue.Tuple{}},
	{"(1,)", pyvalue.Tuple{int64(1)}},
	{"(1.0, 'a')", pyvalue.Tuple{1.0, "a"}},
	{"(1, None)", pyvalue.Tuple{int64(1), nil}},
	{"[]", &pyvalue.List{}},
	{"[1]", &pyvalue.List{Items: []pyvalue.Value{int64(1)}}},
	{"[True, 2]", &pyvalue.List{Items: []pyvalue.Value{true, int64(2)}}},
	{"{}", &pyvalue.Dict{}},
	{"{1: 'a'}", &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: int64(1), Value: "a"}}}},
	{"{True: 'a'}", &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: true, Value: "a"}}}},
	{"set()", &pyvalue.Set{}},
	{"{1}", &pyvalue.Set{Items: []pyvalue.Value{int64(1)}}},
	{"frozenset({1, 'a'})", &pyvalue.FrozenSet{Items: []pyvalue.Value{"a", 1.0}}},
	{"range(3)", pyvalue.Range{Start: int64(0), Stop: int64(3), Step: int64(1)}},
	{"range(0)", pyvalue.Range{Start: int64(5), Stop: int64(5), Step: int64(1)}},
	{"len", pyvalue.Global{Module: "builtins", Name: "len"}},
}, []sample{
	{"Decimal('1')", made("decimal", "Decimal", "1")},
	{"Decimal('-0')", made("decimal", "Decimal", "-0")},
	{"Decimal('0.1')", made("decimal", "Decimal", "0.1")},
	{"Decimal('Infinity')", made("decimal", "Decimal", "Infinity")},
	{"Fraction(1)", made("fractions", "Fraction", int64(1), int64(1))},
	{"Fraction(1, 10)", made("fractions", "Fraction", int64(1), int64(10))},
	{"HTTPStatus(200)", made("http", "HTTPStatus", int64(200))},
	{"date(2022, 1, 2)", made("datetime", "date", []byte{7, 230, 1, 2})},
	{"timedelta(1)", made("datetime", "timedelta", int64(1), int64(0), int64(0))},
	{"timedelta(0)", made("datetime", "timedelta", int64(0), int64(0), int64(0))},
	{"Decimal('NaN')", made("decimal", "Decimal", "NaN")},
}

// ask runs a Python program and returns the lines that it prints.
func ask(t *testing.T, python, program string) []string {
	t.Helper()
	cmd := exec.Command(python, "-X", "utf8", "-")
	cmd.Stdin = strings.NewReader(program)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

const prelude = `
import sys, itertools, operator, warnings
from decimal import Decimal
from fractions import Fraction
from http import HTTPStatus
from datetime import date, timedelta
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
warnings.simplefilter("ignore")
def say(f):
    try:
        x = f()
        print(hex(x) if type(x) is int else ascii(x))
    except Exception as e:
        print("!" + type(e).__name__)
`

// said is what say prints of an answer.
func said(v pyvalue.Value, err error) string {
	var e *pyvalue.Exception
	switch {
	case errors.As(err, &e):
		return "!" + e.Class.Name
	case err != nil:
		return err.Error()
	}
	if _, isBool := v.(bool); !isBool {
		if n, ok := pyvalue.BigInt(v); ok {
			return fmt.Sprintf("%#x", n)
		}
	}
	return ascii(pyvalue.Repr(v))
}

// ascii is Python's ascii of what has a repr.
func ascii(repr string) string {
	var b strings.Builder
	for _, r := range repr {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// All that package pyvalue says of pairs of values is what CPython says.
func TestPairsLikePython(t *testing.T) {
	all := append(append([]sample{}, samples...), objects...)
	var program strings.Builder
	program.WriteString(prelude + "n = " + fmt.Sprint(len(samples)) + "\nvalues = [\n")
	for _, s := range all {
		program.WriteString("    lambda: " + s.py + ",\n")
	}
	program.WriteString(`]
for i, f in enumerate(values):
    say(lambda: bool(f()))
    for j, g in enumerate(values):
        a, b = f(), g()
        say(lambda: a == b)
        say(lambda: a < b)
        if i < n and j < n:
            say(lambda: a + b)
`)
	pyconntest.Each(t, func(t *testing.T, python string) {
		lines := ask(t, python, program.String())
		check := func(what string, v pyvalue.Value, err error) {
			t.Helper()
			if len(lines) == 0 {
				t.Fatal("Python has said too little")
			}
			if got := said(v, err); got != lines[0] {
				t.Errorf("%s: %.100s, and Python says %.100s", what, got, lines[0])
			}
			lines = lines[1:]
		}
		for i, a := range all {
			check("bool("+a.py+")", pyvalue.Truth(a.v), nil)
			for j, b := range all {
				other := b.v
				if o, ok := other.(*pyvalue.Object); ok {
					other = &pyvalue.Object{Func: o.Func, Args: o.Args} // as there: the two are never one
				}
				same, err := pyvalue.Same(a.v, other, nil)
				check(a.py+" == "+b.py, same, err)
				order, err := pyvalue.Compare(a.v, b.v)
				check(a.py+" < "+b.py, order < 0, err)
				if i < len(samples) && j < len(samples) {
					sum, err := pyvalue.Sum(a.v, b.v)
					check(a.py+" + "+b.py, sum, err)
				}
			}
		}
	})
}

// Slices and insertions of a list, with bounds of all sizes.
func TestSlicesLikePython(t *testing.T) {
	program := prelude + `
bounds = [None, 0, 1, 3, -1, -2, -9, sys.maxsize, -sys.maxsize - 1, -sys.maxsize, 2**70, -2**70]
for n in range(5):
    for i in bounds[1:-2]:
        l = list(range(n)); l.insert(i, 9); say(lambda: l)
    for a, b, c in itertools.product(bounds, repeat=3):
        l = list(range(n))
        say(lambda: l[a:b:c])
        def assign():
            l = list(range(n)); l[a:b:c] = [7, 8]; return l
        say(assign)
        def drop():
            l = list(range(n)); del l[a:b:c]; return l
        say(drop)
`
	bounds := []pyvalue.Value{
		nil, int64(0), int64(1), int64(3), int64(-1), int64(-2), int64(-9), int64(math.MaxInt), int64(math.MinInt), int64(-math.MaxInt),
		pow2(1, 70, 0), pow2(-1, 70, 0),
	}
	lists := func(n int) (l []pyvalue.Value) {
		for i := range n {
			l = append(l, int64(i))
		}
		return l
	}
	pyconntest.Each(t, func(t *testing.T, python string) {
		lines, line := ask(t, python, program), 0
		check := func(what string, l []pyvalue.Value, err error) {
			t.Helper()
			if got := said(&pyvalue.List{Items: l}, err); line == len(lines) || got != lines[line] {
				t.Fatalf("%s: %s, line %d of Python's %d is another", what, got, line, len(lines))
			}
			line++
		}
		for n := range 5 {
			for _, i := range bounds[1 : len(bounds)-2] {
				at := pyvalue.Clamp(int(i.(int64)), n)
				l := lists(n)
				check(fmt.Sprint("insert at ", i), append(l[:at:at], append([]pyvalue.Value{int64(9)}, l[at:]...)...), nil)
			}
			for _, a := range bounds {
				for _, b := range bounds {
					for _, c := range bounds {
						what := fmt.Sprintf("%d elements [%v:%v:%v]", n, a, b, c)
						span, err := pyvalue.Slice{Start: a, Stop: b, Step: c}.Span(n)
						if err != nil {
							for range 3 {
								check(what, nil, err)
							}
							continue
						}
						check(what, pyvalue.Pick(lists(n), span), nil)
						l, err := pyvalue.Assign(lists(n), span, []pyvalue.Value{int64(7), int64(8)})
						check(what+" = [7, 8]", l, err)
						check("del "+what, pyvalue.Drop(lists(n), span, nil), nil)
					}
				}
			}
		}
	})
}

// Sorting is stable in both directions, and a list repeats as Python's does.
func TestSortAndRepeatLikePython(t *testing.T) {
	var program strings.Builder
	program.WriteString(prelude)
	r := rand.New(rand.NewPCG(1, 2))
	var lists [][]pyvalue.Value
	for range 200 {
		var l []pyvalue.Value
		var py []string
		for range r.IntN(150) {
			s := samples[1+r.IntN(21)]
			l, py = append(l, s.v), append(py, s.py)
		}
		lists = append(lists, l)
		fmt.Fprintf(&program, "l = [%s]\n", strings.Join(py, ", "))
		program.WriteString("say(lambda: sorted(l))\nsay(lambda: [type(x).__name__ for x in sorted(l)])\nsay(lambda: [type(x).__name__ for x in sorted(l, reverse=True)])\nsay(lambda: len(l * -1) + len(l * 3))\n")
	}
	itself := func(v pyvalue.Value) pyvalue.Value { return v }
	names := func(l []pyvalue.Value) pyvalue.Value {
		out := &pyvalue.List{}
		for _, v := range l {
			out.Items = append(out.Items, pyvalue.TypeName(v))
		}
		return out
	}
	pyconntest.Each(t, func(t *testing.T, python string) {
		lines := ask(t, python, program.String())
		for i, l := range lists {
			up, err := pyvalue.Sorted(l, itself, false, nil)
			down, err2 := pyvalue.Sorted(l, itself, true, nil)
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			for k, got := range []string{said(&pyvalue.List{Items: up}, nil), said(names(up), nil), said(names(down), nil), said(int64(len(pyvalue.Repeated(l, -1))+len(pyvalue.Repeated(l, 3))), nil)} {
				if want := lines[4*i+k]; got != want {
					t.Fatalf("list %d: %s, and Python says %s", i, got, want)
				}
			}
		}
	})
}
