package objects

import (
	"math/big"
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestArrayAgainstPython(t *testing.T) {
	codes := []string{"b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "f", "d", "u"}
	number := func(c chooser) pyvalue.Value {
		switch c.IntN(12) {
		case 0:
			n := big.NewInt(int64(c.IntN(3) - 1))
			n.Lsh(n, uint(choose(c, 7, 8, 15, 16, 31, 32, 63, 64, 70, 2000)))
			return pyvalue.Norm(n.Add(n, big.NewInt(int64(c.IntN(3)-1))))
		case 1:
			return choose[pyvalue.Value](c, 1.5, "a", nil, true, 1e300, "ab", "", "𝄞", listOf())
		}
		return int64(c.IntN(100))
	}
	elements := func(c chooser, code string) *pyvalue.List {
		l := listOf()
		for range c.IntN(6) {
			if code == "u" {
				l.Items = append(l.Items, choose[pyvalue.Value](c, "a", "ä", "𝄞", "\ud7ff"))
			} else {
				l.Items = append(l.Items, int64(c.IntN(100)))
			}
		}
		return l
	}
	begin := func(c chooser) pyvalue.Tuple {
		code := choose(c, codes...)
		init := choose[pyvalue.Value](c, elements(c, code), elements(c, code), elements(c, code), listOf(number(c)), int64(3), []byte("a\x00\x00\x00"))
		return pyvalue.Tuple{code, init}
	}
	historiesOf(t, "Array", 12, pyvalue.Tuple{"i", ints(1, 2, 3)}, begin, func(c chooser) step {
		switch c.IntN(6) {
		case 0:
			return step{what: "__len__"}
		case 1:
			return step{what: "__getitem__", args: pyvalue.Tuple{c.index()}}
		case 2:
			return step{what: "__getitem__", args: pyvalue.Tuple{c.slice()}}
		case 3:
			return c.wrong(step{what: "__setitem__", args: pyvalue.Tuple{c.slice(), choose[pyvalue.Value](c, listOf(), int64(1), "a")}})
		}
		return c.wrong(step{what: "__setitem__", args: pyvalue.Tuple{c.index(), number(c)}})
	})
}

// Each code's edges, and those of the types that CPython converts through.
func TestArrayEdgesAgainstPython(t *testing.T) {
	var history []step
	for _, code := range []string{"b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "f", "d"} {
		history = append(history, step{what: "new", args: pyvalue.Tuple{code, ints(0)}})
		for _, bits := range []uint{7, 8, 15, 16, 31, 32, 63, 64, 65, 130} {
			for _, sign := range []int64{1, -1} {
				for _, more := range []int64{-1, 0, 1} {
					n := new(big.Int).Lsh(big.NewInt(sign), bits)
					v := pyvalue.Norm(n.Add(n, big.NewInt(more)))
					history = append(history, step{what: "__setitem__", args: pyvalue.Tuple{int64(0), v}})
				}
			}
		}
	}
	againstPython(t, "Array", history, true)
}

func arrayOf(code string, b ...byte) *pyvalue.Object {
	return &pyvalue.Object{Func: arrayClass, Args: pyvalue.Tuple{code, b}}
}

func TestArray(t *testing.T) {
	p := newProbe(t, store.Limits{})
	a := p.create("Array", "h", ints(1, 2, -3))
	a.wants("None", "array('h', [1, 7, -3])", "__setitem__", int64(1), int64(7))
	a.wants("array('h', [1, 7])", "", "__getitem__", pyvalue.Slice{Stop: int64(2)})
	a.wants("None", "array('h', [1, 5, 6, -3])", "__setitem__", pyvalue.Slice{Start: int64(1), Stop: int64(2)}, arrayOf("h", 5, 0, 6, 0))
	a.wants("None", "array('h', [5, 5, 6, -3])", "__setitem__", pyvalue.Slice{Stop: int64(3), Step: int64(3)}, arrayOf("h", 5, 0))
	a.wants("!ValueError('attempt to assign array of size 1 to extended slice of size 2',)", "", "__setitem__", pyvalue.Slice{Step: int64(2)}, arrayOf("h", 5, 0))
	a.wants("!TypeError('bad argument type for built-in operation',)", "", "__setitem__", pyvalue.Slice{}, arrayOf("i", 5, 0, 0, 0))
	a.wants("!TypeError('can only assign array (not \"list\") to array slice',)", "", "__setitem__", pyvalue.Slice{}, ints(1))
	b := p.create("Array", "d", a.ref())
	a.wants("!TypeError('bad argument type for built-in operation',)", "", "__setitem__", pyvalue.Slice{}, b.ref())
	b.wants("None", "array('d', [2.5, 5.0, 6.0, -3.0])", "__setitem__", int64(0), 2.5)
	l := p.create("list", b.ref())
	l.wants("4", "[2.5, 5.0, 6.0, -3.0]", "__len__")
	if got, want := shape(a), "array.array('h', b'\\x05\\x00\\x05\\x00\\x06\\x00\\xfd\\xff')"; got != want {
		t.Errorf("#GETVALUE is %s, want %s", got, want)
	}
	for _, args := range []pyvalue.Tuple{{"x", listOf()}, {int64(1), listOf()}, {"ii", listOf()}, {"i"}, {"i", "abc"}, {"i", []byte("abc")}, {"u", []byte("abcd")}} {
		if _, err := p.tryCreate("Array", nil, args...); err == nil {
			t.Errorf("Array%s is possible", pyvalue.Repr(args))
		}
	}
}

// shape is what a pickle of a snapshot calls, with which arguments.
func shape(th *thing) string {
	v, ok := th.object().Snapshot()
	if !ok {
		return "none"
	}
	return shapeOf(v.Value())
}

func shapeOf(v pyvalue.Value) string {
	o, ok := v.(*pyvalue.Object)
	if !ok {
		return pyvalue.Repr(v)
	}
	text := o.Func.(pyvalue.Global).String() + pyvalue.Repr(o.Args)
	if o.New {
		text = "new " + text
	}
	if o.HasState {
		text += " with " + pyvalue.Repr(o.State)
	}
	return text
}
