package manager

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

var testKey = []byte("a key of the tests")

// serveTest starts a server that ends with the test, and returns its address.
func serveTest(t testing.TB) string {
	t.Helper()
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, Options{Authkey: testKey, Limits: Limits{Grace: -1}}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return AddressOf(l)
}

func dialTest(t testing.TB, address string) *Manager {
	t.Helper()
	m, err := Dial(t.Context(), address, Options{Authkey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// startPython starts one of the programs that the server's tests have as well.
func startPython(t testing.TB, python, address, program string) *pyconntest.Script {
	t.Helper()
	var text []byte
	for _, name := range []string{"prelude", program} {
		b, err := os.ReadFile(filepath.Join("..", "internal", "server", "testdata", "py", name+".py"))
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	return pyconntest.Start(t, python, string(text), address)
}

func wantIs(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: %v, want %v", what, err, target)
	}
}
