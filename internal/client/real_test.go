package client

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/server"
	"multiproc/internal/tlstest"
	"multiproc/mp"
)

// Every item is got once, whatever ends the contexts of those who want it, and
// whenever: an error means that nothing was taken.
func TestCancelSwallowsNothing(t *testing.T) {
	const items, getters = 1500, 8
	m := dialTest(t, serveTest(t, "unix"))
	q, err := mp.NewQueue[int](0, mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	all, done := context.WithCancel(t.Context())
	defer done()
	var mu sync.Mutex
	seen := map[int]int{}
	var wg sync.WaitGroup
	for range getters {
		wg.Go(func() {
			for all.Err() == nil {
				ctx, cancel := context.WithTimeout(all, time.Duration(rand.IntN(200))*time.Microsecond)
				v, err := q.Get(ctx)
				cancel()
				if err != nil {
					if errors.Is(err, mperr.ErrUnknownFate) {
						t.Error(err)
					}
					continue
				}
				mu.Lock()
				if seen[v]++; len(seen) == items {
					done()
				}
				mu.Unlock()
			}
		})
	}
	for i := range items {
		if err := q.Put(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-all.Done():
	case <-time.After(testTimeout * 3):
		t.Error("some items do not come")
		done()
	}
	wg.Wait()
	for i := range items {
		if seen[i] != 1 {
			t.Errorf("item %d was got %d times", i, seen[i])
		}
	}
	if n, err := q.Len(t.Context()); n != 0 || err != nil {
		t.Errorf("%d items are left: %v", n, err)
	}
}

// Locks are never held by nobody, either.
func TestCancelledLocks(t *testing.T) {
	m := dialTest(t, serveTest(t, "unix"))
	l, err := mp.NewMutex(mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	n, rounds := 0, 0
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(300))*time.Microsecond)
				if err := l.Lock(ctx); err == nil {
					n++ // the race detector sees whether it excludes
					rounds++
					l.Unlock()
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if err := l.Lock(ctx); err != nil {
		t.Fatalf("after %d rounds: %v", rounds, err)
	}
	l.Unlock()
}

// Connections that break at any moment: calls fail or have happened, handles
// of named objects go on, and nothing is counted twice that was not reported
// as of unknown fate.
func TestBrokenConnections(t *testing.T) {
	m := dialTest(t, serveTest(t, "tcp"))
	d, err := mp.NewDict[string, int](mp.In(m), mp.WithName("sums"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var known, unknown int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 150 {
				_, err := d.Add(t.Context(), "n", 1)
				mu.Lock()
				switch {
				case err == nil:
					known++
				case errors.Is(err, mperr.ErrUnknownFate):
					unknown++
				default:
					t.Error(err)
				}
				if (known+unknown)%97 == 0 {
					cut(m)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	n, err := d.Get(t.Context(), "n")
	if err != nil || n < known || n > known+unknown || known+unknown != 8*150 {
		t.Errorf("%d, %v: %d calls succeeded, %d may have", n, err, known, unknown)
	}
}

// addTask fills a dict that has come to it as an argument.
var addTask = mp.Func(addInChild, mp.Named("manager.addInChild"))

func addInChild(ctx context.Context, d *mp.Dict[string, int]) (int, error) {
	defer func() { _ = d.Close() }()
	return d.Add(ctx, "n", 1)
}

// Handles travel to children, which have never heard of the server.
func TestHandlesTravel(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	m := dialTest(t, serveTest(t, "unix"))
	d, err := mp.NewDict[string, int](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	var tasks []*mp.Process[int]
	for range 3 {
		p, err := addTask.Start(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, p)
	}
	for _, p := range tasks {
		if _, err := p.Result(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n, err := d.Get(t.Context(), "n"); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := m.Objects(t.Context()); n != 1 || err != nil {
		t.Errorf("%d objects, %v", n, err)
	}
}

// TLS, with certificates on both sides; the key is wanted all the same.
func TestDialTLS(t *testing.T) {
	theirs, ours := testCertificates(t)
	s := serveTest(t, "tcp", func(o *server.Options) { o.TLS, o.Limits.Handshake = theirs, time.Second })
	m := dialTest(t, s, func(o *Options) { o.TLS = ours })
	d, err := mp.NewDict[string, []byte](mp.In(m))
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 1<<20)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := d.Set(t.Context(), "k", big); err != nil {
				t.Error(err)
			}
			if b, err := d.Get(t.Context(), "k"); len(b) != len(big) || err != nil {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	wg.Wait()
	stranger := ours.Clone()
	stranger.Certificates = nil
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"no certificate": {Options{Authkey: testKey, TLS: stranger}, "certificate"},
		"no TLS":         {Options{Authkey: testKey}, "it may want TLS"},
		"another key":    {Options{Authkey: []byte("x"), TLS: ours}, "another authkey"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
		m, err := Dial(ctx, s.address, c.o)
		if err == nil {
			_ = m.Close()
			t.Errorf("%s: connected", name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// testCertificates are configurations of a server and a client that trust each
// other, and nobody else.
func testCertificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	cert, pool := tlstest.Certificate(t)
	mine := []tls.Certificate{cert}
	return &tls.Config{Certificates: mine, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert},
		&tls.Config{Certificates: mine, RootCAs: pool}
}
