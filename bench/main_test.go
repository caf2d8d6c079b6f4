package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"multiproc/bench/internal/harness"
	"multiproc/bench/peers"
)

func kit(t *testing.T) *peers.Kit {
	t.Helper()
	k, err := peers.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// TestRowsAreWhole finds a target whose peer nobody plays, and names that the table could not tell apart.
func TestRowsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows(kit(t)) {
		if seen[r.Name] {
			t.Errorf("two rows are called %q", r.Name)
		}
		seen[r.Name] = true
		if len(r.Targets) == 0 {
			t.Errorf("%s promises nothing", r.Name)
		}
		var names []string
		for _, c := range r.Contestants {
			if slices.Contains(names, c.Peer) {
				t.Errorf("%s: two contestants are called %q", r.Name, c.Peer)
			}
			names = append(names, c.Peer)
			if c.Run == nil || c.Short < 1 || c.N < c.Short {
				t.Errorf("%s: %s runs %d operations, %d of them in short", r.Name, c.Peer, c.N, c.Short)
			}
		}
		if len(names) == 0 || names[0] != harness.Ours {
			t.Errorf("%s does not begin with ours: %v", r.Name, names)
		}
		for _, target := range r.Targets {
			if !slices.Contains(names, target.Peer) {
				t.Errorf("%s: nobody is %q, whom a target names", r.Name, target.Peer)
			}
		}
	}
}

func TestParse(t *testing.T) {
	s, err := parse([]string{"-rounds", "7", "-only", "queue", "-require", "python,cc"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if s.rounds != 7 || s.out != "" || !slices.Equal(s.require, []string{"python", "cc"}) {
		t.Errorf("settings %+v", s)
	}
	for _, r := range s.chosen(rows(kit(t))) {
		if !strings.Contains(r.Name, "queue") {
			t.Errorf("-only queue chose %q", r.Name)
		}
	}
	if s, err := parse([]string{"-short", "-rounds", "7"}, io.Discard); err != nil || s.rounds != 1 || s.out != "" {
		t.Errorf("-short: %+v, %v", s, err)
	}
	for _, bad := range [][]string{{"-rounds", "0"}, {"-only", "("}, {"all"}, {"-fast"}} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestDefaultOut(t *testing.T) {
	when := time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)
	if got := defaultOut(when); !strings.HasPrefix(got, filepath.Join("results", "2030-01-02-")) {
		t.Errorf("in bench itself: %q", got)
	}
	t.Chdir(t.TempDir())
	if got := defaultOut(when); got != "" {
		t.Errorf("outside the project: %q", got)
	}
}

func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "table.txt")
	results := []harness.Result{{
		Row:    harness.Row{Name: "x", Targets: []harness.Target{harness.Below(1)}},
		Series: []harness.Series{{Peer: harness.Ours, Values: []float64{2}}},
	}}
	var out bytes.Buffer
	if err := report(t.Context(), settings{rounds: 1, out: file}, time.Now(), results, &out); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept, out.Bytes()) || !strings.Contains(out.String(), "MISSED by 2.00x") || !strings.Contains(out.String(), "targets missed: 1") {
		t.Errorf("printed:\n%s\nkept:\n%s", out.String(), kept)
	}
}
