package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"multiproc/internal/failpoint"
	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/spawn"
	"multiproc/internal/wire"
)

// life is what ends a child from outside.
type life struct {
	f        *family
	control  *fdpass.Conn
	ctx      context.Context
	cancel   context.CancelCauseFunc
	grace    time.Duration
	spare    bool // it waited for its task
	shielded bool // StartOptions.IgnoreSignals
	starter  int  // pid, as the kernel gave it to this process when it began

	gone    sync.Once  // closes Parent().done
	orphan  sync.Once  // orphaned
	ending  sync.Mutex // held for ever by whoever ends the process
	program Programs

	resting atomic.Int32 // goroutines of the library that do nothing for others, see robust.Retire
}

// listen reads what the starter says. The end of the stream is the starter's
// end, and ours.
func (l *life) listen() {
	for ; ; l.resting.Add(1) { // it is counted when it begins
		payload, fds, err := l.control.ReadFrame()
		l.resting.Add(-1)
		if err != nil {
			l.alone()
			return
		}
		closeFDs(fds)
		m, err := wire.Decode(payload)
		if err != nil {
			continue
		}
		if m, ok := m.(*wire.Cancel); ok {
			cause := mperr.Arrived(m.Cause, mperr.Sentinels(m.CauseNames))
			if errors.Is(cause, mperr.ErrOrphaned) {
				l.orphaned() // with our starter, who will not see it through
				continue
			}
			// The starter kills us when the grace is over.
			l.cancel(cause)
		}
	}
}

// alone is called when the starter is gone.
func (l *life) alone() {
	l.gone.Do(func() { close(Parent().done) })
	l.orphaned()
}

// orphaned ends this process and all that it has started: everybody hears of
// it now, so that the graces of the generations do not add up.
func (l *life) orphaned() {
	l.orphan.Do(func() {
		for _, c := range offspring.list() {
			c.tell(mperr.ErrOrphaned)
		}
		if !l.shielded {
			l.finish()
			return
		}
		go func() {
			l.outlive()
			l.finish()
		}()
	})
}

func (l *life) finish() {
	l.cancel(mperr.ErrOrphaned)
	l.dieAfter(min(l.grace, orphanGrace))
}

// outlive waits until those are gone that may be served by this process: its
// siblings, who have half a second.
func (l *life) outlive() {
	const look = 5 * time.Millisecond
	for range orphanGrace / look {
		if !l.f.table.Served() {
			return
		}
		time.Sleep(look)
	}
}

// hear are the signals that a child takes note of: from before its task begins,
// or one in its first moments would end it without its grace.
func hear() chan os.Signal {
	// Ctrl-C is the starter's to deal with. Caught and dropped, not ignored:
	// programs that the task starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	heard := make(chan os.Signal, 4)
	signal.Notify(heard, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(heard, syscall.SIGHUP)
	}
	return heard
}

// signals makes SIGTERM and SIGHUP a cancellation with grace. SIGTERM is also
// what the kernel sends when the starter is gone.
func signals(heard <-chan os.Signal, begun <-chan *life, starter int) {
	var l *life
	var early os.Signal
	var look <-chan time.Time
	for l == nil {
		select {
		case l = <-begun:
		case early = <-heard:
			look = time.After(dyingDelay)
		case <-look:
			if os.Getppid() != starter {
				os.Exit(exitOK)
			}
		}
	}
	act := func(sig os.Signal) {
		l.resting.Add(-1)
		defer l.resting.Add(1)
		l.signal(sig)
	}
	if early != nil && !l.spare { // for spares nobody knew of this task yet
		act(early)
	}
	for sig := range heard {
		act(sig)
	}
}

// dyingDelay is how long the death of a starter may take, from thread to files.
const dyingDelay = 50 * time.Millisecond

func (l *life) signal(sig os.Signal) {
	if sig == syscall.SIGQUIT {
		dump()
		return
	}
	// The kernel sends SIGTERM when the starter's thread has ended, which may be
	// before its files are closed and listen sees the end of the socket.
	select {
	case <-Parent().done:
		return
	case <-time.After(dyingDelay):
	}
	switch {
	case os.Getppid() != l.starter, !l.f.table.Live(l.f.starter), spawn.Dying(l.starter):
		l.alone()
	case !l.shielded:
		l.terminate(sig)
	}
}

// terminate ends the task as Cancel does, because somebody outside wants it.
func (l *life) terminate(sig os.Signal) {
	cause := fmt.Errorf("%w (%v): %w", mperr.ErrTerminated, sig, context.Canceled)
	// First, so that it is there before the answer. A starter that does not read
	// must not keep us.
	told := make(chan struct{})
	go func() {
		defer close(told)
		_ = l.control.WriteFrame(wire.Append(nil, &wire.Cancel{Cause: cause.Error(), CauseNames: mperr.Names(cause)}), nil)
	}()
	select {
	case <-told:
	case <-time.After(dyingDelay):
	}
	l.cancel(cause)
	l.dieAfter(l.grace)
}

// dump prints what all goroutines do, as SIGQUIT asks for, and the process goes
// on.
func dump() {
	b := make([]byte, 1<<20)
	fmt.Fprintf(os.Stderr, "SIGQUIT: %s (pid %d) goes on\n%s\n", Self().Name, os.Getpid(), b[:runtime.Stack(b, true)])
}

func (l *life) dieAfter(grace time.Duration) {
	time.AfterFunc(grace, func() {
		// Our starter may be gone, who would see to this and tell the family of
		// our death.
		l.endPrograms()
		l.f.table.Bump()
		spawn.KillSelf()
	})
}

func (l *life) endPrograms() { endPrograms(l.f, l.f.table.Self(), os.Getpid()) }

// end sends the answer, gives back what this process holds of others, and
// exits.
func (l *life) end(f *family, o *outcome, out *export) {
	l.ending.Lock()
	if l.program == EndAllPrograms || o.code == exitPanic || l.ctx.Err() != nil {
		l.endPrograms()
	}
	err := l.control.WriteFrame(wire.Append(nil, o.answer), nil)
	if err == nil {
		failpoint.Hit("result.sent")
		out.commit(Parent().Name())
	} else {
		// A result above the size of a frame, for example. If it is the
		// starter that is gone, nobody hears this either.
		out.rollback()
		o.fail(fmt.Errorf("send the result: %w", err))
		_ = l.control.WriteFrame(wire.Append(nil, o.answer), nil)
	}
	leaveAll()
	if robust.Retire(1, int(l.resting.Load())) { // it holds its slot's life lock
		f.table.Leave()
	}
	os.Exit(o.code)
}
