package client

import (
	"context"
	"iter"

	"multiproc/internal/frames"
	"multiproc/mp/driver"
)

// listHandle implements driver.List.
type listHandle struct{ *handle }

var _ driver.List = (*listHandle)(nil)

func (l *listHandle) Get(ctx context.Context, i int) (driver.Versioned, error) {
	return l.request("mp.get").int(i).versioned(ctx)
}

func (l *listHandle) Set(ctx context.Context, i int, v []byte) error {
	return l.request("mp.set").int(i).raw(v).void(ctx)
}

func (l *listHandle) SetVersion(ctx context.Context, i int, v []byte, version uint64) (bool, error) {
	return l.request("mp.setVersion").int(i).raw(v).uint(version).truth(ctx)
}

func (l *listHandle) CompareAndSwap(ctx context.Context, i int, old, v []byte) (bool, error) {
	return l.request("mp.compareAndSwap").int(i).raw(old).raw(v).truth(ctx)
}

func (l *listHandle) Add(ctx context.Context, i int, delta []byte) ([]byte, error) {
	return l.request("mp.add").int(i).raw(delta).value(ctx)
}

func (l *listHandle) Append(ctx context.Context, v []byte) error {
	return l.request("mp.append").raw(v).void(ctx)
}

func (l *listHandle) Extend(ctx context.Context, vs [][]byte) error {
	return l.request("mp.extend").list(vs).void(ctx)
}

func (l *listHandle) Insert(ctx context.Context, i int, v []byte) error {
	return l.request("mp.insert").int(i).raw(v).void(ctx)
}

func (l *listHandle) Pop(ctx context.Context, i int) ([]byte, error) {
	return l.request("mp.pop").int(i).value(ctx)
}

func (l *listHandle) Delete(ctx context.Context, i int) error {
	return l.request("mp.delete").int(i).void(ctx)
}

func (l *listHandle) Remove(ctx context.Context, v []byte) error {
	return l.request("mp.remove").raw(v).void(ctx)
}

func (l *listHandle) Index(ctx context.Context, v []byte, start, stop int) (int, error) {
	return l.request("mp.index").raw(v).int(start).int(stop).number(ctx)
}

func (l *listHandle) Count(ctx context.Context, v []byte) (int, error) {
	return l.request("mp.count").raw(v).number(ctx)
}

func (l *listHandle) Has(ctx context.Context, v []byte) (bool, error) {
	return l.request("mp.has").raw(v).truth(ctx)
}

func (l *listHandle) Reverse(ctx context.Context) error { return l.request("mp.reverse").void(ctx) }

func (l *listHandle) Sort(ctx context.Context, reverse bool) error {
	return l.request("mp.sort").bool(reverse).void(ctx)
}

func (l *listHandle) Len(ctx context.Context) (int, error) { return l.request("mp.len").number(ctx) }

func (l *listHandle) Clear(ctx context.Context) error { return l.request("mp.clear").void(ctx) }

func (l *listHandle) Slice(ctx context.Context, start, stop, step *int) ([][]byte, error) {
	return l.request("mp.slice").optional(start).optional(stop).optional(step).items(ctx)
}

func (l *listHandle) SetSlice(ctx context.Context, start, stop, step *int, vs [][]byte) error {
	return l.request("mp.setSlice").optional(start).optional(stop).optional(step).list(vs).void(ctx)
}

func (l *listHandle) DeleteSlice(ctx context.Context, start, stop, step *int) error {
	return l.request("mp.deleteSlice").optional(start).optional(stop).optional(step).void(ctx)
}

func (l *listHandle) Repeat(ctx context.Context, n int) error {
	return l.request("mp.repeat").int(n).void(ctx)
}

func (l *listHandle) Watch(ctx context.Context) iter.Seq2[driver.ListChange, error] {
	return watch(ctx, l.handle, parseListChange)
}

// parseListChange reads [op, index, value, version, has a value].
func parseListChange(event []byte) (c driver.ListChange, err error) {
	it, _ := frames.Array(event)
	op, ok1 := frames.Text(it.Next())
	index, ok2 := frames.Int(it.Next())
	v := it.Next()
	version, ok3 := frames.Uint(it.Next())
	has, ok4 := frames.Bool(it.Next())
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return c, errStrange
	}
	c = driver.ListChange{Op: string(op), Index: int(index), Version: version}
	if has {
		c.Value = v
	}
	return c, nil
}
