package pymp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"multiproc/internal/mperr"
)

// Iter iterates over an object as Python's for does, with a round trip for each
// element: over an Iterator by __next__, over an object that has __iter__ by the
// iterator that it returns, over others by __getitem__(0), (1) and so on. An
// error is the last pair.
//
// Elements that are shared objects are the caller's to close.
func Iter[T any](ctx context.Context, p *Proxy) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		switch {
		case slices.Contains(p.exposed, "__next__"):
			next(ctx, p, yield)
		case slices.Contains(p.exposed, "__iter__"):
			it, err := Call[*Proxy](ctx, p, "__iter__")
			if err == nil && it == nil {
				err = fmt.Errorf("%s: __iter__ returned None: %w", p, mperr.ErrType)
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			next(ctx, it, yield)
			_ = it.Close()
		default:
			index(ctx, p, yield)
		}
	}
}

func next[T any](ctx context.Context, p *Proxy, yield func(T, error) bool) {
	for {
		v, err := Call[T](ctx, p, "__next__")
		var e *Error
		if errors.As(err, &e) && e.Class == "builtins.StopIteration" || !yield(v, err) || err != nil {
			return
		}
	}
}

func index[T any](ctx context.Context, p *Proxy, yield func(T, error) bool) {
	for i := 0; ; i++ {
		v, err := Call[T](ctx, p, "__getitem__", i)
		var e *Error
		if errors.As(err, &e) && e.Class == "builtins.IndexError" || !yield(v, err) || err != nil {
			return
		}
	}
}
