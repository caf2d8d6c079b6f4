package mp

import (
	"context"
	"iter"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/mp/driver"
)

// Set is a shared collection of values of which no two are equal, as Python
// compares: what manager.set() is in Python 3.14. It lives in shared memory or in a
// place, with the costs and promises of a Dict. See
// Dict for what may be in it: its values are as the keys of a Dict.
//
// What a Pop has taken is gone, also if its error says that it is no T.
type Set[T comparable] struct {
	travels
	h handle[complete.Set]
	t *interchange.Type[T]
}

// NewSet makes an empty set, in memory or In a place.
func NewSet[T comparable](opts ...Option) (*Set[T], error) {
	s := &Set[T]{}
	return made(s, newObject(s.travel(), driver.KindSet, opts))
}

func (s *Set[T]) plan() (err error) {
	s.t, err = interchange.ForKey[T]()
	return err
}

func (s *Set[T]) travel() traveller { return planned[complete.Set]{handle: &s.h, types: s.plan} }

func (s *Set[T]) with(ctx context.Context, v T) (complete.Set, []byte, error) {
	o, err := s.h.access()
	if err != nil {
		return nil, nil, err
	}
	b, err := encode(ctx, o, s.t, v)
	return o, b, err
}

func (s *Set[T]) withAll(ctx context.Context, vs []T) (complete.Set, [][]byte, error) {
	o, err := s.h.access()
	if err != nil {
		return nil, nil, err
	}
	bs, err := encodeAll(ctx, o, s.t, vs)
	return o, bs, err
}

// Insert puts v in, and reports whether it was not there yet.
func (s *Set[T]) Insert(ctx context.Context, v T) (bool, error) {
	o, b, err := s.with(ctx, v)
	if err != nil {
		return false, err
	}
	return o.Add(ctx, b)
}

// InsertBatch puts all values in at one moment, and returns how many of them were
// not there yet: Python's update.
func (s *Set[T]) InsertBatch(ctx context.Context, vs []T) (added int, err error) {
	o, bs, err := s.withAll(ctx, vs)
	if err != nil {
		return 0, err
	}
	return o.AddAll(ctx, bs)
}

// Remove takes v out, and reports whether it was there.
func (s *Set[T]) Remove(ctx context.Context, v T) (bool, error) {
	o, b, err := s.with(ctx, v)
	if err != nil {
		return false, err
	}
	return o.Remove(ctx, b)
}

// RemoveBatch takes all values out at one moment, and returns how many of them
// were there: Python's difference_update.
func (s *Set[T]) RemoveBatch(ctx context.Context, vs []T) (removed int, err error) {
	o, bs, err := s.withAll(ctx, vs)
	if err != nil {
		return 0, err
	}
	return o.RemoveAll(ctx, bs)
}

// Retain takes everything out that is not in vs, and returns how much that
// was: Python's intersection_update.
func (s *Set[T]) Retain(ctx context.Context, vs []T) (removed int, err error) {
	o, bs, err := s.withAll(ctx, vs)
	if err != nil {
		return 0, err
	}
	return o.Retain(ctx, bs)
}

// Pop takes some value out, or returns an error that wraps ErrEmpty.
func (s *Set[T]) Pop(ctx context.Context) (v T, err error) {
	o, err := s.h.access()
	if err != nil {
		return v, err
	}
	b, err := o.Pop(ctx)
	if err != nil {
		return v, err
	}
	return taken(ctx, o, s.t, b)
}

// Has reports whether v is there.
func (s *Set[T]) Has(ctx context.Context, v T) (bool, error) {
	o, b, err := s.with(ctx, v)
	if err != nil {
		return false, err
	}
	return o.Has(ctx, b)
}

// Len is the number of values.
func (s *Set[T]) Len(ctx context.Context) (int, error) {
	return ask(ctx, &s.h, complete.Set.Len)
}

// Clear takes all values out.
func (s *Set[T]) Clear(ctx context.Context) error { return s.h.do(ctx, complete.Set.Clear) }

// All iterates over the values, some hundreds a round trip; an error is the
// last pair, as with Queue.Drain. Others may change the set meanwhile: values
// that stay throughout are seen exactly once.
func (s *Set[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		o, err := s.h.access()
		if err != nil {
			yield(*new(T), err)
			return
		}
		eachOfPages(ctx, o, s.t, o.Page, yield)
	}
}

// Copy returns all values as they are at one moment. The map is the caller's.
// Not all values of a Set[any] can be in a map, see Dict.Copy.
func (s *Set[T]) Copy(ctx context.Context) (map[T]struct{}, error) {
	o, err := s.h.access()
	if err != nil {
		return nil, err
	}
	page, _, err := o.Page(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	vs, err := mapKeys(ctx, o, s.t, page)
	if err != nil {
		return nil, err
	}
	m := make(map[T]struct{}, len(vs))
	for _, v := range vs {
		m[v] = struct{}{}
	}
	return m, nil
}

// Close gives the handle back.
func (s *Set[T]) Close() error { return s.h.Close() }

// String names the object.
func (s *Set[T]) String() string { return s.h.String() }
