package objects

import (
	"testing"

	"multiproc/internal/pyvalue"
)

func TestDictAgainstPython(t *testing.T) {
	begin := func(c chooser) pyvalue.Value { return c.dict(6) }
	histories(t, "dict", begin, func(c chooser) step {
		if c.IntN(8) == 0 {
			return step{what: choose(c, "iterate", "next", "next", "next")}
		}
		return c.wrong(dictStep(c))
	})
}

func (c chooser) dict(n int) *pyvalue.Dict {
	d, seen := dictOf(), map[string]bool{}
	for _, k := range c.hashables(n) {
		hash, err := pyvalue.Key(k)
		if err == nil && !seen[hash] {
			seen[hash] = true
			d.Entries = append(d.Entries, pyvalue.Entry{Key: k, Value: c.any()})
		}
	}
	return d
}

// key is sometimes one that cannot be hashed.
func (c chooser) key() pyvalue.Value {
	if c.IntN(25) == 0 {
		return choose[pyvalue.Value](c, listOf(), dictOf(), setOf(), pyvalue.Tuple{listOf()}, &pyvalue.ByteArray{B: []byte{}})
	}
	return c.simple()
}

// pairs are good for update, or wrong at the first one: what CPython has
// changed before it finds a mistake is not changed here.
func (c chooser) pairs() pyvalue.Value {
	switch c.IntN(8) {
	case 0:
		return choose[pyvalue.Value](c, int64(1), nil, "a", listOf(int64(1)), listOf(ints(1)), listOf(pyvalue.Tuple{int64(1), int64(2), int64(3)}),
			listOf(pyvalue.Tuple{listOf(), int64(1)}), "")
	case 1:
		return listOf("ab", pyvalue.Tuple{int64(1), "x"}, ints(7, 8))
	}
	return c.dict(4)
}

func dictStep(c chooser) step {
	one := func(what string, args ...pyvalue.Value) step { return step{what: what, args: args} }
	switch c.IntN(20) {
	case 0, 1, 2, 3:
		return one("__setitem__", c.key(), c.any())
	case 4:
		return one("__getitem__", c.key())
	case 5, 6:
		return one("__delitem__", c.key())
	case 7:
		return one("__contains__", c.key())
	case 8:
		return one("get", c.key())
	case 9:
		return one("get", c.key(), c.any())
	case 10:
		return one("pop", c.key())
	case 11:
		return one("pop", c.key(), c.any())
	case 12:
		return one("popitem")
	case 13:
		return one("setdefault", c.key(), c.any())
	case 14:
		return one("setdefault", c.key())
	case 15:
		s := one("update", c.pairs())
		if c.IntN(3) == 0 {
			s.named = map[string]pyvalue.Value{"kw": c.any()}
		}
		return s
	case 16:
		return one(choose(c, "__or__", "__ior__", "__ror__"), c.pairs())
	case 17:
		return one("fromkeys", choose[pyvalue.Value](c, ints(1, 2, 1), "aba", int64(3), listOf(listOf())), c.any())
	case 18:
		return one(choose(c, "clear", "copy", "__len__", "__len__", "__len__"))
	}
	return one(choose(c, "keys", "values", "items", "__reversed__"))
}

func TestSetAgainstPython(t *testing.T) {
	begin := func(c chooser) pyvalue.Value { return setOf(distinctValues(c.hashables(6))...) }
	histories(t, "set", begin, func(c chooser) step { return c.wrong(setStep(c)) })
}

// distinctValues leaves out equal values, and those that equal a value of
// another type: which one of two stays is CPython's own affair.
func distinctValues(vs []pyvalue.Value) (out []pyvalue.Value) {
	seen := map[string]bool{}
	for _, v := range vs {
		hash, err := pyvalue.Key(v)
		if err == nil && !seen[hash] && !ambiguous(v) {
			seen[hash] = true
			out = append(out, v)
		}
	}
	return out
}

func ambiguous(v pyvalue.Value) bool {
	switch v := v.(type) {
	case bool:
		return true
	case float64:
		return v == 1
	case complex128:
		return imag(v) == 0
	case pyvalue.Tuple:
		return len(v) > 0 && v[0] == pyvalue.Value(1.0)
	}
	return false
}

func setStep(c chooser) step {
	operand := func() pyvalue.Value {
		items := distinctValues(c.hashables(5))
		return choose[pyvalue.Value](c, setOf(items...), setOf(items...), &pyvalue.FrozenSet{Items: items}, listOf(items...),
			pyvalue.Tuple(items), int64(3), listOf(listOf()), "ab")
	}
	one := func(what string, args ...pyvalue.Value) step { return step{what: what, args: args} }
	switch c.IntN(12) {
	case 0, 1, 2:
		if k := c.key(); !ambiguous(k) {
			return one("add", k)
		}
	case 3:
		return one(choose(c, "discard", "remove", "__contains__"), choose[pyvalue.Value](c, c.key(), setOf(c.simple()), &pyvalue.FrozenSet{}))
	case 4:
		return one(choose(c, "__and__", "__or__", "__sub__", "__xor__", "__rand__", "__ror__", "__rsub__", "__rxor__"), operand())
	case 5:
		return one(choose(c, "__iand__", "__ior__", "__isub__", "__ixor__"), operand())
	case 6:
		return one(choose(c, "__lt__", "__le__", "__gt__", "__ge__"), operand())
	case 7:
		return one(choose(c, "isdisjoint", "issubset", "issuperset"), operand())
	case 8:
		return one(choose(c, "difference", "intersection", "union", "symmetric_difference"), operand())
	case 9:
		return one(choose(c, "difference_update", "intersection_update", "update"), operand(), setOf("z"))
	case 10:
		return one(choose(c, "difference_update", "intersection_update", "update", "symmetric_difference_update"), operand())
	}
	return one(choose(c, "copy", "__len__", "__iter__", "clear"))
}
