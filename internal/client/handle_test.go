package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

func giveUp(c *fakeConn, f *frames.Frame) {
	if f.Kind == frames.Cancel {
		c.fail(f.Seq, "RuntimeError", "context.Canceled")
	}
}

// Close of a handle ends the calls that wait in it, and not those of others.
func TestCloseHandle(t *testing.T) {
	s := newFake(t, "Queue", giveUp)
	m, q := openFake[complete.Queue](t, s)
	other, err := m.Open(t.Context(), driver.Spec{Kind: driver.KindQueue})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, rest := make(chan error, 1), make(chan error, 1)
	go func() { _, err := q.Get(t.Context()); got <- err }()
	go func() { _, err := other.(complete.Queue).Get(ctx); rest <- err }()
	s.count("mp.get", 2)
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	wantIs(t, "the call that waited", <-got, mperr.ErrClosed)
	s.count(storeRelease, 1)
	_, err = q.Get(t.Context())
	wantIs(t, "a later call", err, mperr.ErrClosed)
	wantIs(t, "a second close", q.Close(), mperr.ErrClosed)
	_, _, err = q.Reference(t.Context())
	wantIs(t, "reference", err, mperr.ErrClosed)
	_, err = q.Embed(m)
	wantIs(t, "embed", err, mperr.ErrClosed)
	s.count("Cancel", 1)
	cancel()
	wantIs(t, "the other's call", <-rest, context.Canceled)
}

func TestCloseManager(t *testing.T) {
	s := newFake(t, "Queue", giveUp)
	m, q := openFake[complete.Queue](t, s)
	got := make(chan error, 1)
	go func() { _, err := q.Get(t.Context()); got <- err }()
	s.count("mp.get", 1)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	err := <-got
	wantIs(t, "the call that waited", err, mperr.ErrClosed)
	if errors.Is(err, mperr.ErrUnknownFate) {
		t.Errorf("%v: the server has said that nothing happened", err)
	}
	_, err = q.Len(t.Context())
	wantIs(t, "a later call", err, mperr.ErrClosed)
	_, err = m.Objects(t.Context())
	wantIs(t, "a later call of the manager", err, mperr.ErrClosed)
	wantIs(t, "a second close", m.Close(), mperr.ErrClosed)
	if err := q.Close(); err != nil {
		t.Errorf("close of a handle afterwards: %v", err)
	}
}

// A handle that is dropped gives its reference back all the same.
func TestForgottenHandle(t *testing.T) {
	s := newFake(t, "Queue", ignore)
	m := dialFake(t, s)
	if _, err := m.Open(t.Context(), driver.Spec{Kind: driver.KindQueue}); err != nil {
		t.Fatal(err)
	}
	mptest.Eventually(t, func() bool {
		runtime.GC()
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.log) > 0 && s.log[len(s.log)-1] == storeRelease
	}, "a forgotten handle is given back")
}

func TestKinds(t *testing.T) {
	s := newFake(t, "dict", ignore)
	m := dialFake(t, s)
	_, err := m.Open(t.Context(), driver.Spec{Kind: driver.KindList})
	wantIs(t, "a dict as a list", err, mperr.ErrType)
	_, err = m.Open(t.Context(), driver.Spec{Kind: driver.KindNamespace})
	wantIs(t, "a dict as a namespace", err, mperr.ErrType)
	_, err = m.Open(t.Context(), driver.Spec{Kind: "Perpetuum"})
	wantIs(t, "a kind that is none", err, errors.ErrUnsupported)
}

func TestEmbed(t *testing.T) {
	s := newFake(t, "dict", nil)
	m, d := openFake[complete.Dict](t, s)
	ref, err := d.Embed(m)
	if err != nil {
		t.Fatal(err)
	}
	if id, typ, err := interchange.ParseRef(ref); id != fakeID || typ != "dict" || err != nil {
		t.Errorf("%x %s %v", id, typ, err)
	}
	again, err := m.Extract(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.(complete.Dict); !ok || again.String() != "dict 7" || again.Place() != driver.Place(m) {
		t.Errorf("%T %v", again, again)
	}
	if _, err := again.Embed(dialFake(t, s)); err != nil {
		t.Errorf("into the same store by another session: %v", err)
	}
	other := newFake(t, "dict", nil)
	other.store[0] = 9
	_, err = d.Embed(dialFake(t, other))
	wantIs(t, "into another store", err, mperr.ErrForeign)
	if _, err := m.Extract(t.Context(), []byte{1}); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("a reference of one byte: %v", err)
	}
}

