package server

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"multiproc/internal/client"
	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
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
	m, err := client.Dial(t.Context(), s.address, client.Options{Authkey: testKey})
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

// A client of our own protocol that sends more than it was told to gets an error
// of its call, if it is one, and keeps its session. Damage on the way is none of a
// call's.
func TestGoFrameTooLarge(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Frame = 1000 }, keeping(time.Hour))
	p, hello, q, seq := lender(t, s, s.member(t))
	for _, size := range []int{1001, 100_000} {
		seq++
		large := frames.AppendBytes(frames.AppendCall(nil, seq, q, "mp.put", frames.NoTimeout, 1), make([]byte, size))
		damaged := framestest.Seal(large, p.Sent+1, p.Got.Load())
		damaged[len(damaged)-1] ^= 1
		wantNo(t, "write", p.c.WriteFrame(damaged))
		if b, err := p.c.ReadFrame(1000); err == nil {
			t.Errorf("damage is answered by % x", b)
		}
		if again, err := p.resume(s, hello, p.Got.Load()); err != nil || again.Got != p.Sent {
			t.Fatalf("after damage: %+v, %v", again, err)
		}
		p.write(large)
		p.fails(seq, "ValueError", "mp.ErrTooLarge")
		p.seq = seq
		p.call(0, "ping")
		seq = p.seq
	}
}

// What is no call ends the session, with the reason.
func TestGoNothingTooLarge(t *testing.T) {
	s := serveTest(t, "unix", func(o *Options) { o.Limits.Frame = 1000 })
	p := s.goPeer(t)
	p.write(make([]byte, 100_000))
	if f := p.read(); f.Kind != frames.Bye || !bytes.Contains(f.Reason, []byte("--max-frame")) {
		t.Errorf("%v %q, want a Bye that names the limit", f.Kind, f.Reason)
	}
}

// A value for which the server has no memory is an error of its call. The client
// keeps what it has.
func TestGoNoMemory(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		s := serveTest(t, kind, func(o *Options) { o.Limits.Bytes = 16 << 20 })
		m := dialTest(t, s)
		d, err := mp.NewDict[string, []byte](mp.In(m))
		wantNo(t, "dict", err)
		l, err := mp.NewMutex(mp.In(m))
		wantNo(t, "mutex", err)
		wantNo(t, "lock", l.Lock(t.Context()))
		for range 3 {
			if err := d.Set(t.Context(), "large", make([]byte, 64<<20)); !errors.Is(err, mp.ErrLimit) {
				t.Errorf("%s: Set of 64 MiB: %v", kind, err)
			}
			if err := d.Set(t.Context(), "small", make([]byte, 1000)); err != nil {
				t.Errorf("%s: the next Set: %v", kind, err)
			}
		}
		l.Unlock()
		wantNo(t, "lock", l.Lock(t.Context()))
		l.Unlock()
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
	e, ok := pyvalue.AsException(v.(pyvalue.Tuple)[1])
	if v.(pyvalue.Tuple)[0] != kindError || !ok || e.Class.Name != "ValueError" || !strings.Contains(e.Error(), "limit of a message") {
		t.Errorf("answered with %v", v)
	}
	if !errors.Is(errFrameTooLong, mperr.ErrTooLarge) {
		t.Error("Go clients are not told")
	}
}
