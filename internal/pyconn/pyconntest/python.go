// Package pyconntest runs Python programs as the peers of tests: every Python
// that is installed, so that each generation of its protocol is met.
package pyconntest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Timeout is how long a test waits for a line of a Python program before it
// fails. It bounds a hang and is no measure of speed.
const Timeout = 30 * time.Second

// Pythons returns the interpreters that the tests meet, the default one first:
// python3, each python3.N of the path, and those that pyenv has installed, one
// for each minor version from 3.8. The test is skipped if there is none, and
// fails if MP_REQUIRE says that Python must be there.
func Pythons(t testing.TB) []string {
	t.Helper()
	all, err := pythons()
	switch {
	case err == nil:
	case slices.Contains(strings.Split(os.Getenv("MP_REQUIRE"), ","), "python"):
		t.Fatalf("MP_REQUIRE wants python: %v", err)
	default:
		t.Skipf("needs python3: %v", err)
	}
	return all
}

// Each runs f as a subtest for the oldest and the newest of Pythons, which are of
// two generations, or for each of them if MP_PYTHONS is "all".
func Each(t *testing.T, f func(t *testing.T, python string)) {
	all := Pythons(t)
	if os.Getenv("MP_PYTHONS") != "all" && len(all) > 2 {
		byAge := slices.Clone(all)
		slices.SortFunc(byAge, func(a, b string) int { return minor(a) - minor(b) })
		all = []string{byAge[0], byAge[len(byAge)-1]}
	}
	for _, p := range all {
		t.Run(version(p), func(t *testing.T) { f(t, p) })
	}
}

// minor is the second number of a version: 11 of 3.11.
func minor(python string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(version(python), "3."))
	return n
}

var pythons = sync.OnceValues(func() ([]string, error) {
	candidates := []string{"python3"}
	if home, err := os.UserHomeDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(home, ".pyenv", "versions", "*", "bin", "python3"))
		candidates = append(candidates, found...)
	}
	for minor := 8; minor <= 16; minor++ {
		candidates = append(candidates, fmt.Sprintf("python3.%d", minor))
	}
	var all, seen []string
	for _, c := range candidates {
		if slices.Contains(seen, strings.TrimPrefix(c, "python")) {
			continue
		}
		if v, path := identify(c); v != "" && !slices.Contains(seen, v) {
			all, seen = append(all, path), append(seen, v)
			versions.Store(path, v)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no Python 3.8 or later was found")
	}
	return all, nil
})

// versions are those of Pythons: "3.11".
var versions sync.Map

func version(python string) string {
	v, _ := versions.Load(python)
	return v.(string)
}

// identify returns the version of an interpreter and where it really is, for
// what the path finds may be a script that looks for it. The version is empty
// for what is no Python, or too old.
func identify(name string) (version, path string) {
	const ask = `import sys; sys.version_info >= (3, 8) and print("%d.%d" % sys.version_info[:2], sys.executable)`
	out, err := exec.Command(name, "-I", "-S", "-c", ask).Output()
	if err != nil {
		return "", ""
	}
	version, path, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return version, path
}

// prelude makes a program end with its test: when its standard input does.
const prelude = `
import os, sys, threading
def _watch():
    while sys.stdin.buffer.raw.read(4096):
        pass
    os._exit(0)
threading.Thread(target=_watch, daemon=True).start()
def say(*words):
    os.write(1, (' '.join(map(str, words)) + '\n').encode())  # in one piece, whatever other threads say
`

// Script is a Python program that runs.
type Script struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string
	done  chan struct{}
	err   error
}

// Start runs a program, which finds args in sys.argv[1:] and writes lines with
// say(). It is killed when the test ends.
func Start(t testing.TB, python, program string, args ...string) *Script {
	t.Helper()
	file := filepath.Join(t.TempDir(), "peer.py")
	if err := os.WriteFile(file, []byte(prelude+program), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Script{t: t, cmd: exec.Command(python, append([]string{file}, args...)...), lines: make(chan string, 1000), done: make(chan struct{})}
	s.cmd.Stderr = os.Stderr
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.follow(stdout)
	t.Cleanup(func() {
		_ = stdin.Close()
		s.Kill()
	})
	return s
}

func (s *Script) follow(stdout io.Reader) {
	defer close(s.done)
	in := bufio.NewScanner(stdout)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		select {
		case s.lines <- in.Text():
		default: // nobody listens
		}
	}
	close(s.lines)
	s.err = s.cmd.Wait()
}

// Line waits for the next line; the test fails if the program ends, or takes
// longer than Timeout.
func (s *Script) Line() string {
	s.t.Helper()
	select {
	case line, ok := <-s.lines:
		if !ok {
			<-s.done
			s.t.Fatalf("the Python program ended without another line: %v", s.err)
		}
		return line
	case <-time.After(Timeout):
		s.t.Fatal("the Python program says nothing")
	}
	panic("not reached")
}

// Want fails the test unless the next line is want.
func (s *Script) Want(want string) {
	s.t.Helper()
	if got := s.Line(); got != want {
		s.t.Fatalf("the Python program says %q, want %q", got, want)
	}
}

// Kill ends the program by SIGKILL and waits for its end.
func (s *Script) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Ended waits until the program has ended; the test fails if it takes longer than
// Timeout.
func (s *Script) Ended() {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(Timeout):
		s.t.Fatal("the Python program does not end")
	}
}
