// Package childtest lets a test binary play its own child processes: real
// processes that can be killed at any moment, talk to the test in lines of
// text, and never outlive it.
package childtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// envRole names the function that a child runs, and its arguments.
const envRole = "MP_CHILDTEST"

// envEmulator names the program that runs test binaries of another
// architecture, as go test -exec does.
const envEmulator = "MP_EMULATOR"

// Emulated reports whether this is the binary of another architecture, which an
// emulator runs.
func Emulated() bool { return os.Getenv(envEmulator) != "" }

// Timeout is how long a test waits for a line of a child before it fails. It
// bounds a hang and is no measure of speed.
const Timeout = 20 * time.Second

// Main is the body of TestMain. In a child it runs the role and ends the
// process; a role that returns has succeeded.
func Main(m *testing.M, roles map[string]func(*Self)) {
	spec := os.Getenv(envRole)
	if spec == "" {
		os.Exit(m.Run())
	}
	_ = os.Unsetenv(envRole)
	args := strings.Split(spec, "\x1f")
	role, ok := roles[args[0]]
	if !ok {
		fmt.Fprintf(os.Stderr, "no role %q\n", args[0])
		os.Exit(2)
	}
	role(&Self{Args: args[1:], in: bufio.NewReader(os.Stdin)})
	os.Exit(0)
}

// Self is the child's end of the conversation.
type Self struct {
	Args []string
	in   *bufio.Reader
}

// Say sends a line to the test.
func (s *Self) Say(format string, a ...any) {
	if _, err := fmt.Fprintf(os.Stdout, format+"\n", a...); err != nil {
		os.Exit(3) // the test is gone
	}
}

// Hear waits for a line from the test, and ends the process when the test is
// gone or has nothing more to say.
func (s *Self) Hear() string {
	line, err := s.in.ReadString('\n')
	if err != nil {
		os.Exit(0)
	}
	return strings.TrimSuffix(line, "\n")
}

// Check ends the process with a message if err is not nil.
func (s *Self) Check(err error) {
	if err != nil {
		s.Say("error: %v", err)
		os.Exit(1)
	}
}

// Child is the test's end.
type Child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	r   *os.File
	out *bufio.Reader
}

// Options are what a child is started with beside its role.
type Options struct {
	Files []*os.File // descriptors 3, 4, … of the child
	Env   []string
}

// Start starts a child. It is killed at the end of the test at the latest.
func Start(t testing.TB, o Options, role string, args ...string) *Child {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{os.Args[0], "-test.run=^$"}
	if emulator := os.Getenv(envEmulator); emulator != "" {
		argv = append([]string{emulator}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), o.Env...)
	cmd.Env = append(cmd.Env, envRole+"="+strings.Join(append([]string{role}, args...), "\x1f"))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = w, os.Stderr, o.Files
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	c := &Child{t: t, cmd: cmd, in: in, r: r, out: bufio.NewReader(r)}
	t.Cleanup(func() {
		c.Kill()
		_ = r.Close()
	})
	return c
}

// PID is the child's process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Say sends a line to the child.
func (c *Child) Say(format string, a ...any) {
	_, _ = fmt.Fprintf(c.in, format+"\n", a...) // a dead child shows in Hear
}

// Line waits for a line of the child; false means that the child has ended.
func (c *Child) Line() (string, bool) {
	c.t.Helper()
	_ = c.r.SetReadDeadline(time.Now().Add(Timeout))
	line, err := c.out.ReadString('\n')
	if err == io.EOF {
		return "", false
	}
	if err != nil {
		c.t.Fatalf("child %d said nothing: %v", c.PID(), err)
	}
	return strings.TrimSuffix(line, "\n"), true
}

// Hear waits for a line and fails the test if the child ends instead.
func (c *Child) Hear() string {
	c.t.Helper()
	line, ok := c.Line()
	if !ok {
		c.t.Fatalf("child %d ended: %v", c.PID(), c.cmd.Wait())
	}
	return line
}

// Expect waits for a line and fails the test if it is another.
func (c *Child) Expect(want string) {
	c.t.Helper()
	if line := c.Hear(); line != want {
		c.t.Fatalf("child %d said %q, want %q", c.PID(), line, want)
	}
}

// Kill kills the child with SIGKILL and reaps it.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill()
	_ = c.Wait()
}

// Wait waits until the child has ended, and reaps it.
func (c *Child) Wait() error { return c.cmd.Wait() }
