package server

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/interchange"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/mptest"
)

// goPeer speaks our own protocol, frame by frame.
type goPeer struct {
	t   *testing.T
	c   *pyconn.Conn
	seq uint64
	framestest.Peer
}

func (s *testServer) goPeer(t *testing.T) *goPeer {
	t.Helper()
	p := &goPeer{t: t, c: s.join(t)}
	p.C = p.c
	if h, err := p.Join(frames.ClientHello{PID: 1, Name: "peer"}); err != nil || h.Session == (frames.SessionID{}) || h.Frame == 0 {
		t.Fatalf("hello %+v, %v", h, err)
	}
	return p
}

func (p *goPeer) write(payload []byte) {
	p.t.Helper()
	if err := p.WriteFrame(payload); err != nil {
		p.t.Fatal(err)
	}
}

func (p *goPeer) read() *frames.Frame {
	p.t.Helper()
	b, err := p.ReadFrame(1 << 20)
	if err != nil {
		p.t.Fatal(err)
	}
	f := new(frames.Frame)
	if err := frames.Parse(slices.Clone(b), f); err != nil {
		p.t.Fatal(err)
	}
	return f
}

// begin sends a call and returns its number.
func (p *goPeer) begin(object uint64, method string, timeout int64, args ...pyvalue.Value) uint64 {
	p.t.Helper()
	p.seq++
	b := frames.AppendCall(nil, p.seq, object, method, timeout, len(args))
	for _, a := range args {
		var err error
		if b, err = interchange.AppendValue(b, a); err != nil {
			p.t.Fatal(err)
		}
	}
	p.write(b)
	return p.seq
}

