package server

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"multiproc/internal/client"
	"multiproc/internal/endpoint"
	"multiproc/internal/pyconn"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // they wait most of the time; -parallel on the command line wins
	mptest.Main(m)
}

var testKey = []byte("a key of the tests")

// testTimeout is how long a state may take to come about.
const testTimeout = 10 * time.Second

// testServer is a server in this process.
type testServer struct {
	*Server
	address string
	log     *testLog
	ended   chan error
	stop    context.CancelFunc
}

// listenFor makes a listener of a kind that the tests know.
func listenFor(t testing.TB, kind string) net.Listener {
	t.Helper()
	dir := t.TempDir()
	address := map[string]string{
		"unix": filepath.Join(dir, "s"), "abstract": "@mp-test" + dir, "tcp": "127.0.0.1:0", "tcp6": "[::1]:0",
		"elsewhere": "127.0.0.1:0",
	}[kind]
	l, err := Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveTest starts a server that ends with the test, which fails if it does
// not end well, or if its log tells the key.
func serveTest(t testing.TB, kind string, change ...func(*Options)) *testServer {
	t.Helper()
	l := listenFor(t, kind)
	log := &testLog{}
	// Most tests are about what the end of a session leaves, and a connection is
	// ended more easily than a process.
	o := Options{Authkey: testKey, Limits: Limits{Grace: -1}, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&o)
	}
	ctx, stop := context.WithCancel(context.Background())
	s, err := New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "elsewhere" { // TCP clients whose processes are not known
		s.peers = nil
	}
	ts := &testServer{Server: s, address: AddressOf(l), log: log, ended: make(chan error, 1), stop: stop}
	go func() { ts.ended <- s.Serve(l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ts.ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if text := log.String(); bytes.Contains([]byte(text), testKey) {
			t.Errorf("the log tells the key:\n%s", text)
		}
	})
	return ts
}

// dial connects, without a handshake.
func (s *testServer) dial(t testing.TB) net.Conn {
	t.Helper()
	network, err := endpoint.Network(s.address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial(network, s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// join connects and proves to know the key.
func (s *testServer) join(t testing.TB) *pyconn.Conn {
	t.Helper()
	c := pyconn.New(s.dial(t))
	if err := pyconn.ClientHandshake(c, testKey); err != nil {
		t.Fatal(err)
	}
	return c
}

// connections is how many the server has.
func (s *testServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// testLog gathers what is logged.
type testLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*testLog)(nil)

// dialTest connects a Go client to a server of this process.
func dialTest(t testing.TB, s *testServer, change ...func(*client.Options)) *client.Manager {
	t.Helper()
	o := client.Options{Authkey: testKey}
	for _, f := range change {
		f(&o)
	}
	m, err := client.Dial(t.Context(), s.address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func openTest[O driver.Object](t testing.TB, m *client.Manager, s driver.Spec) O {
	t.Helper()
	o, err := m.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return o.(O)
}

func wantNo(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func wantIs(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}
