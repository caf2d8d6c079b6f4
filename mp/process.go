package mp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/fdbroker"
	"multiproc/internal/mperr"
	"multiproc/internal/wire"
)

// Process is a task that runs, or ran, in a process of its own. Its methods
// may be called by any number of goroutines. It needs no closing; it is reaped
// when it ends, whether anybody waits or not.
type Process[R any] struct {
	child
	result *codec.Typed[R]

	decoding chan struct{} // who decodes the result has a place in it
	decoded  bool          // value and err are final
	value    R
	err      error
	pool     runtime.Cleanup // of a result with handles in it
}

// Child is a process of any result type.
type Child interface {
	PID() int
	Name() string
	Wait(ctx context.Context) error
	Done() <-chan struct{}
	Cancel(cause error)
	Kill() error
	State() State
	Source
}

// State is what has become of a process.
type State struct {
	Running  bool
	ExitCode int            // -1 while it runs, and if a signal ended it
	Signal   syscall.Signal // that ended it; 0 if none did

	// Unknown says that something else in this program took the exit status
	// away: it waits for any child (wait4(-1)), as the first process of a
	// container does, or ignores SIGCHLD. ExitCode is then what the task's
	// answer makes it, or -1 if there was none; the rest is zero.
	Unknown bool

	User   time.Duration // processor time in the program
	System time.Duration // and in the kernel
	MaxRSS int64         // most memory in use, in bytes
}

func (s State) String() string {
	switch {
	case s.Running:
		return "running"
	case s.Signal != 0:
		return "signal: " + s.Signal.String()
	case s.Unknown && s.ExitCode < 0:
		return "exit status unknown, this program reaps children elsewhere or ignores SIGCHLD"
	case s.Unknown:
		return fmt.Sprintf("exit code %d by its answer, exit status unknown", s.ExitCode)
	}
	return fmt.Sprintf("exit code %d", s.ExitCode)
}

// child is a Process without its result type.
type child struct {
	face   Child  // the *Process itself
	unread func() // called when a result with handles in it has come
	parcel bool   // a result may mention handles
	l      *launch
	task   string
	name   string
	grace  time.Duration

	done   chan struct{} // closed when everything below is final
	answer wire.Message  // Result, Failure or nil
	state  State
	failed error // what Wait returns

	mu    sync.Mutex
	cause error // of Cancel or Kill; under mu
	told  error // why it is ending, by its own account; under mu
	force *time.Timer
}

func (c *child) init(l *launch, task, name string, grace time.Duration) {
	c.l, c.task, c.name, c.grace = l, task, name, grace
	c.done = make(chan struct{})
}

// follow watches the process until its end, and its life's context.
func (c *child) follow(ctx context.Context) {
	family := &offspring
	family.add(c)
	stop := context.AfterFunc(ctx, func() { c.Cancel(context.Cause(ctx)) })
	go func() {
		c.watch()
		stop()
		family.remove(c)
		c.settle()
		close(c.done)
	}()
}

// PID is the process id.
func (c *child) PID() int { return c.l.process.PID() }

// Name is the process's name: StartOptions.Name or its default.
func (c *child) Name() string { return c.name }

// String names the process as messages do, and says what it does.
func (c *child) String() string {
	if c.l == nil {
		return "a process that was never started"
	}
	return fmt.Sprintf("%s (%s, pid %d): %s", c.name, c.task, c.PID(), c.State())
}

// Done is closed when the process has ended and was reaped.
func (c *child) Done() <-chan struct{} { return c.done }

// State tells whether the process runs, and how it ended.
func (c *child) State() State {
	select {
	case <-c.done:
		return c.state
	default:
		return State{Running: true, ExitCode: -1}
	}
}

// Wait waits for the end of the process, or of ctx, which then is all that
// ends: the process goes on, and the error wraps ErrRunning. It returns nil if
// the task returned nil; a *RemoteError if it returned an error or panicked; an
// *ExitError if the process ended without an answer. It may be called any number
// of times. Python's join(timeout):
//
//	err := p.Wait(mp.Within(ctx, time.Second))
//	if errors.Is(err, mp.ErrRunning) { // and not a time-out of the task's own
//		…
//	}
func (c *child) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.failed
	default:
	}
	select {
	case <-c.done:
		return c.failed
	case <-ctx.Done():
		return fmt.Errorf("%s (%s, pid %d): %w: %w", c.name, c.task, c.PID(), ErrRunning, mperr.Ended(ctx))
	}
}

// Cancel ends the context of the task with this cause (nil means
// context.Canceled). If the process is still there when its grace is over, it
// is killed. Cancel does not wait. After the first one it does nothing.
func (c *child) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	c.force = time.AfterFunc(c.grace, func() { _ = c.l.process.Kill() })
	c.tell(cause)
}

// tell ends the context of the task. A child that does not read its socket
// must not block us: the grace ends it.
func (c *child) tell(cause error) {
	message := wire.Append(nil, &wire.Cancel{Cause: cause.Error(), CauseNames: mperr.Names(cause)})
	go func() { _ = c.l.control.WriteFrame(message, nil) }()
}

// Kill ends the process with SIGKILL, now. It does not wait for the end. It
// returns os.ErrProcessDone if there is no process any more.
func (c *child) Kill() error {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = errKilled
	}
	c.mu.Unlock()
	return c.l.process.Kill()
}

