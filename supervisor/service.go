package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/mp"
)

// Restart says when a service that has ended is started again.
type Restart int

const (
	// Permanent services are started again whenever they end.
	Permanent Restart = iota
	// Transient ones are started again when they have failed: with an error, a
	// panic, a signal. One that returns nil is finished, for good: OTP starts it
	// again with others.
	Transient
	// Temporary ones never are, not even with others, under OneForAll and
	// RestForOne.
	Temporary
)

// String is the constant's name in lower case.
func (r Restart) String() string {
	switch r {
	case Permanent:
		return "permanent"
	case Transient:
		return "transient"
	case Temporary:
		return "temporary"
	}
	return fmt.Sprintf("Restart(%d)", int(r))
}

// Service is something that a Supervisor keeps alive; Task, TaskFunc and Func
// make one. It is a value, and may be given to several supervisors.
type Service struct {
	name    string
	restart Restart
	ready   func(context.Context) error
	grace   time.Duration // of a Func

	start func(ctx context.Context, grace time.Duration) (instance, error)
}

// instance is a service that runs, or ran.
type instance interface {
	// done is closed when it has ended; err is why, once it has.
	done() <-chan struct{}
	err() error
	// cancel asks it to end, with force when its grace is over, and does not
	// wait. It is called once.
	cancel(cause error)
	// abandoned is closed when it has not ended in spite of everything.
	abandoned() <-chan struct{}
	pid() int
}

// Name is what the service is called in events, errors and Status.
func (s Service) Name() string { return s.name }

// With returns the service with another Restart than Permanent.
func (s Service) With(r Restart) Service {
	s.restart = r
	return s
}

// Ready returns the service with a function that returns when the service can
// be used, for example by dialling it. Services behind it in the order are
// started after that. If it returns an error, or the service ends before, the
// service has failed. Its context ends then, and when the service is to stop.
// Other services are kept alive meanwhile, so it may wait for one of those in
// front.
func (s Service) Ready(f func(ctx context.Context) error) Service {
	s.ready = f
	return s
}

// Task is a service in a process of its own, started with these arguments each
// time. How it is stopped, StartOptions.Grace for example, is the task's: see
// mp.Task.With. An end of a pipe moves to the first process that gets it: use
// TaskFunc to make a new one for each.
func Task[A, R any](name string, task *mp.Task[A, R], args A) Service {
	return TaskFunc(name, task, func(context.Context) (A, error) { return args, nil })
}

// TaskFunc is Task whose arguments are made anew for each start. An error of
// args is a failure of the service. The supervisor does nothing else until args
// returns, so it must not wait for another service.
func TaskFunc[A, R any](name string, task *mp.Task[A, R], args func(ctx context.Context) (A, error)) Service {
	return Service{name: name, start: func(ctx context.Context, _ time.Duration) (instance, error) {
		a, err := args(ctx)
		if err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", name, err)
		}
		// The supervisor stops its services one by one, so the end of its context
		// is not theirs.
		p, err := task.Start(context.WithoutCancel(ctx), a)
		if err != nil {
			return nil, err
		}
		return process{p}, nil
	}}
}

// process is a task that runs.
type process struct{ mp.Child }

func (p process) done() <-chan struct{}      { return p.Done() }
func (p process) err() error                 { return p.Wait(context.Background()) }
func (p process) cancel(cause error)         { p.Cancel(cause) }
func (p process) abandoned() <-chan struct{} { return nil } // SIGKILL ends every process
func (p process) pid() int                   { return p.PID() }

// Grace returns the service with a bound on how long a Func may take to return
// when it is stopped; 0, the default, is none. A function cannot be killed: one
// that takes longer is abandoned, and the supervisor goes on as if it had
// returned ErrAbandoned. It does nothing for a Task, whose grace is in its
// mp.StartOptions.
func (s Service) Grace(d time.Duration) Service {
	s.grace = d
	return s
}

// Func is a service in this process: f runs in a goroutine of its own until its
// context ends. A supervisor within another one is Func(name, inner.Run). A panic
// in f ends the program, as every panic does.
func Func(name string, f func(ctx context.Context) error) Service {
	return Service{name: name, start: func(ctx context.Context, grace time.Duration) (instance, error) {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
		r := &routine{ended: make(chan struct{}), given: make(chan struct{}), stop: cancel, grace: grace}
		go func() {
			defer close(r.ended)
			// Deferred: a function that calls runtime.Goexit has failed.
			r.result = errGoexit
			r.result = f(ctx)
			cancel(nil)
		}()
		return r, nil
	}}
}

var errGoexit = errors.New("runtime.Goexit was called")

// ErrAbandoned is what a Func has ended with that did not return in time.
var ErrAbandoned = errors.New("the function did not return within its grace and was abandoned")

// routine is a function that runs.
type routine struct {
	ended  chan struct{}
	given  chan struct{} // closed when it was given up
	stop   context.CancelCauseFunc
	grace  time.Duration
	result error // once ended is closed
}

func (r *routine) done() <-chan struct{}      { return r.ended }
func (r *routine) err() error                 { return r.result }
func (r *routine) abandoned() <-chan struct{} { return r.given }
func (r *routine) pid() int                   { return 0 }

func (r *routine) cancel(cause error) {
	r.stop(cause)
	if r.grace > 0 {
		time.AfterFunc(r.grace, func() { close(r.given) })
	}
}
