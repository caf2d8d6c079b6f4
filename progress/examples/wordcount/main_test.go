//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.go": "one two, Two", "b.go": "three three two three three", "c.txt": "four"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "lost.go")); err != nil {
		t.Fatal(err)
	}
	var out, bars strings.Builder
	if err := run(t.Context(), &out, &bars, dir); err != nil {
		t.Fatal(err)
	}
	if want := "      4 three\n      3 two\n      1 one\n"; out.String() != want {
		t.Errorf("it prints\n%s\nand not\n%s", &out, want)
	}
	note, last, _ := strings.Cut(bars.String(), "\n")
	if !strings.Contains(note, "lost.go") || !strings.HasPrefix(last, "counting: 3 of 3 in ") || !strings.HasSuffix(last, ", 1 failed\n") {
		t.Errorf("the bar is\n%s", &bars)
	}
}
