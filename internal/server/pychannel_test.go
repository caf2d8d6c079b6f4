package server

import (
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
	"multiproc/mptest"
)

// slowConn is a connection whose writers go on some time after what they wrote
// has gone out.
type slowConn struct {
	net.Conn
	gate atomic.Pointer[chan struct{}] // nil: at once
}

func (c *slowConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	return &slowRaw{raw, c}, err
}

type slowRaw struct {
	syscall.RawConn
	c *slowConn
}

func (r *slowRaw) Write(f func(fd uintptr) bool) error {
	err := r.RawConn.Write(f)
	if gate := r.c.gate.Load(); gate != nil {
		<-*gate
	}
	return err
}

// A client that has read the answer to a call which waited may leave before
// whoever answered it has come to the end of that. It has what it took, and
// holds what it got.
func TestChannelLeavesAtOnce(t *testing.T) {
	for _, pid := range []int{0, os.Getpid()} {
		for _, typ := range []string{"Queue", "Lock"} {
			s := serveTest(t, "unix")
			m := s.member(t)
			id := m.open(typ, "x")
			before, call, answer := "empty", "get", "put"
			if typ == "Lock" {
				before, call, answer = "acquire", "acquire", "release"
			}
			m.want(true, id, before)
			near, far := unixPair(t)
			slow := &slowConn{Conn: far}
			served := make(chan struct{})
			go func() {
				defer close(served)
				newConn(s.Server, slow, far, pid).serve()
				_ = far.Close()
			}()
			c := pyconn.New(near)
			send(t, c, nil, "accept_connection", pyvalue.Tuple{"MainProcess|Thread-1"})
			if _, err := c.ReadFrame(1000); err != nil {
				t.Fatal(err)
			}
			send(t, c, store.Ident(id), call, nil)
			mptest.Eventually(t, func() bool { return s.waiting() == 1 }, "it waits")

			gate := make(chan struct{})
			slow.gate.Store(&gate)
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				var args []pyvalue.Value
				if answer == "put" {
					args = append(args, "item")
				}
				m.want(nil, id, answer, args...)
			}()
			if _, err := c.ReadFrame(1000); err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
			select {
			case <-served:
			case <-time.After(50 * time.Millisecond): // it waits
			}
			close(gate)
			<-answered
			<-served
			switch {
			case typ == "Queue":
				m.want(true, id, "empty")
			case pid != 0: // its process lives
				m.want(false, id, "acquire", false)
			}
		}
	}
}

// answer is the next answer on a channel.
func answer(t *testing.T, c *pyconn.Conn) pyvalue.Value {
	t.Helper()
	b, err := c.ReadFrame(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(b, pickle.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A thread whose wait an exception has ended goes on with its channel: the next
// answer is that to its next request, and what it waited for is others'.
func TestChannelForsaken(t *testing.T) {
	s := serveTest(t, "unix")
	m := s.member(t)
	queue, lock := m.open("Queue", "q"), m.open("Lock", "l")
	m.want(true, lock, "acquire")
	for range 3 {
		for id, method := range map[uint64]string{queue: "get", lock: "acquire"} {
			// A channel for each: what the server announces after the first (see
			// pynested.go) CPython reads while it waits, and this client does not.
			c := s.rawChannel(t)
			send(t, c, store.Ident(id), method, nil)
			mptest.Eventually(t, func() bool { return s.waiting() == 1 }, "%s waits", method)
			send(t, c, store.Ident(queue), "qsize", nil)
			if v := answer(t, c); !pyvalue.Equal(v, pyvalue.Tuple{kindReturn, int64(0)}) {
				t.Errorf("qsize after %s is answered by %s", method, pyvalue.Repr(v))
			}
		}
	}
	m.want(nil, queue, "put", "item")
	m.want("item", queue, "get")
	m.want(nil, lock, "release")
	m.want(true, lock, "acquire", false)
}

// A thread that was interrupted when its answer was there, and unread, would
// take it for the next one: its channel ends, and the item is the queue's.
func TestChannelForsakenAnswer(t *testing.T) {
	s := serveTest(t, "unix")
	m := s.member(t)
	queue, lock := m.open("Queue", "q"), m.open("Lock", "l")
	m.want(true, lock, "acquire")
	for id, c := range map[uint64]struct {
		wait, end string
		args      []pyvalue.Value
	}{queue: {"get", "put", []pyvalue.Value{"item"}}, lock: {"acquire", "release", nil}} {
		ch := s.rawChannel(t)
		send(t, ch, store.Ident(id), c.wait, nil)
		mptest.Eventually(t, func() bool {
			for _, client := range s.clientsOfPython() {
				for _, ch := range client.open() {
					return ch.waited.Load()
				}
			}
			return false
		}, "%s waits", c.wait)
		m.want(nil, id, c.end, c.args...)
		mptest.Eventually(t, func() bool { return s.waiting() == 0 }, "%s is answered", c.wait)
		send(t, ch, store.Ident(queue), "qsize", nil)
		mptest.Eventually(t, func() bool { return s.connections() == 0 }, "%s: the channel ends", c.wait)
	}
	m.want("item", queue, "get")
	m.want(true, lock, "acquire", false)
}

func (s *testServer) clientsOfPython() []*pyClient {
	s.pythons.mu.Lock()
	defer s.pythons.mu.Unlock()
	return slices.Collect(maps.Values(s.pythons.m))
}

// What comes when it is too late to forsake a call is lost with the channel, or
// put back.
func TestChannelForsakenLate(t *testing.T) {
	s := serveTest(t, "unix")
	for _, taken := range []bool{true, false} {
		p := &pyCodec{s: s.Server, client: &pyClient{session: s.store.Join(store.Client{})}}
		ch := newChannel(p, "MainProcess")
		<-ch.free
		ch.call = &store.Call{Owner: ch.owner}
		ch.state.Store(forsaken)
		ch.Return(store.Of(true), taken)
		if goesOn := ch.turn(); goesOn != taken {
			t.Errorf("taken %t: the channel goes on: %t", taken, goesOn)
		}
	}
}

// The end of a main thread's channel is the end of its process, unless it is we
// who cut it off: then the process, and its other threads, go on with its
// references.
func TestChannelCutOff(t *testing.T) {
	s := serveTest(t, "elsewhere")
	for _, end := range []struct {
		err  error
		dead bool
	}{{errTurns, false}, {mperr.ErrTooLarge, false}, {io.EOF, true}, {io.ErrUnexpectedEOF, true}, {syscall.ECONNRESET, true}} {
		client := &pyClient{session: s.store.Join(store.Client{}), channels: map[*channel]struct{}{}}
		defer client.session.End(nil)
		id, _, err := client.session.Create("dict", store.Args{})
		if err != nil {
			t.Fatal(err)
		}
		ch := newChannel(&pyCodec{s: s.Server, client: client}, "MainProcess")
		client.enter(ch)
		if err := client.using(ch, id); err != nil {
			t.Fatal(err)
		}
		ch.end(end.err)
		s.pythons.mu.Lock()
		buried := client.uses > 0
		s.pythons.mu.Unlock()
		if buried != end.dead {
			t.Errorf("%v: its references go: %t", end.err, buried)
		}
	}
}

// The same with real threads of Python.
func TestPythonInterrupted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, python, kind string) {
		s := serveTest(t, kind)
		p := s.python(t, python, "interrupted")
		p.Want("ok")
		p.Ended()
		mptest.Eventually(t, func() bool { return s.objects() == 0 }, "all objects are gone")
	})
}

