//go:build linux

package main

import (
	"slices"
	"testing"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

// All items are in the trace of the call.
func TestTrace(t *testing.T) {
	ids, own, err := run(t.Context(), []string{"a", "bb", "ccc"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, []string{own, own, own}) {
		t.Errorf("the items are in the traces %v, their call in %s", ids, own)
	}
}
