package manager

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"multiproc/internal/data"
	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/mp"
	"multiproc/mptest"
)

// A value above the limit is an error of its call, which names the limit, and
// the thread goes on with the same connection.
func TestPythonTooLarge(t *testing.T) {
	const limit = 100_000
	everywhere(t, func(t *testing.T, python, kind string) {
		s := serveTest(t, kind, func(o *Options) { o.Limits.Frame = limit })
		p := s.python(t, python, "toolarge", strconv.Itoa(limit))
		p.Want("ok")
		p.Ended()
		mptest.Eventually(t, func() bool { return s.objects() == 0 }, "all objects are gone")
		if text := s.log.String(); !strings.Contains(text, "--max-frame") || !strings.Contains(text, "limit=100000") {
			t.Errorf("the log does not name the limit:\n%s", text)
		}
	})
}

func TestGoTooLarge(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Frame = 100_000 })
	m, err := Dial(t.Context(), s.address, Options{Authkey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	d, err := mp.NewDict[string, []byte](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	err = d.Set(t.Context(), "df", make([]byte, 200_000))
	if !errors.Is(err, mp.ErrTooLarge) || !strings.Contains(err.Error(), "--max-frame") {
		t.Errorf("Set of 200 000 bytes: %v, want ErrTooLarge that names the limit", err)
	}
	if err := d.Set(t.Context(), "df", make([]byte, 1000)); err != nil {
		t.Errorf("the next Set: %v", err)
	}
}

// A client of our own protocol that sends more than it was told to is told why
// it is cut off.
func TestGoFrameTooLarge(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Frame = 1000 })
	c := s.join(t)
	if err := c.WriteFrame(frames.AppendClientHello(nil, frames.ClientHello{Name: "t"})); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteFrame(framestest.Seal(make([]byte, 100_000), 1, 0)); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for {
		p, err := c.ReadFrame(1 << 20)
		if err != nil {
			break
		}
		last = bytes.Clone(p)
	}
	if !bytes.Contains(last, []byte("--max-frame")) {
		t.Errorf("the last frame is %q, want a Bye that names the limit", last)
	}
}

// An answer that no frame can hold is an error of its call.
func TestAnswerTooLarge(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = ours.Close(); _ = theirs.Close() }()
	out := newOutbox(ours)
	out.most = 1000
	p := &pyCodec{c: &conn{out: out}}
	if !p.answer(kindReturn, strings.Repeat("x", 2000)) {
		t.Error("the connection is broken by an answer that is too long")
	}
	stop := context.AfterFunc(t.Context(), func() { _ = theirs.Close() })
	defer stop()
	b, err := pyconn.New(theirs).ReadFrame(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(b, pickle.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, ok := data.AsException(v.(data.Tuple)[1])
	if v.(data.Tuple)[0] != kindError || !ok || e.Class.Name != "ValueError" || !strings.Contains(e.Error(), "limit of a message") {
		t.Errorf("answered with %v", v)
	}
	if !errors.Is(errFrameTooLong, mperr.ErrTooLarge) {
		t.Error("Go clients are not told")
	}
}
