package mp

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// watchDict is Watch of a dict, or of a namespace.
func watchDict[K comparable, V any](ctx context.Context, o complete.Dict, kt *interchange.Type[K], vt *interchange.Type[V]) iter.Seq2[Change[K, V], error] {
	changes := once(o, o.Watch(ctx))
	return func(yield func(Change[K, V], error) bool) {
		for c, err := range changes {
			out := Change[K, V]{Op: "set", Version: c.Version}
			switch {
			case err != nil:
				out = Change[K, V]{}
			case c.Key == nil:
				out.Op = "clear"
			default:
				out.Key, err = decode(ctx, o, kt, c.Key)
			}
			switch {
			case err != nil || c.Key == nil:
			case c.Value == nil:
				out.Op = "delete"
			default:
				out.Value, err = decode(ctx, o, vt, c.Value)
			}
			if !yield(out, err) || err != nil {
				return
			}
		}
	}
}

// once lets one loop have the changes; another, which would wait for ever, gets
// an error.
func once[C any](o driver.Object, changes iter.Seq2[C, error]) iter.Seq2[C, error] {
	var begun atomic.Bool
	return func(yield func(C, error) bool) {
		if begun.Swap(true) {
			yield(*new(C), fmt.Errorf("%v: a second loop over one Watch; call Watch for each: %w", o, ErrClosed))
			return
		}
		changes(yield)
	}
}

// failing yields an error, as an iteration does that cannot begin.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), err) }
}
