package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestListenForms(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ address, network string }{
		{"127.0.0.1:0", "tcp"},
		{"[::1]:0", "tcp"},
		{"localhost:0", "tcp"},
		{filepath.Join(dir, "s"), "unix"},
		{"@mp-test-" + filepath.Base(dir) + t.Name(), "unix"},
	} {
		l, err := Listen(c.address)
		if err != nil {
			t.Errorf("%s: %v", c.address, err)
			continue
		}
		if got := l.Addr().Network(); got != c.network {
			t.Errorf("%s: network %s", c.address, got)
		}
		conn, err := net.Dial(c.network, AddressOf(l))
		if err != nil {
			t.Errorf("%s: dial %s: %v", c.address, AddressOf(l), err)
		} else {
			_ = conn.Close()
		}
		_ = l.Close()
	}
}

func TestListenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"":                              "no address",
		"orders":                        "want host:port",
		"a:b:c":                         "want host:port",
		"/no/such/directory/at/all":     "no such file",
		"/" + strings.Repeat("x", 200):  "at most 107 bytes",
		"@" + strings.Repeat("x", 200):  "at most 107 bytes",
		file:                            "in use", // never removes what is not a socket
		"256.256.256.256.example.not:x": "",
	} {
		l, err := Listen(address)
		if err == nil {
			_ = l.Close()
			t.Errorf("%q is listened on", address)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the file that was in the way is gone")
	}
}

// A dead server's socket is replaced, a living one's is not.
func TestListenReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatalf("a dead server's socket is not replaced: %v", err)
	}
	if _, err := Listen(path); err == nil {
		t.Error("two servers listen on one path")
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the first server lost its socket: %v", err)
	}
	_ = c.Close()
	_ = l.Close()
}

// A server removes its own socket and not that of one which took its place,
// wherever the process has gone since.
func TestCloseRemovesOwnSocket(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := Listen("./s")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("s"); err != nil { // by somebody who thinks it is dead
		t.Fatal(err)
	}
	second, err := Listen("./s")
	if err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	c, err := net.Dial("unix", "s")
	if err != nil {
		t.Fatalf("the second server lost its socket: %v", err)
	}
	_ = c.Close()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("/")
	_ = second.Close()
	if _, err := os.Lstat(filepath.Join(here, "s")); err == nil {
		t.Error("the socket stays behind")
	}
	if err := second.Close(); err == nil {
		t.Error("it can be closed twice")
	}
}

// Many servers that start at once on a stale path: one gets it, and keeps it.
func TestListenRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 20 {
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		_ = dead.Close()
		got := make(chan net.Listener)
		for range 4 {
			go func() {
				l, _ := Listen(path)
				got <- l
			}()
		}
		var winners []net.Listener
		for range 4 {
			if l := <-got; l != nil {
				winners = append(winners, l)
			}
		}
		if len(winners) != 1 {
			t.Fatalf("%d servers listen on one path", len(winners))
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the winner cannot be reached: %v", err)
		}
		_ = c.Close()
		_ = winners[0].Close()
	}
}
