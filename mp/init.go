package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"multiproc/internal/failpoint"
	"multiproc/internal/fdbroker"
	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/spawn"
	"multiproc/internal/wire"
	"multiproc/mp/executor"
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
	starter, heard, begun := os.Getppid(), hear(), make(chan *life, 1)
	go signals(heard, begun, starter)
	// From here on the end of our starter is a request. Where the kernel does
	// not take the wish it stays SIGKILL.
	resting := int32(4) // this goroutine, those of signals and listen, and package os/signal's
	if spawn.Soften() == nil {
		resting++
	}
	runtime.UnlockOSThread()
	payload, fds, err := control.ReadFrame()
	lost := errors.Is(err, fdpass.ErrLost)
	if err != nil && !lost {
		os.Exit(exitOK) // a spare whose starter has ended
	}
	m, err := wire.Decode(payload)
	start, ok := m.(*wire.Start)
	if err != nil || !ok {
		giveUp(fmt.Errorf("first message %T: %w", m, err))
	}
	self.Store(&Info{PID: os.Getpid(), Name: start.Name, identity: start.Identity})
	spawn.NameProcess(start.Name)
	parent.Store(&ParentProcess{pid: int(start.ParentPID), name: start.ParentName, done: make(chan struct{})})
	if start.MaxProcs > 0 {
		runtime.GOMAXPROCS(int(start.MaxProcs))
	}
	if start.MemoryLimit > 0 {
		debug.SetMemoryLimit(start.MemoryLimit)
	}
	f, err := theFamily()
	if err != nil {
		giveUp(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if start.Deadline != 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, time.Unix(0, start.Deadline))
		defer stop()
	}
	ctx = executor.Extract(ctx, start.Carried)
	life := &life{
		f: f, control: control, ctx: ctx, cancel: cancel, grace: time.Duration(start.GraceNanos), starter: starter,
		spare: start.Spare, shielded: start.IgnoreSignals, program: Programs(start.Programs),
	}
	_ = spawn.SetMark(uint64(newMark(f.table.Family(), f.table.Self(), life.program)))
	if life.shielded {
		f.table.Serve()
		signal.Notify(heard, syscall.SIGQUIT)
	}
	life.resting.Store(resting)
	begun <- life
	go life.listen()

	in := &arrival{f: f, fds: fds}
	// The answer's handles wait with the root until the starter asks for them.
	// Its time limit for that is what ends this process by force.
	out := &export{f: f, ctx: context.Background(), to: fdbroker.ToProcess(f.starter)}
	// Deferred: also when the task has ended this goroutine by runtime.Goexit.
	var o outcome
	defer func() {
		in.close()
		life.end(f, &o, out)
	}()
	if lost {
		o.fail(fmt.Errorf("arguments: %w", fdpass.ErrLost))
		return
	}
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
		stack := string(debug.Stack())
		if !start.Quiet {
			// As the runtime does for a panic that nobody recovers: who looks at the
			// terminal sees it, also if nobody waits for the process.
			fmt.Fprintf(os.Stderr, "%s (%s, pid %d): panic: %s\n\n%s\n", start.Name, start.Task, os.Getpid(), text, stack)
		}
		o.answer = &wire.Failure{Message: text, Stack: stack, Names: mperr.Names(err), Panic: true}
		o.code = exitPanic
	}()
	b, err := body(ctx, start.Args, in, out)
	returned = true
	if err == nil {
		err = out.offer()
	}
	if err != nil {
		out.rollback() // of a result that could not be encoded to its end
		o.fail(err)
		return
	}
	failpoint.Hit("result.offered")
	o.answer, o.code = &wire.Result{Parcel: out.id, Payload: b}, exitOK
}

func (o *outcome) fail(err error) {
	o.answer, o.code = &wire.Failure{Message: err.Error(), Names: mperr.Names(err)}, exitError
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		shm.CloseFD(fd)
	}
}
