package mp

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
)

// The conditions that programs branch on; compare with errors.Is. They keep
// their identity when they come back from another process.
var (
	// ErrFull: a Try call found no room in a queue.
	ErrFull = mperr.ErrFull
	// ErrEmpty: a Try call found nothing in a queue or a pipe.
	ErrEmpty = mperr.ErrEmpty
	// ErrClosed: the handle was closed in this process, or the queue or pipe
	// accepts nothing any more.
	ErrClosed = mperr.ErrClosed
	// ErrTooLarge: a record is larger than the byte bound of its queue or pipe.
	ErrTooLarge = mperr.ErrTooLarge
	// ErrCorrupt: shared memory or a message holds what no correct program
	// leaves there.
	ErrCorrupt = mperr.ErrCorrupt
	// ErrForeign: a handle belongs to another family of processes, or to another
	// place than that of the object it is put into.
	ErrForeign = mperr.ErrForeign
	// ErrType: a handle was sent as another type than it arrived, or a value has
	// a type with which a call can do nothing.
	ErrType = mperr.ErrType
	// ErrOrphaned: the cause of a task's cancelled context when the process
	// that started it is gone.
	ErrOrphaned = mperr.ErrOrphaned
	// ErrTerminated: the cause of a task's cancelled context when its process got
	// SIGTERM or SIGHUP, which its starter does not send. It is in what the
	// starter's Wait returns, too.
	ErrTerminated = mperr.ErrTerminated
	// ErrDirection: Send on the receiving end of a one-way pipe, or the other
	// way round.
	ErrDirection = mperr.ErrDirection
	// ErrBrokenPipe: Send on a pipe whose other end nobody holds any more.
	ErrBrokenPipe = mperr.ErrBrokenPipe
	// ErrNoInit: this process is a child, or wants to start one, and has not
	// called Init.
	ErrNoInit = mperr.ErrNoInit
	// ErrRunning: Wait ended with its context, and the process goes on.
	ErrRunning = mperr.ErrRunning
	// ErrTaskDone: TaskDone was called more often than items were put.
	ErrTaskDone = mperr.ErrTaskDone
	// ErrLeaseLost: a Delivery is not its receiver's any more: its lease has run out
	// and the item was taken back, or Ack or Nack was called before.
	ErrLeaseLost = mperr.ErrLeaseLost
	// ErrNoHandle: a handle arrived whose object the family does not know any
	// more.
	ErrNoHandle = mperr.ErrNoHandle
)

// The conditions of objects in places; compare with errors.Is.
var (
	// ErrNoKey: a Dict or Namespace has no such key.
	ErrNoKey = mperr.ErrNoKey
	// ErrIndex: a List has no element there.
	ErrIndex = mperr.ErrIndex
	// ErrNoValue: a List has no such element.
	ErrNoValue = mperr.ErrNoValue
	// ErrValue: an argument has a value with which the call makes no sense.
	ErrValue = mperr.ErrValue
	// ErrNotHeld: a lock was given back that the caller does not hold.
	ErrNotHeld = mperr.ErrNotHeld
	// ErrOverrun: a loop over Watch was too slow, and changes were dropped.
	ErrOverrun = mperr.ErrOverrun
	// ErrLimit: the place, or the object in memory, would have to exceed one of its limits.
	ErrLimit = mperr.ErrLimit
	// ErrAuth: the other side has another authkey, or none.
	ErrAuth = mperr.ErrAuth
	// ErrBroken: a barrier is broken.
	ErrBroken = mperr.ErrBroken
	// ErrUnknownFate: the connection broke while a call was under way, and could
	// not be made again in time. The call was carried out or not: the one error
	// after which something may have happened.
	ErrUnknownFate = mperr.ErrUnknownFate
)

// OwnerDiedError says that a process died while it held the lock of an object
// that it was changing in place. The caller does not hold the lock. The object
// refuses everybody until its Repair method succeeds.
type OwnerDiedError = mperr.OwnerDiedError

