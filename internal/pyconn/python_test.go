package pyconn_test

import (
	"bytes"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
)

// lengths cross CPython's boundaries: one write or two, and our buffers'.
var lengths = []int{0, 1, 4096, 16384, 16385, 65536, 1 << 20}

const pythonListener = `
from multiprocessing.connection import Listener
l = Listener(sys.argv[1] if sys.argv[1] else ('127.0.0.1', 0), authkey=b'secret')
say(l.address if isinstance(l.address, str) else '%s:%d' % l.address)
while True:
    try:
        c = l.accept()
    except Exception as e:
        say('refused', type(e).__name__)
        continue
    try:
        while True:
            c.send_bytes(c.recv_bytes())
    except EOFError:
        say('end')
`

const pythonClient = `
from multiprocessing.connection import Client
a = sys.argv[1]
if ':' in a:
    h, p = a.rsplit(':', 1)
    a = (h, int(p))
try:
    c = Client(a, authkey=sys.argv[2].encode())
    while True:
        c.send_bytes(c.recv_bytes())
except EOFError:
    say('end')
except Exception as e:
    say('refused', type(e).__name__)
`

func networks(t *testing.T) map[string]string {
	return map[string]string{"unix": filepath.Join(t.TempDir(), "s"), "tcp": ""}
}

// echo sends frames of many lengths and wants each back.
func echo(t *testing.T, c *pyconn.Conn) {
	t.Helper()
	for _, n := range lengths {
		p := bytes.Repeat([]byte(strconv.Itoa(n)), n/len(strconv.Itoa(n))+1)[:n]
		if err := c.WriteFrame(p); err != nil {
			t.Fatal(err)
		}
		if got, err := c.ReadFrame(2 << 20); err != nil || !bytes.Equal(got, p) {
			t.Fatalf("%d bytes came back as %d, %v", n, len(got), err)
		}
	}
}

func conn(t *testing.T, c net.Conn, err error) *pyconn.Conn {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(pyconntest.Timeout))
	return pyconn.New(c)
}

func TestPythonListens(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for network, address := range networks(t) {
			script := pyconntest.Start(t, python, pythonListener, address)
			address := script.Line()
			c := func() *pyconn.Conn {
				c, err := net.Dial(network, address)
				return conn(t, c, err)
			}

			good := c()
			if err := pyconn.ClientHandshake(good, []byte("secret")); err != nil {
				t.Fatal(err)
			}
			echo(t, good)
			_ = good.Close()
			script.Want("end")

			bad := c()
			if err := pyconn.ClientHandshake(bad, []byte("another")); !errors.Is(err, mperr.ErrAuth) {
				t.Errorf("%s: with another key: %v", network, err)
			}
			script.Want("refused AuthenticationError")
		}
	})
}

func TestPythonDials(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for network, address := range networks(t) {
			if address == "" {
				address = "127.0.0.1:0"
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for _, key := range []string{"secret", "another"} {
				script := pyconntest.Start(t, python, pythonClient, l.Addr().String(), key)
				accepted, err := l.Accept()
				c := conn(t, accepted, err)
				c.AckAtOnce()
				err = pyconn.ServerHandshake(c, []byte("secret"))
				if key == "another" {
					if !errors.Is(err, mperr.ErrAuth) {
						t.Errorf("%s: another key: %v", network, err)
					}
					_ = c.Close()
					if line := script.Line(); !strings.HasPrefix(line, "refused") {
						t.Errorf("%s: the client says %q", network, line)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				echo(t, c)
				_ = c.Close()
				script.Want("end")
			}
		}
	})
}
