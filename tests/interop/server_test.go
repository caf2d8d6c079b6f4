//go:build interop

package interop

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"multiproc/internal/pyconn"
	"multiproc/manager"
	"multiproc/mp"
)

// testServer is a manager in a process of its own.
type testServer struct {
	address string
	key     []byte
	pid     int
	log     *logged
	cmd     *exec.Cmd
	stdin   io.Closer
}

// startServer starts a server at an address of a kind, "unix" or "tcp", or at
// a given one. It ends with the test, which fails if the server does not end
// well, or if its log tells the key.
func startServer(t testing.TB, at string, env ...string) *testServer {
	t.Helper()
	switch at {
	case "unix":
		at = filepath.Join(t.TempDir(), "s")
	case "tcp":
		at = "127.0.0.1:0"
	}
	s := &testServer{key: []byte(hex.EncodeToString(random(16))), log: &logged{}}
	s.run(t, at, env...)
	t.Cleanup(func() { s.end(t) })
	return s
}

// run starts the process.
func (s *testServer) run(t testing.TB, at string, env ...string) {
	t.Helper()
	s.cmd = exec.Command("/proc/self/exe")
	s.cmd.Env = append(os.Environ(), append(env, serverEnv+"="+at, manager.EnvAuthkey+"="+string(s.key))...)
	s.cmd.Stderr = s.log
	stdin, err := s.cmd.StdinPipe()
	must(t, err)
	stdout, err := s.cmd.StdoutPipe()
	must(t, err)
	must(t, s.cmd.Start())
	s.pid, s.stdin = s.cmd.Process.Pid, stdin
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the server does not start: %v\n%s", err, s.log)
	}
	s.address = strings.TrimSpace(line)
}

// end ends the server in order.
func (s *testServer) end(t testing.TB) {
	t.Helper()
	_ = s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, s.log.tail())
	}
	if log := s.log.String(); strings.Contains(log, "panic") {
		t.Errorf("the server panicked:\n%s", s.log.tail())
	}
	if form := s.log.tells(s.key); form != "" {
		t.Errorf("the server's log tells the key in %s:\n%s", form, s.log.tail())
	}
}

// kill ends it by SIGKILL; run starts another.
func (s *testServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// dial connects as a Go client.
func (s *testServer) dial(t testing.TB) *manager.Manager {
	t.Helper()
	m, err := manager.Dial(t.Context(), s.address, manager.Options{Authkey: s.key})
	return closing(t, m, err)
}

// raw connects and says nothing.
func (s *testServer) raw(t testing.TB) net.Conn {
	t.Helper()
	c, err := s.connect()
	return closing(t, c, err)
}

func (s *testServer) connect() (net.Conn, error) {
	network := "tcp"
	if strings.Contains(s.address, "/") {
		network = "unix"
	}
	return net.Dial(network, s.address)
}

// join connects and proves to know the key.
func (s *testServer) join(t testing.TB) *pyconn.Conn {
	t.Helper()
	c := pyconn.New(s.raw(t))
	must(t, pyconn.ClientHandshake(c, s.key))
	return c
}

// status is a number of the server's in /proc: "VmRSS" in KiB, "Threads".
func (s *testServer) status(t testing.TB, name string) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	must(t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			_, err := fmt.Sscan(rest, &n)
			must(t, err)
			return n
		}
	}
	t.Fatalf("process %d has no %s", s.pid, name)
	return 0
}

// probe asks the server what it uses.
type probe struct {
	t testing.TB
	o *manager.Object
}

func (s *testServer) probe(t testing.TB, m *manager.Manager) probe {
	t.Helper()
	o, err := manager.New(t.Context(), m, "Probe")
	return probe{t, closing(t, o, err)}
}

func (p probe) ask(method string) int {
	p.t.Helper()
	n, err := manager.Call[int](p.t.Context(), p.o, method)
	must(p.t, err)
	return n
}

// named finds or makes a dict by name.
func named[V any](t testing.TB, m *manager.Manager, name string) *mp.Dict[string, V] {
	t.Helper()
	d, err := mp.NewDict[string, V](mp.In(m), mp.WithName(name))
	return closing(t, d, err)
}

// tools shares objects that have no typed face, by name.
func tools(t testing.TB, m *manager.Manager, typeids map[string]string, args ...any) *mp.Dict[string, *manager.Object] {
	t.Helper()
	d := named[*manager.Object](t, m, "tools")
	for name, typeid := range typeids {
		o, err := manager.New(t.Context(), m, typeid, args...)
		must(t, err)
		must(t, d.Set(t.Context(), name, o))
		must(t, o.Close())
	}
	return d
}

// logged is what a process writes.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) tail() string {
	s := l.String()
	return s[max(0, len(s)-8000):]
}

// tells names the form in which a secret is in the log.
func (l *logged) tells(secret []byte) string {
	log := l.String()
	for form, text := range map[string]string{
		"clear":      string(secret),
		"hex":        hex.EncodeToString(secret),
		"HEX":        strings.ToUpper(hex.EncodeToString(secret)),
		"base64":     base64.RawStdEncoding.EncodeToString(secret),
		"base64url":  base64.RawURLEncoding.EncodeToString(secret),
		"byte slice": strings.Trim(fmt.Sprint(secret), "[]"),
		"go syntax":  strings.Trim(strings.TrimPrefix(fmt.Sprintf("%#v", secret), "[]byte"), "{}"),
	} {
		if strings.Contains(log, text) {
			return form
		}
	}
	return ""
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
