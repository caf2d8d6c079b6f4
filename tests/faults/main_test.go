package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"multiproc/internal/tlstest"
	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mptest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // they wait most of the time; -parallel on the command line wins
	mptest.Main(m)
}

var key = []byte("a key of the tests of faults")

// scene is a server, a proxy before it, and clients behind the proxy.
type scene struct {
	t       *testing.T
	proxy   *Proxy
	direct  *manager.Manager   // not through the proxy
	clients []*manager.Manager // through it
	began   time.Time

	done, unknown, nothing atomic.Int64 // calls: that succeeded, of unknown fate, that failed
}

// usual are the faults of most tests. One that stalls costs its client some
// seconds, and is rarer.
func usual() (kinds []Fault) {
	for range 12 {
		kinds = append(kinds, Cut, Reset, Truncate, Duplicate, Drop, Flip, Delay)
	}
	return append(kinds, Stall)
}

const clients = 4

// stage makes a scene. every is how many bytes go well in the mean, and grace how
// long sessions are kept; 0: as long as usual.
func stage(t *testing.T, every int, secure bool, grace time.Duration, kinds ...Fault) *scene {
	t.Helper()
	l, err := manager.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := manager.Options{Authkey: key, Log: slog.New(slog.DiscardHandler), Limits: manager.Limits{Grace: grace}}
	mine := manager.Options{Authkey: key}
	if secure {
		cert, pool := tlstest.Certificate(t)
		o.TLS, mine.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: pool}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- manager.Serve(ctx, l, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s := &scene{t: t, began: time.Now()}
	if s.direct, err = manager.Dial(t.Context(), manager.AddressOf(l), mine); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.direct.Close() })
	if s.proxy, err = NewProxy("tcp", manager.AddressOf(l), every, kinds...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.proxy.Close)
	for range clients {
		m := again(t, func() (*manager.Manager, error) { return manager.Dial(t.Context(), s.proxy.Address(), mine) })
		t.Cleanup(func() { go m.Close() })
		s.clients = append(s.clients, m)
	}
	return s
}

// again does something until it succeeds: what the proxy does to a first
// connection is an error that changes nothing.
func again[T any](t *testing.T, f func() (T, error)) T {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		v, err := f()
		if err == nil {
			return v
		}
		if t.Context().Err() != nil || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// told takes note of what a call returned, and reports whether it succeeded.
func (s *scene) told(err error) (ok, unknown bool) {
	switch {
	case err == nil:
		s.done.Add(1)
		return true, false
	case errors.Is(err, mp.ErrUnknownFate):
		s.unknown.Add(1)
		return false, true
	}
	s.nothing.Add(1)
	return false, false
}

// work runs f with numbers from 0, calls of them in all, on several goroutines
// of each client, unless the time is over.
func (s *scene) work(f func(m int, n int)) (made int) {
	const each = 4
	var next atomic.Int64
	limit := time.Now().Add(bound)
	var wg sync.WaitGroup
	for c := range s.clients {
		for range each {
			wg.Go(func() {
				for time.Now().Before(limit) {
					n := int(next.Add(1)) - 1
					if n >= calls {
						return
					}
					f(c, n)
				}
			})
		}
	}
	wg.Wait()
	return min(int(next.Load()), calls)
}

// report says what happened.
func (s *scene) report(made int) {
	s.t.Helper()
	var what []any
	for k := range s.proxy.Done {
		if n := s.proxy.Done[k].Load(); n > 0 {
			what = append(what, Fault(k).String(), n)
		}
	}
	s.t.Logf("%d calls in %v: %d succeeded, %d of unknown fate, %d failed; %v",
		made, time.Since(s.began).Round(time.Millisecond), s.done.Load(), s.unknown.Load(), s.nothing.Load(), what)
	if s.done.Load() == 0 {
		s.t.Error("no call succeeded")
	}
}
