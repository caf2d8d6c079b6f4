//go:build linux

package main

import (
	"testing"
	"time"
)

func TestTallyIsRead(t *testing.T) {
	var sum tally
	err := sum.read([]byte("=== RUN\n    a_test.go:1: tally: images 12 kills 3 longest 1.5ms\nok\n    b_test.go:2: tally: images 0 kills 4 longest 0s\n"))
	if err != nil || sum.images != 12 || sum.kills != 7 || sum.longest != 1500*time.Microsecond {
		t.Errorf("%v, %+v", err, sum)
	}
	if err := sum.read([]byte("ok")); err == nil {
		t.Error("tests that say nothing pass")
	}
}

// The suites are there, and so is the source.
func TestSuites(t *testing.T) {
	for _, all := range [][]suite{enumerations, killings} {
		list, err := suites(all, true)
		if err != nil || len(list) != len(all) {
			t.Errorf("%d of %d: %v", len(list), len(all), err)
		}
	}
}
