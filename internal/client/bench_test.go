package client

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/frames"
	"multiproc/mp/driver"
)

// BenchmarkPing is what a socket costs without anything above it: a message
// of the size of a Set there, one of its answer's back.
func BenchmarkPing(b *testing.B) {
	l, err := new(net.ListenConfig).Listen(b.Context(), "unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		in := make([]byte, 64)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			_, _ = c.Write(in[:12])
		}
	}()
	c, err := new(net.Dialer).DialContext(b.Context(), "unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	out := make([]byte, 32)
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, out[:12]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall is a call against a server that does nothing, by one caller
// and by many on one connection.
func BenchmarkCall(b *testing.B) { benchCalls(b, benchDict) }

// BenchmarkSet is the same against a server.
func BenchmarkSet(b *testing.B) {
	benchCalls(b, func(b *testing.B) complete.Dict {
		o, err := dialTest(b, serveTest(b, "unix")).Open(b.Context(), driver.Spec{Kind: driver.KindDict})
		if err != nil {
			b.Fatal(err)
		}
		return o.(complete.Dict)
	})
}

func benchCalls(b *testing.B, open func(b *testing.B) complete.Dict) {
	b.Helper()
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		callers int
	}{
		{"1", context.Background(), 1}, {"1-cancellable", cancellable, 1}, {"8", context.Background(), 8}, {"64", context.Background(), 64},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := open(b)
			key, v := frames.AppendText(nil, "key"), frames.AppendUint(nil, 17)
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range c.callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if err := d.Set(c.ctx, key, v); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// benchDict is a dict at a server that answers null to everything, and to
// calls that came together with one write.
func benchDict(b *testing.B) complete.Dict {
	b.Helper()
	s := newFake(b, "dict", nil)
	s.batch = true
	o, err := dialFake(b, s).Open(b.Context(), driver.Spec{Kind: driver.KindDict})
	if err != nil {
		b.Fatal(err)
	}
	return o.(complete.Dict)
}
