package pyvalue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"multiproc/internal/mperr"
)

// classes maps Go errors to the classes of Python, and back. The first class of
// an error is the one that it becomes; the first error of a class is the one
// that it wraps on arrival.
var classes = []struct {
	err   error
	class Global
	errno syscall.Errno // of an OSError, which begins with its number
}{
	{mperr.ErrEmpty, Global{"_queue", "Empty"}, 0},
	{mperr.ErrEmpty, Global{"queue", "Empty"}, 0},
	{mperr.ErrFull, Global{"queue", "Full"}, 0},
	{mperr.ErrNoKey, Global{"builtins", "KeyError"}, 0},
	{mperr.ErrNoKey, Global{"builtins", "AttributeError"}, 0},
	{mperr.ErrIndex, Global{"builtins", "IndexError"}, 0},
	{mperr.ErrValue, Global{"builtins", "ValueError"}, 0},
	{mperr.ErrNoValue, Global{"builtins", "ValueError"}, 0},
	{mperr.ErrTaskDone, Global{"builtins", "ValueError"}, 0},
	{mperr.ErrTooLarge, Global{"builtins", "ValueError"}, 0},
	{mperr.ErrType, Global{"builtins", "TypeError"}, 0},
	{mperr.ErrType, Global{"decimal", "InvalidOperation"}, 0},
	{mperr.ErrNotHeld, Global{"builtins", "RuntimeError"}, 0},
	{mperr.ErrLeaseLost, Global{"builtins", "RuntimeError"}, 0},
	{mperr.ErrBroken, Global{"threading", "BrokenBarrierError"}, 0},
	{mperr.ErrAuth, Global{"multiprocessing.context", "AuthenticationError"}, 0},
	{mperr.ErrClosed, Global{"builtins", "ValueError"}, 0}, // ShutDown is not known before Python 3.13
	{mperr.ErrClosed, Global{"queue", "ShutDown"}, 0},
	{context.DeadlineExceeded, Global{"builtins", "TimeoutError"}, 0},
	{context.DeadlineExceeded, Global{"multiprocessing.context", "TimeoutError"}, 0},
	{os.ErrDeadlineExceeded, Global{"builtins", "TimeoutError"}, 0},
	{context.Canceled, Global{"concurrent.futures._base", "CancelledError"}, 0},
	{io.EOF, Global{"builtins", "EOFError"}, 0},
	{io.ErrUnexpectedEOF, Global{"builtins", "EOFError"}, 0},
	{fs.ErrNotExist, Global{"builtins", "FileNotFoundError"}, syscall.ENOENT},
	{fs.ErrExist, Global{"builtins", "FileExistsError"}, syscall.EEXIST},
	{fs.ErrPermission, Global{"builtins", "PermissionError"}, syscall.EACCES},
	{os.ErrProcessDone, Global{"builtins", "ProcessLookupError"}, syscall.ESRCH},
	{syscall.ECONNREFUSED, Global{"builtins", "ConnectionRefusedError"}, syscall.ECONNREFUSED},
	{syscall.ECONNRESET, Global{"builtins", "ConnectionResetError"}, syscall.ECONNRESET},
	{syscall.EPIPE, Global{"builtins", "BrokenPipeError"}, syscall.EPIPE},
	{errors.ErrUnsupported, Global{"builtins", "NotImplementedError"}, 0},
	{mperr.ErrLimit, Global{"builtins", "MemoryError"}, 0},
	{strconv.ErrRange, Global{"builtins", "OverflowError"}, 0},
	{strconv.ErrSyntax, Global{"builtins", "ValueError"}, 0},
	{fs.ErrInvalid, Global{"builtins", "ValueError"}, 0},
}

// causes finds the error of a class.
var causes = func() map[Global]error {
	m := make(map[Global]error, len(classes))
	for _, c := range classes {
		if _, taken := m[c.class]; !taken {
			m[c.class] = c.err
		}
	}
	return m
}()

// Cause returns the Go error that an exception of the class stands for, nil if
// there is none: mperr.ErrEmpty for _queue.Empty, context.DeadlineExceeded for
// TimeoutError.
func Cause(class Global) error { return causes[class] }

// ToException returns err as Python may see it: itself if it is an exception or
// wraps one, else an exception of the nearest class with err's text, which is
// RuntimeError if no class is near. The result wraps err. ToException(nil) is
// nil.
func ToException(err error) *Exception {
	if err == nil {
		return nil
	}
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	text := err.Error()
	for _, c := range classes {
		if !errors.Is(err, c.err) {
			continue
		}
		switch {
		case c.errno != 0:
			return &Exception{Class: c.class, Args: Tuple{int64(c.errno), text}, Cause: err}
		case c.class.Name == "Empty" || c.class.Name == "Full":
			return &Exception{Class: c.class, Cause: err} // CPython gives these no text
		}
		return &Exception{Class: c.class, Args: Tuple{text}, Cause: err}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return builtin("OSError", err, int64(errno), text)
	}
	return builtin("RuntimeError", err, text)
}

// Error is the message: the argument if there is one, as Python's str() has it.
func (e *Exception) Error() string {
	switch {
	case len(e.Args) == 0:
		return e.Class.String()
	case len(e.Args) == 1:
		if s, ok := e.Args[0].(string); ok {
			return s
		}
		return fmt.Sprintf("%s: %s", e.Class.Name, ReprWithin(e.Args[0], messageLimit))
	}
	return e.Class.Name + ReprWithin(e.Args, messageLimit)
}

// messageLimit bounds what a message says about a value.
const messageLimit = 200

// Unwrap returns the Go error that the exception stands for.
func (e *Exception) Unwrap() error { return e.Cause }
