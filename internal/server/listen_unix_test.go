//go:build unix

package server

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The file is for its owner only from the first moment, whatever the umask.
func TestListenMode(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	_ = l.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket stays behind")
	}
}
