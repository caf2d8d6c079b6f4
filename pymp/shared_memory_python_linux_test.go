package pymp_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// pythonAttach is what docs/python.md tells programs to use.
const pythonAttach = `
from multiprocessing import resource_tracker, shared_memory

def attach(name):
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    m = shared_memory.SharedMemory(name=name)
    resource_tracker.unregister(m._name, "shared_memory")
    return m
`

// pythonEnd ends a program when its resource tracker has ended: what that does at
// the end of a program is then done.
const pythonEnd = `
def end(*words):
    t = resource_tracker._resource_tracker
    if t._fd is not None:
        os.close(t._fd)
        os.waitpid(t._pid, 0)
    say(*words)
    os._exit(0)
`

// What Go stores Python loads, and the other way round; the name outlives Python.
func TestSharedMemoryPythonOpens(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := sharedMemory(t, 8*1000+3)
		ns, err := pymp.View[int64](m, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ns {
			ns[i] = int64(i)
		}
		copy(m.Bytes()[8000:], "abc")
		p := pyconntest.Start(t, python, pythonAttach+pythonEnd+`
m = attach(sys.argv[1])
say(m.name, m.size, bytes(m.buf[8000:8003]))
ns = m.buf[:8000].cast('q')
say(sum(ns))
for i in range(len(ns)):
    ns[i] *= -2
ns.release()
m.buf[8000:8003] = b'xyz'
m.close()
end('done')
`, m.Name())
		p.Want(m.Name() + " 8003 b'abc'")
		p.Want("499500")
		p.Want("done")
		p.Ended()
		for i, n := range ns {
			if n != int64(-2*i) {
				t.Fatalf("element %d is %d", i, n)
			}
		}
		if got := string(m.Bytes()[8000:]); got != "xyz" {
			t.Errorf("the bytes are %q", got)
		}
		o, err := pymp.OpenSharedMemory(m.Name())
		if err != nil {
			t.Fatalf("the name did not outlive Python: %v", err)
		}
		_ = o.Close()
	})
}

// The resource tracker of a Python that only attaches takes the name away when the
// program ends. That is why docs/python.md has a recipe; those who have the memory
// keep it.
func TestSharedMemoryPythonTracks(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m, err := pymp.CreateSharedMemory(nameForTest(t), 8)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		p := pyconntest.Start(t, python, pythonEnd+`
from multiprocessing import resource_tracker, shared_memory
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)   # the tracker has the same, and warns
m = shared_memory.SharedMemory(name=sys.argv[1])
m.buf[0] = 7
end('done')
`, m.Name())
		p.Want("done")
		p.Ended()
		if err := m.Unlink(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the name is there: %v; then the recipe is needed no longer", err)
		}
		if m.Bytes()[0] != 7 {
			t.Errorf("the byte is %d", m.Bytes()[0])
		}
	})
}

// Go finds what Python has made, by the name that Python gives, and may unlink it.
func TestSharedMemoryPythonCreates(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		name := nameForTest(t)
		p := pyconntest.Start(t, python, `
from multiprocessing import shared_memory
m = shared_memory.SharedMemory(sys.argv[1], create=True, size=5000)
m.buf[4999] = 42
say(m.name)
while m.buf[0] == 0:
    pass
say(m.buf[0])
m.close()
m.unlink()
say('done')
`, name)
		p.Want(name)
		m, err := pymp.OpenSharedMemory(name)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Size() != 5000 || m.Bytes()[4999] != 42 {
			t.Errorf("%d bytes, the last is %d", m.Size(), m.Bytes()[4999])
		}
		if _, err := pymp.CreateSharedMemory(name, 1); !errors.Is(err, fs.ErrExist) {
			t.Errorf("another one of that name: %v", err)
		}
		m.Bytes()[0] = 9
		p.Want("9")
		p.Want("done")
		p.Ended()
		if _, err := pymp.OpenSharedMemory(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after Python's unlink: %v", err)
		}
	})
}

// The name of a creator that was killed stays, with what it stored, for the next
// one to find and to remove.
func TestSharedMemoryPythonKilled(t *testing.T) {
	python := pyconntest.Pythons(t)[0]
	name := nameForTest(t)
	p := pyconntest.Start(t, python, pythonEnd+`
from multiprocessing import resource_tracker, shared_memory
m = shared_memory.SharedMemory(sys.argv[1], create=True, size=10)
resource_tracker.unregister(m._name, "shared_memory")
m.buf[3] = 33
say('made')
threading.Event().wait()
`, name)
	p.Want("made")
	p.Kill()
	m, err := pymp.OpenSharedMemory(name)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Bytes()[3] != 33 {
		t.Errorf("the bytes are %v", m.Bytes())
	}
	if err := pymp.UnlinkSharedMemory(name); err != nil {
		t.Error(err)
	}
}

// numpy's arrays and View are the same memory.
func TestSharedMemoryNumpy(t *testing.T) {
	python := ""
	for _, p := range append(slices.Clone(pyconntest.Pythons(t)), "/usr/bin/python3") {
		if exec.Command(p, "-c", "import numpy").Run() == nil {
			python = p
			break
		}
	}
	switch {
	case python != "":
	case slices.Contains(strings.Split(os.Getenv("MP_REQUIRE"), ","), "numpy"):
		t.Fatal("MP_REQUIRE wants numpy, which no Python has")
	default:
		t.Skip("no Python has numpy")
	}
	type sample struct {
		ID    int32
		Value float64
	}
	m := sharedMemory(t, 16*100)
	all, err := pymp.View[sample](m, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = sample{int32(i), float64(i) / 2}
	}
	p := pyconntest.Start(t, python, pythonAttach+pythonEnd+`
import numpy
m = attach(sys.argv[1])
a = numpy.ndarray(100, numpy.dtype([('id', 'i4'), ('value', 'f8')], align=True), buffer=m.buf)
say(int(a['id'].sum()), float(a['value'].sum()))
a['value'] *= 2
del a
m.close()
end('done')
`, m.Name())
	p.Want("4950 2475.0")
	p.Want("done")
	p.Ended()
	if all[99] != (sample{99, 99}) {
		t.Errorf("the last is %v", all[99])
	}
}
