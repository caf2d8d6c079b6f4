package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/spawn"
	"multiproc/internal/table"
	"multiproc/internal/wire"
	"multiproc/mp/executor"
)

// With returns the task with options for the processes that are started of it.
// The task itself stays as it is:
//
//	result, err := Square.With(mp.StartOptions{MemoryLimit: 1 << 30}).Run(ctx, 7)
func (t *Task[A, R]) With(o StartOptions) *Task[A, R] {
	with := *t
	with.options = o
	return &with
}

// Start runs the task in a new process and returns when it has been handed
// its arguments. ctx is the process's life: when it ends, the task's context
// is cancelled with the same cause, and after StartOptions.Grace the process is
// killed. The task's context has ctx's deadline, and of its values
// those that a Carrier carries. Ends of
// pipes in args move to the child; other handles are shared. An error means that
// nothing was started, and nothing moved.
//
// Cost: an exec of this program, some two milliseconds, process's end included;
// 0.6 with KeepSpares.
func (t *Task[A, R]) Start(ctx context.Context, args A) (*Process[R], error) {
	p := &Process[R]{result: t.result, decoding: make(chan struct{}, 1)}
	p.face, p.unread = p, p.keepUnread
	p.parcel = t.result.HasHandles() || t.result.HasAny()
	err := start(ctx, &p.child, t.options, t.name, t.short(), func(e *export) ([]byte, error) {
		return t.args.Append(nil, &args, e)
	})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", t.name, err)
	}
	return p, nil
}

// Run starts the task and waits for its result. When ctx ends the process is
// cancelled, and Run returns when it is gone.
func (t *Task[A, R]) Run(ctx context.Context, args A) (R, error) {
	p, err := t.Start(ctx, args)
	if err != nil {
		var none R
		return none, err
	}
	return p.Result(context.WithoutCancel(ctx))
}

// Call is Run as a function for a Group, or an errgroup.Group, without the
// result.
func (t *Task[A, R]) Call(ctx context.Context, args A) func() error {
	return func() error {
		_, err := t.Run(ctx, args)
		return err
	}
}

// start begins the life of c. encode turns the arguments into bytes.
func start(ctx context.Context, c *child, o StartOptions, task, short string, encode func(*export) ([]byte, error)) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !initialized.Load() {
		refuseChild()
		return fmt.Errorf("%w: call mp.Init() first in main, or mptest.Main(m) in TestMain", mperr.ErrNoInit)
	}
	f, err := theFamily()
	if err != nil {
		return err
	}
	identity := nextIdentity()
	name := o.Name
	if name == "" {
		name = short + "-" + identity
	}
	l, err := launchOrSpare(ctx, f, &o, name)
	if errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("%w: no descriptors are left in this process for a child, who takes four (RLIMIT_NOFILE, ulimit -n)", err)
	}
	if err != nil {
		return err
	}
	if err := l.prepare(&o); err != nil {
		l.discard()
		return err
	}
	e := &export{f: f, ctx: ctx, child: &l.ref}
	raw, err := encode(e)
	if err == nil {
		self := Self()
		// Large arguments wait for the child to read them, and a child may
		// hang before it comes to Init: its grace ends that, too.
		stop := context.AfterFunc(ctx, func() {
			time.AfterFunc(o.grace(), func() { _ = l.process.Kill() })
		})
		err = l.control.WriteFrame(wire.Append(nil, &wire.Start{
			Task: task, Name: name, ParentPID: int32(self.PID), ParentName: self.Name,
			GraceNanos: int64(o.grace()), MaxProcs: int32(o.MaxProcs), MemoryLimit: o.MemoryLimit, Identity: identity,
			Spare: l.spare, IgnoreSignals: o.IgnoreSignals, Quiet: o.Quiet, Programs: int32(o.Programs), Args: raw,
			Deadline: deadlineOf(ctx), Carried: executor.Inject(ctx),
		}), e.fds)
		if !stop() && err != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
	}
	if err != nil {
		e.rollback()
		l.discard()
		if l.spare && errors.Is(err, syscall.EPIPE) {
			o.NoSpare = true // the spare had died, unnoticed
			return start(ctx, c, o, task, short, encode)
		}
		return err
	}
	c.init(l, task, name, o.grace())
	e.commit(name)
	c.follow(ctx)
	return nil
}

