package server

import (
	"errors"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
	"multiproc/mptest"
)

// member is a session of a test, in the place of a Go client.
type member struct {
	t testing.TB
	*store.Session
}

func (s *testServer) member(t testing.TB) *member {
	m := &member{t, s.store.Join(store.Client{Name: "test"})}
	t.Cleanup(func() { m.End(nil) })
	return m
}

// open makes a named object.
func (m *member) open(kind, name string, args ...pyvalue.Value) uint64 {
	m.t.Helper()
	var a store.Args
	for _, v := range args {
		a.Pos = append(a.Pos, store.Of(v))
	}
	id, _, _, err := m.Open(kind, name, a)
	if err != nil {
		m.t.Fatal(err)
	}
	return id
}

type memberCall struct {
	store.Call
	answer chan memberAnswer
}

type memberAnswer struct {
	v   pyvalue.Value
	err error
}

func (c *memberCall) Return(v store.Item, taken bool) {
	if taken {
		c.Acknowledge()
	}
	c.answer <- memberAnswer{v: v.Value()}
}
func (c *memberCall) Fail(err error)          { c.answer <- memberAnswer{err: err} }
func (c *memberCall) Emit(store.Item) bool    { return false }
func (c *memberCall) New(*store.Type, uint64) { c.answer <- memberAnswer{} }

// call calls a method and waits for the answer.
func (m *member) call(id uint64, method string, args ...pyvalue.Value) (pyvalue.Value, error) {
	c := &memberCall{answer: make(chan memberAnswer, 1)}
	c.Method = method
	for _, v := range args {
		c.Args.Pos = append(c.Args.Pos, store.Of(v))
	}
	m.Begin(&c.Call, id, c)
	a := <-c.answer
	return a.v, a.err
}

func (m *member) want(want pyvalue.Value, id uint64, method string, args ...pyvalue.Value) {
	m.t.Helper()
	if v, err := m.call(id, method, args...); err != nil || !pyvalue.Equal(v, want) {
		m.t.Errorf("%s gave %v, %v; want %v", method, pyvalue.Repr(v), err, pyvalue.Repr(want))
	}
}

// waiting is how many Python channels have a call under way.
func (s *testServer) waiting() (n int) {
	s.pythons.mu.Lock()
	defer s.pythons.mu.Unlock()
	for _, client := range s.pythons.m {
		for _, ch := range client.open() {
			if len(ch.free) == 0 {
				n++
			}
		}
	}
	return n
}

// pythonPID is the process of a Python client.
func (s *testServer) pythonPID() int {
	s.pythons.mu.Lock()
	defer s.pythons.mu.Unlock()
	for _, client := range s.pythons.m {
		return client.line.pid
	}
	return 0
}

// The death of a Python client releases what it held, and what it referred to.
func TestPythonDiesHolding(t *testing.T) {
	t.Parallel()
	python := pyconntest.Pythons(t)[0]
	for _, kind := range []string{"unix", "abstract", "tcp", "elsewhere"} {
		for _, typ := range []string{"Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition"} {
			t.Run(kind+"/"+typ, func(t *testing.T) {
				s := serveTest(t, kind)
				m := s.member(t)
				id := m.open(typ, "x")
				p := s.python(t, python, "dying", typ+".acquire", "x")
				p.Want("holds")
				m.want(false, id, "acquire", false)
				p.Kill()
				m.want(true, id, "acquire", true, 20.0)
				want := 1
				if kind == "elsewhere" {
					want = 3 // CPython's references come over connections that say nothing of whose they are
				}
				mptest.Eventually(t, func() bool { return s.objects() <= want }, "its references are gone")
				if kind != "elsewhere" && typ == "Lock" {
					m.want(nil, id, "release")
				}
			})
		}
	}
}

// A Go client learns that the holder of a Lock died.
func TestPythonDiesHoldingForGo(t *testing.T) {
	t.Parallel()
	s := serveTest(t, "unix")
	m := s.member(t)
	id := m.open("Lock", "x")
	p := s.python(t, pyconntest.Pythons(t)[0], "dying", "Lock.acquire", "x")
	p.Want("holds")
	pid := s.pythonPID()
	p.Kill()
	_, err := m.call(id, "mp.lock")
	var died *mperr.OwnerDiedError
	if !errors.As(err, &died) || died.PID != pid {
		t.Errorf("lock: %v, want the death of %d", err, pid)
	}
	m.want(nil, id, "mp.lockBroken")
	m.want(nil, id, "mp.heal")
	m.want(nil, id, "mp.unlock")
	m.want(nil, id, "mp.lock")
}

