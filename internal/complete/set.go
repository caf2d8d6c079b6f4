package complete

import (
	"context"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Set is all that a set can do.
type Set interface {
	driver.Set
	driver.SetPopper
	driver.SetBatcher
	driver.SetClearer
}

type set struct {
	driver.Set
	driver.SetPopper
	driver.SetBatcher
	driver.SetClearer
}

func newSet(o driver.Set) Set {
	not := noSet{o}
	return &set{
		o,
		or[driver.SetPopper](o, builtSet{o}),
		or[driver.SetBatcher](o, not),
		or[driver.SetClearer](o, not),
	}
}

func (s *set) bare() driver.Object { return s.Set }

// builtSet is what can be built from Page and Remove.
type builtSet struct{ s driver.Set }

// Pop takes the first value that nobody else takes.
func (b builtSet) Pop(ctx context.Context) (v []byte, err error) {
	err = Retry(ctx, func() (bool, error) {
		vs, _, err := b.s.Page(ctx, 0, 1)
		if err != nil {
			return false, err
		}
		if len(vs) == 0 {
			return false, fmt.Errorf("%v: %w", b.s, mperr.ErrEmpty)
		}
		v = vs[0]
		return b.s.Remove(ctx, v)
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// noSet is what cannot be built.
type noSet struct{ s driver.Set }

func (n noSet) missing(method string) error { return &Missing{n.s, driver.KindSet, method} }

func (n noSet) AddAll(context.Context, [][]byte) (int, error) { return 0, n.missing("AddAll") }

func (n noSet) RemoveAll(context.Context, [][]byte) (int, error) { return 0, n.missing("RemoveAll") }

func (n noSet) Retain(context.Context, [][]byte) (int, error) { return 0, n.missing("Retain") }

func (n noSet) Clear(context.Context) error { return n.missing("Clear") }
