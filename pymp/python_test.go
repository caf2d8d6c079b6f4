package pymp_test

import (
	"os"
	"path/filepath"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// pythonManager serves a manager with types of its own beside those of Python.
const pythonManager = `
import queue, threading
from multiprocessing.managers import SyncManager, BaseProxy, Server

class SoldOut(Exception):
    pass

class Counter:
    def __init__(self, start=0, step=1):
        self.n, self.step = start, step
    def increment(self, by=None):
        self.n += self.step if by is None else by
        return self.n
    def value(self):
        return self.n
    def echo(self, *args, **kwds):
        return [args, kwds]
    def same(self, x):
        return x
    def raises(self, name, *args):
        raise {'SoldOut': SoldOut, **vars(__import__('builtins'))}[name](*args)
    def attribute(self, x, name):
        return getattr(x, name)
    def unpicklable(self):
        return lambda: 0
    def child(self):
        return Counter(self.n)
    def numbers(self, n):
        return range(n)
    def touch(self, d):
        d['touched'] = d.get('touched', 0) + 1
        return d
    def wait(self, event, timeout=None):
        return event.wait(timeout)
    def pid(self):
        return os.getpid()
    def big(self, n):
        return b'x' * n
    def _hidden(self):
        return 'never'
    def __iter__(self):
        return iter([])

class Gate:
    def wait(self, timeout):
        say('waiting')
        threading.Event().wait(timeout)

class Broken:
    def __init__(self, message):
        raise ValueError(message)

class CounterProxy(BaseProxy):
    _exposed_ = ('increment', 'value', 'child', 'numbers', 'echo', 'same', 'attribute', 'raises', 'unpicklable', 'touch', 'wait', 'pid', 'big')
    _method_to_typeid_ = {'child': 'Child', 'numbers': 'Iterator'}

orders = queue.Queue()

class Manager(SyncManager):
    pass

Manager.register('Counter', Counter, CounterProxy)
Manager.register('Child', proxytype=CounterProxy, create_method=False)
Manager.register('Gate', Gate)
Manager.register('Broken', Broken)
Manager.register('Auto', Counter, exposed=None)
Manager.register('get_orders', callable=lambda: orders)

# So that a method may return any iterable as an Iterator.
Manager._registry['Iterator'] = (iter,) + Manager._registry['Iterator'][1:]

def address(text):
    if text.startswith('@'):
        return '\0' + text[1:]
    if '/' in text:
        return text
    host, port = text.rsplit(':', 1)
    return (host, int(port))

if __name__ == '__main__':
    import multiprocessing
    key = sys.argv[2].encode()
    multiprocessing.current_process().authkey = sys.argv[3].encode()
    m = Manager(address=address(sys.argv[1]), authkey=key)
    s = m.get_server()
    a = s.address
    say(a if isinstance(a, str) else a.decode().replace('\0', '@') if isinstance(a, bytes) else '%s:%d' % a)
    s.serve_forever()
`

// serve runs a Python manager and returns its address.
func serve(t *testing.T, python, address string) (string, *pyconntest.Script) {
	t.Helper()
	return serveWith(t, python, address, "secret", "secret")
}

// serveWith also says with which key the server goes to other managers.
func serveWith(t *testing.T, python, address, key, keyForOthers string) (string, *pyconntest.Script) {
	t.Helper()
	s := pyconntest.Start(t, python, pythonManager, address, key, keyForOthers)
	return s.Line(), s
}

// dial serves a manager on a Unix socket and dials it.
func dial(t *testing.T, python string, opts ...pymp.Option) *pymp.Manager {
	t.Helper()
	address, _ := serve(t, python, filepath.Join(t.TempDir(), "s"))
	return connect(t, address, opts...)
}

func connect(t *testing.T, address string, opts ...pymp.Option) *pymp.Manager {
	t.Helper()
	m, err := pymp.Dial(t.Context(), address, []byte("secret"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func create(t *testing.T, m *pymp.Manager, typeid string, args ...any) *pymp.Proxy {
	t.Helper()
	p, err := m.Create(t.Context(), typeid, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// call fails the test if the call fails.
func call[R any](t *testing.T, p *pymp.Proxy, method string, args ...any) R {
	t.Helper()
	r, err := pymp.Call[R](t.Context(), p, method, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// objects is how many the server keeps.
func objects(t *testing.T, m *pymp.Manager) int {
	t.Helper()
	n, err := m.NumberOfObjects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