var errKilled = errors.New("killed")

// watch reads the child's answer and its end.
func (c *child) watch() {
	l := c.l
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		c.readAnswer()
	}()
	<-l.process.Done()
	// First of all: those who wait for what the dead has left are to look.
	l.f.table.Release(l.ref)
	// The answer may still be in the socket. A descriptor of the child's that
	// lives on in another process must not keep us waiting for its end.
	_ = l.control.SetReadDeadline(time.Now().Add(outputDelay))
	<-answered
	if c.answer == nil {
		endPrograms(l.f, l.ref, c.PID())
	}
	c.mu.Lock()
	cause := cmp.Or(c.cause, c.told)
	if c.force != nil {
		c.force.Stop()
	}
	c.mu.Unlock()
	_ = l.control.Close()
	l.output.finish()
	exit := l.process.Exit()
	c.state = State{
		ExitCode: exit.ExitCode, Signal: exit.Signal, Unknown: exit.Unknown,
		User: exit.User, System: exit.System, MaxRSS: exit.MaxRSS,
	}
	if exit.Unknown {
		c.state.ExitCode = c.answered()
	}
	c.failed = c.verdict(cause)
	_ = l.crash.Close()
}

func (c *child) readAnswer() {
	for {
		payload, fds, err := c.l.control.ReadFrame()
		if err != nil {
			return
		}
		m, err := wire.Decode(payload)
		switch m := m.(type) {
		case *wire.Cancel:
			c.mu.Lock()
			c.told = mperr.Arrived(m.Cause, mperr.Sentinels(m.CauseNames))
			c.mu.Unlock()
		case *wire.Result, *wire.Failure:
			if c.answer == nil {
				c.answer = m
			}
		}
		closeFDs(fds)
		if err != nil {
			return
		}
	}
}

// answered is the exit code of a process with this answer, -1 without one.
func (c *child) answered() int {
	switch m := c.answer.(type) {
	case *wire.Result:
		return exitOK
	case *wire.Failure:
		if m.Panic {
			return exitPanic
		}
		return exitError
	}
	return -1
}

// verdict turns the child's answer, or its silence, into what Wait returns.
// The child's own answer wins over how the process ended.
func (c *child) verdict(cause error) error {
	switch m := c.answer.(type) {
	case *wire.Result:
		return nil
	case *wire.Failure:
		causes := mperr.Sentinels(m.Names)
		if errors.Is(cause, mperr.ErrTerminated) && !slices.Contains(causes, mperr.ErrTerminated) {
			causes = append(causes, mperr.ErrTerminated) // the task mostly says "context canceled"
		}
		return &RemoteError{
			Task: c.task, Name: c.name, PID: c.PID(), Message: m.Message, Stack: m.Stack, Panic: m.Panic, causes: causes,
		}
	}
	e := &ExitError{Task: c.task, Name: c.name, PID: c.PID(), State: c.state, Crash: readCrash(c.l.crash)}
	if !errors.Is(cause, errKilled) {
		e.Cause = cause
	}
	return e
}

// settle drops what the child offered to us and did not answer with, and sees
// to it that handles in an answer that nobody reads are given back.
func (c *child) settle() {
	if !c.parcel {
		return
	}
	var id fdbroker.ID
	if m, ok := c.answer.(*wire.Result); ok {
		id = m.Parcel
	}
	c.l.f.broker.Reaped(c.l.ref, id)
	if id != (fdbroker.ID{}) {
		c.unread()
	}
}

// Result waits like Wait and returns the task's result. If handles in it cannot
// come, because this process may not open more descriptors, it says so, and may
// be called again.
func (p *Process[R]) Result(ctx context.Context) (R, error) {
	var none R
	if err := p.Wait(ctx); err != nil {
		return none, err
	}
	select {
	case p.decoding <- struct{}{}:
		defer func() { <-p.decoding }()
	case <-ctx.Done():
		return none, mperr.Ended(ctx)
	}
	if !p.decoded {
		if err := p.decode(ctx); err != nil {
			return none, err
		}
	}
	return p.value, p.err
}

// decode sets value and err. It returns an error if it is for another call to
// do that.
func (p *Process[R]) decode(ctx context.Context) error {
	m := p.answer.(*wire.Result)
	in := &arrival{f: p.l.f}
	if m.Parcel != (fdbroker.ID{}) {
		var err error
		if in, err = p.l.f.fetch(ctx, m.Parcel); err != nil {
			return fmt.Errorf("result of %s: its handles cannot come: %w", p.task, err)
		}
		p.pool.Stop()
	}
	defer in.close()
	p.decoded = true
	if err := p.result.Decode(m.Payload, &p.value, in); err != nil {
		in.drop()
		p.err = fmt.Errorf("result of %s: %w", p.task, err)
	}
	return nil
}

// keepUnread sees to it that the handles in a result that nobody asks for are
// given back when the Process is forgotten.
func (p *Process[R]) keepUnread() {
	broker := p.l.f.broker
	p.pool = runtime.AddCleanup(p, func(id fdbroker.ID) { broker.Taken(id, nil) }, fdbroker.ID(p.answer.(*wire.Result).Parcel))
}
