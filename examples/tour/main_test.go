package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"multiproc/examples"
)

func TestSummary(t *testing.T) {
	done := []result{{examples.Example{Name: "one"}, 1500 * time.Microsecond, nil}, {examples.Example{Name: "other"}, 2 * time.Second, nil}}
	var s strings.Builder
	if !summary(&s, done, 3*time.Second) || !strings.Contains(s.String(), "ok      one        2ms\nok      other       2s\n\nall 2 programs") {
		t.Errorf("%q", &s)
	}
	s.Reset()
	done[1].err = errors.New("it hangs")
	if summary(&s, done, 3*time.Second) || !strings.Contains(s.String(), "FAILED  other       2s\n\n1 of 2 programs failed") {
		t.Errorf("%q", &s)
	}
}
