package spawn

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSurroundings(t *testing.T) {
	noLeak(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var extra []int
	for _, text := range []string{"first", "second"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		t.Cleanup(func() { _ = r.Close() })
		extra = append(extra, int(r.Fd()))
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	spec := child("describe", "a", "b")
	spec.Env = append(spec.Env, "SPAWN_TEST_VAR=old", "SPAWN_TEST_VAR=value")
	spec.Dir, spec.Extra, spec.Stderr = dir, extra, errW
	c := start(t, spec)
	_ = errW.Close()

	_, _ = io.WriteString(c.in, "typed")
	_ = c.in.Close()
	out, _ := io.ReadAll(c.out)
	want := strings.Join([]string{"args a,b", "dir " + dir, "var value", `stdin "typed"`, `fd3 "first"`, `fd4 "second"`, ""}, "\n")
	if string(out) != want {
		t.Errorf("the child says\n%s\nwant\n%s", out, want)
	}
	said, _ := io.ReadAll(errR)
	if string(said) != "said on stderr\n" {
		t.Errorf("on stderr: %q", said)
	}
	_ = errR.Close()
	if s := exit(c.Process); s.ExitCode != 0 || s.Running {
		t.Errorf("Exit = %+v", s)
	}
}

// Without files of its own a child reads nothing and writes to what os.Stdout
// is at that time, which an example with "// Output:" replaces.
func TestInheritedOutput(t *testing.T) {
	noLeak(t)
	old := os.Stdout
	defer func() { os.Stdout = old }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = w
	p, err := Start(child("describe"))
	os.Stdout = old
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(r)
	if !strings.Contains(string(out), `stdin ""`) {
		t.Errorf("the child says %q", out)
	}
	_ = r.Close()
	exit(p)
}

// A closed os.Stdout must not become a free number 1 in the child.
func TestClosedOutput(t *testing.T) {
	noLeak(t)
	old := os.Stdout
	defer func() { os.Stdout = old }()
	for _, f := range []*os.File{nil, os.NewFile(1<<20, "closed")} {
		if f != nil {
			_ = f.Close()
		}
		os.Stdout = f
		p, err := Start(child("describe"))
		os.Stdout = old
		if err != nil {
			t.Fatal(err)
		}
		if s := exit(p); s.ExitCode != 0 {
			t.Errorf("Exit = %+v", s)
		}
	}
}

func TestStartFailures(t *testing.T) {
	noLeak(t)
	closed, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = closed.Close(), w.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spec Spec
		is   error
		text string
	}{
		"no such program":        {Spec{Path: "/no/such/program"}, fs.ErrNotExist, "/no/such/program"},
		"not executable":         {Spec{Path: file}, fs.ErrPermission, file},
		"no such directory":      {Spec{Dir: "/no/such/dir"}, fs.ErrNotExist, "/no/such/dir"},
		"directory is a file":    {Spec{Dir: file}, unix.ENOTDIR, file},
		"closed file":            {Spec{Stderr: closed}, os.ErrClosed, "descriptor 2"},
		"negative descriptor":    {Spec{Extra: []int{1, -1}}, unix.EBADF, "extra descriptor 4"},
		"descriptor is not open": {Spec{Extra: []int{1 << 20}}, unix.EBADF, selfExe},
		"zero byte in argument":  {Spec{Args: []string{"a\x00b"}}, unix.EINVAL, selfExe},
	} {
		p, err := Start(c.spec)
		if p != nil || !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConcurrentStarts(t *testing.T) {
	noLeak(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			p, err := Start(child("exit", []string{"3", "4"}[i%2]))
			if err != nil {
				t.Error(err)
				return
			}
			if s := exit(p); s.ExitCode != 3+i%2 {
				t.Errorf("Exit = %+v, want code %d", s, 3+i%2)
			}
		})
	}
	wg.Wait()
}

func TestLastWins(t *testing.T) {
	got := lastWins([]string{"a=1", "b=", "a=2=3", "c", "b=4", "=x"})
	if want := []string{"a=2=3", "c", "b=4", "=x"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := lastWins([]string{}); got == nil {
		t.Error("an empty environment became nil, which means ours")
	}
}

// The starter is killed; what it started is told at once by the kernel, also if
// it was stopped.
func TestDeathSignal(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		noLeak(t)
		c := start(t, child("parent"))
		var pid int
		if _, err := fmt.Sscanf(c.line(t), "ready %d", &pid); err != nil {
			t.Fatal(err)
		}
		if stopped {
			if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		if s := c.line(t); s != syscall.SIGTERM.String() {
			t.Errorf("the grandchild got %q", s)
		}
		if _, err := c.out.ReadByte(); err != io.EOF {
			t.Errorf("the grandchild lives: %v", err)
		}
	}
}

// Before it asks for less, the end of its starter is its own.
func TestDeathSignalAtFirst(t *testing.T) {
	noLeak(t)
	c := start(t, child("parent", "waitpid"))
	var pid int
	if _, err := fmt.Sscanf(c.line(t), "ready %d", &pid); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Kill(pid, unix.SIGSTOP), c.Kill()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.out.ReadByte(); err != io.EOF {
		t.Errorf("the grandchild lives: %v", err)
	}
}

func TestMarks(t *testing.T) {
	noLeak(t)
	const m = 1<<62 + 12345
	c := start(t, child("parent", "waitpid"))
	var pid int
	if _, err := fmt.Sscanf(c.line(t), "ready %d", &pid); err != nil {
		t.Fatal(err)
	}
	if err := c.SetMark(m); err != nil {
		t.Fatal(err)
	}
	if got := MarkOf(c.PID()); got != m {
		t.Errorf("marked %#x, want %#x", got, uint64(m))
	}
	if MarkOf(pid) == m || MarkOf(os.Getpid()) == m {
		t.Error("a mark that others have not")
	}
	is := func(got uint64) bool { return got == m }
	if KillMarked(pid, is) {
		t.Error("killed one without the mark")
	}
	own := func(id int) func(uint64, func() int) bool {
		return func(got uint64, session func() int) bool { return got == m && session() == id }
	}
	if n := EndMarked(own(1 << 30)); n != 0 {
		t.Errorf("killed %d in no session", n)
	}
	if n := EndMarked(own(Session())); n != 1 {
		t.Errorf("killed %d, want 1", n)
	}
	if s := exit(c.Process); s.Signal != unix.SIGKILL {
		t.Errorf("Exit = %+v", s)
	}
	if err := c.SetMark(m); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("marked the dead: %v", err)
	}
}

func TestMarkCloexec(t *testing.T) {
	noLeak(t)
	for _, how := range []string{"close_range", "listed"} {
		spec := child("cloexec", how)
		spec.Extra = []int{2, 2, 2, 2}
		c := start(t, spec)
		if out, _ := io.ReadAll(c.out); string(out) != "open 3\n" {
			t.Errorf("%s: %q, want descriptor 3 alone", how, out)
		}
	}
	if err := MarkCloexec(-1); err == nil {
		t.Error("MarkCloexec(-1) did not fail")
	}
}
