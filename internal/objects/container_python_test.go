package objects

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// model is the program that does in CPython what a test does here. Each line is
// an object to begin with, or a call of one of its methods; the answers are the
// result and the object after it.
const model = `
import array, sys
nan, inf = float("nan"), float("inf")
def canonical(x):
    t = type(x)
    if t in (set, frozenset):
        body = "{" + ", ".join(sorted(map(canonical, x))) + "}"
        return body if t is set else "frozenset(" + body + ")"
    if t.__name__ == "set_iterator":
        return canonical(set(x))
    if t.__name__ in ("dict_keys", "dict_values", "dict_items", "list_reverseiterator", "dict_reversekeyiterator"):
        return repr(list(x))
    return repr(x)
obj = it = None
make = array.array if sys.argv[1] == "Array" else {"list": list, "dict": dict, "set": set}[sys.argv[1]]
print("%d.%d" % sys.version_info[:2])
for line in sys.stdin:
    what, args, named = eval(line)
    was = obj
    try:
        if what == "new":
            obj, result = make(*args), None
            it = iter(obj)
        elif what == "iterate":
            it, result = iter(obj), None
        elif what == "next":
            result = next(it)
        else:
            was = obj.copy() if what == "sort" or type(obj) is set else obj # here mistakes change nothing
            result = getattr(obj, what)(*args, **named)
        text = canonical(result)
    except Exception as e:
        obj = was
        text = "!" + type(e).__name__ + repr(e.args)
    print(text.replace("\n", " "), canonical(obj).replace("\n", " "), sep="\t", flush=False)
`

// step is one line of a history.
type step struct {
	what  string
	args  pyvalue.Tuple
	named map[string]pyvalue.Value
}

func (s step) String() string {
	d := &pyvalue.Dict{}
	for k, v := range s.named {
		d.Entries = append(d.Entries, pyvalue.Entry{Key: k, Value: v})
	}
	return pyvalue.Repr(pyvalue.Tuple{s.what, s.args, d})
}

// replay carries out a history on objects of a store.
func replay(t *testing.T, typ string, history []step) (out []string) {
	p := newProbe(t, store.Limits{})
	var th, it *thing
	for _, s := range history {
		var text string
		switch s.what {
		case "new":
			made, err := p.tryCreate(typ, nil, s.args...)
			if text = canonical(nil, err); err == nil {
				th = made
				it = th.iterator()
			}
		case "iterate":
			it, text = th.iterator(), "None"
		case "next":
			text = it.text("__next__")
		default:
			var named map[string]store.Item
			for k, v := range s.named {
				if named == nil {
					named = map[string]store.Item{}
				}
				named[k] = store.Of(v)
			}
			o := th.begin(s.what, named, s.args...)
			v := o.v.Value()
			if typ == "set" && s.what == "__iter__" && o.err == nil {
				items, _ := newLoops(nil, nil).elements(v)
				v = setOf(items...)
			}
			text = canonical(v, o.err)
		}
		v, _ := th.object().Snapshot()
		out = append(out, text+"\t"+canonical(v.Value(), nil))
	}
	return out
}

// iterator is that of a dict.
func (th *thing) iterator() *thing {
	o := th.begin("__iter__", nil)
	return &thing{th.probe, o.newID, o.newType}
}

// againstPython compares a history with what every CPython does. The texts of
// exceptions are those of 3.11; others are compared by their class. Unless all
// are wanted only the default one is asked.
func againstPython(t *testing.T, typ string, history []step, all bool) {
	t.Helper()
	got := replay(t, typ, history)
	var program strings.Builder
	for _, s := range history {
		program.WriteString(s.String() + "\n")
	}
	ask := func(t *testing.T, python string) {
		cmd := exec.Command(python, "-X", "utf8", "-c", model, typ)
		cmd.Stdin = strings.NewReader(program.String())
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, stderr.String())
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		version, want := lines[0], lines[1:]
		if len(want) != len(got) {
			t.Fatalf("%d answers to %d lines", len(want), len(got))
		}
		compare(t, version, history, got, want)
	}
	if all {
		pyconntest.Each(t, ask)
	} else {
		ask(t, pyconntest.Pythons(t)[0])
	}
}

func compare(t *testing.T, version string, history []step, got, want []string) {
	t.Helper()
	failures, lost := 0, false
	for i := range want {
		g, w := got[i], want[i]
		lost = history[i].what != "new" && (lost || strings.HasPrefix(w, "!AttributeError"))
		if lost {
			continue // this Python does not have the method yet
		}
		if version != "3.11" || history[i].what == "sort" {
			g, w = withoutText(g), withoutText(w)
		}
		if g != w {
			t.Errorf("line %d: %v\ngave %s\nwant %s\nafter %s", i, history[i], g, w, want[max(i-1, 0)])
			if failures++; failures > 3 {
				t.FailNow()
			}
		}
	}
}

