package drivertest

import (
	"context"
	"fmt"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// set is the body of a set: entries without values.
type set struct{ entries }

type setHandle struct {
	*handle
	s *set
}

// each calls f with the key and the entry of each value, at one moment.
func (h *setHandle) each(ctx context.Context, vs [][]byte, f func(k hashed, x *entry)) error {
	keys, err := keysOf(vs)
	if err != nil {
		return fmt.Errorf("%v: %w", h, err)
	}
	return h.do(ctx, func() error {
		if err := h.s.sure(keys); err != nil {
			return err
		}
		for _, k := range keys {
			f(k, h.s.byKey[k.of])
		}
		return nil
	})
}

// one is each for a value that is looked for.
func (h *setHandle) one(ctx context.Context, b []byte, f func(x *entry)) error {
	v, err := parse(b)
	if err == nil {
		b, err = interchange.AppendValue(nil, pyvalue.Member(v))
	}
	if err != nil {
		return fmt.Errorf("%v: %w", h, err)
	}
	return h.each(ctx, [][]byte{b}, func(_ hashed, x *entry) { f(x) })
}

func (h *setHandle) AddAll(ctx context.Context, vs [][]byte) (added int, err error) {
	err = h.each(ctx, vs, func(k hashed, x *entry) {
		if x == nil {
			h.s.set(h.session.store, k, nil)
			added++
		}
	})
	return added, err
}

func (h *setHandle) RemoveAll(ctx context.Context, vs [][]byte) (removed int, err error) {
	err = h.each(ctx, vs, func(_ hashed, x *entry) {
		if x != nil {
			h.s.delete(x)
			removed++
		}
	})
	return removed, err
}

func (h *setHandle) Retain(ctx context.Context, vs [][]byte) (removed int, err error) {
	keys, err := keysOf(vs)
	if err != nil {
		return 0, fmt.Errorf("%v: %w", h, err)
	}
	keep := map[string]bool{}
	for _, k := range keys {
		keep[k.of] = true
	}
	err = h.do(ctx, func() error {
		if err := h.s.sure(keys); err != nil {
			return err
		}
		page, _ := h.s.page(0, 0)
		for _, x := range page {
			if !keep[x.of] {
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

func (h *setHandle) Remove(ctx context.Context, v []byte) (was bool, err error) {
	err = h.one(ctx, v, func(x *entry) {
		if was = x != nil; was {
			h.s.delete(x)
		}
	})
	return was, err
}

func (h *setHandle) Has(ctx context.Context, v []byte) (has bool, err error) {
	err = h.one(ctx, v, func(x *entry) { has = x != nil })
	return has, err
}

func (h *setHandle) Pop(ctx context.Context) (v []byte, err error) {
	err = h.do(ctx, func() error {
		if len(h.s.order) == 0 {
			return mperr.ErrEmpty
		}
		x := h.s.order[0]
		h.s.delete(x)
		v = x.given
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
			vs = append(vs, x.given)
		}
		return nil
	})
	return vs, next, err
}
