//go:build interop

package interop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mptest"
	"multiproc/pymp"
)

// What users suffer from in CPython's managers, by the numbers of the list of
// pains that this project keeps. Each is better here:
//
//	 9  nested changes are lost, += is not atomic    Nested; TestNothingIsLost
//	10a a lock of a dead client is locked for ever   DeadHolder; TestStorm
//	10b a dead client swallows an item               DeadGetter; TestStorm
//	10c no life after the server's                   Restart, RestartPython
//	10d nested objects are never freed, or too early Nested, Travel; TestStorm
//	10e another authkey breaks nested proxies        OwnKey
//	10f a thread for each thread, three connections  Threads; the stall of 44 ms: package bench,
//	    for each object, 44 ms each                  and TestPythonIsFastOverTCP of package manager
//	20  IPv4 only, no TLS, paths, pickles run code   TestAddresses, TestTLS, Evil
func TestPains(t *testing.T) {
	all := pythons(t)
	newest := all[len(all)-1]
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			for name, pain := range map[string]func(*testing.T, python, string){
				"Nested": testNested, "DeadHolder": testDeadHolder, "DeadGetter": testDeadGetter, "Restart": testRestart,
				"RestartPython": testRestartPython, "Travel": testTravel, "OwnKey": testOwnKey, "Threads": testThreads, "Evil": testEvil,
			} {
				t.Run(name, func(t *testing.T) { pain(t, newest, kind) })
			}
		})
	}
}

func testNested(t *testing.T, p python, kind string) {
	s := startServer(t, kind)
	m := s.dial(t)
	d := named[*mp.List[int]](t, m, "mixed")
	script := p.start(t, s, "nesting")
	script.Want("nested")
	l, err := d.Get(t.Context(), "a")
	closing(t, l, err)
	if vs, err := l.Copy(t.Context()); err != nil || !slices.Equal(vs, []int{1, 2}) {
		t.Errorf("Go sees %v %v", vs, err)
	}
	must(t, l.Append(t.Context(), 3))
	must(t, l.Close())
	script.Want("freed 0")
	script.Ended()
	mptest.Eventually(t, func() bool { n, err := m.Objects(t.Context()); return err == nil && n == 1 }, "only the dict is left")
}

// holding is what Holder does: lock, or get.
type holding struct {
	Address string
	Key     []byte
	What    string
	Ready   *mp.Queue[int]
}

// Holder waits to be killed.
var Holder = mp.Proc(func(ctx context.Context, h holding) error {
	m, err := manager.Dial(ctx, h.Address, manager.Options{Authkey: h.Key})
	if err != nil {
		return err
	}
	lock, err := mp.NewMutex(mp.In(m), mp.WithName("lock"))
	if err != nil {
		return err
	}
	q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue"))
	if err != nil {
		return err
	}
	if h.What == "lock" {
		if err := lock.Lock(ctx); err != nil {
			return err
		}
	}
	if err := h.Ready.Put(ctx, os.Getpid()); err != nil {
		return err
	}
	_, err = q.Get(ctx)
	<-ctx.Done()
	return err
}, mp.Named("interop.holder"))

// hold starts a holder, in Go or Python, and returns what kills it when it is
// where it should be.
func hold(t *testing.T, s *testServer, p *python, what string) (pid int, kill func()) {
	t.Helper()
	if p != nil {
		script := p.start(t, s, "holder", what)
		script.Want(map[string]string{"lock": "holds", "get": "waits"}[what])
		return 0, script.Kill
	}
	ready, err := mp.NewQueue[int](1)
	closing(t, ready, err)
	h, err := Holder.Start(context.Background(), holding{s.address, s.key, what, ready})
	must(t, err)
	pid, err = ready.Get(t.Context())
	must(t, err)
	return pid, func() {
		must(t, h.Kill())
		_ = h.Wait(t.Context())
	}
}

