package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/manager"
	"multiproc/mp"
)

// call runs the command to its end.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code = run(t.Context(), args, &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestHelpTeaches(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"put", "--help"}, []string{"JSON", "--timeout", "--authkey-file"}},
		{[]string{"--help"}, []string{"watch", "mp serve --listen", "SyncManager", "version"}},
		{[]string{"serve", "--help"}, []string{"--authkey-file", "--tls-ca", "@name", "MP_AUTHKEY"}},
	} {
		code, out, _ := call(t, c.args...)
		if code != 0 {
			t.Errorf("%v: exit status %d", c.args, code)
		}
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%v does not say %q:\n%s", c.args, w, out)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		if code, out, _ := call(t, arg); code != 0 || !strings.HasPrefix(out, "mp ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit status %d, %q", arg, code, out)
		}
	}
}

func TestMisuse(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "")
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no command", nil, 2, "serve"},
		{"no such command", []string{"sell"}, 2, "sell"},
		{"no address", []string{"serve"}, 2, "--listen"},
		{"no key", []string{"serve", "--listen", "127.0.0.1:0"}, 1, "--authkey-file"},
		{"empty key", []string{"serve", "--listen", "127.0.0.1:0", "--authkey-file", empty}, 1, "empty"},
		{"no such address", []string{"serve", "--listen", "nowhere", "--authkey-file", key}, 1, "nowhere"},
		{"half of TLS", []string{"serve", "--listen", "127.0.0.1:0", "--authkey-file", key, "--tls-cert", "c"}, 1, "--tls-key"},
		{"no such certificate", []string{"serve", "--listen", "127.0.0.1:0", "--authkey-file", key, "--tls-cert", "c", "--tls-key", "k"}, 1, "certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, complaints := call(t, c.args...)
			if code != c.code || !strings.Contains(complaints, c.want) {
				t.Errorf("exit status %d, want %d; it says %q and %q, want %q", code, c.code, out, complaints, c.want)
			}
			if strings.Contains(out, "listening") {
				t.Errorf("it says %q, and is not", out)
			}
		})
	}
}

// serving starts the command, waits until it is ready, and returns its
// address. end stops it and returns its exit status.
func serving(t *testing.T, args ...string) (address string, end func() int) {
	t.Helper()
	address, _, end = announcing(t, args...)
	return address, end
}

// announcing is serving that returns what is said after the address as well.
func announcing(t *testing.T, args ...string) (address string, said *bufio.Reader, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	var complaints bytes.Buffer
	go func() {
		code := run(ctx, append([]string{"serve"}, args...), w, &complaints)
		_ = w.Close()
		done <- code
	}()
	said = bufio.NewReader(r)
	line, err := said.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "listening on ")
	if err != nil || !ok {
		cancel()
		<-done
		t.Fatalf("it said %q (%v): %s", line, err, &complaints)
	}
	ended := false
	end = func() int {
		cancel()
		if ended {
			return 0
		}
		ended = true
		return <-done
	}
	t.Cleanup(func() { end() })
	return address, said, end
}

// The command serves on every kind of address, makes its key, and ends
// without a complaint.
func TestServe(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "")
	dir := t.TempDir()
	for i, listen := range []string{"127.0.0.1:0", "[::1]:0", filepath.Join(dir, "socket"), "@multiproc-test-" + fmt.Sprint(os.Getpid())} {
		t.Run(listen, func(t *testing.T) {
			key := filepath.Join(dir, fmt.Sprint("key", i))
			address, end := serving(t, "--listen", listen, "--authkey-file", key)
			if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the key file: %v, %v", info, err)
			}
			m, err := manager.Dial(t.Context(), address, manager.Options{AuthkeyFile: key})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			d, err := mp.NewDict[string, int](mp.In(m))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if n, err := d.Add(t.Context(), "a", 2); n != 2 || err != nil {
				t.Errorf("Add: %d, %v", n, err)
			}
			if code := end(); code != 0 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// A key that is there is used, not replaced.
func TestKeyIsKept(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _ := serving(t, "--listen", "127.0.0.1:0", "--authkey-file", key)
	m, err := manager.Dial(t.Context(), address, manager.Options{Authkey: []byte("sesame")})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
