package mp

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/portable"
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
func update[T any](ctx context.Context, s spot, t *portable.Type[T], f func(*T) error) error {
	var pause backoff
	for {
		start := time.Now()
		done, err := tryUpdate(ctx, s, t, f)
		if done || err != nil {
			return err
		}
		if err := pause.wait(ctx, time.Since(start)); err != nil {
			return err
		}
	}
}

func tryUpdate[T any](ctx context.Context, s spot, t *portable.Type[T], f func(*T) error) (bool, error) {
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

// backoff spreads those out who change one value at a time. Each collision is
// somebody's success, so there is always progress; the pauses see to it that
// it is everybody's. They double, so that a crowd thins out, up to maxCrowd
// tries' length; and after that they shrink again, so that whoever has lost
// often goes before those who have just come.
type backoff struct{ lost int }

const (
	maxCrowd = 5 // powers of two
	maxPause = time.Second
)

// wait pauses after a try that took so long.
func (b *backoff) wait(ctx context.Context, took time.Duration) error {
	b.lost++
	most := min(took<<max(0, min(b.lost-1, 2*maxCrowd-b.lost)), maxPause)
	if b.lost == 1 || most <= 0 {
		return mperr.Ended(ctx)
	}
	timer := time.NewTimer(rand.N(most))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return mperr.Ended(ctx)
	}
}
