package drivertest

import (
	"context"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/portable"
)

// set is the body of a set: entries without values.
type set struct{ entries }

type setHandle struct {
	*handle
	s *set
}

// each calls f with the key and the entry of each value, at one moment.
func (h *setHandle) each(ctx context.Context, vs [][]byte, f func(key string, v []byte, x *entry)) error {
	keys := make([]string, len(vs))
	for i, v := range vs {
		var err error
		if keys[i], err = portable.Key(v); err != nil {
			return fmt.Errorf("%v: %w", h, err)
		}
	}
	return h.do(ctx, func() error {
		for i, key := range keys {
			f(key, vs[i], h.s.byKey[key])
		}
		return nil
	})
}

func (h *setHandle) AddAll(ctx context.Context, vs [][]byte) (added int, err error) {
	err = h.each(ctx, vs, func(key string, v []byte, x *entry) {
		if x == nil {
			h.s.set(h.session.store, key, v, nil)
			added++
		}
	})
	return added, err
}

func (h *setHandle) RemoveAll(ctx context.Context, vs [][]byte) (removed int, err error) {
	err = h.each(ctx, vs, func(_ string, _ []byte, x *entry) {
		if x != nil {
			h.s.delete(x)
			removed++
		}
	})
	return removed, err
}

func (h *setHandle) Retain(ctx context.Context, vs [][]byte) (removed int, err error) {
	keep := map[string]bool{}
	for _, v := range vs {
		key, err := portable.Key(v)
		if err != nil {
			return 0, fmt.Errorf("%v: %w", h, err)
		}
		keep[key] = true
	}
	err = h.do(ctx, func() error {
		page, _ := h.s.page(0, 0)
		for _, x := range page {
			if !keep[x.key] {
				h.s.delete(x)
				removed++
			}
		}
		return nil
	})
	return removed, err
}

func (h *setHandle) Add(ctx context.Context, v []byte) (bool, error) {
	n, err := h.AddAll(ctx, [][]byte{v})
	return n == 1, err
}

func (h *setHandle) Remove(ctx context.Context, v []byte) (bool, error) {
	n, err := h.RemoveAll(ctx, [][]byte{v})
	return n == 1, err
}

func (h *setHandle) Has(ctx context.Context, v []byte) (has bool, err error) {
	err = h.each(ctx, [][]byte{v}, func(_ string, _ []byte, x *entry) { has = x != nil })
	return has, err
}

func (h *setHandle) Pop(ctx context.Context) (v []byte, err error) {
	err = h.do(ctx, func() error {
		if len(h.s.order) == 0 {
			return mperr.ErrEmpty
		}
		x := h.s.order[0]
		h.s.delete(x)
		v = x.k
		return nil
	})
	return v, err
}

func (h *setHandle) Len(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.s.order); return nil })
	return n, err
}

func (h *setHandle) Clear(ctx context.Context) error {
	return h.do(ctx, func() error { h.s.clear(); return nil })
}

func (h *setHandle) Page(ctx context.Context, cursor uint64, limit int) (vs [][]byte, next uint64, err error) {
	err = h.do(ctx, func() error {
		var page []*entry
		page, next = h.s.page(cursor, limit)
		for _, x := range page {
			vs = append(vs, x.k)
		}
		return nil
	})
	return vs, next, err
}
