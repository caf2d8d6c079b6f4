package busypoll

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/mptest"
)

func TestMain(m *testing.M) {
	childtest.Main(m, map[string]func(*childtest.Self){"computes": computes})
}

// computes reads from one socket by a Reader and computes as soon as something
// has come, until something has come from the other socket too.
func computes(self *childtest.Self) {
	a, b := fileConn(self, 3), fileConn(self, 4)
	var heard atomic.Bool
	go func() {
		if _, err := b.Read(make([]byte, 1)); err == nil {
			heard.Store(true)
		}
	}()
	r := New(a)
	for {
		if _, err := r.Read(make([]byte, 1)); err != nil {
			return
		}
		for begin := time.Now(); !heard.Load(); {
			if time.Since(begin) > childtest.Timeout/2 {
				self.Say("frozen")
				return
			}
		}
		self.Say("heard")
	}
}

func fileConn(self *childtest.Self, fd uintptr) net.Conn {
	c, err := net.FileConn(os.NewFile(fd, "socket"))
	self.Check(err)
	return c
}

// A goroutine that computes after a Read does not keep the rest of its process
// from the network, however long the process has been idle before.
func TestComputingAfterReadFreezesNothing(t *testing.T) {
	var ours [2]*os.File
	var theirs []*os.File
	for i := range ours {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours[i] = os.NewFile(uintptr(fds[0]), "ours")
		theirs = append(theirs, os.NewFile(uintptr(fds[1]), "theirs"))
		defer ours[i].Close()
	}
	child := childtest.Start(t, childtest.Options{Files: theirs}, "computes")
	for _, f := range theirs {
		_ = f.Close()
	}
	before := ""
	quiet := 0 // times in a row that nothing of the child had run
	mptest.Eventually(t, func() bool {
		now := switches(t, child.PID())
		if quiet++; now != before {
			quiet = 0
		}
		before = now
		return quiet >= 5
	}, "the child is idle")
	for _, f := range ours {
		if _, err := io.WriteString(f, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := child.Hear(); got != "heard" {
		t.Errorf("while one goroutine computes the network is %s", got)
	}
}

// switches is what changes when any thread of a process runs.
func switches(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		b, _ := os.ReadFile(name)
		_, counts, _ := strings.Cut(string(b), "voluntary_ctxt_switches")
		_, state, _ := strings.Cut(string(b), "State:")
		fmt.Fprintln(&all, name, state[:3], counts)
	}
	return all.String()
}
