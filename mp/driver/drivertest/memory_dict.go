package drivertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// dict is the body of a dict.
type dict struct {
	entries
	texts bool          // keys are texts: a namespace
	ttl   time.Duration // of an entry, unless something else is said; 0: it has no end
}

// keyed makes a key of bytes.
func (d *dict) keyed(b []byte) (hashed, error) {
	k, err := keyOf(b)
	if err == nil && d.texts {
		v, failed := parse(b)
		if _, ok := v.(string); !ok && failed == nil {
			err = pyvalue.TypeError("attribute name must be string, not '" + pyvalue.TypeName(v) + "'")
		}
	}
	return k, err
}

type dictHandle struct {
	*handle
	d *dict
}

// at calls f with the entry of a key, nil if there is none.
func (h *dictHandle) at(ctx context.Context, b []byte, f func(k hashed, x *entry) error) error {
	k, err := h.d.keyed(b)
	if err != nil {
		return fmt.Errorf("%v: %w", h, err)
	}
	return h.do(ctx, func() error {
		x, err := h.d.find(k)
		if err != nil {
			return err
		}
		return f(k, x)
	})
}

// there is at for an entry that has to be there.
func (h *dictHandle) there(ctx context.Context, key []byte, f func(x *entry) error) error {
	return h.at(ctx, key, func(_ hashed, x *entry) error {
		if x == nil {
			return mperr.ErrNoKey
		}
		return f(x)
	})
}

// do is that of the handle, after the entries were taken out whose time is up.
func (h *dictHandle) do(ctx context.Context, f func() error) error {
	return h.handle.do(ctx, func() error {
		h.expire()
		return f()
	})
}

// expire takes out the entries whose time is up. The lock is held.
func (h *dictHandle) expire() {
	now := time.Now()
	for _, x := range slices.Clone(h.d.order) {
		if !x.due.IsZero() && !x.due.After(now) {
			h.delete(x)
		}
	}
}

// lasts gives an entry a time to live. The lock is held.
func (h *dictHandle) lasts(x *entry, ttl time.Duration) {
	if ttl <= 0 {
		return
	}
	x.due = time.Now().Add(ttl)
	s := h.session.store
	time.AfterFunc(ttl, func() { // for those who watch
		s.mu.Lock()
		defer s.mu.Unlock()
		h.expire()
		s.tell()
	})
}

// set and delete change an entry and tell the watchers.
func (h *dictHandle) set(k hashed, v []byte) {
	x := h.d.set(h.session.store, k, v)
	h.lasts(x, h.d.ttl)
	h.o.emit(driver.Change{Key: x.given, Value: v, Version: x.version})
}

func (h *dictHandle) delete(x *entry) {
	h.d.delete(x)
	h.o.emit(driver.Change{Key: x.given, Version: h.session.store.next()})
}

func (h *dictHandle) Get(ctx context.Context, key []byte) (v driver.Versioned, err error) {
	err = h.there(ctx, key, func(x *entry) error {
		v = driver.Versioned{Value: x.v, Version: x.version}
		return nil
	})
	return v, err
}

func (h *dictHandle) Set(ctx context.Context, key, v []byte) error {
	return h.at(ctx, key, func(k hashed, _ *entry) error {
		h.set(k, v)
		return nil
	})
}

func (h *dictHandle) SetFor(ctx context.Context, key, v []byte, ttl time.Duration) error {
	return h.at(ctx, key, func(k hashed, _ *entry) error {
		switch {
		case h.d.ttl <= 0:
			return fmt.Errorf("it was made without a time to live: %w", errors.ErrUnsupported)
		case ttl <= 0:
			return fmt.Errorf("a time to live of %v: %w", ttl, mperr.ErrValue)
		}
		h.set(k, v)
		h.lasts(h.d.byKey[k.of], ttl)
		return nil
	})
}

func (h *dictHandle) SetVersion(ctx context.Context, key, v []byte, version uint64) (ok bool, err error) {
	err = h.at(ctx, key, func(k hashed, x *entry) error {
		var now uint64
		if x != nil {
			now = x.version
		}
		ok = now == version
		switch {
		case !ok:
		case v != nil:
			h.set(k, v)
		case x != nil:
			h.delete(x)
		}
		return nil
	})
	return ok, err
}

func (h *dictHandle) SetDefault(ctx context.Context, key, v []byte) (now []byte, err error) {
	err = h.at(ctx, key, func(k hashed, x *entry) error {
		if x == nil {
			h.set(k, v)
			x = h.d.byKey[k.of]
		}
		now = x.v
		return nil
	})
	return now, err
}

func (h *dictHandle) CompareAndSwap(ctx context.Context, key, old, v []byte) (ok bool, err error) {
	err = h.at(ctx, key, func(k hashed, x *entry) error {
		if x == nil {
			return nil
		}
		var err error
		if ok, err = equal(x.v, old); ok {
			h.set(k, v)
		}
		return err
	})
	return ok, err
}

func (h *dictHandle) Add(ctx context.Context, key, delta []byte) (now []byte, err error) {
	err = h.at(ctx, key, func(k hashed, x *entry) error {
		var was []byte
		if x != nil {
			was = x.v
		}
		var err error
		if now, err = sum(was, delta); err == nil {
			h.set(k, now)
		}
		return err
	})
	return now, err
}

func (h *dictHandle) Delete(ctx context.Context, key []byte) (ok bool, err error) {
	err = h.at(ctx, key, func(_ hashed, x *entry) error {
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
		key, v = x.given, x.v
		return nil
	})
	return key, v, err
}

func (h *dictHandle) Has(ctx context.Context, key []byte) (has bool, err error) {
	err = h.at(ctx, key, func(_ hashed, x *entry) error { has = x != nil; return nil })
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
	ks := make([]hashed, len(keys))
	for i, b := range keys {
		var err error
		if ks[i], err = h.d.keyed(b); err != nil {
			return fmt.Errorf("%v: %w", h, err)
		}
	}
	return h.do(ctx, func() error {
		if err := h.d.sure(ks); err != nil {
			return err
		}
		for i, k := range ks {
			h.set(k, vs[i])
		}
		return nil
	})
}

func (h *dictHandle) Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error) {
	err = h.do(ctx, func() error {
		var page []*entry
		page, next = h.d.page(cursor, limit)
		for _, x := range page {
			keys, vs = append(keys, x.given), append(vs, x.v)
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