// A dead client swallows nothing.
func TestPythonDiesWaiting(t *testing.T) {
	t.Parallel()
	python := pyconntest.Pythons(t)[0]
	for _, kind := range []string{"unix", "tcp", "elsewhere"} {
		t.Run(kind+"/Queue.get", func(t *testing.T) {
			s := serveTest(t, kind)
			m := s.member(t)
			id := m.open("Queue", "x")
			for range 3 {
				p := s.python(t, python, "dying", "Queue.get", "x")
				p.Want("waits")
				mptest.Eventually(t, func() bool { return s.waiting() == 1 }, "it waits")
				p.Kill()
				mptest.Eventually(t, func() bool { return s.connections() == 0 }, "its call is dropped")
			}
			m.want(nil, id, "put", "item")
			m.want("item", id, "get", true, 20.0)
			m.want(true, id, "empty")
		})
		t.Run(kind+"/Condition.wait", func(t *testing.T) {
			s := serveTest(t, kind)
			m := s.member(t)
			id := m.open("Condition", "x")
			p := s.python(t, python, "dying", "Condition.wait", "x")
			p.Want("waits")
			mptest.Eventually(t, func() bool { return s.waiting() == 1 }, "it waits")
			p.Kill()
			m.want(true, id, "acquire", true, 20.0)
			mptest.Eventually(t, func() bool { return s.connections() == 0 }, "its call is dropped")
			m.want(nil, id, "notify", int64(1)) // nobody is waited for
			m.want(nil, id, "release")
		})
		t.Run(kind+"/Lock", func(t *testing.T) {
			s := serveTest(t, kind)
			m := s.member(t)
			id := m.open("Lock", "x")
			m.want(true, id, "acquire")
			p := s.python(t, python, "dying", "Lock.acquire", "x")
			mptest.Eventually(t, func() bool { return s.waiting() == 1 }, "it waits")
			p.Kill()
			// A dead client is forgotten before its calls are dropped: waiting
			// says nothing of those.
			mptest.Eventually(t, func() bool { return s.connections() == 0 }, "its call is dropped")
			m.want(nil, id, "release")
			m.want(true, id, "acquire", false)
		})
	}
}

// What was got and read is the client's, also if it dies with it.
func TestPythonDiesLater(t *testing.T) {
	for _, kind := range []string{"unix", "tcp", "elsewhere"} {
		s := serveTest(t, kind)
		m := s.member(t)
		id := m.open("Queue", "x")
		m.want(nil, id, "put", "item")
		p := s.python(t, pyconntest.Pythons(t)[0], "dying", "Queue.get.later", "x")
		p.Want("got item")
		p.Kill()
		mptest.Eventually(t, func() bool { return s.connections() == 0 }, "the end is noticed")
		m.want(true, id, "empty")
	}
}

// What a process or a thread holds when it leaves in order stays held.
func TestPythonLeavesInOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"unix", "abstract", "tcp", "elsewhere"} {
		s := serveTest(t, kind)
		p := s.python(t, pyconntest.Pythons(t)[0], "orderly")
		times := 4
		if kind == "tcp" || kind == "elsewhere" {
			times = 2
		}
		for range times {
			p.Want("acquired")
		}
		p.Want("ok")
	}
}

// rawChannel speaks as a Python client's thread.
func (s *testServer) rawChannel(t *testing.T) *pyconn.Conn {
	t.Helper()
	c := s.join(t)
	send(t, c, nil, "accept_connection", pyvalue.Tuple{"MainProcess"})
	if _, err := c.ReadFrame(1000); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c *pyconn.Conn, ident pyvalue.Value, method string, args pyvalue.Tuple) {
	t.Helper()
	b, err := pickle.Encode(nil, pyvalue.Tuple{ident, method, args, &pyvalue.Dict{}}, pickle.EncodeOptions{})
	if err == nil {
		err = c.WriteFrame(b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An item whose answer was never read is in the queue again, one that was read
// is not.
func TestItemUnread(t *testing.T) {
	for _, kind := range []string{"unix", "tcp", "elsewhere"} {
		s := serveTest(t, kind)
		m := s.member(t)
		id := m.open("Queue", "x")
		m.want(nil, id, "put", "item")
		c := s.rawChannel(t)
		send(t, c, store.Ident(id), "get", nil)
		// The answer is in the socket when the queue is empty and no call is
		// under way.
		mptest.Eventually(t, func() bool { return s.waiting() == 0 && empty1(m, id) }, "the item is taken")
		_ = c.Close()
		m.want("item", id, "get", true, 20.0)

		m.want(nil, id, "put", "again")
		c = s.rawChannel(t)
		send(t, c, store.Ident(id), "get", nil)
		if _, err := c.ReadFrame(1000); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		mptest.Eventually(t, func() bool { return s.connections() == 0 }, "the end is noticed")
		m.want(true, id, "empty")
	}
}

func empty1(m *member, id uint64) bool {
	v, _ := m.call(id, "empty")
	return v == true
}
