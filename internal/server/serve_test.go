package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/client"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/internal/tlstest"
	"multiproc/mptest"
)

// Both sides show certificates, and the key is asked for all the same.
func TestMutualTLS(t *testing.T) {
	cert, pool := tlstest.Certificate(t)
	s := serveTest(t, "tcp", func(o *Options) {
		o.Limits.Handshake = time.Second // of one who waits for a server without TLS to begin
		o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	})
	client := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "127.0.0.1"}
	c := pyconn.New(tls.Client(s.dial(t), client))
	if err := pyconn.ClientHandshake(c, testKey); err != nil {
		t.Fatal(err)
	}
	send(t, c, nil, "dummy", nil)
	if _, err := c.ReadFrame(1000); err != nil {
		t.Fatal(err)
	}
	if err := pyconn.ClientHandshake(pyconn.New(tls.Client(s.dial(t), client)), []byte("wrong")); err == nil {
		t.Error("a certificate without the key is enough")
	}
	stranger := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	if err := pyconn.ClientHandshake(pyconn.New(tls.Client(s.dial(t), stranger)), testKey); err == nil {
		t.Error("no certificate is needed")
	}
	if err := pyconn.ClientHandshake(s.plain(t), testKey); err == nil {
		t.Error("no TLS is needed")
	}
}

// plain is a connection without TLS.
func (s *testServer) plain(t *testing.T) *pyconn.Conn { return pyconn.New(s.dial(t)) }

// Serve returns nil when its context ends, and leaves nothing.
func TestServeEnds(t *testing.T) {
	l := listenFor(t, "unix")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, l, Options{Authkey: testKey}) }()
	c, err := net.Dial("unix", AddressOf(l))
	if err != nil {
		t.Fatal(err)
	}
	in := pyconn.New(c)
	if err := pyconn.ClientHandshake(in, testKey); err != nil {
		t.Fatal(err)
	}
	send(t, in, nil, "create", pyvalue.Tuple{"Queue"})
	if _, err := in.ReadFrame(1000); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Logf("the client's connection ended with %v", err)
	}
	_ = c.Close()
	if _, err := net.Dial("unix", AddressOf(l)); err == nil {
		t.Error("somebody still listens")
	}
}

// A listener that fails is an error.
func TestServeListenerFails(t *testing.T) {
	l := listenFor(t, "unix")
	_ = l.Close()
	if err := Serve(t.Context(), l, Options{Authkey: testKey}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
	if err := Serve(t.Context(), l, Options{AuthkeyFile: "/no/such/file"}); err == nil {
		t.Error("a key that cannot be read is no error")
	}
}

// troubledListener fails some times before it accepts.
type troubledListener struct {
	net.Listener
	errs []error
}

func (l *troubledListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
	}
	return l.Listener.Accept()
}

// A server with its objects survives what the system lacks for a moment, and
// what went wrong with one connection.
func TestServeListenerPasses(t *testing.T) {
	l := listenFor(t, "unix")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	troubled := &troubledListener{l, []error{syscall.EMFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED, syscall.EPROTO, syscall.EPERM, syscall.ENETUNREACH}}
	go func() {
		done <- Serve(ctx, troubled, Options{Authkey: testKey, Log: slog.New(slog.DiscardHandler)})
		_ = l.Close()
	}()
	m, err := client.Dial(t.Context(), AddressOf(l), client.Options{Authkey: testKey})
	if err != nil {
		t.Error(err)
	} else {
		_ = m.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A Python client ends the server; the answer comes twice.
func TestPythonShutdown(t *testing.T) {
	s := serveTest(t, "tcp")
	c := s.join(t)
	send(t, c, nil, "shutdown", nil)
	for range 2 {
		b, err := c.ReadFrame(1000)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := pickle.Decode(b, pickle.Options{}); err != nil || !pyvalue.Equal(v, pyvalue.Tuple{kindReturn, nil}) {
			t.Errorf("%v, %v", v, err)
		}
	}
	<-s.ctx.Done()
}

// CPython's clients leave Nagle's algorithm on and would wait 44 ms for an
// acknowledgement, three times for each object that they make.
func TestPythonIsFastOverTCP(t *testing.T) {
	s := serveTest(t, "tcp")
	p := s.python(t, pyconntest.Pythons(t)[0], "speed")
	p.Want("ok")
}

// A call that does not return keeps a server for some time and no longer.
func TestEndsAmidACall(t *testing.T) {
	s := serveTest(t, "unix")
	s.endTimeout = time.Millisecond
	s.wg.Add(1) // its connection's
	s.stop()
	err := <-s.ended
	s.ended <- err // for the test's end
	s.wg.Done()
	if text := s.log.String(); !strings.Contains(text, "took too long") {
		t.Errorf("the log does not say so:\n%s", text)
	}
}

// What is wrong about a request is told, and the channel goes on.
func TestNonsenseRequests(t *testing.T) {
	s := serveTest(t, "unix")
	id := s.member(t).open("Queue", "q")
	c := s.rawChannel(t)
	for _, v := range []pyvalue.Value{
		nil, int64(1),
		pyvalue.Tuple{},
		pyvalue.Tuple{int64(1), int64(2), int64(3), int64(4)},
		pyvalue.Tuple{nil, "get", pyvalue.Tuple{}, &pyvalue.Dict{}},
		pyvalue.Tuple{"0", "get", pyvalue.Tuple{}, &pyvalue.Dict{}},
		pyvalue.Tuple{"ffff", "get", pyvalue.Tuple{}, &pyvalue.Dict{}},
		pyvalue.Tuple{"q", "get", pyvalue.Tuple{}, &pyvalue.Dict{Entries: []pyvalue.Entry{{Key: int64(1), Value: nil}}}},
		&pyvalue.Object{Func: rebuildProxy, Args: pyvalue.Tuple{}},
		&pyvalue.Object{Func: rebuildProxy, Args: pyvalue.Tuple{autoProxy, newToken("x", "y", id), int64(1), nil}},
	} {
		b, err := pickle.Encode(nil, v, pickle.EncodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantTraceback(t, c, b)
	}
	wantTraceback(t, c, []byte{0x80, 4, 'c'})
	wantTraceback(t, c, nil)
	mptest.Eventually(t, func() bool { return s.connections() == 1 }, "the channel is still there")
}

func wantTraceback(t *testing.T, c *pyconn.Conn, request []byte) {
	t.Helper()
	if err := c.WriteFrame(request); err != nil {
		t.Fatal(err)
	}
	b, err := c.ReadFrame(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(b, pickle.Options{})
	if err != nil || v.(pyvalue.Tuple)[0] != pyvalue.Value(kindTraceback) {
		t.Errorf("% x is answered by %s, %v", request, pyvalue.Repr(v), err)
	}
}