// withoutText cuts the arguments of an exception off.
func withoutText(line string) string {
	result, state, _ := strings.Cut(line, "\t")
	if strings.HasPrefix(result, "!") && !strings.HasPrefix(result, "!KeyError") {
		result, _, _ = strings.Cut(result, "(")
	}
	return result + "\t" + state
}

// chooser makes random arguments.
type chooser struct{ *rand.Rand }

func choose[T any](c chooser, from ...T) T { return from[c.IntN(len(from))] }

// simple values can be hashed; equal ones are among them.
func (c chooser) simple() pyvalue.Value {
	wide := new(big.Int).Lsh(big.NewInt(1), 70)
	return choose[pyvalue.Value](c,
		int64(0), int64(1), int64(2), int64(3), int64(-1), int64(300), int64(1<<40), wide,
		true, false, 1.0, 2.5, -0.5, 1e300, float64(1<<53), complex(1, 0), complex(0, 2),
		"", "a", "b", "it's", "ä世", "\x00\n", []byte("a"), []byte{}, nil,
		pyvalue.Tuple{}, pyvalue.Tuple{int64(1), "a"}, pyvalue.Tuple{1.0, "a"}, &pyvalue.FrozenSet{Items: []pyvalue.Value{int64(1)}})
}

// any is simple, or a container.
func (c chooser) any() pyvalue.Value {
	if c.IntN(4) > 0 {
		return c.simple()
	}
	return choose[pyvalue.Value](c, listOf(), ints(1, 2), listOf(ints(1)), dictOf("k", int64(1)), dictOf(), setOf(int64(1)),
		&pyvalue.ByteArray{B: []byte("a")}, pyvalue.Tuple{ints(1)}, pyvalue.Range{Start: int64(0), Stop: int64(3), Step: int64(2)})
}

func (c chooser) list(n int) *pyvalue.List {
	l := listOf()
	for range c.IntN(n + 1) {
		l.Items = append(l.Items, c.any())
	}
	return l
}

func (c chooser) hashables(n int) []pyvalue.Value {
	var out []pyvalue.Value
	for range c.IntN(n + 1) {
		out = append(out, c.simple())
	}
	return out
}

// index is mostly one that a short list has.
func (c chooser) index() pyvalue.Value {
	switch c.IntN(20) {
	case 0:
		return choose[pyvalue.Value](c, "a", nil, 1.5, true, listOf())
	case 1:
		return new(big.Int).Lsh(big.NewInt(int64(c.IntN(3)-1)|1), 80)
	case 2:
		return choose[pyvalue.Value](c, int64(1<<62), int64(-1<<63), int64(1<<63-1))
	}
	return int64(c.IntN(17) - 8)
}

func (c chooser) slice() pyvalue.Slice {
	part := func() pyvalue.Value {
		switch c.IntN(8) {
		case 0, 1:
			return nil
		case 2:
			return choose[pyvalue.Value](c, int64(1<<62), int64(-1<<62), new(big.Int).Lsh(big.NewInt(-1), 70), new(big.Int).Lsh(big.NewInt(1), 70))
		}
		return int64(c.IntN(21) - 10)
	}
	step := choose[pyvalue.Value](c, nil, nil, int64(1), int64(1), int64(2), int64(-1), int64(-2), int64(3), int64(0), int64(-1<<63), int64(1<<63-1))
	return pyvalue.Slice{Start: part(), Stop: part(), Step: step}
}

func (c chooser) iterable() pyvalue.Value {
	return choose[pyvalue.Value](c, c.list(5), c.list(2), pyvalue.Tuple(c.hashables(3)), "ä𝄞b", []byte{1, 2}, dictOf("x", int64(1)),
		pyvalue.Range{Start: int64(5), Stop: int64(0), Step: int64(-2)}, setOf(int64(7)), int64(1), nil, 2.5)
}

// histories compares random ones: each object is begun by begin and then
// changed by what next returns.
func histories(t *testing.T, typ string, begin func(chooser) pyvalue.Value, next func(chooser) step) {
	historiesOf(t, typ, 60, pyvalue.Tuple{}, func(c chooser) pyvalue.Tuple { return pyvalue.Tuple{begin(c)} }, next)
}

// historiesOf is histories with a new object every so many lines. The first one
// is made of args, the others perhaps cannot be made.
func historiesOf(t *testing.T, typ string, lines int, args pyvalue.Tuple, begin func(chooser) pyvalue.Tuple, next func(chooser) step) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			c := chooser{rand.New(rand.NewPCG(seed, 7))}
			history := []step{{what: "new", args: args}}
			for i := range 1500 {
				if i%lines == 0 {
					history = append(history, step{what: "new", args: begin(c)})
					continue
				}
				history = append(history, next(c))
			}
			againstPython(t, typ, history, seed == 0)
		})
	}
}

// wrong sometimes adds or takes an argument.
func (c chooser) wrong(s step) step {
	switch c.IntN(60) {
	case 0:
		s.args = append(slices.Clone(s.args), int64(1))
	case 1:
		s.args = s.args[:max(len(s.args)-1, 0)]
	case 2:
		s.named = map[string]pyvalue.Value{"x": int64(1)}
	}
	return s
}
