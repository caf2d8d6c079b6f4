//go:build interop

package interop

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/manager"
)

// distance is a proxy that delivers bytes later, on either way: the other side of
// the world is 100 ms away and back.
func distance(t *testing.T, address string, oneWay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", address)
			if err != nil {
				_ = near.Close()
				continue
			}
			go later(far, near, oneWay)
			go later(near, far, oneWay)
		}
	}()
	return l.Addr().String()
}

// later moves bytes, and the end, from one connection to another.
func later(to, from net.Conn, d time.Duration) {
	defer func() { _ = to.Close() }()
	type part struct {
		b  []byte
		at time.Time
	}
	parts := make(chan part, 1000)
	go func() {
		defer close(parts)
		for {
			b := make([]byte, 4096)
			n, err := from.Read(b)
			if n > 0 {
				parts <- part{b[:n], time.Now().Add(d)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		<-time.After(time.Until(p.at))
		if _, err := to.Write(p.b); err != nil {
			_, _ = io.Copy(io.Discard, from)
		}
	}
}

// Whoever has the key gets in from the other side of the world while others, from
// his address too, open ten thousand connections a second that prove nothing, or
// as many as this machine can.
func TestKeyHoldersAtTheDoor(t *testing.T) {
	const most, attempts = 10_000, 10
	s := startServer(t, "tcp", handEnv+"=5s")
	far := distance(t, s.address, 50*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var made atomic.Int64
	var flood sync.WaitGroup
	for i := range 4 {
		flood.Go(func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i))}}
			var open []net.Conn
			defer func() {
				for _, c := range open {
					_ = c.Close()
				}
			}()
			began := time.Now()
			for n := 0; ctx.Err() == nil; n++ {
				<-time.After(time.Until(began.Add(time.Duration(n) * 4 * time.Second / most)))
				c, err := d.DialContext(ctx, "tcp", s.address)
				if err != nil {
					continue
				}
				_ = c.(*net.TCPConn).SetLinger(0) // no port is kept
				made.Add(1)
				if open = append(open, c); len(open) > 2000 {
					_ = open[0].Close()
					open = open[1:]
				}
			}
		})
	}
	settle(t, "the crowd is there", func() (string, bool) { return t.Name(), made.Load() > 2*8192 })
	before, began := made.Load(), time.Now()
	in := 0
	var longest time.Duration
	for range attempts {
		start := time.Now()
		call, stop := context.WithTimeout(t.Context(), 10*time.Second)
		m, err := manager.Dial(call, far, manager.Options{Authkey: s.key})
		stop()
		if err != nil {
			t.Logf("not in: %v", err)
			continue
		}
		in++
		longest = max(longest, time.Since(start))
		_ = m.Close()
	}
	rate := float64(made.Load()-before) / time.Since(began).Seconds()
	cancel()
	flood.Wait()
	t.Logf("at the door: %d of %d get in beside %.0f connections a second, the last one after %v", in, attempts, rate, longest)
	if in < attempts {
		t.Errorf("%d of %d key holders get in", in, attempts)
	}
}
