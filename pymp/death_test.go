package pymp_test

import (
	"errors"
	"path/filepath"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// A server that dies takes nothing with it but its objects: calls under way say
// that their fate is unknown, later ones that nobody is there, and when it is
// back the same Manager works again.
func TestServerDies(t *testing.T) {
	pyconntest.Each(t, func(t *testing.T, python string) {
		for _, address := range []string{filepath.Join(t.TempDir(), "s"), "127.0.0.1:0"} {
			address, script := serve(t, python, address)
			m := connect(t, address)
			gate, l := create(t, m, "Gate"), create(t, m, "list")
			ch := channel(t, m)
			calls := make(chan error, 3)
			for _, p := range []*pymp.Proxy{gate, gate, ch.Bind(gate)} {
				go func() { calls <- p.Call(t.Context(), "wait", 60) }()
			}
			for range cap(calls) {
				script.Want("waiting")
			}
			if err := l.Call(t.Context(), "append", 1); err != nil {
				t.Fatal(err)
			}
			script.Kill()
			for range cap(calls) {
				if err := <-calls; !errors.Is(err, mperr.ErrUnknownFate) {
					t.Errorf("a call under way: %v", err)
				}
			}
			for range 2 {
				if err := l.Call(t.Context(), "append", 2); err == nil || errors.Is(err, mperr.ErrUnknownFate) {
					t.Errorf("a call to nobody: %v", err)
				}
			}
			if err := ch.Bind(gate).Call(t.Context(), "wait", 0); !errors.Is(err, mperr.ErrClosed) {
				t.Errorf("a call over a channel that has ended: %v", err)
			}
			if _, err := m.Create(t.Context(), "list"); err == nil || errors.Is(err, mperr.ErrUnknownFate) {
				t.Errorf("create at nobody: %v", err)
			}
			closeAll(t, gate) // no error: the reference is gone, as it should be

			if address[0] == '/' {
				remove(t, address) // Python leaves the file
			}
			again, second := serve(t, python, address)
			if again != address {
				t.Fatalf("it is back at %s", again)
			}
			if err := l.Call(t.Context(), "append", 3); !errors.Is(err, mperr.ErrNoHandle) {
				t.Errorf("a call to an object of the dead: %v", err)
			}
			q := create(t, m, "get_orders")
			if n := call[int](t, q, "qsize"); n != 0 {
				t.Errorf("%d orders", n)
			}

			second.Kill() // now while nothing is under way
			if address[0] == '/' {
				remove(t, address)
			}
			serve(t, python, address)
			if q, err := m.Create(t.Context(), "get_orders"); err != nil {
				t.Error(err)
			} else if err := q.Call(t.Context(), "put", 1); err != nil {
				t.Errorf("the first call after its return: %v", err)
			}
		}
	})
}