// A lock that was lost with its session is not taken from the one who has got
// it since.
func TestLostLock(t *testing.T) {
	null := frames.AppendNull(nil)
	s := newFake(t, "Lock", func(c *fakeConn, f *frames.Frame) {
		if string(f.Method) == storeAttach {
			c.give(f.Seq, frames.AppendText(frames.AppendArray(nil, 1), "Lock"))
			return
		}
		c.give(f.Seq, null)
	})
	m, l := openFake[complete.Mutex](t, s)
	lock := func() {
		t.Helper()
		if err := l.LockBroken(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	lose := func() {
		old := m.link.Load()
		s.cut()
		mptest.Eventually(t, old.broken.Load, "the end of the connection is noticed")
	}
	lock()
	lose()
	wantNo(t, "unlock of a lost lock", l.Unlock(t.Context()))
	s.count("mp.unlock", 0)
	lock()
	lose()
	lock() // by somebody else in this process
	wantNo(t, "unlock by the one who has lost it", l.Unlock(t.Context()))
	s.count("mp.unlock", 0)
	if err := l.Unlock(t.Context()); err != nil {
		t.Errorf("unlock by the owner: %v", err)
	}
	s.count("mp.unlock", 1)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		class string
		names []string
		is    error
		text  string
	}{
		{"KeyError", []string{"mp.ErrNoKey"}, mperr.ErrNoKey, "dict 7: no such key: told so"},
		{"KeyError", nil, nil, "dict 7: told so"},
		{"RuntimeError", nil, nil, "dict 7: told so"},
		{"RuntimeError", []string{"another.program's", "died:17:mutex"}, nil, "17"},
	} {
		s := newFake(t, "dict", func(fc *fakeConn, f *frames.Frame) { fc.fail(f.Seq, c.class, c.names...) })
		_, d := openFake[complete.Dict](t, s)
		_, err := d.Len(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Class != "builtins."+c.class || len(e.Args) != 1 || e.Args[0] != "told so" {
			t.Fatalf("%#v", err)
		}
		if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v, want %v, %q", err, c.is, c.text)
		}
		var died *mperr.OwnerDiedError
		if errors.As(err, &died) != strings.Contains(strings.Join(c.names, ""), "died:") {
			t.Errorf("%v: OwnerDiedError %v", err, died)
		}
	}
}

func TestDialWrongKey(t *testing.T) {
	s := newFake(t, "dict", nil)
	_, err := Dial(t.Context(), s.address, Options{Authkey: []byte("another")})
	wantIs(t, "dial", err, mperr.ErrAuth)
	if err != nil && strings.Contains(err.Error(), "another\"") {
		t.Errorf("%v tells the key", err)
	}
	m := dialFake(t, s)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, m); strings.Contains(text, string(fakeKey)) || !strings.Contains(text, s.address) {
			t.Errorf("%s: %s", verb, text)
		}
	}
	if !bytes.Equal(m.Authkey(), fakeKey) || m.Address() != s.address {
		t.Error("key or address is another")
	}
}

// Handles that arrive share the program's session with their store, or one
// that lives as long as they do.
func TestArrivals(t *testing.T) {
	s := newFake(t, "Queue", func(c *fakeConn, f *frames.Frame) { c.give(f.Seq, frames.AppendUint(nil, 4)) })
	m, q := openFake[complete.Queue](t, s)
	name, ref, err := q.Reference(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	arrive := func() complete.Queue {
		t.Helper()
		o, err := driver.Open(t.Context(), name, ref)
		if err != nil {
			t.Fatal(err)
		}
		return o.(complete.Queue)
	}
	if a := arrive(); a.Place() != driver.Place(m) {
		t.Error("the program's session was not used")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	a, b := arrive(), arrive()
	if a.Place() != b.Place() || a.Place() == driver.Place(m) {
		t.Error("the handles do not share a session of their own")
	}
	_ = a.Close()
	if n, err := b.Len(t.Context()); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	shared := b.Place().(*Manager)
	_ = b.Close()
	mptest.Eventually(t, func() bool { return shared.link.Load().broken.Load() }, "the last handle ends the session")
	s.mu.Lock()
	s.store[0]++
	s.mu.Unlock()
	_, err = driver.Open(t.Context(), name, ref)
	wantIs(t, "after a restart of the server", err, mperr.ErrNoHandle)
}

func TestArrivalNeedsTLS(t *testing.T) {
	r := reference{address: "/nowhere/s", key: fakeKey, tls: true, typ: "dict", name: "orders"}
	_, err := driver.Open(t.Context(), driverName, r.append(nil))
	if err == nil || !strings.Contains(err.Error(), "manager.UseTLS") || !strings.HasPrefix(err.Error(), "dict orders: ") {
		t.Errorf("%v", err)
	}
	UseTLS(r.address, &tls.Config{ServerName: "x"})
	defer UseTLS(r.address, nil)
	_, err = driver.Open(t.Context(), driverName, r.append(nil))
	if err == nil || strings.Contains(err.Error(), "manager.UseTLS") {
		t.Errorf("with a configuration: %v", err)
	}
}

func FuzzReference(f *testing.F) {
	r := reference{address: "@a", key: fakeKey, ticket: 3, id: 7, typ: "dict"}
	f.Add(r.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReference(b)
		if err != nil {
			wantIs(t, "parse", err, mperr.ErrCorrupt)
			return
		}
		again, err := parseReference(r.append(nil))
		if err != nil || again.address != r.address || again.ticket != r.ticket || !bytes.Equal(again.key, r.key) {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}
