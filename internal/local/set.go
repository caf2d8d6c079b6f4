package local

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/cell"
	"multiproc/internal/dict"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// set implements driver.Set: a dict without values.
type set struct{ dictionary }

var (
	_ driver.Set        = (*set)(nil)
	_ driver.SetPopper  = (*set)(nil)
	_ driver.SetBatcher = (*set)(nil)
	_ driver.SetClearer = (*set)(nil)
)

func newSet(p *Place, seg *shm.Segment) (*set, error) {
	s := &set{dictionary{d: &dict.Dict{}}}
	if err := s.open(p, seg, s.d); err != nil {
		return nil, err
	}
	if !s.d.NoValues {
		_ = s.Memory.Close()
		return nil, fmt.Errorf("%s %s: its entries have values: %w", seg.Kind, seg.ID, mperr.ErrCorrupt)
	}
	return s, nil
}

func (s *set) Add(ctx context.Context, v []byte) (bool, error) {
	k, err := s.at(ctx, v)
	if err != nil {
		return false, err
	}
	defer s.Exit()
	ok, err := s.d.Set(ctx, &k, cell.Cell{}, 0)
	return ok, s.named(err)
}

// member makes what is looked for of an item: a set stands for the frozenset.
func (s *set) member(item []byte) ([]byte, error) {
	if interchange.OneForm(item) {
		return item, nil
	}
	v, err := interchange.ParseValue(item)
	if err == nil {
		item, err = interchange.AppendValue(nil, pyvalue.Member(v))
	}
	return item, s.named(err)
}

func (s *set) Remove(ctx context.Context, v []byte) (bool, error) {
	v, err := s.member(v)
	if err != nil {
		return false, err
	}
	return s.Delete(ctx, v)
}

func (s *set) Has(ctx context.Context, v []byte) (bool, error) {
	v, err := s.member(v)
	if err != nil {
		return false, err
	}
	return s.dictionary.Has(ctx, v)
}

func (s *set) Pop(ctx context.Context) ([]byte, error) {
	v, _, err := s.PopItem(ctx)
	if errors.Is(err, mperr.ErrNoKey) {
		err = s.named(mperr.ErrEmpty)
	}
	return v, err
}

func (s *set) Page(ctx context.Context, cursor uint64, limit int) (vs [][]byte, next uint64, err error) {
	return s.PageKeys(ctx, cursor, limit)
}

func (s *set) AddAll(ctx context.Context, vs [][]byte) (added int, err error) {
	added, _, err = s.changeAll(ctx, vs, dict.Change{Keep: true})
	return added, err
}

func (s *set) RemoveAll(ctx context.Context, vs [][]byte) (removed int, err error) {
	_, removed, err = s.changeAll(ctx, vs, dict.Change{Gone: true})
	return removed, err
}

// changeAll makes the same change of all values, at one moment.
func (s *set) changeAll(ctx context.Context, vs [][]byte, c dict.Change) (came, went int, err error) {
	changes := make([]dict.Change, len(vs))
	for i, v := range vs {
		if c.Key, err = s.key(v); err != nil {
			return 0, 0, err
		}
		changes[i] = c
	}
	if err := s.enter(ctx); err != nil {
		return 0, 0, err
	}
	defer s.Exit()
	came, went, err = s.d.Batch(ctx, changes)
	return came, went, s.named(err)
}

func (s *set) Retain(ctx context.Context, vs [][]byte) (removed int, err error) {
	keep := make(map[dict.Identity]struct{}, len(vs))
	for _, v := range vs {
		k, err := s.key(v)
		if err != nil {
			return 0, err
		}
		keep[k.Identity()] = struct{}{}
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.Exit()
	removed, err = s.d.Retain(ctx, func(e *dict.Entry) bool {
		_, stays := keep[e.Identity()]
		return stays
	})
	return removed, s.named(err)
}
