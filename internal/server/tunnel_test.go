package server

import (
	"io"
	"net"
	"sync"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
)

// tunnel passes connections on to a server, as ssh does: the server's peer is
// this process, whoever is behind it.
func (s *testServer) tunnel(t *testing.T) (address string) {
	t.Helper()
	l := listenFor(t, "tcp")
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_ = to.(*net.TCPConn).CloseWrite()
	}
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out := s.dial(t)
			all.Go(func() { pass(out, in) })
			all.Go(func() { pass(in, out); _ = in.Close() })
		}
	})
	return AddressOf(l)
}

// The death of a Python client behind a tunnel releases what it held, although
// the tunnel's process lives on.
func TestPythonDiesBehindTunnel(t *testing.T) {
	s := serveTest(t, "tcp")
	m := s.member(t)
	id := m.open("RLock", "x")
	through := *s
	through.address = s.tunnel(t)
	p := through.python(t, pyconntest.Pythons(t)[0], "dying", "RLock.acquire", "x")
	p.Want("holds")
	m.want(false, id, "acquire", false)
	p.Kill()
	m.want(true, id, "acquire", true, 20.0)
}

// A client that is gone before it is known gets nothing: it would be nobody's.
func TestPythonGoneAlready(t *testing.T) {
	s := serveTest(t, "tcp")
	l := listenFor(t, "tcp")
	defer l.Close()
	dialed, err := net.Dial("tcp", AddressOf(l))
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	c := newConn(s.Server, accepted, accepted, 0)
	known := s.Server.python(c)
	if known == nil || known.line == nil || known.direct {
		t.Fatalf("%+v", known)
	}
	s.release(known)
	_ = dialed.Close()
	if gone := s.Server.python(c); gone != nil {
		t.Errorf("the client is %s", gone.key)
	}
}
