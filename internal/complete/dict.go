package complete

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Dict is all that a dict can do.
type Dict interface {
	driver.Dict
	driver.DictSwapper
	driver.DictAdder
	driver.DictDefaulter
	driver.DictPopper
	driver.DictFinder
	driver.DictKeyPager
	driver.DictItemPopper
	driver.DictBatcher
	driver.DictClearer
	driver.DictWatcher
	driver.DictExpirer
}

type dict struct {
	driver.Dict
	driver.DictSwapper
	driver.DictAdder
	driver.DictDefaulter
	driver.DictPopper
	driver.DictFinder
	driver.DictKeyPager
	driver.DictItemPopper
	driver.DictBatcher
	driver.DictClearer
	driver.DictWatcher
	driver.DictExpirer
}

func newDict(o driver.Dict) Dict {
	b, not := builtDict{o}, noDict{o}
	return &dict{
		o,
		or[driver.DictSwapper](o, b),
		or[driver.DictAdder](o, b),
		or[driver.DictDefaulter](o, b),
		or[driver.DictPopper](o, b),
		or[driver.DictFinder](o, b),
		or[driver.DictKeyPager](o, b),
		or[driver.DictItemPopper](o, not),
		or[driver.DictBatcher](o, not),
		or[driver.DictClearer](o, not),
		or[driver.DictWatcher](o, not),
		or[driver.DictExpirer](o, not),
	}
}

func (d *dict) bare() driver.Object { return d.Dict }

// builtDict is what can be built from Get, SetVersion and Page. A change happens
// at the moment of the SetVersion that succeeds.
type builtDict struct{ d driver.Dict }

// get is Get of what may not be there: its version is 0 then.
func (b builtDict) get(ctx context.Context, key []byte) (driver.Versioned, error) {
	now, err := b.d.Get(ctx, key)
	if errors.Is(err, mperr.ErrNoKey) {
		return driver.Versioned{}, nil
	}
	return now, err
}

func (b builtDict) Has(ctx context.Context, key []byte) (bool, error) {
	now, err := b.get(ctx, key)
	return now.Version != 0, err
}

func (b builtDict) SetDefault(ctx context.Context, key, v []byte) (now []byte, err error) {
	err = Retry(ctx, func() (bool, error) {
		was, err := b.get(ctx, key)
		if now = was.Value; err != nil || was.Version != 0 {
			return true, err
		}
		now = v
		return b.d.SetVersion(ctx, key, v, 0)
	})
	return now, err
}

func (b builtDict) CompareAndSwap(ctx context.Context, key, old, v []byte) (ok bool, err error) {
	return swap(ctx, b.d, old, v,
		func() (driver.Versioned, error) { return b.get(ctx, key) },
		func(v []byte, version uint64) (bool, error) { return b.d.SetVersion(ctx, key, v, version) })
}

func (b builtDict) Add(ctx context.Context, key, delta []byte) ([]byte, error) {
	return add(ctx, b.d, delta,
		func() (driver.Versioned, error) { return b.get(ctx, key) },
		func(v []byte, version uint64) (bool, error) { return b.d.SetVersion(ctx, key, v, version) })
}

func (b builtDict) Pop(ctx context.Context, key []byte) (v []byte, err error) {
	err = Retry(ctx, func() (bool, error) {
		was, err := b.d.Get(ctx, key)
		if err != nil {
			return false, err
		}
		v = was.Value
		return b.d.SetVersion(ctx, key, nil, was.Version)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (b builtDict) PageKeys(ctx context.Context, cursor uint64, limit int) (keys [][]byte, next uint64, err error) {
	keys, _, next, err = b.d.Page(ctx, cursor, limit)
	return keys, next, err
}

// swap is CompareAndSwap wherever a value is kept. A version of 0 is no value,
// which equals nothing.
func swap(ctx context.Context, o driver.Object, old, v []byte,
	get func() (driver.Versioned, error), set func(v []byte, version uint64) (bool, error),
) (ok bool, err error) {
	err = Retry(ctx, func() (bool, error) {
		was, err := get()
		if err != nil || was.Version == 0 {
			return true, err
		}
		equal, err := driver.Equal(was.Value, old)
		if err != nil {
			return false, fmt.Errorf("%v: %w", o, err)
		}
		if !equal {
			return true, nil
		}
		ok, err = set(v, was.Version)
		return ok, err
	})
	return ok, err
}

// add is Add wherever a value is kept.
func add(ctx context.Context, o driver.Object, delta []byte,
	get func() (driver.Versioned, error), set func(v []byte, version uint64) (bool, error),
) (sum []byte, err error) {
	err = Retry(ctx, func() (bool, error) {
		was, err := get()
		if err != nil {
			return false, err
		}
		if was.Version == 0 {
			was.Value = nil
		}
		if sum, err = driver.Sum(was.Value, delta); err != nil {
			return false, fmt.Errorf("%v: %w", o, err)
		}
		return set(sum, was.Version)
	})
	if err != nil {
		return nil, err
	}
	return sum, nil
}

// noDict is what cannot be built.
type noDict struct{ d driver.Dict }

func (n noDict) missing(method string) error { return &Missing{n.d, driver.KindDict, method} }

func (n noDict) PopItem(context.Context) (key, v []byte, err error) {
	return nil, nil, n.missing("PopItem")
}

func (n noDict) SetAll(context.Context, [][]byte, [][]byte) error { return n.missing("SetAll") }

func (n noDict) Clear(context.Context) error { return n.missing("Clear") }

func (n noDict) SetFor(context.Context, []byte, []byte, time.Duration) error {
	return n.missing("SetFor")
}

func (n noDict) Watch(context.Context) iter.Seq2[driver.Change, error] {
	return failing[driver.Change](n.missing("Watch"))
}

// failing yields an error, as an iteration does that cannot begin.
func failing[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { yield(*new(T), err) }
}
