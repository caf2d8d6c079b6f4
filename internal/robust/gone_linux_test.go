package robust

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
)

// Without a pidfd the threads of a process tell whether it runs.
func TestThreadsEnded(t *testing.T) {
	m := newMemory(t)
	c := childtest.Start(t, m.files(), "hold")
	c.Expect("held")
	if threadsEnded(c.PID()) {
		t.Error("a process that runs has ended")
	}
	_ = unix.Kill(c.PID(), unix.SIGKILL) // and not reaped
	for end := time.Now().Add(childtest.Timeout); !threadsEnded(c.PID()); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("a killed process still runs")
		}
	}
	watchGone(c.PID())
	c.Kill()
	if !threadsEnded(c.PID()) {
		t.Error("a process that was reaped still runs")
	}
}
