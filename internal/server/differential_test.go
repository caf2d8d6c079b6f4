package server

import (
	"testing"

	"multiproc/mp/driver/drivertest"
)

// A manager answers every call as the twin in memory does.
func TestDifferential(t *testing.T) {
	drivertest.Differential(t, 300, drivertest.Memory(), dialTest(t, serveTest(t, "unix")))
}

func FuzzDifferential(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(drivertest.Program(seed))
	}
	twin, m := drivertest.Memory(), dialTest(f, serveTest(f, "unix"))
	f.Fuzz(func(t *testing.T, program []byte) {
		if err := drivertest.Disagree(t.Context(), program, twin, m); err != nil {
			t.Fatal(err)
		}
	})
}
