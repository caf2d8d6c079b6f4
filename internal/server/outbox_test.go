package server

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"multiproc/internal/pyconn"
	"multiproc/mptest"
)

// pair is two ends of a socket.
func pair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

func frame(p []byte) func([]byte) ([]byte, error) {
	return func(dst []byte) ([]byte, error) { return append(dst, p...), nil }
}

// A peer that does not read keeps nobody waiting, and gets everything in order
// when it does.
func TestOutboxNeverWaits(t *testing.T) {
	a, b := pair(t)
	o := newOutbox(a)
	payload := bytes.Repeat([]byte("x"), 100_000)
	const n = 200
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			payload[0] = byte(i)
			if sound, err := o.send(frame(bytes.Clone(payload))); !sound || err != nil {
				t.Errorf("send: %v, %v", sound, err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("send waits for a peer that does not read")
	}
	if !o.full() {
		t.Error("20 MB wait, and the outbox is not full")
	}
	in := pyconn.New(b)
	for i := range n {
		p, err := in.ReadFrame(1 << 20)
		if err != nil || len(p) != len(payload) || p[0] != byte(i) {
			t.Fatalf("frame %d: %d bytes, %v", i, len(p), err)
		}
	}
	o.wait(0)
	if cap(o.buf) > keepOut {
		t.Errorf("an idle outbox keeps %d bytes", cap(o.buf))
	}
}

func TestOutboxCork(t *testing.T) {
	a, b := pair(t)
	o := newOutbox(a)
	o.cork()
	for range 3 {
		_, _ = o.send(frame([]byte("abc")))
	}
	if len(o.buf) != 3*7 {
		t.Errorf("%d bytes are corked", len(o.buf))
	}
	o.uncork()
	got := make([]byte, 21)
	if _, err := io.ReadFull(b, got); err != nil {
		t.Fatal(err)
	}
}

// An answer that cannot be encoded leaves nothing of itself behind.
func TestOutboxEncodeFails(t *testing.T) {
	a, b := pair(t)
	o := newOutbox(a)
	sound, err := o.send(func(dst []byte) ([]byte, error) { return append(dst, "half"...), io.ErrShortBuffer })
	if !sound || err == nil {
		t.Errorf("%v, %v", sound, err)
	}
	_, _ = o.send(frame([]byte("whole")))
	if p, err := pyconn.New(b).ReadFrame(100); err != nil || string(p) != "whole" {
		t.Errorf("%q, %v", p, err)
	}
}

// The end of the peer is told, and wakes whoever waits.
func TestOutboxBroken(t *testing.T) {
	a, b := pair(t)
	o := newOutbox(a)
	_, _ = o.send(frame(make([]byte, 10<<20)))
	woken := make(chan struct{})
	go func() {
		o.wait(0)
		close(woken)
	}()
	_ = b.Close()
	<-woken
	if sound, _ := o.send(frame(nil)); sound {
		t.Error("a broken connection is sound")
	}
}

// What is under way and not taken is seen.
func TestUnsent(t *testing.T) {
	a, b := unixPair(t)
	if n := unsent(a); n != 0 {
		t.Errorf("%d bytes are unsent", n)
	}
	_, _ = a.Write([]byte("abc"))
	if n := unsent(a); n == 0 {
		t.Error("nobody has read, and nothing is unsent")
	}
	_, _ = b.Read(make([]byte, 10))
	mptest.Eventually(t, func() bool { return unsent(a) == 0 }, "all is read")
}

func unixPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l := listenFor(t, "unix")
	defer func() { _ = l.Close() }()
	a, err := net.Dial("unix", AddressOf(l))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}
