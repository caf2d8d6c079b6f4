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
	"testing"

	"multiproc/internal/mperr"
)

func TestExceptions(t *testing.T) {
	for _, c := range []struct {
		e     *Exception
		class string
		text  string
		cause error
	}{
		{KeyError("k"), "builtins.KeyError", "k", mperr.ErrNoKey},
		{KeyError(int64(7)), "builtins.KeyError", "KeyError: 7", mperr.ErrNoKey},
		{IndexError("i"), "builtins.IndexError", "i", mperr.ErrIndex},
		{ValueError("v"), "builtins.ValueError", "v", mperr.ErrValue},
		{NoValue("v"), "builtins.ValueError", "v", mperr.ErrNoValue},
		{TypeError("t"), "builtins.TypeError", "t", mperr.ErrType},
		{RuntimeError("r"), "builtins.RuntimeError", "r", nil},
		{NotHeld("r"), "builtins.RuntimeError", "r", mperr.ErrNotHeld},
		{AttributeError("Namespace", "zz"), "builtins.AttributeError", "'Namespace' object has no attribute 'zz'", mperr.ErrNoKey},
		{AssertionError("a"), "builtins.AssertionError", "a", nil},
		{NotImplemented("n"), "builtins.NotImplementedError", "n", errors.ErrUnsupported},
		{StopIteration(), "builtins.StopIteration", "builtins.StopIteration", nil},
		{QueueEmpty(), "_queue.Empty", "_queue.Empty", mperr.ErrEmpty},
		{QueueFull(), "queue.Full", "queue.Full", mperr.ErrFull},
		{ShutDown(), "queue.ShutDown", "queue.ShutDown", mperr.ErrClosed},
		{BrokenBarrier(), "threading.BrokenBarrierError", "threading.BrokenBarrierError", mperr.ErrBroken},
		{TimeoutError("t"), "builtins.TimeoutError", "t", context.DeadlineExceeded},
		{&Exception{Class: Global{"m", "E"}, Args: Tuple{int64(1), "x"}}, "m.E", "E(1, 'x')", nil},
	} {
		if c.e.Class.String() != c.class || c.e.Error() != c.text || c.cause != nil && !errors.Is(c.e, c.cause) {
			t.Errorf("%s %q of %v, want %s %q of %v", c.e.Class, c.e, c.e.Cause, c.class, c.text, c.cause)
		}
		if c.cause != nil && c.cause != mperr.ErrNoValue && c.cause != mperr.ErrNotHeld && !errors.Is(Cause(c.e.Class), c.cause) {
			t.Errorf("%s arrives as %v", c.e.Class, Cause(c.e.Class))
		}
	}
}

// errors.Is finds the same on the other side of the wire, which the class and
// the arguments cross.
func TestToException(t *testing.T) {
	_, atoi := strconv.Atoi("x")
	_, overflow := strconv.Atoi("99999999999999999999")
	_, open := os.Open("no such file")
	for _, c := range []struct {
		err   error
		class string
		is    error
	}{
		{fmt.Errorf("queue jobs: %w", mperr.ErrEmpty), "_queue.Empty", mperr.ErrEmpty},
		{mperr.ErrFull, "queue.Full", mperr.ErrFull},
		{mperr.ErrNoKey, "builtins.KeyError", mperr.ErrNoKey},
		{mperr.ErrIndex, "builtins.IndexError", mperr.ErrIndex},
		{mperr.ErrNoValue, "builtins.ValueError", mperr.ErrValue},
		{mperr.ErrClosed, "builtins.ValueError", mperr.ErrValue},
		{mperr.ErrType, "builtins.TypeError", mperr.ErrType},
		{mperr.ErrNotHeld, "builtins.RuntimeError", mperr.ErrNotHeld},
		{mperr.ErrAuth, "multiprocessing.context.AuthenticationError", mperr.ErrAuth},
		{context.DeadlineExceeded, "builtins.TimeoutError", context.DeadlineExceeded},
		{os.ErrDeadlineExceeded, "builtins.TimeoutError", context.DeadlineExceeded},
		{context.Canceled, "concurrent.futures._base.CancelledError", context.Canceled},
		{io.EOF, "builtins.EOFError", io.EOF},
		{open, "builtins.FileNotFoundError", fs.ErrNotExist},
		{syscall.EACCES, "builtins.PermissionError", fs.ErrPermission},
		{syscall.ECONNRESET, "builtins.ConnectionResetError", syscall.ECONNRESET},
		{syscall.ENOSPC, "builtins.OSError", nil},
		{atoi, "builtins.ValueError", nil},
		{overflow, "builtins.OverflowError", strconv.ErrRange},
		{errors.ErrUnsupported, "builtins.NotImplementedError", errors.ErrUnsupported},
		{errors.New("anything"), "builtins.RuntimeError", nil},
		{fmt.Errorf("wrapped: %w", KeyError("k")), "builtins.KeyError", mperr.ErrNoKey},
	} {
		e := ToException(c.err)
		if e.Class.String() != c.class {
			t.Errorf("%v became %s, want %s", c.err, e.Class, c.class)
			continue
		}
		if _, wrapped := c.err.(interface{ Unwrap() error }); !wrapped && !errors.Is(e, c.err) {
			t.Errorf("%s does not wrap %v", e.Class, c.err)
		}
		arrived, ok := AsException(&Object{Func: e.Class, Args: e.Args})
		if !ok || c.is != nil && !errors.Is(arrived, c.is) {
			t.Errorf("%s arrives as %v, want %v", e.Class, arrived, c.is)
		}
	}
	if ToException(nil) != nil {
		t.Error("an exception of nothing")
	}
	if e := ToException(open); len(e.Args) != 2 || e.Args[0] != Value(int64(2)) {
		t.Errorf("FileNotFoundError without its number: %v", e.Args)
	}
}

func TestAsException(t *testing.T) {
	e := KeyError("k")
	if got, ok := AsException(e); !ok || got != e {
		t.Error("an exception is none")
	}
	for _, v := range []Value{nil, "KeyError", &Object{Func: "x", Args: Tuple{}}, &Object{Func: Global{"m", "E"}, Args: list()}} {
		if got, ok := AsException(v); ok {
			t.Errorf("%s is the exception %v", Repr(v), got)
		}
	}
}
