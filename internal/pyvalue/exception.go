package pyvalue

import (
	"context"
	"errors"

	"multiproc/internal/mperr"
)

// builtin makes an exception of Python's own module.
func builtin(name string, cause error, args ...Value) *Exception {
	return &Exception{Class: Global{"builtins", name}, Args: args, Cause: cause}
}

// KeyError says that a dict has no such key.
func KeyError(key Value) *Exception { return builtin("KeyError", mperr.ErrNoKey, key) }

// IndexError says that a sequence has no such element.
func IndexError(msg string) *Exception { return builtin("IndexError", mperr.ErrIndex, msg) }

// ValueError says that an argument has an impossible value.
func ValueError(msg string) *Exception { return builtin("ValueError", mperr.ErrValue, msg) }

// Overflow is Python's OverflowError.
func Overflow(msg string) *Exception { return builtin("OverflowError", mperr.ErrValue, msg) }

// NoValue is the ValueError of list.remove and list.index: it wraps
// mperr.ErrNoValue.
func NoValue(msg string) *Exception { return builtin("ValueError", mperr.ErrNoValue, msg) }

// TypeError says that an argument has the wrong type.
func TypeError(msg string) *Exception { return builtin("TypeError", mperr.ErrType, msg) }

// invalidOperation is what decimal raises for a Decimal that is compared with NaN.
func invalidOperation() *Exception {
	class := Global{"decimal", "InvalidOperation"}
	return &Exception{Class: class, Args: Tuple{&List{Items: []Value{class}}}, Cause: mperr.ErrType}
}

// RuntimeError is Python's error for everything else.
func RuntimeError(msg string) *Exception { return builtin("RuntimeError", nil, msg) }

// NotHeld is the RuntimeError of a lock that its caller does not hold.
func NotHeld(msg string) *Exception { return builtin("RuntimeError", mperr.ErrNotHeld, msg) }

// AttributeError says that obj, which is the name of a type, lacks an
// attribute.
func AttributeError(obj, name string) *Exception {
	return builtin("AttributeError", mperr.ErrNoKey, "'"+obj+"' object has no attribute '"+name+"'")
}

// AssertionError is what a failed assert statement raises.
func AssertionError(msg string) *Exception { return builtin("AssertionError", nil, msg) }

// NotImplemented is Python's NotImplementedError.
func NotImplemented(msg string) *Exception {
	return builtin("NotImplementedError", errors.ErrUnsupported, msg)
}

// StopIteration ends an iterator.
func StopIteration() *Exception { return builtin("StopIteration", nil) }

// QueueEmpty is what Python's queue raises when there is nothing to get.
func QueueEmpty() *Exception {
	return &Exception{Class: Global{"_queue", "Empty"}, Cause: mperr.ErrEmpty}
}

// QueueFull is what Python's queue raises when there is no room to put.
func QueueFull() *Exception {
	return &Exception{Class: Global{"queue", "Full"}, Cause: mperr.ErrFull}
}

// ShutDown is what a queue that was shut down raises, from Python 3.13 on.
func ShutDown() *Exception {
	return &Exception{Class: Global{"queue", "ShutDown"}, Cause: mperr.ErrClosed}
}

// BrokenBarrier is what waiting at a broken barrier raises.
func BrokenBarrier() *Exception {
	return &Exception{Class: Global{"threading", "BrokenBarrierError"}, Cause: mperr.ErrBroken}
}

// TimeoutError is the built-in one.
func TimeoutError(msg string) *Exception {
	return builtin("TimeoutError", context.DeadlineExceeded, msg)
}

// errDeep is what a value that is nested too deeply raises, in CPython's words.
func errDeep() *Exception {
	return builtin("RecursionError", mperr.ErrTooLarge, "maximum recursion depth exceeded")
}

// AsException returns the exception that v is, if Python pickled it as it does
// those that do not say otherwise: as a call of the class with a tuple of
// arguments. Whether the class is one of an exception cannot be known here. The
// Cause is that of the class; attributes of the instance are left out.
func AsException(v Value) (e *Exception, ok bool) {
	switch v := v.(type) {
	case *Exception:
		return v, true
	case *Object:
		class, isGlobal := v.Func.(Global)
		args, isTuple := v.Args.(Tuple)
		if isGlobal && isTuple {
			return &Exception{Class: class, Args: args, Cause: Cause(class)}, true
		}
	}
	return nil, false
}
