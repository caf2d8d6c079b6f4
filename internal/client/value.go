package client

import (
	"context"

	"multiproc/mp/driver"
)

// valueHandle implements driver.Value.
type valueHandle struct{ *handle }

var _ driver.Value = (*valueHandle)(nil)

func (v *valueHandle) Get(ctx context.Context) (driver.Versioned, error) {
	return v.request("mp.get").versioned(ctx)
}

func (v *valueHandle) Set(ctx context.Context, x []byte) error {
	return v.request("mp.set").raw(x).void(ctx)
}

func (v *valueHandle) SetVersion(ctx context.Context, x []byte, version uint64) (bool, error) {
	return v.request("mp.setVersion").raw(x).uint(version).truth(ctx)
}

func (v *valueHandle) CompareAndSwap(ctx context.Context, old, x []byte) (bool, error) {
	return v.request("mp.compareAndSwap").raw(old).raw(x).truth(ctx)
}

func (v *valueHandle) Add(ctx context.Context, delta []byte) ([]byte, error) {
	return v.request("mp.add").raw(delta).value(ctx)
}
