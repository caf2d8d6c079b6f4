package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Error is what the server answered a call with: see package manager/client.
type Error struct {
	Object  string // whose method it was: "dict orders"
	Method  string
	Class   string // as Python names it, with its module: "builtins.KeyError"
	Args    []any  // the arguments of the exception
	Message string

	causes []error
}

// Error names the object, and the method if the program knows it by name.
func (e *Error) Error() string {
	where := e.Object
	if !strings.HasPrefix(e.Method, "mp.") {
		where += "." + e.Method
	}
	if len(e.causes) > 0 && !strings.Contains(e.Message, e.causes[0].Error()) {
		return fmt.Sprintf("%s: %v: %s", where, e.causes[0], e.Message)
	}
	return fmt.Sprintf("%s: %s", where, e.Message)
}

// Unwrap returns what the original error wrapped.
func (e *Error) Unwrap() []error { return e.causes }

// newError makes an error of a frame, and keeps nothing of it.
func newError(f *frames.Frame) error {
	class := pyvalue.Global{Module: string(f.Module), Name: string(f.Class)}
	exc := &pyvalue.Exception{Class: class}
	e := &Error{Class: class.Module + "." + class.Name}
	for it := f.Args; it.Len() > 0; {
		item := it.Next()
		v, err := interchange.ParseValue(item)
		if err != nil {
			v = nil
		}
		exc.Args = append(exc.Args, v)
		var arg any
		if interchange.FromValue(v, &arg, nil) != nil {
			arg = v
		}
		e.Args = append(e.Args, arg)
	}
	e.Message = exc.Error()
	var names []string
	for it := f.Names; it.Len() > 0; {
		name, _ := frames.Text(it.Next())
		names = append(names, string(name))
	}
	e.causes = mperr.Sentinels(names)
	return e
}

// cancelled replaces the answer to a cancelled call by the reason of the
// cancellation, if the call was cancelled because of it.
func cancelled(answer, cause error) error {
	if cause != nil && (errors.Is(answer, context.Canceled) || errors.Is(answer, context.DeadlineExceeded)) {
		return cause
	}
	return answer
}