// What a process has read is not given again when it dies, though a child of
// it still has its connection open, and what it held is released.
func TestPythonDiesWithHeirs(t *testing.T) {
	s := serveTest(t, "unix")
	m := s.member(t)
	q, l := m.open("Queue", "x"), m.open("Lock", "y")
	m.want(nil, q, "put", "item")
	p := s.python(t, pyconntest.Pythons(t)[0], "heirs", "x", "y")
	p.Want("got item")
	p.Kill()
	m.want(true, l, "acquire", true, 20.0)
	m.want(true, q, "empty")
}

// A daemon that goes on with the connection of its parent, as after os.fork(),
// is served when that has ended, and what it refers to lives as long as it does.
func TestPythonDaemon(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, python, kind string) {
		s := serveTest(t, kind)
		m := s.member(t)
		orders, answers := m.open("Queue", "orders"), m.open("Queue", "answers")
		p := s.python(t, python, "daemon", "orders", "answers")
		m.want(nil, orders, "put", "begin")
		p.Want("ready")
		mptest.Eventually(t, s.orphaned, "the parent is known to be dead, and its channel lives")
		m.want(nil, orders, "put", "b")
		m.want(&pyvalue.List{Items: []pyvalue.Value{pyvalue.Tuple{"a", int64(1)}, pyvalue.Tuple{"b", int64(1)}}}, answers, "get", true, 20.0)
		m.want(nil, orders, "put", "end")
		p.Want("ended")
		mptest.Eventually(t, func() bool { return s.objects() == 2 }, "what the daemon referred to is gone")
	})
}

// orphaned reports whether a channel lives whose process is dead.
func (s *testServer) orphaned() bool { return s.pythons.heirs.Load() > 0 }

// What a process was about to take that was killed is not lost, though a child
// of it has its connection open and does not read.
func TestPythonDiesWithIdleHeir(t *testing.T) {
	t.Parallel()
	s := serveTest(t, "unix")
	m := s.member(t)
	q := m.open("Queue", "x")
	p := s.python(t, pyconntest.Pythons(t)[0], "idle", "x")
	p.Want("ready")
	p.Kill()
	mptest.Eventually(t, s.orphaned, "the process is known to be dead, and its channel lives")
	m.want(nil, q, "put", "item")
	m.want("item", q, "get", true, 20.0)
}

// A handler of a signal uses proxies while its thread waits: the wait goes on.
func TestPythonNested(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		t.Parallel()
		for _, kind := range []string{"unix", "tcp"} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				s := serveTest(t, kind)
				p := s.python(t, python, "reentrant")
				p.Want("ok")
				p.Ended()
			})
		}
	})
}
