package objects

import (
	"testing"

	"multiproc/internal/pyvalue"
)

func TestListAgainstPython(t *testing.T) {
	begin := func(c chooser) pyvalue.Value { return c.list(9) }
	histories(t, "list", begin, func(c chooser) step { return c.wrong(listStep(c)) })
}

func listStep(c chooser) step {
	one := func(what string, args ...pyvalue.Value) step { return step{what: what, args: args} }
	switch c.IntN(26) {
	case 0, 1:
		return one("append", c.any())
	case 2:
		return one("extend", c.iterable())
	case 3:
		return one("insert", c.index(), c.any())
	case 4:
		return one("pop")
	case 5:
		return one("pop", c.index())
	case 6:
		return one("remove", c.any())
	case 7:
		return one("index", c.any())
	case 8:
		return one("index", c.any(), c.index(), c.index())
	case 9:
		return one("count", c.any())
	case 10:
		return one("reverse")
	case 11:
		return listSort(c)
	case 12:
		return one("__getitem__", c.index())
	case 13, 14:
		return one("__getitem__", c.slice())
	case 15:
		return one("__setitem__", c.index(), c.any())
	case 16, 17:
		return one("__setitem__", c.slice(), c.iterable())
	case 18:
		return one("__delitem__", c.index())
	case 19:
		return one("__delitem__", c.slice())
	case 20:
		return one("__contains__", c.any())
	case 21:
		return one(choose(c, "__mul__", "__rmul__", "__imul__"), choose[pyvalue.Value](c, int64(0), int64(1), int64(2), int64(-1), "a", 1.5, true))
	case 22:
		return one("__add__", c.iterable())
	case 23:
		return one(choose(c, "__len__", "__reversed__", "copy"))
	case 24:
		return one(choose(c, "clear", "reverse", "copy"))
	}
	return step{what: "__setitem__", args: pyvalue.Tuple{pyvalue.Slice{Step: int64(2)}, c.list(4)}}
}

func listSort(c chooser) step {
	s := step{what: "sort"}
	switch c.IntN(4) {
	case 0:
		s.named = map[string]pyvalue.Value{"reverse": choose[pyvalue.Value](c, true, false, int64(0), int64(5))}
	case 1:
		s.named = map[string]pyvalue.Value{"key": nil}
	case 2:
		s.named = map[string]pyvalue.Value{"bad": nil}
	}
	return s
}

// Lists of one kind can be sorted, mostly.
func TestSortAgainstPython(t *testing.T) {
	begin := func(c chooser) pyvalue.Value {
		l := listOf()
		kind := c.IntN(4)
		for range c.IntN(40) {
			n := int64(c.IntN(9))
			l.Items = append(l.Items, []pyvalue.Value{
				choose[pyvalue.Value](c, n, float64(n)+0.5, n == 1), choose[pyvalue.Value](c, "", "a", "ä", "𝄞", "\uffff", "b"),
				pyvalue.Tuple{n / 3, choose[pyvalue.Value](c, "x", "y")},
				listOf(n/4, ints(n)),
			}[kind])
		}
		return l
	}
	histories(t, "list", begin, func(c chooser) step {
		if c.IntN(3) > 0 {
			return listSort(c)
		}
		return step{what: choose(c, "reverse", "__len__", "copy")}
	})
}