// RegisterError gives err a name, so that errors.Is(remote, err) holds for an
// error that a task in another process returned or wrapped. Call it before
// Init, in package initialization for example, with the same name in every
// process; it panics if the name is taken. The errors of this package and the
// common ones of context, io, io/fs and os are registered already.
func RegisterError(name string, err error) { mperr.Register(name, err) }

// RegisterErrorType lets errors of type T, which a task returned, wrapped or
// panicked with, arrive with their fields, so that errors.As finds them:
//
//	type SoldOut struct{ Seat int }
//	func (e *SoldOut) Error() string { … }
//
//	func init() { mp.RegisterErrorType[*SoldOut]() }
//
// Call it before Init, as RegisterError. The name on the wire is the type's own
// unless one is given. It panics if the name is taken, or if values of T cannot
// travel. Errors that T wraps do not come with it, unless they are exported
// fields of types that travel.
func RegisterErrorType[T error](name ...string) {
	t := reflect.TypeFor[T]()
	form, err := codec.For[T]()
	if err != nil {
		panic(fmt.Sprintf("mp.RegisterErrorType[%v]: %v", t, err))
	}
	mperr.RegisterType(cmp.Or(append(name, t.String())...), mperr.Type{
		Find: func(err error) ([]byte, bool) {
			var found T
			if !errors.As(err, &found) {
				return nil, false
			}
			b, err := form.Append(nil, &found, nil)
			return b, err == nil
		},
		Make: func(b []byte) (error, error) {
			made := new(T)
			err := form.Decode(b, made, nil)
			return *made, err
		},
	})
}

// RemoteError is the answer of a task that said no: it returned an error, or
// it panicked. A process that is gone without an answer is an *ExitError.
type RemoteError struct {
	Task    string // the task's name
	Name    string // the process's name
	PID     int    // of the process that ran it
	Message string // the error's text, or the panic's value
	Stack   string // of the goroutine that panicked; empty for an error
	Panic   bool

	causes []error
}

func (e *RemoteError) Error() string {
	verb := ""
	if e.Panic {
		verb = "panic: "
	}
	return fmt.Sprintf("%s (%s, pid %d): %s%s", e.Name, e.Task, e.PID, verb, e.Message)
}

// Format prints the error; %+v also the stack of a panic.
func (e *RemoteError) Format(s fmt.State, verb rune) { format(s, verb, e, e.Stack) }

// Unwrap returns the registered errors that the remote error was.
func (e *RemoteError) Unwrap() []error { return e.causes }

// ExitError says that a process ended without an answer: by a signal, by
// os.Exit, by a fatal error of the runtime.
type ExitError struct {
	Task  string
	Name  string // the process's name
	PID   int
	State State
	Crash string // the runtime's crash report, if it wrote one: the stacks of all goroutines
	Cause error  // why it was cancelled or killed, if it was
}

func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s (%s, pid %d): ended without an answer: %s", e.Name, e.Task, e.PID, e.State)
	if e.Cause != nil {
		s += fmt.Sprintf(" (cancelled: %v)", e.Cause)
	}
	if e.Crash != "" {
		s += ": " + crashReason(e.Crash)
	}
	return s
}

// Format prints the error; %+v also the crash report.
func (e *ExitError) Format(s fmt.State, verb rune) { format(s, verb, e, e.Crash) }

// format is Format of an error with details.
func format(s fmt.State, verb rune, err error, details string) {
	switch {
	case verb == 'q':
		fmt.Fprintf(s, "%q", err.Error())
	case verb == 'v' && s.Flag('+') && details != "":
		fmt.Fprintf(s, "%s\n\n%s", err.Error(), details)
	default:
		_, _ = io.WriteString(s, err.Error())
	}
}

// Unwrap returns why the process was cancelled, if it was.
func (e *ExitError) Unwrap() error { return e.Cause }
