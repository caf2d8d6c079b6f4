package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Servers that start at once make one key, and nobody sees half of it.
func TestKeyIsMadeAtOnce(t *testing.T) {
	for range 50 {
		dir := t.TempDir()
		name := filepath.Join(dir, "key")
		got := make(chan string)
		for range 4 {
			go func() {
				if err := ensureKey(name); err != nil {
					t.Error(err)
				}
				b, _ := os.ReadFile(name)
				got <- string(b)
			}()
		}
		keys := map[string]bool{}
		for range 4 {
			key := <-got
			if keys[key] = true; len(key) != 65 {
				t.Errorf("somebody sees a key of %d bytes", len(key))
			}
		}
		if len(keys) != 1 {
			t.Errorf("they have %d keys", len(keys))
		}
		if all, err := os.ReadDir(dir); len(all) != 1 || err != nil {
			t.Errorf("left behind: %v, %v", all, err)
		}
	}
}
