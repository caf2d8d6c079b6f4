package objects

import (
	"bytes"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"

	"multiproc/internal/pickle"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// What methods return means to Python what CPython's own server would have
// sent: the type says so, and what is in it.
func TestRepliesInPython(t *testing.T) {
	p := newProbe(t, store.Limits{})
	l, d, s := p.create("list", ints(1, 2)), p.create("dict", dictOf("a", int64(1))), p.create("set", ints(1))
	a, v, ns := p.create("Array", "h", ints(1, -2)), p.create("Value", "i", int64(3)), p.create("Namespace")
	ns.text("__setattr__", "x", nil)
	whole := func(th *thing) pyvalue.Value {
		v, _ := th.object().Snapshot()
		return v.Value()
	}
	replies := []struct {
		v    pyvalue.Value
		want string
	}{
		{must(l.call("__reversed__")), "list_reverseiterator [2, 1]"},
		{must(p.create("list").call("__reversed__")), "list_reverseiterator []"},
		{must(l.call("__getitem__", pyvalue.Slice{})), "list [1, 2]"},
		{must(l.call("__imul__", int64(2))), "list [1, 2, 1, 2]"},
		{must(d.call("keys")), "list ['a']"},
		{must(d.call("items")), "list [('a', 1)]"},
		{must(d.call("values")), "list [1]"},
		{must(d.call("copy")), "dict {'a': 1}"},
		{must(d.call("__reversed__")), "list_iterator ['a']"},
		{must(d.call("__or__", int64(1))), "NotImplementedType NotImplemented"},
		{must(s.call("__iter__")), "list_iterator [1]"},
		{must(s.call("union", "b")), "set 2"},
		{must(s.call("__ror__", &pyvalue.FrozenSet{})), "frozenset 1"},
		{must(a.call("__getitem__", pyvalue.Slice{})), "array array('h', [1, -2])"},
		{whole(a), "array array('h', [1, -2])"},
		{whole(v), "Value Value('i', 3)"},
		{whole(ns), "Namespace Namespace(x=None)"},
		{whole(p.create("Namespace")), "Namespace Namespace()"},
		{whole(s), "set 1"},
		{must(s.call("__class_getitem__", pyvalue.Global{Module: "builtins", Name: "int"})), "GenericAlias set[int]"},
	}
	var lines strings.Builder
	for _, r := range replies {
		b, err := pickle.Encode(nil, r.v, pickle.EncodeOptions{})
		if err != nil {
			t.Fatalf("%s: %v", r.want, err)
		}
		lines.WriteString(hex.EncodeToString(b) + "\n")
	}
	const program = `
import pickle, sys
for line in sys.stdin:
    v = pickle.loads(bytes.fromhex(line))
    if isinstance(v, (set, frozenset)):
        print(type(v).__name__, len(v))
    else:
        print(type(v).__name__, list(v) if "iterator" in type(v).__name__ else v)
`
	pyconntest.Each(t, func(t *testing.T, python string) {
		text := lines.String()
		if strings.HasSuffix(t.Name(), "/3.8") { // has no types.GenericAlias yet
			text = text[:strings.LastIndex(strings.TrimSpace(text), "\n")+1]
		}
		cmd := exec.Command(python, "-c", program)
		cmd.Stdin = strings.NewReader(text)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		for i, got := range strings.Split(strings.TrimSpace(string(b)), "\n") {
			if got != replies[i].want {
				t.Errorf("a reply is %s, want %s", got, replies[i].want)
			}
		}
	})
}
