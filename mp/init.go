package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/internal/spawn"
	"multiproc/internal/wire"
)

var initialized atomic.Bool

// In a child main begins, and comes to Init, on the main thread, as package
// initialization does: only there can the child say what is to happen at the
// end of its starter.
func init() {
	if os.Getenv(envMark) != "" {
		runtime.LockOSThread()
	}
}

// Init must be the first line of main. In the process that the user started
// it returns at once. In a child it runs the task that the child was started
// for, and never returns: the process exits when the task is done.
//
// What Go runs before main runs in every child: package initialization should
// open no sockets and parse no flags.
func Init() {
	tasks.Lock()
	tasks.closed = true
	tasks.Unlock()
	mark := os.Getenv(envMark)
	if mark == "" {
		initialized.Store(true)
		return
	}
	place, err := parseMark(mark)
	if err != nil {
		giveUp(err)
	}
	// Before anything else: what we inherited must not leak into programs
	// that the task starts, or nobody would ever see the end of our sockets.
	_ = os.Unsetenv(envMark)
	if err := spawn.MarkCloexec(fdControl); err != nil {
		giveUp(err)
	}
	// Ctrl-C is the starter's to deal with. Caught and dropped, not ignored:
	// programs that the task starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	crash := os.NewFile(fdCrash, "crash report")
	if err := debug.SetCrashOutput(crash, debug.CrashOptions{}); err != nil {
		giveUp(err)
	}
	_ = crash.Close() // the runtime has a duplicate
	if err := join(place); err != nil {
		giveUp(err)
	}
	control, err := fdpass.FromFD(fdControl)
	if err != nil {
		giveUp(err)
	}
	initialized.Store(true)
	serve(control)
}

// giveUp ends a child that cannot even hear what it is wanted for. The starter
// sees an *ExitError; the text goes where its own messages go.
func giveUp(err error) {
	fmt.Fprintln(os.Stderr, "multiproc: a child cannot start:", err)
	os.Exit(exitNoInit)
}

// Exit codes of a child.
const (
	exitOK     = 0
	exitError  = 1 // the task returned an error
	exitPanic  = 2 // the task panicked, like any Go program
	exitNoInit = 3 // the child could not begin
)

// refuseChild ends a child that has got as far as Start without Init: it runs
// main again, and would start children that run main again.
func refuseChild() {
	if os.Getenv(envMark) != "" {
		giveUp(fmt.Errorf("%w; call it first in main", mperr.ErrNoInit))
	}
}

