package pymp_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// crowd listens with a queue of next to nobody, and fills it.
func crowd(t *testing.T, path string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue does not fill")
}

// Who finds the queue of a Unix socket full waits, as in Python, until its time
// is over.
func TestCrowdedSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	crowd(t, path)
	_, err := pymp.Connect(t.Context(), path, nil, pymp.HandshakeTimeout(30*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// More calls at once than a Python server's queue holds.
func TestManyAtOnce(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		m := dial(t, python)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				d, err := m.Create(t.Context(), "dict")
				if err != nil {
					t.Error(err)
					return
				}
				err = d.Call(t.Context(), "__setitem__", "k", i)
				if err := errors.Join(err, d.Close()); err != nil {
					t.Error(fmt.Errorf("dict %d: %w", i, err))
				}
			})
		}
		wg.Wait()
	})
}