// call sends a call and waits for its answer, which must be the next frame.
func (p *goPeer) call(object uint64, method string, args ...pyvalue.Value) pyvalue.Value {
	p.t.Helper()
	seq := p.begin(object, method, frames.NoTimeout, args...)
	f := p.read()
	if f.Kind != frames.Return || f.Seq != seq {
		p.t.Fatalf("%s: %v %d, %s %s", method, f.Kind, f.Seq, f.Class, f.Args.Raw())
	}
	if f.Taken {
		p.write(frames.AppendAck(nil, seq, false))
	}
	v, err := interchange.ParseValue(f.Value)
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

func (p *goPeer) open(kind, name string, args ...pyvalue.Value) uint64 {
	p.t.Helper()
	v := p.call(0, "open", kind, name, &pyvalue.List{Items: args}).(*pyvalue.List)
	return uint64(v.Items[0].(int64))
}

// fails wants an error of this class for the call that was begun.
func (p *goPeer) fails(seq uint64, class, name string) {
	p.t.Helper()
	f := p.read()
	var names []string
	for it := f.Names; it.Len() > 0; {
		n, _ := frames.Text(it.Next())
		names = append(names, string(n))
	}
	if f.Kind != frames.Error || f.Seq != seq || string(f.Class) != class || name != "" && !slices.Contains(names, name) {
		p.t.Errorf("%v %d: %s, names %v; want %s and %s", f.Kind, f.Seq, f.Class, names, class, name)
	}
}

func TestGoCalls(t *testing.T) {
	for _, kind := range []string{"unix", "tcp", "tcp6"} {
		s := serveTest(t, kind)
		p := s.goPeer(t)
		q := p.open("Queue", "q", int64(2), int64(0))
		p.call(q, "mp.put", "a")
		if v := p.call(q, "mp.get"); v != pyvalue.Value("a") {
			t.Errorf("got %v", v)
		}
		p.fails(p.begin(q, "mp.tryGet", frames.NoTimeout), "Empty", "mp.ErrEmpty")
		p.fails(p.begin(q, "nonsense", frames.NoTimeout), "AttributeError", "")
		p.fails(p.begin(99, "mp.get", frames.NoTimeout), "KeyError", "")
		p.fails(p.begin(0, "nonsense", frames.NoTimeout), "AttributeError", "")
		p.fails(p.begin(0, "open", frames.NoTimeout, "Queue"), "TypeError", "")
		p.fails(p.begin(0, "open", frames.NoTimeout, "Nothing", nil, &pyvalue.List{}), "NotImplementedError", "errors.ErrUnsupported")
		if n := p.call(0, "count"); n != pyvalue.Value(int64(1)) {
			t.Errorf("%v objects", n)
		}
		info := p.call(0, "info")
		if _, ok := info.(*pyvalue.Dict); !ok {
			t.Errorf("info %v", info)
		}
		p.call(0, "ping")
	}
}

// A call that waits lets others pass; it ends by its timeout or by Cancel.
func TestGoWaits(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	q := p.open("Queue", "q", int64(0), int64(0))
	first := p.begin(q, "mp.get", frames.NoTimeout)
	impatient := p.begin(q, "mp.get", 1)
	p.call0(impatient)
	p.write(frames.AppendCancel(nil, first))
	p.fails(first, errorClass(context.Canceled), "context.Canceled")
	p.write(frames.AppendCancel(nil, first)) // once more is nothing
	p.write(frames.AppendCancel(nil, 12345))
	p.call(0, "ping")
	again := p.begin(q, "mp.get", frames.NoTimeout)
	p.begin(q, "mp.put", frames.NoTimeout, "x")
	if f := p.read(); f.Seq != again || f.Kind != frames.Return || !f.Taken {
		t.Errorf("%v %d", f.Kind, f.Seq)
	}
}

func (p *goPeer) call0(seq uint64) {
	p.t.Helper()
	p.fails(seq, errorClass(context.DeadlineExceeded), "context.DeadlineExceeded")
}

func errorClass(err error) string { return pyvalue.ToException(err).Class.Name }

// What was taken and not acknowledged is put back: by Cancel, and by the end.
func TestGoTaken(t *testing.T) {
	s := serveTest(t, "unix")
	m := s.member(t)
	id := m.open("Queue", "q")
	m.want(nil, id, "put", "item")

	p := s.goPeer(t)
	q := p.open("Queue", "q", int64(0), int64(0))
	seq := p.begin(q, "mp.get", frames.NoTimeout)
	if f := p.read(); !f.Taken {
		t.Fatal("it does not say that the item was taken")
	}
	m.want(true, id, "empty")
	p.write(frames.AppendCancel(nil, seq))
	p.call(0, "ping")
	m.want(false, id, "empty")

	p.begin(q, "mp.get", frames.NoTimeout)
	_ = p.read()
	_ = p.c.Close()
	m.want("item", id, "get", true, 20.0)

	m.want(nil, id, "put", "item")
	p = s.goPeer(t)
	q = p.open("Queue", "q", int64(0), int64(0))
	if v := p.call(q, "mp.get"); v != pyvalue.Value("item") {
		t.Error(v)
	}
	p.call(0, "ping") // the acknowledgement is read before this
	_ = p.c.Close()
	mptest.Eventually(t, func() bool { return s.connections() == 0 }, "the session has ended")
	m.want(true, id, "empty")
}

// The end of a Go client releases its locks, references and waiting calls.
func TestGoDies(t *testing.T) {
	s := serveTest(t, "unix")
	m := s.member(t)
	id := m.open("Lock", "l")
	p := s.goPeer(t)
	l := p.open("Lock", "l")
	p.call(l, "mp.lock")
	p.open("Queue", "")
	if n := s.objects(); n != 2 {
		t.Errorf("%d objects", n)
	}
	_ = p.c.Close()
	mptest.Eventually(t, func() bool { return s.objects() == 1 }, "its reference is gone")
	m.want(true, id, "acquire", true, 20.0)
}

// What is no message ends the connection, with a reason, and nothing else.
func TestGoNonsense(t *testing.T) {
	s := serveTest(t, "unix")
	witness := s.goPeer(t)
	for i, payload := range [][]byte{
		{0x83, 9, 0, 0},
		{0x84, 1, 0},
		{0},
		frames.AppendReturn(nil, 1), append(frames.AppendCall(nil, 1, 0, "ping", -1, 2), 0xff),
	} {
		p := s.goPeer(t)
		p.write(payload)
		f := p.read()
		if f.Kind != frames.Bye && f.Kind != frames.Error {
			t.Errorf("%d: % x is answered by %v", i, payload, f.Kind)
		}
		witness.call(0, "ping")
	}
	c := s.join(t)
	if err := c.WriteFrame([]byte("GET / HTTP/1.1")); err != nil {
		t.Fatal(err)
	}
	if b, err := c.ReadFrame(1000); err != nil || b[1] != byte(frames.Bye) {
		t.Errorf("% x, %v", b, err)
	}
}

// A client that is slow to send one call, or stops amid it, has the answers to
// those before.
func TestGoCallInPart(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	ping := func(n int) []byte {
		return begun(frames.AppendCall(nil, uint64(n), 0, "ping", frames.NoTimeout, 0), uint64(n))
	}
	for i := range len(ping(1)) - 1 {
		a, b := ping(2*i+1), ping(2*i+2)
		part := append(a, b[:i+1]...)
		if _, err := p.c.NetConn().Write(part); err != nil {
			t.Fatal(err)
		}
		if f := p.read(); f.Kind != frames.Return {
			t.Errorf("%v", f.Kind)
		}
		if _, err := p.c.NetConn().Write(b[i+1:]); err != nil {
			t.Fatal(err)
		}
		if f := p.read(); f.Kind != frames.Return {
			t.Errorf("%v", f.Kind)
		}
	}
}

// begun is a whole frame.
func begun(payload []byte, number uint64) []byte {
	b := append(frames.Begin(nil), payload...)
	frames.End(b, 0, number, 0)
	return b
}

// The server says goodbye.
func TestGoBye(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	s.stop()
	if f := p.read(); f.Kind != frames.Bye {
		t.Errorf("%v", f.Kind)
	}
}

// A client's request ends the server, after its answer.
func TestGoShutdown(t *testing.T) {
	s := serveTest(t, "unix")
	p := s.goPeer(t)
	p.call(0, "shutdown")
	<-s.ctx.Done()
}

// Names, tickets and references.
func TestGoReferences(t *testing.T) {
	s := serveTest(t, "unix")
	a, b := s.goPeer(t), s.goPeer(t)
	id := a.open("Queue", "", int64(5), int64(0))
	ticket := a.call(0, "ticket", wireID(id))
	_ = a.c.Close()
	got := b.call(0, "redeem", ticket).(*pyvalue.List)
	if !pyvalue.Equal(got.Items[0], wireID(id)) || got.Items[1] != pyvalue.Value("Queue") || got.Items[2] != pyvalue.Value(int64(5)) {
		t.Errorf("redeemed %s", pyvalue.Repr(got))
	}
	b.fails(b.begin(0, "redeem", frames.NoTimeout, ticket), "KeyError", "mp.ErrNoHandle")
	if got := b.call(0, "attach", wireID(id)).(*pyvalue.List); got.Items[0] != pyvalue.Value("Queue") {
		t.Errorf("attached %s", pyvalue.Repr(got))
	}
	b.call(0, "release", wireID(id))
	b.call(0, "release", wireID(id))
	mptest.Eventually(t, func() bool { return s.objects() == 0 }, "nobody refers to it")
	named := b.open("Lock", "named")
	if v := b.call(0, "names"); pyvalue.Repr(v) != fmt.Sprintf("[['named', 'Lock', %d]]", named) {
		t.Error(pyvalue.Repr(v))
	}
	jobs := b.open("Queue", "jobs", int64(5), int64(0))
	b.call(jobs, "mp.put", int64(1))
	b.begin(jobs, "mp.join", frames.NoTimeout) // waits until the item is done
	if v, want := pyvalue.Repr(b.call(0, "list")), fmt.Sprintf("[['jobs', 'Queue', %d, 1, 5, 1], ['named', 'Lock', %d, None, 0, 0]]", jobs, named); v != want {
		t.Errorf("%s, want %s", v, want)
	}
	b.call(0, "forget", "named")
	b.fails(b.begin(0, "forget", frames.NoTimeout, "named"), "KeyError", "mp.ErrNoKey")
}
