package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
	"multiproc/mptest"
)

// python starts one of the programs in testdata/py as a client of s.
func (s *testServer) python(t testing.TB, python, program string, args ...string) *pyconntest.Script {
	t.Helper()
	var text []byte
	for _, name := range []string{"prelude", program} {
		b, err := os.ReadFile(filepath.Join("testdata", "py", name+".py"))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	return pyconntest.Start(t, python, string(text), append([]string{s.address}, args...)...)
}

// objects is how many objects the server has that somebody refers to.
func (s *testServer) objects() int { return s.store.NumberOfObjects() }

// everywhere runs f for each Python over a Unix socket and TCP, and for one of
// them over an abstract socket as well.
func everywhere(t *testing.T, f func(t *testing.T, python, kind string)) {
	first := pyconntest.Pythons(t)[0]
	pyconntest.Each(t, func(t *testing.T, python string) {
		for _, kind := range []string{"unix", "abstract", "tcp"} {
			if kind == "abstract" && python != first {
				continue
			}
			t.Run(kind, func(t *testing.T) { f(t, python, kind) })
		}
	})
}

// Every type of a SyncManager, as its methods are used in Python, and what the
// server itself is asked. Nothing stays behind.
func TestPythonTypes(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"containers", "sync", "values", "server", "additions"} {
		t.Run(program, func(t *testing.T) {
			everywhere(t, func(t *testing.T, python, kind string) {
				s := serveTest(t, kind)
				p := s.python(t, python, program)
				p.Want("ok")
				p.Ended()
				mptest.Eventually(t, func() bool { return s.objects() == 0 }, "all objects are gone")
			})
		})
	}
}

// Proxies in containers stand for the same objects.
func TestPythonNesting(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, python, kind string) {
		s := serveTest(t, kind)
		p := s.python(t, python, "nested")
		p.Want("ok 0") // the server keeps them for some more seconds, and counts them no more
	})
}

// Objects of unknown classes come back as they were.
func TestPythonOpaque(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		serveTest(t, "unix").python(t, python, "opaque").Want("ok")
	})
}

func TestPythonOpaqueRefused(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.RefuseOpaque = true })
	p := s.python(t, pyconntest.Pythons(t)[0], "opaque")
	if line := p.Line(); !strings.HasPrefix(line, "refused") || !strings.Contains(line, "Mine") {
		t.Errorf("it says %q", line)
	}
}

// A Go client may describe Python objects as well as a Python client: then they
// are refused as well, and so are names that would make Python import things.
func TestOpaqueRefusedOfGo(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.RefuseOpaque = true })
	p := s.goPeer(t)
	d := p.open("dict", "")
	system := pyvalue.Global{Module: "os", Name: "system"}
	for name, v := range map[string]pyvalue.Value{
		"object":    &pyvalue.Object{Func: system, Args: pyvalue.Tuple{"true"}},
		"instance":  &pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "C"}, Args: pyvalue.Tuple{}, New: true},
		"exception": &pyvalue.Exception{Class: system, Args: pyvalue.Tuple{"true"}},
		"name":      system,
		"within":    &pyvalue.List{Items: []pyvalue.Value{pyvalue.Tuple{&pyvalue.Exception{Class: pyvalue.Global{Module: "builtins", Name: "exec"}, Args: pyvalue.Tuple{"1"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			p.fails(p.begin(d, "__setitem__", frames.NoTimeout, "k", v), "TypeError", "mp.ErrType")
		})
	}
	zone := &pyvalue.Object{Func: pyvalue.Global{Module: "datetime", Name: "timezone"}, Args: pyvalue.Tuple{
		&pyvalue.Object{Func: pyvalue.Global{Module: "datetime", Name: "timedelta"}, Args: pyvalue.Tuple{int64(0), int64(0), int64(0)}},
	}}
	for _, v := range []pyvalue.Value{zone, &pyvalue.Exception{Class: pyvalue.Global{Module: "queue", Name: "Full"}}, pyvalue.Global{Module: "builtins", Name: "int"}, &pyvalue.List{}} {
		p.call(d, "__setitem__", "k", v)
	}
}

// The class of a proxy is a name, too.
func TestProxyClassRefused(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.RefuseOpaque = true })
	text, err := os.ReadFile(filepath.Join("testdata", "py", "prelude.py"))
	if err != nil {
		t.Fatal(err)
	}
	pyconntest.Start(t, pyconntest.Pythons(t)[0], string(text)+`
from multiprocessing.managers import DictProxy
class Mine(DictProxy):
    pass
m = connect()
l, d = m.list(), m.dict(a=1)
l.append(Mine(d._token, d._serializer, authkey=KEY))
say(type(l[0]).__name__, l[0].copy())
`, s.address).Want("DictProxy {'a': 1}")
}

// The name that a Go client has given an object is a typeid in Python.
func TestPythonNames(t *testing.T) {
	s := serveTest(t, "unix")
	g := s.store.Join(store.Client{})
	id, _, _, err := g.Open("dict", "orders", store.Args{Pos: []store.Item{store.Of(&pyvalue.Dict{Entries: []pyvalue.Entry{{Key: "from go", Value: true}}})}})
	if err != nil {
		t.Fatal(err)
	}
	p := s.python(t, pyconntest.Pythons(t)[0], "names")
	p.Want("ok")
	p.Ended()
	if _, ok := s.store.Lookup(id); !ok {
		t.Error("the object is gone with its Python client")
	}
}

// A wrong key is refused in Python's words, and nothing is read from who has
// it.
func TestPythonWrongKey(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		s := serveTest(t, "unix")
		p := pyconntest.Start(t, python, `
from multiprocessing.managers import SyncManager
from multiprocessing import AuthenticationError
for key in [b'wrong', b'x' * 300]:
    try:
        SyncManager(address=sys.argv[1], authkey=key).connect()
        say('connected')
    except AuthenticationError as e:
        say(e)
`, s.address)
		for range 2 {
			if line := p.Line(); !strings.Contains(line, "digest") {
				t.Errorf("it says %q", line)
			}
		}
	})
}
