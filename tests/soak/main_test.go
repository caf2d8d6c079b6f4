//go:build soak

package soak

import (
	"testing"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes a handle at the end of the test.
func closing[C interface{ Close() error }](t testing.TB, c C, err error) C {
	t.Helper()
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
