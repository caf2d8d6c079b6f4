package pymp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Error is an exception that a method raised in the server. errors.Is finds the
// error of this module, or of the standard library, that its class stands for:
//
//	queue.Empty, queue.Full        mp.ErrEmpty, mp.ErrFull
//	queue.ShutDown                 mp.ErrClosed
//	KeyError, AttributeError       mp.ErrNoKey
//	IndexError                     mp.ErrIndex
//	ValueError, TypeError          mp.ErrValue, mp.ErrType
//	threading.BrokenBarrierError   mp.ErrBroken
//	TimeoutError                   context.DeadlineExceeded
//	EOFError                       io.EOF
//	FileNotFoundError, …           fs.ErrNotExist, …
//	NotImplementedError            errors.ErrUnsupported
//
// and for other classes the one that RegisterException names.
type Error struct {
	Class   string // module and name: "builtins.KeyError", "shop.SoldOut"
	Args    []any  // the arguments of the exception
	Message string // as Python's str() has it
	Typeid  string // of the object whose method raised it
	Method  string

	cause error
}

func (e *Error) Error() string {
	class := strings.TrimPrefix(e.Class, "builtins.")
	where := origin{typeid: e.Typeid, method: e.Method}
	if e.Message == "" {
		return fmt.Sprintf("%s: %s", where, class)
	}
	return fmt.Sprintf("%s: %s: %s", where, class, e.Message)
}

// Unwrap returns the Go error that the class stands for, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// RemoteError is what the server says when it could not carry out a request:
// Python's RemoteError. Its end is the reason.
type RemoteError struct {
	Class     string // of the exception at the traceback's end: "KeyError"
	Traceback string
	// Unserializable says that the method has run, and returned what cannot be
	// pickled.
	Unserializable bool

	origin origin
	cause  error
}

func (e *RemoteError) Error() string {
	what := "the server refused"
	if e.Unserializable {
		what = "the method ran, but its result cannot be pickled"
	}
	return fmt.Sprintf("%s: %s: %s", e.origin, what, reason(e.Traceback))
}

// Unwrap returns the Go error that the reason stands for, if there is one:
// mp.ErrNoHandle for an object that the server does not know any more,
// errors.ErrUnsupported for a method that it does not offer, else as for an
// Error.
func (e *RemoteError) Unwrap() error { return e.cause }

func newError(v pyvalue.Value, o origin) error {
	x, ok := pyvalue.AsException(v)
	if !ok {
		return &Error{Class: pyvalue.TypeName(v), Message: pyvalue.ReprWithin(v, 200), Typeid: o.typeid, Method: o.method}
	}
	e := &Error{Class: x.Class.String(), Message: textOf(x), Typeid: o.typeid, Method: o.method, cause: causeOf(x.Class)}
	if err := interchange.FromValue(x.Args, &e.Args, nil); err != nil {
		e.Args = x.Args
	}
	return e
}

// textOf is str() of an exception.
func textOf(x *pyvalue.Exception) string {
	switch n := len(x.Args); {
	case n == 0:
		return ""
	case n == 1:
		if text, ok := x.Args[0].(string); ok && x.Class.Name != "KeyError" {
			return text
		}
		return pyvalue.Repr(x.Args[0])
	case n <= 5:
		if errno, ok := x.Args[0].(int64); ok && x.Class.Module == "builtins" && isOSError(x.Class.Name) {
			text := fmt.Sprintf("[Errno %d] %v", errno, x.Args[1])
			if n > 2 && x.Args[2] != nil {
				text += ": " + pyvalue.Repr(x.Args[2])
			}
			if n == 5 && x.Args[4] != nil { // of os.rename, for example
				text += " -> " + pyvalue.Repr(x.Args[4])
			}
			return text
		}
	}
	return pyvalue.Repr(x.Args)
}

// isOSError reports whether a built-in exception is OSError or one of its own.
func isOSError(name string) bool {
	switch name {
	case "OSError", "BlockingIOError", "ChildProcessError", "InterruptedError", "IsADirectoryError", "NotADirectoryError",
		"TimeoutError", "BrokenPipeError", "PermissionError", "ProcessLookupError":
		return true
	}
	return strings.HasPrefix(name, "Connection") || strings.HasPrefix(name, "File")
}

func newRemoteError(text string, unserializable bool, o origin) error {
	e := &RemoteError{Traceback: text, Unserializable: unserializable, origin: o}
	why := reason(text)
	class, rest, _ := strings.Cut(why, ": ")
	class, _, _ = strings.Cut(class, "\n") // there may be no message, but a note
	e.Class = class
	switch {
	case unserializable:
	case class == "KeyError" && o.ident != "" && rest == pyvalue.Repr(o.ident):
		e.cause = mperr.ErrNoHandle
	case class == "KeyError" && o.ident != "" && rest == pyvalue.Repr(o.method):
		e.cause = errors.ErrUnsupported // it fell through to CPython's table of fallbacks
	case class == "AttributeError" && o.ident != "":
		e.cause = errors.ErrUnsupported // as package manager says the same
	default:
		module, name := "builtins", class
		if i := strings.LastIndexByte(class, '.'); i >= 0 {
			module, name = class[:i], class[i+1:]
		}
		e.cause = causeOf(pyvalue.Global{Module: module, Name: name})
	}
	return e
}

// reason is the end of a traceback: the class of the exception and its message,
// which may have several lines, and notes.
func reason(text string) string {
	text = strings.TrimRight(text, "\n")
	begin := strings.LastIndex(text, "Traceback (most recent call last):\n")
	for at := max(begin, 0); begin >= 0; { // the lines of the stack are indented
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			break
		}
		if at += end + 1; at < len(text) && text[at] != ' ' && text[at] != '\n' {
			return text[at:]
		}
	}
	return text[strings.LastIndexByte(text, '\n')+1:]
}

var exceptions sync.Map // class to error

// RegisterException makes exceptions of a class, "shop.SoldOut", arrive as
// errors that errors.Is finds to be err. It applies to the whole process, and to
// replies that come in later.
func RegisterException(class string, err error) { exceptions.Store(class, err) }

func causeOf(class pyvalue.Global) error {
	if err, ok := exceptions.Load(class.String()); ok {
		return err.(error)
	}
	return pyvalue.Cause(class)
}

// isGone reports whether an error says that there is no server any more.
func isGone(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isRefusal reports whether an error is an answer of the server.
func isRefusal(err error) bool {
	var r *RemoteError
	return errors.As(err, &r)
}