func testDeadHolder(t *testing.T, p python, kind string) {
	for name, holder := range map[string]*python{"Go": nil, "Python": &p} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, kind)
			m := s.dial(t)
			lock, err := mp.NewMutex(mp.In(m), mp.WithName("lock"))
			closing(t, lock, err)
			q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue"))
			closing(t, q, err)
			pid, kill := hold(t, s, holder, "lock")
			if ok, err := lock.TryLock(t.Context()); ok || err != nil {
				t.Fatalf("nobody holds the lock: %v %v", ok, err)
			}
			// Somebody waits for it already.
			waited := make(chan error)
			go func() { waited <- lock.Lock(t.Context()) }()
			kill()
			var died *mp.OwnerDiedError
			if err := <-waited; !errors.As(err, &died) || kind == "unix" && pid != 0 && died.PID != pid {
				t.Fatalf("Lock: %v, want the death of %d", err, pid)
			}
			must(t, lock.Repair(t.Context(), func() error { return nil }))
			must(t, q.Put(t.Context(), "item"))
			taker := p.start(t, s, "taker")
			taker.Want("locked")
			taker.Want("item")
		})
	}
}

func testDeadGetter(t *testing.T, p python, kind string) {
	for name, getter := range map[string]*python{"Go": nil, "Python": &p} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, kind)
			m := s.dial(t)
			q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue"))
			closing(t, q, err)
			lock, err := mp.NewMutex(mp.In(m), mp.WithName("lock"))
			closing(t, lock, err)
			_, kill := hold(t, s, getter, "get")
			kill()
			// One item, and the next who asks has it, whoever of the two was faster.
			must(t, q.Put(t.Context(), "item"))
			taker := p.start(t, s, "taker")
			taker.Want("locked")
			taker.Want("item")
		})
	}
}

