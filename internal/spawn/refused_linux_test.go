package spawn

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// refuse makes system calls fail for the time of a test, as an old kernel or a
// sandbox does.
func refuse(t *testing.T, err error, names ...string) {
	old := sys
	t.Cleanup(func() {
		sys = old
		noClonePidFD.Store(false)
		noDeathSignal.Store(false)
	})
	for _, name := range names {
		switch name {
		case "CLONE_PIDFD":
			sys.forkExec = func(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
				if attr.Sys.PidFD != nil {
					return 0, err
				}
				return old.forkExec(path, argv, attr)
			}
		case "prctl":
			inner := sys.forkExec
			sys.forkExec = func(path string, argv []string, attr *syscall.ProcAttr) (int, error) {
				if attr.Sys.Pdeathsig != 0 {
					return 0, err
				}
				return inner(path, argv, attr)
			}
		case "waitid":
			sys.waitid = func(int, int, *unix.Siginfo, int, *unix.Rusage) error { return err }
		case "pidfd_open":
			sys.pidfdOpen = func(int, int) (int, error) { return -1, err }
		case "pidfd_send_signal":
			sys.pidfdSendSignal = func(int, unix.Signal, *unix.Siginfo, int) error { return err }
		case "P_PIDFD":
			sys.waitid = func(idType, id int, info *unix.Siginfo, options int, usage *unix.Rusage) error {
				if idType == unix.P_PIDFD {
					return err
				}
				return old.waitid(idType, id, info, options, usage)
			}
		case "close_range":
			sys.closeRange = func(uint, uint, uint) error { return err }
		case "prlimit64":
			sys.prlimit = func(int, int, *unix.Rlimit, *unix.Rlimit) error { return err }
		default:
			t.Fatalf("%s?", name)
		}
	}
}

// Whatever is refused: children start, end, are killed and reaped.
func TestRefused(t *testing.T) {
	for _, err := range []error{unix.ENOSYS, unix.EPERM} {
		for _, names := range []string{
			"CLONE_PIDFD", "CLONE_PIDFD pidfd_open", "pidfd_send_signal", "P_PIDFD",
			"prctl", "waitid", "CLONE_PIDFD prctl",
			"CLONE_PIDFD pidfd_open pidfd_send_signal waitid prctl close_range prlimit64",
		} {
			t.Run(names+" "+err.Error(), func(t *testing.T) {
				noLeak(t)
				refuse(t, err, strings.Fields(names)...)
				for _, code := range []int{0, 3} {
					p, err := Start(child("exit", strconv.Itoa(code)))
					if err != nil {
						t.Fatal(err)
					}
					if s := exit(p); s.ExitCode != code || s.Unknown {
						t.Errorf("Exit = %+v, want code %d", s, code)
					}
				}
				c := start(t, child("wait"))
				c.line(t)
				if err := c.Kill(); err != nil {
					t.Error(err)
				}
				if s := exit(c.Process); s.Signal != unix.SIGKILL {
					t.Errorf("Exit = %+v", s)
				}
				if err := c.Kill(); !errors.Is(err, os.ErrProcessDone) {
					t.Errorf("Kill after the end: %v", err)
				}
				// An error of the program's is not taken for a refusal.
				if _, err := Start(Spec{Path: "/no/such/program"}); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// Marked processes are found and ended without pidfds.
func TestMarksWithoutPidFD(t *testing.T) {
	noLeak(t)
	refuse(t, unix.EPERM, "pidfd_open", "pidfd_send_signal")
	const m = 1<<62 + 54321
	c := start(t, child("wait"))
	c.line(t)
	if err := c.SetMark(m); err != nil {
		t.Fatal(err)
	}
	if n := EndMarked(func(got uint64, _ func() int) bool { return got == m }); n != 1 {
		t.Errorf("killed %d, want 1", n)
	}
	if s := exit(c.Process); s.Signal != unix.SIGKILL {
		t.Errorf("Exit = %+v", s)
	}
}

// Without /proc descriptors are marked by trying every number.
func TestMarkEach(t *testing.T) {
	noLeak(t)
	spec := child("cloexec", "each")
	spec.Extra = []int{2, 2, 2, 2}
	c := start(t, spec)
	if out, _ := io.ReadAll(c.out); string(out) != "open 3\n" {
		t.Errorf("%q, want descriptor 3 alone", out)
	}
}

// A child that has ended before anybody waits for it is found also where its pidfd
// tells of the end, which it does once, and cannot be reaped by.
func TestEndsBeforeTheWait(t *testing.T) {
	noLeak(t)
	refuse(t, unix.EPERM, "P_PIDFD")
	spec := child("exit", "3")
	pid, pidFD, err := fork(selfExe, spec.Args, syscall.ProcAttr{Env: spec.Env})
	if err != nil || pidFD < 0 {
		t.Fatal(pidFD, err)
	}
	p := newProcess(pid, pidFD)
	for ended := false; !ended; ended = readable(uintptr(pidFD)) {
		runtime.Gosched()
	}
	<-time.After(10 * time.Millisecond) // the poller hears of it
	go p.watch()
	if s := exit(p); s.ExitCode != 3 || s.Unknown {
		t.Errorf("Exit = %+v", s)
	}
}