// deadlineOf is a context's deadline as a message has it. One beyond the year
// 2200, which nanoseconds in 64 bits may not reach, is none.
func deadlineOf(ctx context.Context) int64 {
	if t, ok := ctx.Deadline(); ok && t.Year() < 2200 {
		return t.UnixNano()
	}
	return 0
}

// launch is a process that was started and waits for its task.
type launch struct {
	f       *family
	ref     table.Ref
	control *fdpass.Conn
	process *spawn.Process
	crash   *os.File // the runtime's crash report, a memory file
	output  *output
	spare   bool // it was started ahead of time
}

// newLaunch starts a process that will wait for its task in Init.
func newLaunch(ctx context.Context, f *family, o *StartOptions, name string) (_ *launch, err error) {
	l := &launch{f: f}
	if l.ref, err = f.table.Reserve(name); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.table.Release(l.ref)
		}
	}()
	control, theirs, err := fdpass.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	l.control = control
	defer func() {
		if err != nil {
			_ = control.Close()
		}
	}()
	toRoot, err := f.broker.Connect(ctx, l.ref)
	if err != nil {
		return nil, err
	}
	defer func() { _ = toRoot.Close() }()
	if l.crash, err = shm.MemFile("mp:crash"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = l.crash.Close()
		}
	}()
	if l.output, err = newOutput(o); err != nil {
		return nil, err
	}
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	l.process, err = spawn.Start(spawn.Spec{
		Env: append(env[:len(env):len(env)], envMark+"="+place{f.table.Family(), l.ref, f.table.Self()}.mark()),
		Dir: o.Dir, Stdout: l.output.stdout, Stderr: l.output.stderr,
		Extra: []int{theirs.FD(), f.table.FD(), toRoot.FD(), int(l.crash.Fd())},
	})
	l.output.started()
	if err != nil {
		l.output.finish()
		return nil, err
	}
	// So early that its starter's death finds it marked. If refused there is none.
	_ = l.process.SetMark(uint64(newMark(f.table.Family(), l.ref, 0)))
	return l, nil
}

// prepare applies what the starter can set from outside.
func (l *launch) prepare(o *StartOptions) error {
	if o.Programs < EndPrograms || o.Programs > EndAllPrograms {
		return fmt.Errorf("StartOptions.Programs is %d: it must be EndPrograms, LeavePrograms or EndAllPrograms", o.Programs)
	}
	if o.Nice < -20 || o.Nice > 19 {
		return fmt.Errorf("a nice value of %d: it must be -20 to 19", o.Nice)
	}
	if o.Nice != 0 {
		if err := l.process.SetNice(o.Nice); err != nil {
			return err
		}
	}
	if o.Affinity != nil {
		if err := l.process.SetAffinity(o.Affinity); err != nil {
			return err
		}
	}
	if o.MemoryLimit > 0 {
		return l.process.SetMemory(o.MemoryLimit + runtimeMemory)
	}
	return nil
}

// runtimeMemory is what the Go runtime maps for itself: some 100 MiB before
// main, most of it never touched, and 64 MiB at a time for the heap.
const runtimeMemory = 256 << 20

// discard ends a process that will not get a task.
func (l *launch) discard() {
	_ = l.control.Close()
	_ = l.process.Kill()
	<-l.process.Done()
	l.f.table.Release(l.ref)
	l.output.finish()
	_ = l.crash.Close()
}

// started counts the processes that this one has started.
var started atomic.Int64

// nextIdentity numbers a new child: "2" is the root's second, "2:1" the first
// of that one.
func nextIdentity() string {
	n := strconv.FormatInt(started.Add(1), 10)
	if own := Self().identity; own != "" {
		return own + ":" + n
	}
	return n
}
