package drivertest

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"multiproc/internal/mperr"
	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// entries are what dicts and sets are made of: entries in the order in which
// they came.
type entries struct {
	byKey map[string]*entry
	order []*entry
}

type entry struct {
	key     string // of equal keys the same
	k, v    []byte // the key as it was given, and the value
	place   uint64 // in the order: grows
	version uint64
}

func (e *entries) set(s *Store, key string, k, v []byte) *entry {
	x := e.byKey[key]
	if x == nil {
		if e.byKey == nil {
			e.byKey = map[string]*entry{}
		}
		x = &entry{key: key, k: k, place: s.next()}
		e.byKey[key] = x
		e.order = append(e.order, x)
	}
	x.v, x.version = v, s.next()
	return x
}

func (e *entries) delete(x *entry) {
	delete(e.byKey, x.key)
	e.order = slices.DeleteFunc(e.order, func(y *entry) bool { return x == y })
}

func (e *entries) clear() { *e = entries{} }

// page returns up to limit entries behind cursor; all of them if it is 0.
func (e *entries) page(cursor uint64, limit int) (page []*entry, next uint64) {
	i, _ := slices.BinarySearchFunc(e.order, cursor+1, func(x *entry, place uint64) int { return int(x.place) - int(place) })
	page = slices.Clone(e.order[i:])
	if limit > 0 && len(page) > limit {
		page = page[:limit]
		next = page[limit-1].place
	}
	return page, next
}

// dict is the body of a dict.
type dict struct{ entries }

type dictHandle struct {
	*handle
	d *dict
}

// at calls f with the entry of a key, nil if there is none.
func (h *dictHandle) at(ctx context.Context, key []byte, f func(key string, x *entry) error) error {
	k, err := portable.Key(key)
	if err != nil {
		return fmt.Errorf("%v: %w", h, err)
	}
	return h.do(ctx, func() error { return f(k, h.d.byKey[k]) })
}

// there is at for an entry that has to be there.
func (h *dictHandle) there(ctx context.Context, key []byte, f func(x *entry) error) error {
	return h.at(ctx, key, func(_ string, x *entry) error {
		if x == nil {
			return mperr.ErrNoKey
		}
		return f(x)
	})
}

// set and delete change an entry and tell the watchers.
func (h *dictHandle) set(key string, k, v []byte) {
	x := h.d.set(h.session.store, key, k, v)
	h.o.emit(driver.Change{Key: x.k, Value: v, Version: x.version})
}

func (h *dictHandle) delete(x *entry) {
	h.d.delete(x)
	h.o.emit(driver.Change{Key: x.k, Version: h.session.store.next()})
}

func (h *dictHandle) Get(ctx context.Context, key []byte) (v driver.Versioned, err error) {
	err = h.there(ctx, key, func(x *entry) error {
		v = driver.Versioned{Value: x.v, Version: x.version}
		return nil
	})
	return v, err
}

func (h *dictHandle) Set(ctx context.Context, key, v []byte) error {
	return h.at(ctx, key, func(k string, _ *entry) error {
		h.set(k, key, v)
		return nil
	})
}

func (h *dictHandle) SetVersion(ctx context.Context, key, v []byte, version uint64) (ok bool, err error) {
	err = h.at(ctx, key, func(k string, x *entry) error {
		var now uint64
		if x != nil {
			now = x.version
		}
		ok = now == version
		switch {
		case !ok:
		case v != nil:
			h.set(k, key, v)
		case x != nil:
			h.delete(x)
		}
		return nil
	})
	return ok, err
}

func (h *dictHandle) SetDefault(ctx context.Context, key, v []byte) (now []byte, err error) {
	err = h.at(ctx, key, func(k string, x *entry) error {
		if x == nil {
			h.set(k, key, v)
			x = h.d.byKey[k]
		}
		now = x.v
		return nil
	})
	return now, err
}

func (h *dictHandle) CompareAndSwap(ctx context.Context, key, old, v []byte) (ok bool, err error) {
	err = h.at(ctx, key, func(k string, x *entry) error {
		if x == nil {
			return nil
		}
		var err error
		if ok, err = equal(x.v, old); ok {
			h.set(k, key, v)
		}
		return err
	})
	return ok, err
}

func (h *dictHandle) Add(ctx context.Context, key, delta []byte) (now []byte, err error) {
	err = h.at(ctx, key, func(k string, x *entry) error {
		var err error
		if now = delta; x == nil {
			err = summand(delta)
		} else {
			now, err = sum(x.v, delta)
		}
		if err != nil {
			return err
		}
		h.set(k, key, now)
		return nil
	})
	return now, err
}

func (h *dictHandle) Delete(ctx context.Context, key []byte) (ok bool, err error) {
	err = h.at(ctx, key, func(_ string, x *entry) error {
		if ok = x != nil; ok {
			h.delete(x)
		}
		return nil
	})
	return ok, err
}

func (h *dictHandle) Pop(ctx context.Context, key []byte) (v []byte, err error) {
	err = h.there(ctx, key, func(x *entry) error {
		h.delete(x)
		v = x.v
		return nil
	})
	return v, err
}

func (h *dictHandle) PopItem(ctx context.Context) (key, v []byte, err error) {
	err = h.do(ctx, func() error {
		n := len(h.d.order)
		if n == 0 {
			return mperr.ErrNoKey
		}
		x := h.d.order[n-1]
		h.delete(x)
		key, v = x.k, x.v
		return nil
	})
	return key, v, err
}

func (h *dictHandle) Has(ctx context.Context, key []byte) (has bool, err error) {
	err = h.at(ctx, key, func(_ string, x *entry) error { has = x != nil; return nil })
	return has, err
}

func (h *dictHandle) Len(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.d.order); return nil })
	return n, err
}

func (h *dictHandle) Clear(ctx context.Context) error {
	return h.do(ctx, func() error {
		h.d.clear()
		h.o.emit(driver.Change{Version: h.session.store.next()})
		return nil
	})
}

func (h *dictHandle) SetAll(ctx context.Context, keys, vs [][]byte) error {
	if len(keys) != len(vs) {
		return fmt.Errorf("%v: %d keys and %d values: %w", h, len(keys), len(vs), mperr.ErrValue)
	}
	names := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if names[i], err = portable.Key(key); err != nil {
			return fmt.Errorf("%v: %w", h, err)
		}
	}
	return h.do(ctx, func() error {
		for i := range keys {
			h.set(names[i], keys[i], vs[i])
		}
		return nil
	})
}

func (h *dictHandle) Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error) {
	err = h.do(ctx, func() error {
		var page []*entry
		page, next = h.d.page(cursor, limit)
		for _, x := range page {
			keys, vs = append(keys, x.k), append(vs, x.v)
		}
		return nil
	})
	return keys, vs, next, err
}

func (h *dictHandle) PageKeys(ctx context.Context, cursor uint64, limit int) (keys [][]byte, next uint64, err error) {
	keys, _, next, err = h.Page(ctx, cursor, limit)
	return keys, next, err
}

func (h *dictHandle) Watch(ctx context.Context) iter.Seq2[driver.Change, error] {
	return watch[driver.Change](ctx, h.handle)
}
