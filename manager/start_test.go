package manager

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/mp"
)

// childNamed is the child of that name.
func childNamed(t *testing.T, name string) mp.Child {
	t.Helper()
	for _, c := range mp.Children() {
		if c.Name() == name {
			return c
		}
	}
	t.Fatalf("there is no child %s", name)
	return nil
}

// A Start in a process of its own.
func TestStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, err := Start(ctx, Options{Name: "TestStart"})
	if err != nil {
		t.Fatal(err)
	}
	process := childNamed(t, "TestStart")
	socket, err := net.Dial("unix", m.Address())
	if err != nil {
		t.Fatal(err)
	}
	c := pyconn.New(socket)
	defer func() { _ = c.Close() }()
	if err := pyconn.ClientHandshake(c, m.Authkey()); err != nil {
		t.Fatal(err)
	}
	b, err := pickle.Encode(nil, pyvalue.Tuple{nil, "create", pyvalue.Tuple{"test.Tally", int64(3)}, &pyvalue.Dict{}}, pickle.EncodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WriteFrame(b); err != nil {
		t.Fatal(err)
	}
	b, err = c.ReadFrame(1000)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := pickle.Decode(b, pickle.Options{}); err != nil || v.(pyvalue.Tuple)[0] != pyvalue.Value("#RETURN") {
		t.Errorf("the child does not offer what the program registers: %v, %v", pyvalue.Repr(v), err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	<-process.Done()
	if _, err := net.Dial("unix", m.Address()); err == nil {
		t.Error("somebody still listens")
	}
}

// A server that cannot start says why.
func TestStartFails(t *testing.T) {
	for _, o := range []Options{
		{Address: "/no/such/directory/s"}, {Address: "nonsense"}, {AuthkeyFile: "/no/such/file"}, {TLS: &tls.Config{}},
	} {
		m, err := Start(t.Context(), o)
		if err == nil {
			_ = m.Close()
			t.Errorf("%v has started", o)
		}
	}
}

// The end of its context is the server's.
func TestStartContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Start(ctx, Options{Address: "127.0.0.1:0", Name: "TestStartContext"})
	if err != nil {
		t.Fatal(err)
	}
	process := childNamed(t, "TestStartContext")
	cancel()
	<-process.Done()
	_ = m.Close()
}
