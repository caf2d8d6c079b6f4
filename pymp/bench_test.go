package pymp_test

import (
	"path/filepath"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/pymp"
)

// BenchmarkCall is a round trip to a Python server over an open channel; with 20
// kB, which CPython writes in two parts, over TCP: 40 ms unless the first part is
// acknowledged at once.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct {
		name, address, method string
		arg                   int
	}{
		{"unix", filepath.Join(b.TempDir(), "s"), "increment", 1},
		{"tcp", "127.0.0.1:0", "increment", 1},
		{"tcp-20kB", "127.0.0.1:0", "big", 20_000},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := pyconntest.Start(b, pyconntest.Pythons(b)[0], pythonManager, c.address, "secret", "secret")
			m, err := pymp.Dial(b.Context(), s.Line(), []byte("secret"))
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			p, err := m.Create(b.Context(), "Counter")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pymp.Call[any](b.Context(), p, c.method, c.arg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
