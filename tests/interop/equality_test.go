//go:build interop

package interop

import (
	"strings"
	"testing"
	"time"
)

// What each Python calls equal and ordered, the server does: as keys of dicts,
// members of sets, elements of lists, and in sort. It refuses only where a class
// decides that is not known.
func TestEquality(t *testing.T) {
	seed := time.Now().Format("150405")
	for i, p := range pythons(t) {
		t.Run(p.version, func(t *testing.T) {
			t.Parallel() // script and server wait for each other
			share := "0.2"
			if i == 0 {
				share = "1" // of all pairs, with the first Python
			}
			s := startServer(t, "unix")
			script := p.start(t, s, "equality", seed, share)
			wrong := 0
			for {
				line := script.Line()
				if strings.HasPrefix(line, "done") {
					t.Log(line)
					break
				}
				if line == "goes on" {
					continue
				}
				if !strings.HasPrefix(line, "wrong") {
					t.Fatalf("seed %s: %q", seed, line)
				}
				if wrong++; wrong <= 40 {
					t.Errorf("seed %s: %s", seed, line)
				}
			}
			script.Ended()
		})
	}
}
