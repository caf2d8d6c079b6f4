package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"syscall"

	"multiproc/internal/machine"
	"multiproc/mp"
)

// WorkerDiedError says that a worker died while it ran an item.
type WorkerDiedError struct {
	Task   string // the task's name
	Index  int    // of the item, from 0; -1 if it was submitted alone
	Worker string // the process's name
	PID    int
	State  mp.State      // how the process ended: exit code, signal
	Exit   *mp.ExitError // what is known of that, the runtime's crash report among it
	Stderr string        // the last that the worker wrote to its standard error
	Cause  error         // why the pool killed it, or had the kernel kill it
	Deaths int           // how many workers have died of the item, this one included

	// OutOfMemory says that it was for want of memory: the runtime could not get
	// any, Call.MemoryLimit was exceeded, or the kernel has killed it: with
	// Options.Cgroup that is certain, and otherwise likely if it got a SIGKILL that
	// nobody owns up to while the kernel counted such a kill. Usage is the most that
	// the process had, and Limit what it was allowed, in bytes, where they are known.
	OutOfMemory  bool
	Usage, Limit int64
}

func (e *WorkerDiedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (pid %d) died while it ran ", e.Worker, e.PID)
	if e.Index >= 0 {
		fmt.Fprintf(&b, "item %d of ", e.Index)
	}
	text := e.Exit.Error() // which begins with the process and its own task
	if _, after, ok := strings.Cut(text, "ended without an answer: "); ok {
		text = after
	}
	fmt.Fprintf(&b, "%s: %s", e.Task, text)
	if e.Cause != nil {
		fmt.Fprintf(&b, ": killed by the pool: %v", e.Cause)
	}
	if e.OutOfMemory {
		b.WriteString(": out of memory")
		if e.Usage > 0 {
			fmt.Fprintf(&b, ", %.1f MiB used", float64(e.Usage)/(1<<20))
		}
		if e.Limit > 0 && e.Limit < math.MaxInt64 {
			fmt.Fprintf(&b, " of %.1f", float64(e.Limit)/(1<<20))
		}
	}
	if e.Deaths > 1 {
		fmt.Fprintf(&b, " (%d workers have died of it)", e.Deaths)
	}
	return b.String()
}

// Unwrap returns the *mp.ExitError, and why the pool killed the worker, if it did.
func (e *WorkerDiedError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Exit}
	}
	return []error{e.Exit, e.Cause}
}

// retryable is the default of Retry.If.
func retryable(e *WorkerDiedError) bool {
	if e.Cause != nil || e.OutOfMemory || e.Exit.Crash != "" {
		return false
	}
	switch e.State.Signal {
	case syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGILL, syscall.SIGFPE, syscall.SIGABRT:
		return false
	}
	return true
}

// obituary is the error of the item that a dead worker was at. mu is held.
func (h *hand) obituary(is *issued, index int) *WorkerDiedError {
	err := &WorkerDiedError{
		Task: is.s.job.Task, Index: index, Worker: h.name, PID: h.proc.PID(), State: h.proc.State(),
		Stderr: h.stderr.String(), Cause: h.why,
	}
	if !errors.As(h.proc.Wait(context.Background()), &err.Exit) { // it has answered, with an error of its own
		err.Exit = &mp.ExitError{Task: err.Task, Name: h.name, PID: err.PID, State: err.State}
	}
	if is.s.job.Deliver != nil {
		err.Index = -1
	}
	err.Usage = err.State.MaxRSS
	kills := machine.OutOfMemoryKills()
	switch {
	case h.kills > 0 && h.why == nil && err.State.Signal == syscall.SIGKILL:
		err.OutOfMemory, err.Limit, err.Usage = true, is.s.c.MemoryLimit, max(err.Usage, h.peak)
		if h.p.kills = kills; err.Limit > 0 {
			err.Cause = ErrMemoryLimit
		}
	case errors.Is(h.why, ErrMemoryLimit):
		err.OutOfMemory, err.Limit, err.Usage = true, is.s.c.MemoryLimit, max(err.Usage, is.memory)
	// A runtime that gets no memory does not always come to say so.
	case strings.Contains(err.Exit.Error(), "out of memory"),
		h.why == nil && err.Exit.Crash != "" && h.p.o.Start.MemoryLimit > 0 && err.Usage >= h.p.o.Start.MemoryLimit:
		err.OutOfMemory, err.Limit = true, h.p.o.Start.MemoryLimit
	case h.why == nil && err.State.Signal == syscall.SIGKILL && kills > h.p.kills:
		err.OutOfMemory, err.Limit = true, machine.Memory()
		h.p.kills = kills
	}
	return err
}

// tail passes on what a worker writes, and keeps the end of it.
type tail struct {
	mu  sync.Mutex
	to  io.Writer
	end []byte
}

const tailSize = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	t.end = append(t.end, b...)
	if n := len(t.end) - tailSize; n > 0 {
		t.end = append(t.end[:0], t.end[n:]...)
	}
	t.mu.Unlock()
	return t.to.Write(b)
}

// String is the end of what was written, in whole lines.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := string(t.end)
	if len(s) == tailSize {
		_, s, _ = strings.Cut(s, "\n")
	}
	return s
}
