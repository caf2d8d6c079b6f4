package objects

import (
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestSetForGo(t *testing.T) {
	p := newProbe(t, store.Limits{})
	s := p.create("set")
	s.wants("True", "{1}", "mp.add", int64(1))
	s.wants("False", "{1}", "mp.add", 1.0)
	s.wants("2", "{1, 'a', 'b'}", "mp.addAll", listOf("a", "b", "a", int64(1)))
	s.wants("True", "", "mp.has", true)
	s.wants("[[1, 'a'], 3]", "", "mp.page", int64(0), int64(2))
	s.wants("[['b'], 0]", "", "mp.page", int64(3), int64(2))
	s.wants("True", "{1, 'b'}", "mp.remove", "a")
	s.wants("False", "", "mp.remove", "a")
	s.wants("1", "{1}", "mp.removeAll", listOf("a", "b"))
	s.wants("1", "", "mp.len")
	s.wants("0", "", "mp.retain", listOf(1.0, "x"))
	s.wants("1", "set()", "mp.retain", listOf())
	s.text("mp.addAll", ints(5, 6))
	s.wants("5", "{6}", "mp.pop")
	s.wants("None", "set()", "mp.clear")
	if _, err := s.call("mp.pop"); !errors.Is(err, mperr.ErrEmpty) || canonical(nil, err) != "!KeyError('pop from an empty set',)" {
		t.Errorf("pop of nothing: %v", err)
	}
	if _, err := s.call("mp.add", listOf()); !errors.Is(err, mperr.ErrType) {
		t.Errorf("add of a list: %v", err)
	}
	if _, err := s.call("mp.addAll", listOf("x", listOf())); !errors.Is(err, mperr.ErrType) || s.repr() != "set()" {
		t.Errorf("addAll of a list: %v, then %s", err, s.repr())
	}
}

func TestSharedSetsAsOperands(t *testing.T) {
	p := newProbe(t, store.Limits{})
	a, b := p.create("set", ints(1, 2)), p.create("set", ints(2, 3))
	a.wants("{1, 2, 3}", "{1, 2}", "__or__", b.ref())
	a.wants("{2}", "", "intersection", b.ref())
	a.wants("NotImplemented", "", "__and__", p.create("list", ints(2)).ref())
	a.wants("{1, 2}", "", "union", p.create("list", ints(2)).ref())
	a.wants("{1, 3}", "{1, 3}", "__ixor__", b.ref())
	a.wants("{}", "set()", "__isub__", a.ref())
	a.wants("True", "", "__lt__", b.ref())
}

func TestSetReplies(t *testing.T) {
	s := newProbe(t, store.Limits{}).create("set", ints(1))
	for want, reply := range map[string]pyvalue.Value{
		"builtins.iter([1],)": must(s.call("__iter__")),
		"{1}":                 must(s.call("copy")),
		"types.GenericAlias(<class 'set'>, (<class 'int'>,))": must(s.call("__class_getitem__", pyvalue.Global{Module: "builtins", Name: "int"})),
		"types.GenericAlias(<class 'set'>, ('x', 'y'))":       must(s.call("__class_getitem__", pyvalue.Tuple{"x", "y"})),
		"frozenset({1})": must(s.call("__rand__", &pyvalue.FrozenSet{Items: []pyvalue.Value{int64(1)}})),
	} {
		if got := shapeOf(reply); got != want {
			t.Errorf("a reply is %s, want %s", got, want)
		}
	}
}

func TestSetMemory(t *testing.T) {
	p := newProbe(t, store.Limits{Bytes: 40_000})
	s := p.create("set", ints(1, 1, 2, 3))
	s.text("update", "abcabc", "xyz")
	before, contents := p.s.Bytes(), s.repr()
	big := string(make([]byte, 40_000))
	for _, call := range []step{
		{what: "add", args: pyvalue.Tuple{big}},
		{what: "update", args: pyvalue.Tuple{listOf("k", big)}},
		{what: "symmetric_difference_update", args: pyvalue.Tuple{listOf(int64(1), big)}},
		{what: "mp.addAll", args: pyvalue.Tuple{listOf(big)}},
	} {
		if _, err := s.call(call.what, call.args...); !errors.Is(err, mperr.ErrLimit) {
			t.Errorf("%s beyond the limit: %v", call.what, err)
		}
	}
	if p.s.Bytes() != before || s.repr() != contents {
		t.Errorf("what failed changed something: %d bytes, were %d", p.s.Bytes(), before)
	}
	s.text("intersection_update", "abx")
	s.text("pop")
	s.text("clear")
	if p.s.Bytes() != 0 {
		t.Errorf("an empty set keeps %d bytes", p.s.Bytes())
	}
}
