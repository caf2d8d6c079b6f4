//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/manager"
	"multiproc/mp"
)

// prompt is how long a call of somebody who does no harm may take while others
// do; it fails the test beyond that.
const prompt = 5 * time.Second

// bystander is a client who works all the time, and looks whether anybody
// hinders it.
type bystander struct {
	t       *testing.T
	s       *testServer
	cancel  context.CancelFunc
	done    sync.WaitGroup
	calls   int
	dials   int
	retried int
	longest time.Duration
	before  int // the server's memory, in KiB
}

// hostile starts a server for hostile peers, and a bystander, who ends when
// the test's function does and then says what the harm was: the server's
// memory may grow by no more than as many MiB as grow says.
func hostile(t *testing.T, kind string, grow int, attack func(s *testServer, m *manager.Manager), env ...string) {
	t.Helper()
	s := startServer(t, kind, env...)
	m := s.dial(t)
	p := s.probe(t, m)
	must(t, named[int](t, m, "counts").Set(t.Context(), "k", 0))
	p.ask("Heap")
	goroutines := p.ask("Goroutines")
	b := &bystander{t: t, s: s, before: s.status(t, "VmHWM")}
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(t.Context())
	b.done.Go(func() { b.work(ctx) })
	attack(s, m)
	b.cancel()
	b.done.Wait()
	grown := s.status(t, "VmHWM") - b.before
	t.Logf("a bystander made %d calls, the longest took %v, and connected %d times (%d at a later attempt); the server's peak memory grew by %d KiB",
		b.calls, b.longest, b.dials, b.retried, grown)
	if grown > grow<<10 {
		t.Errorf("the server's peak memory grew by %d KiB, more than %d", grown, grow<<10)
	}
	if b.calls < 10 || b.dials < 2 {
		t.Error("the bystander did not come to anything")
	}
	settle(t, "the server has the goroutines that it had", func() (string, bool) {
		n := p.ask("Goroutines")
		// One watches this process as long as it lives, once it has spoken Python's protocol.
		return fmt.Sprintf("%d, %d at the start", n, goroutines), n <= goroutines+1
	})
}

// settle waits for a state, and says what there is if it does not come.
func settle(t testing.TB, what string, look func() (state string, ok bool)) {
	t.Helper()
	late := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, ok := look()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it did not come to pass that %s: %s", what, state)
		}
	}
}

func (b *bystander) work(ctx context.Context) {
	m, err := b.dial()
	if err != nil {
		b.t.Errorf("a bystander cannot connect: %v", err)
		return
	}
	defer func() { _ = m.Close() }()
	counts, err := mp.NewDict[string, int](mp.In(m), mp.WithName("counts"))
	if err != nil {
		b.t.Errorf("a bystander's dict: %v", err)
		return
	}
	for ctx.Err() == nil || b.calls < 10 {
		call, cancel := context.WithTimeout(context.Background(), prompt)
		began := time.Now()
		n, err := counts.Add(call, "k", 1)
		cancel()
		b.calls++
		b.longest = max(b.longest, time.Since(began))
		if err != nil || n != b.calls {
			b.t.Errorf("a bystander's call %d: %d %v", b.calls, n, err)
			return
		}
		if b.calls%50 == 9 {
			other, err := b.dial()
			if err != nil {
				b.t.Errorf("a bystander cannot connect again: %v", err)
				return
			}
			_ = other.Close()
		}
	}
}

// dial connects. In a crowd of thousands one may be taken for one of them, and
// tries again.
func (b *bystander) dial() (m *manager.Manager, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), prompt)
	defer cancel()
	for range 20 {
		if m, err = manager.Dial(ctx, b.s.address, manager.Options{Authkey: b.s.key}); err == nil {
			b.dials++
			return m, nil
		}
		b.retried++
	}
	return nil, err
}

// ended waits until the server has closed a connection, in bounded time.
func ended(t testing.TB, c net.Conn, why string) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(2*prompt)))
	if _, err := io.Copy(io.Discard, c); err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Errorf("%s: the connection is not ended", why)
		}
	}
	_ = c.Close()
}

// request writes a Python client's request, without waiting for the answer.
func request(c *pyconn.Conn, ident any, method string, args ...any) error {
	b, err := pickle.Encode(nil, pyvalue.Tuple{ident, method, pyvalue.Tuple(args), &pyvalue.Dict{}}, pickle.EncodeOptions{})
	if err != nil {
		return err
	}
	return c.WriteFrame(b)
}

// answer reads an answer to a Python client.
func answer(c *pyconn.Conn) (kind string, value pyvalue.Value, err error) {
	b, err := c.ReadFrame(1 << 30)
	if err != nil {
		return "", nil, err
	}
	v, err := pickle.Decode(b, pickle.Options{})
	pair, ok := v.(pyvalue.Tuple)
	if err != nil || !ok || len(pair) != 2 {
		return "", nil, fmt.Errorf("answer %v: %w", v, err)
	}
	kind, _ = pair[0].(string)
	return kind, pair[1], nil
}

// channel connects as a thread of a Python client.
func (s *testServer) channel(t testing.TB) *pyconn.Conn {
	t.Helper()
	c := s.join(t)
	must(t, request(c, nil, "accept_connection", "MainProcess"))
	kind, _, err := answer(c)
	must(t, err)
	if kind != "#RETURN" {
		t.Fatalf("accept_connection: %s", kind)
	}
	return c
}

// create makes an object as a Python client. It returns what it exposes, too.
func (s *testServer) create(t testing.TB, args ...any) (ident string, exposed pyvalue.Tuple) {
	t.Helper()
	c := s.join(t)
	defer func() { _ = c.Close() }()
	must(t, request(c, nil, "create", args...))
	kind, v, err := answer(c)
	must(t, err)
	made, ok := v.(pyvalue.Tuple)
	if kind != "#RETURN" || !ok {
		t.Fatalf("create %v: %s %v", args, kind, v)
	}
	return made[0].(string), made[1].(pyvalue.Tuple)
}

// session connects as a Go client that does as it likes.
func (s *testServer) session(t testing.TB) *session {
	t.Helper()
	c := s.join(t)
	p := &session{Conn: c, Peer: framestest.Peer{C: c}}
	_, err := p.Join(frames.ClientHello{PID: 1, Name: "hostile"})
	must(t, err)
	return p
}

// session is what a hostile Go client has: its methods are the Peer's where both
// have them.
type session struct {
	*pyconn.Conn
	framestest.Peer
}

// WriteFrame sends the next frame of the session.
func (s *session) WriteFrame(b []byte) error { return s.Peer.WriteFrame(b) }

// ReadFrame returns the payload of the next frame of the session.
func (s *session) ReadFrame(limit int) ([]byte, error) { return s.Peer.ReadFrame(limit) }

// open opens an object by name in such a session, with the call number 1.
func open(t testing.TB, c *session, kind, name string) (id uint64) {
	t.Helper()
	call := frames.AppendText(frames.AppendCall(nil, 1, 0, "open", frames.NoTimeout, 3), kind)
	must(t, c.WriteFrame(frames.AppendArray(frames.AppendText(call, name), 0)))
	b, err := c.ReadFrame(1 << 20)
	must(t, err)
	var f frames.Frame
	must(t, frames.Parse(b, &f))
	it, ok := frames.Array(f.Value)
	if f.Kind != frames.Return || !ok {
		t.Fatalf("open %s: %v %s", name, f.Kind, f.Class)
	}
	id, _ = frames.Uint(it.Next())
	return id
}
