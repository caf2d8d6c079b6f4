package manager

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/data"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
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
				newConn(s.server, slow, far, pid).serve()
				_ = far.Close()
			}()
			c := pyconn.New(near)
			send(t, c, nil, "accept_connection", data.Tuple{"MainProcess|Thread-1"})
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
				var args []data.Value
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
			case <-time.After(50 * time.Millisecond): // it waits for the gate
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
	mptest.Eventually(t, func() bool { return s.connections() == 0 }, "its connections are cut off")
}
