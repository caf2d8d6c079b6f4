package pymp_test

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/internal/pyvalue"
	"multiproc/pymp"
)

// impostor is a server that knows the key and answers each request with what
// reply returns; nil leaves the request without an answer.
func impostor(t testing.TB, reply func(method string) []byte) string {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go pretend(pyconn.New(c), reply)
		}
	}()
	return l.Addr().String()
}

func pretend(c *pyconn.Conn, reply func(method string) []byte) {
	defer c.Close()
	if pyconn.ServerHandshake(c, []byte("secret")) != nil {
		return
	}
	for {
		b, err := c.ReadFrame(1 << 20)
		if err != nil {
			return
		}
		v, err := pickle.Decode(b, pickle.Options{})
		if err != nil {
			return
		}
		method := v.(pyvalue.Tuple)[1].(string)
		answer := framed(pickled(pyvalue.Tuple{"#RETURN", nil}))
		if method != "dummy" && method != "accept_connection" {
			if method == "create" {
				answer = framed(pickled(pyvalue.Tuple{"#RETURN", pyvalue.Tuple{"7f", pyvalue.Tuple{"get"}}}))
			}
			if r := reply(method); r != nil {
				answer = r
			} else if method != "create" && method != "decref" {
				continue
			}
		}
		if _, err := c.NetConn().Write(answer); err != nil {
			return
		}
	}
}

func pickled(v pyvalue.Value) []byte {
	b, err := pickle.Encode(nil, v, pickle.EncodeOptions{})
	if err != nil {
		panic(err)
	}
	return b
}

