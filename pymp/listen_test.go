package pymp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// pythonPeer connects or listens, and sends everything back; raw messages twice.
const pythonPeer = `
from multiprocessing.connection import Client, Listener
def address(text):
    if text.startswith('@'):
        return '\0' + text[1:]
    if '/' in text:
        return text
    host, port = text.rsplit(':', 1)
    return (host, int(port))
key = sys.argv[3].encode() or None
try:
    if sys.argv[1] == 'dial':
        c = Client(address(sys.argv[2]), authkey=key)
    else:
        l = Listener(address(sys.argv[2]), authkey=key)
        a = l.address
        say(a if isinstance(a, str) and a[0] != '\0' else a.decode().replace('\0', '@') if isinstance(a, bytes) else '%s:%d' % a)
        c = l.accept()
    while True:
        x = c.recv()
        if x == 'raw':
            b = c.recv_bytes()
            c.send_bytes(b)
            c.send_bytes(b)
        else:
            c.send(x)
except EOFError:
    say('end')
except Exception as e:
    say('failed', type(e).__name__)
`

func exchange(t *testing.T, c *pymp.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pyconntest.Timeout)
	defer cancel()
	for _, v := range []any{nil, 1, "grüße", []any{1, 2.5, "x"}, map[string]any{"a": []any{nil, true}}, strings.Repeat("y", 1<<20)} {
		if err := c.Send(ctx, v); err != nil {
			t.Fatal(err)
		}
		if got, err := pymp.Recv[any](ctx, c); err != nil || !same(got, v) {
			t.Errorf("%.50v came back as %.50v, %v", v, got, err)
		}
	}
	if err := c.Send(ctx, point{1, 2, "n"}); err != nil {
		t.Fatal(err)
	}
	if got, err := pymp.Recv[point](ctx, c); err != nil || got != (point{1, 2, "n"}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, raw := range [][]byte{{}, []byte("raw"), bytes.Repeat([]byte("z"), 100_000)} {
		if err := errors.Join(c.Send(ctx, "raw"), c.SendBytes(ctx, raw)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := c.RecvBytes(ctx); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d raw bytes came back as %d, %v", len(raw), len(got), err)
			}
		}
	}
	if err := c.Send(ctx, make(chan int)); err == nil {
		t.Error("a channel was sent")
	}
}

func addresses(t *testing.T) []string {
	return []string{filepath.Join(t.TempDir(), "s"), fmt.Sprintf("@multiproc-conn-%d-%d", os.Getpid(), time.Now().UnixNano()), "127.0.0.1:0"}
}

func TestPythonDials(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for i, address := range addresses(t) {
			for _, key := range []string{"secret", ""}[:1+i/2] {
				var authkey []byte
				if key != "" {
					authkey = []byte(key)
				}
				l, err := pymp.Listen(address, authkey)
				if err != nil {
					t.Fatal(err)
				}
				if info, err := os.Stat(address); err == nil && info.Mode().Perm() != 0o600 {
					t.Errorf("the socket's file has mode %v", info.Mode())
				}
				if key != "" {
					stranger := pyconntest.Start(t, python, pythonPeer, "dial", l.Addr(), "another")
					if line := stranger.Line(); !strings.HasPrefix(line, "failed") {
						t.Errorf("a stranger says %q", line)
					}
				}
				peer := pyconntest.Start(t, python, pythonPeer, "dial", l.Addr(), key)
				ctx, cancel := context.WithTimeout(t.Context(), pyconntest.Timeout)
				c, err := l.Accept(ctx)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				exchange(t, c)
				if err := errors.Join(c.Close(), c.Close(), l.Close(), l.Close()); err != nil {
					t.Error(err)
				}
				peer.Want("end")
				if _, err := os.Stat(address); err == nil {
					t.Errorf("%s is left behind", address)
				}
			}
		}
	})
}

func TestPythonListens(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for _, address := range addresses(t) {
			peer := pyconntest.Start(t, python, pythonPeer, "listen", address, "secret")
			c, err := pymp.Connect(t.Context(), peer.Line(), []byte("secret"))
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := pymp.Recv[int](ctx, c); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("nothing came, and yet: %v", err)
			}
			cancel()
			exchange(t, c) // an ended context breaks nothing
			peer.Kill()
			if _, err := pymp.Recv[int](t.Context(), c); err != io.EOF {
				t.Errorf("the peer is dead: %v", err)
			}
			_ = c.Close()
			if _, err := c.RecvBytes(t.Context()); !errors.Is(err, mperr.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
			if err := c.Send(t.Context(), 1); !errors.Is(err, mperr.ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

// Strangers that say nothing keep nobody waiting, and are dropped in the end.
func TestStrangersWaitAlone(t *testing.T) {
	l, err := pymp.Listen("127.0.0.1:0", []byte("secret"), pymp.HandshakeTimeout(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var strangers []net.Conn
	for range 300 {
		c, err := net.Dial("tcp", l.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		strangers = append(strangers, c)
	}
	type accepted struct {
		c   *pymp.Conn
		err error
	}
	got := make(chan accepted, 1)
	go func() {
		c, err := l.Accept(t.Context())
		got <- accepted{c, err}
	}()
	friend, err := pymp.Connect(t.Context(), l.Addr(), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	a := <-got
	if a.err != nil {
		t.Fatal(a.err)
	}
	defer a.c.Close()
	if err := friend.Send(t.Context(), pymp.Tuple{int64(1), "x"}); err != nil {
		t.Fatal(err)
	}
	if v, err := pymp.Recv[any](t.Context(), a.c); err != nil || !reflect.DeepEqual(v, pymp.Tuple{int64(1), "x"}) && !same(v, pymp.Tuple{1, "x"}) {
		t.Errorf("%#v, %v", v, err)
	}
	for _, c := range strangers {
		_ = c.SetDeadline(time.Now().Add(pyconntest.Timeout))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a stranger is still connected")
		}
	}
}

func TestListenRefuses(t *testing.T) {
	for _, address := range []string{"", "@", "here", "host:http", "1.2.3.4:70000"} {
		if l, err := pymp.Listen(address, nil); err == nil {
			_ = l.Close()
			t.Errorf("listens at %q", address)
		}
		if _, err := pymp.Connect(t.Context(), address, nil); err == nil {
			t.Errorf("connects to %q", address)
		}
		if _, err := pymp.Dial(t.Context(), address, []byte("k")); err == nil {
			t.Errorf("dials %q", address)
		}
	}
	if _, err := pymp.Listen("127.0.0.1:0", []byte{}); !errors.Is(err, mperr.ErrAuth) {
		t.Errorf("listens with an empty key: %v", err)
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := pymp.Listen(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pymp.Listen(path, nil); err == nil {
		t.Error("two listeners at one path")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("accept under an ended context: %v", err)
	}
	_ = l.Close()
	if _, err := l.Accept(t.Context()); !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("accept after Close: %v", err)
	}
	for _, o := range []pymp.Option{pymp.MaxFrame(0), pymp.MaxIdle(-1), pymp.HandshakeTimeout(0), pymp.KnownAs("x"), pymp.WithKey("y", nil)} {
		if _, err := pymp.Listen(path, nil, o); err == nil {
			t.Error("a senseless option was taken")
		}
	}
}
