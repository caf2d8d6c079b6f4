package mp

import (
	"errors"
	"fmt"
	"io"
	"time"

	"multiproc/internal/ring"
	"multiproc/mp/driver"
)

// StartOptions say how a process is to be started; see Task.With. The zero
// value is what Start uses.
type StartOptions struct {
	// Name is what the process is called by Self, Children and messages.
	// Empty: the task's function name and a number, "square-1"; children of
	// that process are "square-1:1" and so on.
	Name string

	// Grace is the time between the cancellation of the task's context and
	// SIGKILL. Zero means two seconds; negative means none. An orphan has half
	// a second at most.
	Grace time.Duration

	// Stdout and Stderr take what the process writes there. Nil means this
	// process's os.Stdout and os.Stderr. An *os.File is passed on as it is,
	// anything else is fed by a goroutine that ends with the process.
	Stdout, Stderr io.Writer

	// Env is the environment, nil means this process's. Dir is the working
	// directory, empty means this process's.
	Env []string
	Dir string

	// MaxProcs is the child's GOMAXPROCS; zero or less leaves it to the runtime.
	MaxProcs int

	// MemoryLimit is what the task may allocate, in bytes; zero or less means no
	// limit. It is the soft limit of the child's collector
	// (debug.SetMemoryLimit); at that and 256 MiB for the runtime itself the
	// kernel refuses more, and the process ends with an *ExitError that says
	// "out of memory". Where this process itself may have less (ulimit -d), that
	// is what the kernel keeps to.
	MemoryLimit int64

	// Nice is the scheduling priority, -20 (first) to 19 (last); zero keeps
	// this process's. Less than that takes a privilege.
	Nice int

	// Affinity lists the processors that the process may run on; nil means
	// all that this one may.
	Affinity []int

	// Programs says what becomes of programs that the task has started, with
	// os/exec say, when its process ends. The zero value ends them unless the
	// task returns.
	Programs Programs

	// IgnoreSignals is for tasks that others need until the last: a server, for
	// example. SIGTERM, SIGHUP, SIGQUIT and SIGINT, which a terminal or a
	// supervisor sends to every process there is, do not end it: its starter
	// does, or the starter's end. Then it goes on until the other children of
	// that one are gone, half a second at most. At SIGQUIT it prints the stacks
	// of its goroutines.
	IgnoreSignals bool

	// Quiet keeps a panic of the task off its standard error, where value and
	// stack are printed otherwise. They are in the *RemoteError in any case.
	Quiet bool

	// NoSpare starts a process of its own even if a spare is ready. Starts
	// with Env, Dir, Stdout or Stderr never use one.
	NoSpare bool
}

const (
	defaultGrace = 2 * time.Second
	orphanGrace  = 500 * time.Millisecond
)

func (o *StartOptions) grace() time.Duration {
	switch {
	case o.Grace == 0:
		return defaultGrace
	case o.Grace < 0:
		return 0
	}
	return o.Grace
}

// Option changes how a shared object is made.
type Option func(*objectOptions)

type objectOptions struct {
	bytes int64
	given bool // by MaxBytes
	place driver.Place
	in    bool // by In
	name  string
	named bool // by WithName
	leaseOptions
	ttlOptions
}

// MaxBytes bounds the bytes that a queue, or one direction of a pipe, holds:
// records with 8 bytes each for themselves. A record that alone is larger is
// refused with ErrTooLarge. The memory is sparse: it is used as it fills.
// The default is 1 GiB for a queue and 64 MiB for a pipe, halved until it is at
// most a quarter of the memory that the process may use (that of the machine, or
// a limit of a control group or of its own) and a file may be as large (ulimit
// -f); the most is 8 GiB. A bound that is
// given is taken as it is: if the family fills more memory than its control
// group may have, the kernel ends it.
//
// In a place there is no bound in bytes but those of the place itself, unless
// MaxBytes gives one.
func MaxBytes(n int64) Option {
	return func(o *objectOptions) { o.bytes, o.given = n, true }
}

// collectOptions applies the options, and refuses what cannot be meant. bytes
// is 0 unless MaxBytes was given.
func collectOptions(opts []Option) (o objectOptions, err error) {
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case o.given && (o.bytes < 1 || o.bytes > ring.MaxBytes):
		return o, fmt.Errorf("MaxBytes(%d): it must be 1 to %d", o.bytes, int64(ring.MaxBytes))
	case o.in && o.place == nil:
		return o, errors.New("In(nil): there is no such place; use what manager.Start or manager.Dial returned")
	case o.named && !o.in:
		return o, fmt.Errorf("WithName(%q) without In: objects in this machine's memory have no names; add mp.In(place), or pass the handle to those who need it", o.name)
	case o.named && o.name == "":
		return o, errors.New("WithName: the name is empty; leave the option out for an object without a name")
	}
	return o, errors.Join(o.leaseOptions.check(), o.ttlOptions.check())
}

// unbounded are the options of objects that MaxBytes says nothing about.
func unbounded(opts []Option) (objectOptions, error) {
	o, err := dictOptions(opts)
	if err == nil {
		err = o.ttlOptions.none()
	}
	return o, err
}

// dictOptions are the options of dicts.
func dictOptions(opts []Option) (objectOptions, error) {
	o, err := collectOptions(opts)
	if err == nil && o.given {
		err = errors.New("MaxBytes: it bounds queues and pipes, and nothing else")
	}
	if err == nil {
		err = o.leaseOptions.none()
	}
	return o, err
}

// memoryOptions are the options of objects that live in memory only.
func memoryOptions(opts []Option) (objectOptions, error) {
	o, err := collectOptions(opts)
	if err == nil {
		err = errors.Join(o.leaseOptions.none(), o.ttlOptions.none())
	}
	if err == nil && o.in {
		err = fmt.Errorf("In(%v): it lives in this machine's memory only; in a place use a Queue", o.place)
	}
	return o, err
}
