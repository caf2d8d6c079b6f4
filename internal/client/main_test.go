package client

import (
	"context"
	"flag"
	"path/filepath"
	"testing"

	"multiproc/internal/server"
	"multiproc/mptest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // they wait most of the time; -parallel on the command line wins
	mptest.Main(m)
}

var testKey = []byte("a key of the tests")

// testServer is a server in this process.
type testServer struct {
	*server.Server
	address string
}

// serveTest starts a server that ends with the test. Sessions end with their
// connections: those are ended more easily than processes.
func serveTest(t testing.TB, kind string, change ...func(*server.Options)) *testServer {
	t.Helper()
	address := "127.0.0.1:0"
	if kind == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := server.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{Authkey: testKey, Limits: server.Limits{Grace: -1}}
	for _, f := range change {
		f(&o)
	}
	ctx, stop := context.WithCancel(context.Background())
	s, err := server.New(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return &testServer{s, server.AddressOf(l)}
}
