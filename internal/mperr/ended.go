package mperr

import (
	"context"
	"errors"
)

// Ended says why a call under ctx ends: nil while ctx has not ended, then its
// error and its cause, if that is another. errors.Is finds both, so that a call
// that was ended because a process died tells of that death.
func Ended(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	switch cause := context.Cause(ctx); {
	case cause == nil: // a context of another package, which has none
		return err
	case errors.Is(cause, err):
		return cause
	default:
		return &ended{err, cause}
	}
}

type ended struct{ err, cause error }

func (e *ended) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *ended) Unwrap() []error { return []error{e.err, e.cause} }