func framed(p []byte) []byte {
	return append([]byte{byte(len(p) >> 24), byte(len(p) >> 16), byte(len(p) >> 8), byte(len(p))}, p...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Whatever a server answers, a call returns an error, in bounded time and memory,
// and the next one is not confused by it.
func TestHostileReplies(t *testing.T) {
	token := func(state ...pyvalue.Value) pyvalue.Value {
		return &pyvalue.Object{
			Func: pyvalue.Global{Module: "multiprocessing.managers", Name: "Token"}, Args: pyvalue.Tuple{}, New: true,
			State: pyvalue.Tuple(state), HasState: true,
		}
	}
	rebuild := func(args ...pyvalue.Value) pyvalue.Value {
		return &pyvalue.Object{Func: pyvalue.Global{Module: "multiprocessing.managers", Name: "RebuildProxy"}, Args: pyvalue.Tuple(args)}
	}
	deep := strings.Repeat("]", 100_000) + strings.Repeat("a", 99_999)
	for _, c := range []struct {
		name string
		send []byte
		want error
	}{
		{"huge frame", []byte{0x7f, 0xff, 0xff, 0xff}, mperr.ErrTooLarge},
		{"huge long frame", unhex("ffffffff7fffffffffffffff"), mperr.ErrTooLarge},
		{"big frame of which nothing comes", []byte{0x20, 0, 0, 0}, nil},
		{"negative frame", unhex("80000000"), mperr.ErrCorrupt},
		{"empty", framed(nil), mperr.ErrCorrupt},
		{"no pickle", framed([]byte("hello")), mperr.ErrCorrupt},
		{"half a pickle", framed(pickled(pyvalue.Tuple{"#RETURN", int64(1)})[:8]), mperr.ErrCorrupt},
		{"deep pickle", framed([]byte("\x80\x04" + deep + ".")), mperr.ErrTooLarge},
		{"no pair", framed(pickled(pyvalue.Tuple{"#RETURN"})), mperr.ErrCorrupt},
		{"no tuple", framed(pickled("x")), mperr.ErrCorrupt},
		{"unknown kind", framed(pickled(pyvalue.Tuple{"#NONSENSE", nil})), mperr.ErrCorrupt},
		{"kind of another type", framed(pickled(pyvalue.Tuple{&pyvalue.List{}, nil})), mperr.ErrCorrupt},
		{"proxy without a token", framed(pickled(pyvalue.Tuple{"#PROXY", nil})), mperr.ErrCorrupt},
		{"proxy with half a token", framed(pickled(pyvalue.Tuple{"#PROXY", pyvalue.Tuple{pyvalue.Tuple{"a"}, token("list", "/s")}})), mperr.ErrCorrupt},
		{"proxy with a strange address", framed(pickled(pyvalue.Tuple{"#PROXY", pyvalue.Tuple{pyvalue.Tuple{}, token("list", 1.5, "7f")}})), mperr.ErrCorrupt},
		{"proxy with strange names", framed(pickled(pyvalue.Tuple{"#PROXY", pyvalue.Tuple{pyvalue.Tuple{int64(1)}, token("list", "/s", "7f")}})), mperr.ErrCorrupt},
		{"traceback that is no text", framed(pickled(pyvalue.Tuple{"#TRACEBACK", int64(1)})), mperr.ErrCorrupt},
		{"reference without a token", framed(pickled(pyvalue.Tuple{"#RETURN", rebuild(nil, nil)})), mperr.ErrCorrupt},
		{"reference to elsewhere", framed(pickled(pyvalue.Tuple{"#RETURN", rebuild(nil, token("list", pyvalue.Tuple{"192.0.2.1", int64(1)}, "7f"))})), mperr.ErrAuth},
	} {
		address := impostor(t, func(method string) []byte {
			if method != "get" {
				return nil
			}
			return c.send
		})
		m := connect(t, address, pymp.MaxFrame(1<<30))
		p := create(t, m, "Queue")
		timeLimit := pyconntest.Timeout
		if c.want == nil {
			timeLimit = 200 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := pymp.Call[any](ctx, p, "get")
		runtime.ReadMemStats(&after)
		if err == nil || !errors.Is(err, c.want) && c.want != nil || c.want == nil && !errors.Is(err, mperr.ErrUnknownFate) {
			t.Errorf("%s: %v", c.name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: took %d MiB", c.name, took>>20)
		}
		cancel()
		if err := m.Ping(t.Context()); err != nil {
			t.Errorf("after %s: %v", c.name, err)
		}
	}
}

// Exceptions of any shape are errors.
func TestHostileExceptions(t *testing.T) {
	for _, v := range []pyvalue.Value{
		nil, int64(1), "text",
		pyvalue.Tuple{},
		&pyvalue.List{},
		&pyvalue.Object{Func: pyvalue.Global{Module: "m", Name: "E"}, Args: pyvalue.Tuple{pyvalue.Tuple{int64(2), &pyvalue.Set{}}}},
		&pyvalue.Object{Func: pyvalue.Global{Module: "builtins", Name: "OSError"}, Args: pyvalue.Tuple{int64(2), nil, nil, nil}},
	} {
		m := connect(t, impostor(t, func(method string) []byte {
			if method != "get" {
				return nil
			}
			return framed(pickled(pyvalue.Tuple{"#ERROR", v}))
		}))
		err := create(t, m, "Queue").Call(t.Context(), "get")
		var e *pymp.Error
		if !errors.As(err, &e) || e.Class == "" || err.Error() == "" {
			t.Errorf("%#v arrived as %v", v, err)
		}
	}
}

// A server that never finishes its handshake is given up, by HandshakeTimeout
// and by the context, whichever is first.
func TestHandshakeThatNeverEnds(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // the beginning of a challenge, and no more; it listens to what we say
				_, _ = c.Write(framed([]byte("#CHALLENGE#{sha256}0123456789"))[:20])
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	for name, dial := range map[string]func(ctx context.Context, o pymp.Option) error{
		"Dial": func(ctx context.Context, o pymp.Option) error {
			_, err := pymp.Dial(ctx, l.Addr().String(), []byte("secret"), o)
			return err
		},
		"Connect": func(ctx context.Context, o pymp.Option) error {
			_, err := pymp.Connect(ctx, l.Addr().String(), []byte("secret"), o)
			return err
		},
	} {
		if err := dial(t.Context(), pymp.HandshakeTimeout(30*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the handshake's time was over: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Millisecond, cancel)
		if err := dial(ctx, pymp.HandshakeTimeout(pyconntest.Timeout)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the context ended: %v", name, err)
		}
	}
}
