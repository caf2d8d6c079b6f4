package busypoll

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pair is a reader and the other end of its connection.
func pair(t *testing.T, network string) (*Reader, net.Conn, net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return New(here), here, there
}

func networks(t *testing.T, f func(t *testing.T, r *Reader, here, there net.Conn)) {
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r, here, there := pair(t, network)
			f(t, r, here, there)
		})
	}
}

// Whatever is sent arrives in order, however long the pauses are.
func TestRead(t *testing.T) {
	networks(t, func(t *testing.T, r *Reader, _, there net.Conn) {
		const rounds = 2000
		go func() {
			one := make([]byte, 1)
			for i := range rounds {
				if _, err := there.Write([]byte{byte(i), byte(i >> 8)}); err != nil {
					break
				}
				if _, err := io.ReadFull(there, one); err != nil {
					break
				}
			}
			_ = there.Close()
		}()
		got := make([]byte, 2)
		for i := range rounds {
			if _, err := io.ReadFull(r, got); err != nil {
				t.Fatal(err)
			}
			if got[0] != byte(i) || got[1] != byte(i>>8) {
				t.Fatalf("round %d brought % x", i, got)
			}
			if _, err := r.c.Write(got[:1]); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Read(got); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %d, %v", n, err)
		}
	})
}

func TestDeadline(t *testing.T) {
	networks(t, func(t *testing.T, r *Reader, here, there net.Conn) {
		if err := here.SetReadDeadline(time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		if _, err := r.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read past its deadline: %v", err)
		}
		if err := here.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := there.Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(b); n != 1 || b[0] != 7 || err != nil {
			t.Errorf("then: %d, %v, %v", n, b, err)
		}
	})
}

func TestCloseEndsRead(t *testing.T) {
	networks(t, func(t *testing.T, r *Reader, here, there net.Conn) {
		if _, err := there.Write([]byte{7}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 1)); err != nil { // from now on it looks again
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 1))
			ended <- err
		}()
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read whose connection was closed: %v", err)
		}
	})
}

// A peer that resets the connection is told from one that ends it.
func TestReset(t *testing.T) {
	r, here, there := pair(t, "tcp")
	if _, err := here.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := there.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := there.Close(); err != nil {
		t.Fatal(err)
	}
	var op *net.OpError
	if _, err := r.Read(make([]byte, 1)); !errors.As(err, &op) || errors.Is(err, io.EOF) {
		t.Errorf("a reset came as %v", err)
	}
}

// Other connections are read as they are.
func TestPlainConn(t *testing.T) {
	here, there := net.Pipe()
	go func() { _, _ = there.Write([]byte("x")) }()
	if n, err := New(here).Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	r, _, there := pair(t, "unix")
	b := make([]byte, 1)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = there.Write(b)
		_, _ = r.Read(b)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