// serve waits for the task, runs it, answers and exits.
func serve(control *fdpass.Conn) {
	// Before the task begins, or a SIGTERM in its first moments would end it
	// without its grace. One that comes before there is a task ends a spare.
	term, begun := make(chan os.Signal, 1), make(chan *life, 1)
	signal.Notify(term, syscall.SIGTERM)
	go signals(term, begun)
	// From here on the end of our starter is a request. Where the kernel does
	// not take the wish it stays SIGKILL.
	_ = spawn.Soften()
	runtime.UnlockOSThread()
	payload, fds, err := control.ReadFrame()
	if err != nil {
		os.Exit(exitOK) // a spare whose starter has ended
	}
	m, err := wire.Decode(payload)
	start, ok := m.(*wire.Start)
	if err != nil || !ok {
		giveUp(fmt.Errorf("first message %T: %w", m, err))
	}
	self.Store(&Info{PID: os.Getpid(), Name: start.Name, identity: start.Identity})
	parent.Store(&ParentProcess{pid: int(start.ParentPID), name: start.ParentName, done: make(chan struct{})})
	if start.MaxProcs > 0 {
		runtime.GOMAXPROCS(int(start.MaxProcs))
	}
	if start.MemoryLimit > 0 {
		debug.SetMemoryLimit(start.MemoryLimit)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	life := &life{control: control, cancel: cancel, grace: time.Duration(start.GraceNanos)}
	begun <- life
	go life.listen()

	f, err := theFamily()
	if err != nil {
		giveUp(err)
	}
	in := &arrival{f: f, fds: fds}
	out := &export{f: f, beside: true, to: f.starter}
	// Deferred: also when the task has ended this goroutine by runtime.Goexit.
	var o outcome
	defer func() {
		in.close()
		life.end(f, &o, out)
	}()
	o.run(ctx, start, in, out)
}

// outcome is what became of the task.
type outcome struct {
	answer wire.Message
	code   int
}

// run calls the task on this goroutine, which is the main thread's: some C
// libraries want that.
func (o *outcome) run(ctx context.Context, start *wire.Start, in *arrival, out *export) {
	body, ok := lookup(start.Task)
	if !ok {
		o.fail(errors.New("this program has no task of that name"))
		return
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		text := fmt.Sprint(value)
		if err, ok := value.(error); ok {
			text = err.Error()
		}
		if value == nil {
			text = "runtime.Goexit was called"
		}
		err, _ := value.(error)
		o.answer = &wire.Failure{Message: text, Stack: string(debug.Stack()), Names: mperr.Names(err), Panic: true}
		o.code = exitPanic
	}()
	b, err := body(ctx, start.Args, in, out)
	returned = true
	if err != nil {
		out.rollback() // of a result that could not be encoded to its end
		o.fail(err)
		return
	}
	o.answer, o.code = &wire.Result{Payload: b}, exitOK
}

func (o *outcome) fail(err error) {
	o.answer, o.code = &wire.Failure{Message: err.Error(), Names: mperr.Names(err)}, exitError
}

// life is what ends a child from outside.
type life struct {
	control *fdpass.Conn
	cancel  context.CancelCauseFunc
	grace   time.Duration
	ending  sync.Mutex // held for ever by whoever ends the process
}

// listen reads what the starter says. The end of the stream is the starter's
// end, and ours.
func (l *life) listen() {
	for {
		payload, fds, err := l.control.ReadFrame()
		if err != nil {
			close(Parent().done)
			l.orphaned()
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

// orphaned ends this process and all that it has started: everybody hears of
// it now, so that the graces of the generations do not add up.
func (l *life) orphaned() {
	l.cancel(mperr.ErrOrphaned)
	dieAfter(min(l.grace, orphanGrace))
	for _, c := range offspring.list() {
		c.tell(mperr.ErrOrphaned)
	}
}

// signals makes SIGTERM a cancellation with grace. It is also what the kernel
// sends when the starter is gone.
func signals(term <-chan os.Signal, begun <-chan *life) {
	var l *life
	select {
	case <-term:
		// The task may have begun before this goroutine first ran: then both
		// are ready, and select picks either.
		select {
		case l = <-begun:
		default:
			os.Exit(exitOK)
		}
	case l = <-begun:
		<-term
	}
	// The kernel sends it when the starter's thread has ended, which may be
	// before its files are closed and listen sees the end of the socket.
	select {
	case <-Parent().done:
		return
	case <-time.After(dyingDelay):
	}
	l.cancel(errTerminated)
	dieAfter(l.grace)
}

// dyingDelay is how long the death of a starter may take, from thread to files.
const dyingDelay = 50 * time.Millisecond

var errTerminated = fmt.Errorf("terminated by a signal: %w", context.Canceled)

func dieAfter(grace time.Duration) {
	time.AfterFunc(grace, func() {
		// Our starter may be gone, who would tell the family of our death.
		if f, err := theFamily(); err == nil {
			f.table.Bump()
		}
		spawn.KillSelf()
	})
}

// end sends the answer, gives back what this process holds of others, and
// exits.
func (l *life) end(f *family, o *outcome, out *export) {
	l.ending.Lock()
	err := l.control.WriteFrame(wire.Append(nil, o.answer), out.fds)
	if err == nil {
		out.commit()
	} else {
		// A result above the size of a frame, for example. If it is the
		// starter that is gone, nobody hears this either.
		out.rollback()
		o.fail(fmt.Errorf("send the result: %w", err))
		_ = l.control.WriteFrame(wire.Append(nil, o.answer), nil)
	}
	leaveAll()
	if !robust.Asleep() {
		f.table.Leave()
	}
	os.Exit(o.code)
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		shm.CloseFD(fd)
	}
}
