//go:build interop

package interop

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"multiproc/internal/tlstest"
	"multiproc/manager"
	"multiproc/mp"
)

// Whatever an address looks like, clients find the server there, and those of
// Python where Python can: it knows no IPv6 and no TLS.
func TestAddresses(t *testing.T) {
	all := pythons(t)
	for _, c := range []struct {
		address string
		python  bool
	}{
		{"127.0.0.1:0", true},
		{"localhost:0", true},
		{"[::1]:0", false},
		{filepath.Join(t.TempDir(), "with spaces, and é"), true},
		{fmt.Sprintf("@interop-%x", random(8)), true},
	} {
		t.Run(c.address, func(t *testing.T) {
			if strings.Contains(c.address, "::1") {
				l, err := net.Listen("tcp", c.address)
				if err != nil {
					t.Skipf("this machine has no IPv6: %v", err)
				}
				must(t, l.Close())
			}
			s := startServer(t, c.address)
			d := named[int](t, s.dial(t), "counts")
			tools(t, s.dial(t), map[string]string{"gate": "Event"})
			want := 5
			must(t, d.Set(t.Context(), "k", 5))
			if c.python {
				gate, err := named[*manager.Object](t, s.dial(t), "tools").Get(t.Context(), "gate")
				closing(t, gate, err)
				_, err = manager.Call[mp.None](t.Context(), gate, "set")
				must(t, err)
				script := all[0].start(t, s, "adder", "k", "3")
				script.Want("ready")
				script.Want("done")
				want += 3
			}
			if n, err := d.Get(t.Context(), "k"); n != want || err != nil {
				t.Errorf("%d %v, want %d", n, err, want)
			}
		})
	}
}

// A path that no socket can have is refused in words that say so.
func TestLongPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	_, listenErr := manager.Listen(path)
	_, dialErr := manager.Dial(t.Context(), path, manager.Options{Authkey: []byte("k")})
	for _, err := range []error{listenErr, dialErr} {
		if err == nil {
			t.Fatal("a path of more than 107 bytes is taken")
		}
		for _, word := range []string{path, "107", "@"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
	}
}

// With TLS, who listens on the way hears nothing, and who has no certificate
// does not get as far as the key.
func TestTLS(t *testing.T) {
	certificate, pool := tlstest.Certificate(t)
	l, err := manager.Listen("127.0.0.1:0")
	must(t, err)
	key := random(16)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- manager.Serve(ctx, l, manager.Options{
			Authkey: key,
			Limits:  manager.Limits{Handshake: 500 * time.Millisecond},
			Log:     slog.New(slog.DiscardHandler),
			TLS:     &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		})
	}()
	defer func() {
		stop()
		must(t, <-served)
	}()
	address := manager.AddressOf(l)
	m, err := manager.Dial(t.Context(), address, manager.Options{
		Authkey: key, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool, ServerName: "localhost"},
	})
	must(t, err)
	defer m.Close()
	d := named[string](t, m, "d")
	must(t, d.Set(t.Context(), "k", "v"))
	for name, config := range map[string]*tls.Config{
		"no TLS":            nil,
		"no certificate":    {RootCAs: pool, ServerName: "localhost"},
		"an unknown server": {Certificates: []tls.Certificate{certificate}, ServerName: "localhost"},
	} {
		if m, err := manager.Dial(t.Context(), address, manager.Options{Authkey: key, TLS: config}); err == nil {
			t.Errorf("%s: connected", name)
			_ = m.Close()
		} else if errors.Is(err, mp.ErrAuth) {
			t.Errorf("%s: it came to the key: %v", name, err)
		}
	}
}
