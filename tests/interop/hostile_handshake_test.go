//go:build interop

package interop

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/pyconn"
	"multiproc/manager"
	"multiproc/mp"
)

// quick ends handshakes that take longer, so that the tests need not wait.
const quick = handEnv + "=200ms"

// Who does not know the key gets nowhere, whatever he says.
func TestHostileHandshakes(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			hostile(t, kind, 32, func(s *testServer, m *manager.Manager) {
				wrongKeys(t, s)
				for _, c := range []struct {
					name string
					says []byte
				}{
					{"nothing", nil},
					{"an empty frame", make([]byte, 4)},
					{"a hundred empty frames", make([]byte, 400)},
					{"a pickle", frame(pickled)},
					{"a message of Go's protocol", frame(frames.AppendClientHello(nil, frames.ClientHello{}))},
					{"a welcome", frame([]byte("#WELCOME#"))},
					{"a failure", frame([]byte("#FAILURE#"))},
					{"a challenge of its own", frame(append([]byte("#CHALLENGE#{sha256}"), random(40)...))},
					{"a weak answer", frame(append([]byte("{md5}"), random(16)...))},
					{"an answer of no known kind", frame(append([]byte("{none}"), random(16)...))},
					{"a frame of 257 bytes", frame(random(257))},
					{"a frame of 2 GiB", []byte{0x7f, 0xff, 0xff, 0xff, 1, 2, 3}},
					{"a frame of a negative length", []byte{0x80, 0, 0, 0, 1, 2, 3}},
					{"a frame of 2⁶³ bytes", []byte{0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
					{"HTTP", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
					{"noise", random(4096)},
				} {
					conn := s.raw(t)
					_, _ = conn.Write(c.says) // it may be closed already
					ended(t, conn, c.name)
				}
			}, quick)
		})
	}
}

// pickled is the recorded request for a dummy.
var pickled = []byte("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00(N\x8c\x05dummy\x94)}\x94t\x94.")

func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func wrongKeys(t *testing.T, s *testServer) {
	t.Helper()
	for _, key := range [][]byte{nil, {}, []byte("wrong"), append(s.key[:len(s.key):len(s.key)], 1), s.key[:len(s.key)-1], random(1000)} {
		c := pyconn.New(s.raw(t))
		if err := pyconn.ClientHandshake(c, key); !errors.Is(err, mp.ErrAuth) {
			t.Errorf("a wrong key: %v", err)
		}
		ended(t, c.NetConn(), "a wrong key")
	}
	_, err := manager.Dial(t.Context(), s.address, manager.Options{Authkey: []byte("wrong")})
	if !errors.Is(err, mp.ErrAuth) {
		t.Errorf("a wrong key: %v", err)
	}
}

// stingy lets a number of bytes through, then ends.
type stingy struct {
	net.Conn
	left int
}

var errSpent = errors.New("that was all")

func (c *stingy) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	if _, err := c.Conn.Write(b[:n]); err != nil {
		return 0, err
	}
	if c.left -= n; n < len(b) {
		return n, errSpent
	}
	return n, nil
}

// A connection may end at each byte, or stand still there.
func TestTruncatedAnywhere(t *testing.T) {
	call := func(n uint64) []byte {
		return frames.AppendText(frames.AppendCall(nil, n, 0, "names", frames.NoTimeout, 1), "x")
	}
	for name, says := range map[string][][]byte{
		"Python": {pickled},
		"channel": {
			[]byte("\x80\x04\x95\x2d\x00\x00\x00\x00\x00\x00\x00(N\x8c\x11accept_connection\x94\x8c\x0bMainProcess\x94\x85\x94}\x94t\x94."),
			pickled,
		},
		"Go": {
			frames.AppendClientHello(nil, frames.ClientHello{PID: 1, Name: "x"}),
			framestest.Seal(call(1), 1, 0), framestest.Seal(call(2), 2, 0),
		},
	} {
		t.Run(name, func(t *testing.T) {
			hostile(t, "unix", 64, func(s *testServer, m *manager.Manager) {
				for n, through := 0, false; !through; n++ {
					conn := s.raw(t)
					c := pyconn.New(&stingy{conn, n})
					err := pyconn.ClientHandshake(c, s.key)
					for _, b := range says {
						if err == nil {
							err = c.WriteFrame(b)
						}
					}
					through = err == nil
					// Whoever has proved himself may take his time; others may not.
					if proved := n >= 44+63+13; !proved && n%30 == 0 {
						ended(t, conn, "a handshake that stands still")
					}
					_ = conn.Close()
				}
			}, quick)
		})
	}
}

// Frames that are beyond all measure end the connection in each of its phases.
// Those that are too long are read past, up to 64 GiB. What either announces
// costs nothing.
func TestOversized(t *testing.T) {
	headers := map[string][]byte{
		"negative":    {0x80, 0, 0, 0},
		"2⁴⁰ bytes":   {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 0},
		"2⁶⁴-1 bytes": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	readPast := [][]byte{
		{0x40, 0, 0, 1}, // one more than the limit
		{0x7f, 0xff, 0xff, 0xff},
		{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 8, 0, 0, 0, 0}, // 32 GiB
	}
	phases := map[string]func(t testing.TB, s *testServer) *pyconn.Conn{
		"first":   func(t testing.TB, s *testServer) *pyconn.Conn { return s.join(t) },
		"channel": func(t testing.TB, s *testServer) *pyconn.Conn { return s.channel(t) },
		"session": func(t testing.TB, s *testServer) *pyconn.Conn { return s.session(t).Conn },
	}
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			hostile(t, kind, 64, func(s *testServer, m *manager.Manager) {
				for phase, begin := range phases {
					for name, header := range headers {
						c := begin(t, s).NetConn()
						// and enough for a header of a session, which has its own check
						_, err := c.Write(append(append(header[:len(header):len(header)], 0x80, 4), random(64)...))
						must(t, err)
						ended(t, c, phase+": a frame of "+name)
					}
					// As long as is allowed, announced by many who send little of it.
					var all []io.Closer
					for _, header := range readPast {
						c := begin(t, s).NetConn()
						_, err := c.Write(append(header[:len(header):len(header)], random(1000)...))
						must(t, err)
						all = append(all, c)
					}
					for range 100 {
						c := begin(t, s).NetConn()
						_, err := c.Write(append([]byte{0x03, 0xff, 0xff, 0xff}, random(1000)...))
						must(t, err)
						all = append(all, c)
					}
					for _, c := range all {
						_ = c.Close()
					}
				}
			})
		})
	}
}
