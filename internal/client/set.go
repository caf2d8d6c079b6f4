package client

import (
	"context"

	"multiproc/mp/driver"
)

// setHandle implements driver.Set.
type setHandle struct{ *handle }

var _ driver.Set = (*setHandle)(nil)

func (s *setHandle) Add(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.add").raw(v).truth(ctx)
}

func (s *setHandle) Remove(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.remove").raw(v).truth(ctx)
}

func (s *setHandle) Has(ctx context.Context, v []byte) (bool, error) {
	return s.request("mp.has").raw(v).truth(ctx)
}

func (s *setHandle) Pop(ctx context.Context) ([]byte, error) { return s.request("mp.pop").value(ctx) }

func (s *setHandle) Len(ctx context.Context) (int, error) { return s.request("mp.len").number(ctx) }

func (s *setHandle) Clear(ctx context.Context) error { return s.request("mp.clear").void(ctx) }

func (s *setHandle) AddAll(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.addAll").list(vs).number(ctx)
}

func (s *setHandle) RemoveAll(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.removeAll").list(vs).number(ctx)
}

func (s *setHandle) Retain(ctx context.Context, vs [][]byte) (int, error) {
	return s.request("mp.retain").list(vs).number(ctx)
}

func (s *setHandle) Page(ctx context.Context, cursor uint64, limit int) ([][]byte, uint64, error) {
	return pageItems(ctx, s.handle, "mp.page", cursor, limit)
}