// A Go client gets an error that says what is known, and goes on when there is
// a server again.
func testRestart(t *testing.T, _ python, kind string) {
	s := startServer(t, kind)
	m := s.dial(t)
	d := named[int](t, m, "d")
	must(t, d.Set(t.Context(), "k", 1))
	q, err := mp.NewQueue[int](0, mp.In(m))
	closing(t, q, err)
	waits := make(chan error)
	go func() { _, err := q.Get(t.Context()); waits <- err }()
	mptest.Eventually(t, func() bool { text, err := m.Debug(t.Context()); return err == nil && text != "" }, "the server is there")
	s.kill()
	if err := <-waits; !errors.Is(err, mp.ErrUnknownFate) {
		t.Errorf("a call under way: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), prompt)
	defer cancel()
	began := time.Now()
	_, err = d.Get(ctx, "k")
	t.Logf("without a server, after %v: %v", time.Since(began), err)
	if err == nil || ctx.Err() != nil {
		t.Errorf("a call without a server: %v after %v", err, time.Since(began))
	}
	s.run(t, s.address)
	if err := q.Put(t.Context(), 1); !errors.Is(err, mp.ErrNoHandle) {
		t.Errorf("an object that died with its server: %v", err)
	}
	again := named[int](t, m, "d")
	if n, err := again.Add(t.Context(), "k", 2); n != 2 || err != nil {
		t.Errorf("with another server: %d %v", n, err)
	}
}

// A Python client gets an exception of its own, and can go on as well.
func testRestartPython(t *testing.T, p python, kind string) {
	s := startServer(t, kind)
	gone := filepath.Join(t.TempDir(), "gone")
	script := p.start(t, s, "restart", gone)
	script.Want("1")
	s.kill()
	must(t, os.WriteFile(gone, nil, 0o600))
	for _, call := range []string{"a call", "a lock", "another object"} {
		t.Logf("%s of a dead server: %s", call, script.Line())
	}
	s.run(t, s.address)
	must(t, os.Remove(gone))
	script.Want("2")
	script.Want("3")
	script.Ended()
}

// Borrower uses an object that nobody else has by now.
var Borrower = mp.Func(func(ctx context.Context, b borrowed) (int, error) {
	defer b.Object.Close()
	defer b.List.Close()
	if _, err := b.Go.Get(ctx); err != nil {
		return 0, err
	}
	if _, err := manager.Call[mp.None](ctx, b.Object, "set"); err != nil {
		return 0, err
	}
	return b.List.Len(ctx)
}, mp.Named("interop.borrower"))

type borrowed struct {
	Go     *mp.Queue[int]
	Object *manager.Object
	List   *mp.List[int]
}

// A handle that is under way keeps its object.
func testTravel(t *testing.T, _ python, kind string) {
	s := startServer(t, kind)
	m := s.dial(t)
	objects, err := m.Objects(t.Context())
	must(t, err)
	start, err := mp.NewQueue[int](1)
	closing(t, start, err)
	event, err := manager.New(t.Context(), m, "Event")
	must(t, err)
	l, err := mp.NewList[int](mp.In(m))
	must(t, err)
	must(t, l.AppendBatch(t.Context(), []int{1, 2, 3}))
	p, err := Borrower.Start(t.Context(), borrowed{start, event, l})
	must(t, err)
	must(t, errors.Join(event.Close(), l.Close()))
	must(t, start.Put(t.Context(), 1))
	if n, err := p.Result(t.Context()); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	mptest.Eventually(t, func() bool { n, err := m.Objects(t.Context()); return err == nil && n == objects }, "both are freed")
}

// A manager with a key of its own, served by CPython: nested proxies work
// without any key of the process.
func testOwnKey(t *testing.T, p python, _ string) {
	s := &testServer{address: "127.0.0.1:0", key: []byte("not the key of this process")}
	script := p.start(t, s, "cpython")
	m, err := pymp.Dial(t.Context(), script.Line(), s.key)
	closing(t, m, err)
	if string(manager.Authkey()) == string(s.key) {
		t.Fatal("the process has the manager's key")
	}
	outer, err := m.Create(t.Context(), "list")
	closing(t, outer, err)
	inner, err := m.Create(t.Context(), "dict")
	must(t, err)
	must(t, outer.Call(t.Context(), "append", inner))
	must(t, inner.Close())
	nested, err := pymp.Call[*pymp.Proxy](t.Context(), outer, "__getitem__", 0)
	closing(t, nested, err)
	must(t, nested.Call(t.Context(), "__setitem__", "k", "v"))
	again, err := pymp.Call[*pymp.Proxy](t.Context(), outer, "__getitem__", 0)
	closing(t, again, err)
	if v, err := pymp.Call[string](t.Context(), again, "__getitem__", "k"); v != "v" || err != nil {
		t.Errorf("%q %v", v, err)
	}
}

// A thread of a client is a connection here, because CPython makes one; it
// costs a goroutine and not a thread. A goroutine of a Go client is neither.
func testThreads(t *testing.T, p python, kind string) {
	const threads = 200
	s := startServer(t, kind)
	m := s.dial(t)
	probe := s.probe(t, m)
	heap, goroutines, before := probe.ask("Heap"), probe.ask("Goroutines"), s.status(t, "Threads")
	end := filepath.Join(t.TempDir(), "end")
	script := p.start(t, s, "threads", "200", end)
	script.Want("waiting")
	now, more := s.status(t, "Threads"), probe.ask("Goroutines")-goroutines
	t.Logf("%d threads of a client: %d threads more in the server, %d goroutines, %d KiB of heap each",
		threads, now-before, more, (probe.ask("Heap")-heap)/threads>>10)
	// A thread that was made stays, and a busy machine makes some for calls of the
	// handshake that take long: what holds one while the clients wait is counted.
	if held := probe.ask("InSystemCalls"); held > 10 || now > before+threads/4 || more > threads+10 {
		t.Errorf("%d threads of a client: %d goroutines hold a thread, %d threads more in the server, %d goroutines", threads, held, now-before, more)
	}
	must(t, os.WriteFile(end, nil, 0o600))
	script.Want("done")
	script.Ended()

	q, err := mp.NewQueue[int](0, mp.In(m))
	closing(t, q, err)
	goroutines = probe.ask("Goroutines")
	got := make(chan error)
	for range threads {
		go func() { _, err := q.Get(t.Context()); got <- err }()
	}
	for range 100 { // while they arrive, and when they have
		if more := probe.ask("Goroutines") - goroutines; more > 5 {
			t.Errorf("%d goroutines of a client: %d more in the server", threads, more)
			break
		}
	}
	_, err = q.PutBatch(t.Context(), make([]int, threads))
	must(t, err)
	for range threads {
		must(t, <-got)
	}
}

// A pickle that would run a command does not run it here, nor where Go reads
// it.
func testEvil(t *testing.T, p python, kind string) {
	s := startServer(t, kind)
	m := s.dial(t)
	d := named[any](t, m, "mixed")
	file := filepath.Join(t.TempDir(), "was run")
	p.start(t, s, "evil", file).Want("1")
	v, err := d.Get(t.Context(), "evil")
	t.Logf("Go sees %T %v %v", v, v, err)
	_, _ = m.Debug(t.Context())
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("somebody ran the pickle: %v", err)
	}
}
