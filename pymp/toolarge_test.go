package pymp_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

const pythonSender = `
from multiprocessing.connection import Client
c = Client(sys.argv[1], authkey=b'k')
c.send_bytes(b'small')
try:
    c.send_bytes(b'x' * 50000000)  # more than any socket holds
    c.recv()
    say('sent')
except (BrokenPipeError, ConnectionResetError, EOFError):
    say('ended')
`

// A message above MaxFrame ends the connection for both: Python does not hang in
// send_bytes, and nothing can be sent to it as if it could answer.
func TestMaxFrameEndsConn(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		l, err := pymp.Listen(filepath.Join(t.TempDir(), "s"), []byte("k"), pymp.MaxFrame(1000))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		p := pyconntest.Start(t, python, pythonSender, l.Addr())
		ctx, cancel := context.WithTimeout(t.Context(), pyconntest.Timeout)
		defer cancel()
		c, err := l.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if b, err := c.RecvBytes(ctx); string(b) != "small" || err != nil {
			t.Fatalf("RecvBytes: %q, %v", b, err)
		}
		for range 2 {
			if _, err := c.RecvBytes(ctx); !errors.Is(err, mperr.ErrTooLarge) || !strings.Contains(err.Error(), "pymp.MaxFrame") {
				t.Errorf("RecvBytes of too much: %v", err)
			}
		}
		if err := c.Send(ctx, 1); !errors.Is(err, mperr.ErrTooLarge) {
			t.Errorf("Send after that: %v", err)
		}
		p.Want("ended")
		p.Ended()
	})
}

// A reply above MaxFrame costs a manager that one connection.
func TestMaxFrameOfReplies(t *testing.T) {
	m := dial(t, pyconntest.Pythons(t)[0], pymp.MaxFrame(100_000))
	d := create(t, m, "dict")
	call[any](t, d, "__setitem__", "a", strings.Repeat("x", 60_000))
	call[any](t, d, "__setitem__", "b", strings.Repeat("x", 60_000))
	for range 2 {
		if _, err := pymp.Call[any](t.Context(), d, "copy"); !errors.Is(err, mperr.ErrTooLarge) || !strings.Contains(err.Error(), "pymp.MaxFrame") {
			t.Errorf("a reply of 120 000 bytes: %v", err)
		}
		if n := call[int](t, d, "__len__"); n != 2 {
			t.Errorf("then there are %d", n)
		}
	}
}
