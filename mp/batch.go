package mp

import (
	"context"
	"fmt"
	"unsafe"
)

// PutBatch puts the values in order, waiting for room as Put does, and returns
// how many were put: all of them, or an error. It takes the queue's lock once
// for as many as there is room for, which costs a few nanoseconds an item.
// Items of others may come between its own only where it had to wait.
func (q *Queue[T]) PutBatch(ctx context.Context, values []T) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if !q.enter() {
		return 0, q.errClosed()
	}
	defer q.exit()
	if q.e.raw {
		return q.r.PutMany(ctx, len(values), func(i int) (unsafe.Pointer, int) {
			return unsafe.Pointer(&values[i]), q.size
		})
	}
	for i := range values {
		if err := q.e.put(q.f, &values[i], func(p unsafe.Pointer, n int) error { return q.r.Put(ctx, p, n) }); err != nil {
			return i, err
		}
	}
	return len(values), nil
}

// GetBatch takes between 1 and limit items, as many as there are, waiting
// while the queue is empty. Errors are those of Get; with an error
// about an item that cannot be decoded, the others are returned too.
func (q *Queue[T]) GetBatch(ctx context.Context, limit int) ([]T, error) {
	if limit < 1 {
		return nil, fmt.Errorf("queue: a batch of %d items", limit)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !q.enter() {
		return nil, q.errClosed()
	}
	defer q.exit()
	out := make([]T, 0, min(limit, max(1, q.r.Len())))
	var records [][]byte // copied out under the lock, decoded after it
	_, err := q.r.GetMany(ctx, limit, func(p unsafe.Pointer, n int) {
		if q.e.raw {
			out = append(out, *(*T)(p))
			return
		}
		records = append(records, append([]byte(nil), unsafe.Slice((*byte)(p), n)...))
	})
	if err != nil {
		return nil, err
	}
	var failed error
	for _, b := range records {
		var v T
		if err := q.e.decode(q.f, b, &v); err != nil {
			failed = err
			continue
		}
		out = append(out, v)
	}
	return out, failed
}
