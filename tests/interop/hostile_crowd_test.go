//go:build interop

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/pyconn"
	"multiproc/manager"
	"multiproc/mp"
)

// Ten thousand connections that prove nothing keep nobody out.
func TestTenThousandHalfOpen(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			// 8192 of them may wait at a time, for some 8 KiB each
			hostile(t, kind, 100, func(s *testServer, m *manager.Manager) {
				var all []net.Conn
				defer func() {
					for _, c := range all {
						_ = c.Close()
					}
				}()
				for i := range 10_000 {
					var c net.Conn
					settle(t, "there is room for another", func() (string, bool) {
						var err error
						c, err = s.connect()
						return fmt.Sprint(err), !errors.Is(err, syscall.EAGAIN) // the listener's backlog is full
					})
					all = append(all, c)
					if i%3 == 0 {
						_, _ = c.Write([]byte{0, 0, 0, 40, '{'}) // the beginning of an answer
					}
				}
				// Most have been dropped, and the others are in time.
				for _, c := range all {
					ended(t, c, "a connection that proves nothing")
				}
			}, handEnv+"=2s")
		})
	}
}

// Who calls and does not read gets what was promised, some time, and until
// then no more of the server than his share.
func TestSlowReaders(t *testing.T) {
	// MiB: 16 that were sent and not confirmed, so that his session can be resumed, and 5 that wait to be sent or are
	// being written. All of it is charged to the budget, which TestMemoryIsBounded holds to. The rest is garbage: Go
	// collects in time where a limit is near, and without one lets the heap grow far beyond twice of what lives when
	// the machine takes a processor away while a collection runs.
	const readers, share, limit = 10, 34, "GOMEMLIMIT=280MiB"
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			hostile(t, kind, readers*share, func(s *testServer, m *manager.Manager) {
				must(t, named[[]byte](t, m, "big").Set(t.Context(), "k", bytes.Repeat([]byte{'x'}, 1<<20)))
				var all []*session
				sent := make([]int, readers)
				for i := range readers {
					c := s.session(t)
					all = append(all, c)
					id := open(t, c, "dict", "big")
					// Not 1000 times a MiB, at any rate.
					must(t, c.NetConn().SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
					for sent[i] < 1000 {
						call := frames.AppendText(frames.AppendCall(nil, uint64(sent[i]+2), id, "mp.get", frames.NoTimeout, 1), "k")
						if err := c.WriteFrame(call); err != nil {
							if !errors.Is(err, os.ErrDeadlineExceeded) {
								t.Error(err)
							}
							break
						}
						sent[i]++
					}
				}
				t.Logf("calls that were taken: %v", sent)
				// The first of them reads after all.
				for n := range sent[0] {
					must(t, all[0].SetDeadline(time.Now().Add(2*prompt)))
					b, err := all[0].ReadFrame(2 << 20)
					if err != nil {
						t.Fatalf("answer %d of %d: %v", n, sent[0], err)
					}
					var f frames.Frame
					must(t, frames.Parse(b, &f))
					if f.Kind != frames.Return || f.Seq != uint64(n+2) || len(f.Value) < 1<<20 {
						t.Fatalf("answer %d: %v of call %d, %d bytes", n, f.Kind, f.Seq, len(f.Value))
					}
				}
				for _, c := range all {
					_ = c.Close()
				}
			}, limit)
		})
	}
}

// Who watches and does not read is cut off from the stream, not waited for.
func TestSlowWatchers(t *testing.T) {
	const watchers = 10
	hostile(t, "unix", watchers*12, func(s *testServer, m *manager.Manager) {
		d := named[[]byte](t, m, "watched")
		var all []*session
		for range watchers {
			c := s.session(t)
			all = append(all, c)
			must(t, c.WriteFrame(frames.AppendCall(nil, 2, open(t, c, "dict", "watched"), "mp.watch", frames.NoTimeout, 0)))
		}
		for range 1000 {
			must(t, d.Set(t.Context(), "k", make([]byte, 64<<10)))
		}
		for _, c := range all {
			_ = c.Close()
		}
	})
}

// Who writes a byte at a time has as long for his handshake as others have,
// and afterwards hinders nobody.
func TestSlowWriters(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			hostile(t, kind, 32, func(s *testServer, m *manager.Manager) {
				c := s.raw(t)
				began := time.Now()
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for b := frame(append([]byte("{sha256}"), random(32)...)); len(b) > 0; b = b[1:] {
					<-tick.C
					if _, err := c.Write(b[:1]); err != nil {
						break
					}
				}
				ended(t, c, "a slow handshake")
				if d := time.Since(began); d > 2*time.Second {
					t.Errorf("a handshake took %v of 200 ms", d)
				}
				call := frames.AppendText(frames.AppendCall(nil, 9, 0, "ping", frames.NoTimeout, 1), "xxxx")
				for _, p := range []*pyconn.Conn{s.channel(t), s.session(t).Conn} {
					for _, b := range frame(framestest.Seal(call, 1, 0)) {
						_, err := p.NetConn().Write([]byte{b})
						must(t, err)
					}
					must(t, p.SetDeadline(time.Now().Add(prompt)))
					if _, err := p.ReadFrame(1 << 20); err != nil && !errors.Is(err, io.EOF) {
						t.Errorf("a slow message was not answered: %v", err)
					}
					_ = p.Close()
				}
			}, quick)
		})
	}
}

// Calls that wait cost their client, up to its limit, and are gone with it.
func TestFloodOfWaiters(t *testing.T) {
	const flood = 80_000 // more than Limits.Waiting
	hostile(t, "unix", 160, func(s *testServer, m *manager.Manager) {
		q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue"))
		closing(t, q, err)
		p := s.probe(t, m)
		heap := p.ask("Heap")
		c := s.session(t)
		id := open(t, c, "Queue", "queue")
		refused := make(chan int)
		go func() {
			n := 0
			defer func() { refused <- n }()
			for {
				b, err := c.ReadFrame(1 << 20)
				if err != nil {
					return
				}
				var f frames.Frame
				if frames.Parse(b, &f) == nil && f.Kind == frames.Error {
					n++
				}
				if f.Seq == flood+2 { // the answer to the ping
					return
				}
			}
		}()
		for i := range flood {
			must(t, c.WriteFrame(frames.AppendCall(nil, uint64(i+2), id, "mp.get", frames.NoTimeout, 0)))
		}
		must(t, c.WriteFrame(frames.AppendCall(nil, flood+2, 0, "ping", frames.NoTimeout, 0)))
		if n := <-refused; n < flood-65_536 || n > flood-65_000 {
			t.Errorf("%d calls were refused, the limit is 65 536 of %d", n, flood)
		}
		var channels []*pyconn.Conn
		ident, _ := s.create(t, "Event")
		for range 200 {
			ch := s.channel(t)
			must(t, request(ch, ident, "wait"))
			channels = append(channels, ch)
		}
		t.Logf("%d KiB of heap, %d goroutines", (p.ask("Heap")-heap)>>10, p.ask("Goroutines"))
		for _, ch := range append(channels, c.Conn) {
			_ = ch.Close()
		}
		settle(t, "the memory is free again", func() (string, bool) {
			now := p.ask("Heap")
			return t.Name(), now < heap+8<<20
		})
		// None of them takes what comes now.
		must(t, q.Put(t.Context(), "item"))
		got, err := q.Get(t.Context())
		if err != nil || got != "item" {
			t.Errorf("got %q %v", got, err)
		}
	})
}
