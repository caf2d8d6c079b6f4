package drivertest

import (
	"context"

	"multiproc/mp/driver"
)

// value is the body of a value.
type value struct{ now driver.Versioned }

type valueHandle struct {
	*handle
	v *value
}

func (h *valueHandle) set(v []byte) {
	h.v.now = driver.Versioned{Value: v, Version: h.session.store.next()}
}

func (h *valueHandle) Get(ctx context.Context) (now driver.Versioned, err error) {
	err = h.do(ctx, func() error { now = h.v.now; return nil })
	return now, err
}

func (h *valueHandle) Set(ctx context.Context, v []byte) error {
	return h.do(ctx, func() error { h.set(v); return nil })
}

func (h *valueHandle) SetVersion(ctx context.Context, v []byte, version uint64) (ok bool, err error) {
	err = h.do(ctx, func() error {
		if ok = h.v.now.Version == version; ok {
			h.set(v)
		}
		return nil
	})
	return ok, err
}

func (h *valueHandle) CompareAndSwap(ctx context.Context, old, v []byte) (ok bool, err error) {
	err = h.do(ctx, func() error {
		var err error
		if ok, err = equal(h.v.now.Value, old); ok {
			h.set(v)
		}
		return err
	})
	return ok, err
}

func (h *valueHandle) Add(ctx context.Context, delta []byte) (now []byte, err error) {
	err = h.do(ctx, func() error {
		var err error
		if now, err = sum(h.v.now.Value, delta); err == nil {
			h.set(now)
		}
		return err
	})
	return now, err
}
