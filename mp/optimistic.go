package mp

import (
	"context"
	"errors"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// spot is where one value is kept in a place: an entry of a dict, an element
// of a list, a Value.
type spot struct {
	obj driver.Object
	get func(ctx context.Context) (driver.Versioned, error)
	set func(ctx context.Context, v []byte, version uint64) (bool, error)
}

// update changes the value at a spot by f: it is read with its version, and
// set if nobody has changed it meanwhile; else it is read again. A value that
// is not there yet is the zero value.
func update[T any](ctx context.Context, s spot, t *interchange.Type[T], f func(*T) error) error {
	return complete.Retry(ctx, func() (bool, error) { return tryUpdate(ctx, s, t, f) })
}

func tryUpdate[T any](ctx context.Context, s spot, t *interchange.Type[T], f func(*T) error) (bool, error) {
	was, err := s.get(ctx)
	if errors.Is(err, mperr.ErrNoKey) {
		was, err = driver.Versioned{}, nil
	}
	if err != nil {
		return false, err
	}
	v, in := new(T), inside{ctx: ctx, place: s.obj.Place()}
	defer in.drop()
	if was.Version != 0 {
		if err := t.Decode(was.Value, v, &in); err != nil {
			return false, err
		}
	}
	if err := f(v); err != nil {
		return false, err
	}
	b, err := t.Append(nil, v, &in)
	if err != nil {
		return false, err
	}
	return s.set(ctx, b, was.Version)
}
