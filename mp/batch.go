package mp

import (
	"context"
	"fmt"
	"unsafe"

	"multiproc/internal/ring"
	"multiproc/internal/table"
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
		if q.far != nil {
			return q.far.putBatch(ctx, values)
		}
		return 0, q.errClosed()
	}
	defer q.exit()
	if q.e.raw {
		return q.r.PutMany(ctx, len(values), func(i int) (unsafe.Pointer, int) {
			return unsafe.Pointer(&values[i]), q.size
		})
	}
	if q.e.bare() {
		return q.r.PutMany(ctx, len(values), func(i int) (unsafe.Pointer, int) { return q.e.record(&values[i]) })
	}
	return q.putEncoded(ctx, values)
}

// putEncoded encodes all values first, so that the lock is not held meanwhile.
// Values behind one that cannot be encoded are not put.
func (q *Queue[T]) putEncoded(ctx context.Context, values []T) (int, error) {
	p := buffers.Get().(*[]byte)
	b := (*p)[:0]
	defer func() { giveBack(p, b) }()
	ends := make([]int, 0, len(values))
	sessions := make([]export, 0, len(values))
	var failed error
	for i := range values {
		out := export{f: q.f, to: table.Root}
		next, err := q.e.c.Append(b, &values[i], &out)
		if err != nil {
			out.rollback()
			failed = err
			break
		}
		b, ends, sessions = next, append(ends, len(next)), append(sessions, out)
	}
	put, err := q.r.PutMany(ctx, len(ends), func(i int) (unsafe.Pointer, int) {
		begin := 0
		if i > 0 {
			begin = ends[i-1]
		}
		return unsafe.Pointer(unsafe.SliceData(b[begin:])), ends[i] - begin
	})
	for i := range sessions {
		if i < put {
			sessions[i].commit()
		} else {
			sessions[i].rollback()
		}
	}
	if err == nil {
		err = failed
	}
	return put, err
}

// batchBytes is how much memory a batch takes before it has an item.
const batchBytes = 1 << 20

// GetBatch takes between 1 and limit items, as many as there are, waiting
// while the queue is empty. From a manager about a megabyte comes at once, one
// item at least. Errors are those of Get; with an error about an item that
// cannot be decoded, the others are returned too.
func (q *Queue[T]) GetBatch(ctx context.Context, limit int) ([]T, error) {
	if limit < 1 {
		return nil, fmt.Errorf("queue: a batch of %d items", limit)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !q.enter() {
		if q.far != nil {
			return q.far.getBatch(ctx, limit)
		}
		return nil, q.errClosed()
	}
	defer q.exit()
	// As many as there seem to be, but not at the word of shared memory alone.
	out := make([]T, 0, min(limit, max(1, min(q.r.Len(), batchBytes/max(1, int(unsafe.Sizeof(*new(T))))))))
	var records [][]byte // copied out under the lock, decoded after it
	_, err := q.r.GetMany(ctx, limit, func(p unsafe.Pointer, n int) {
		if q.e.raw {
			out = append(out, *(*T)(p))
			return
		}
		var b []byte
		if n != ring.Nil {
			b = append([]byte{}, unsafe.Slice((*byte)(p), n)...)
		}
		records = append(records, b)
	})
	if err != nil {
		return nil, err
	}
	var failed error
	for _, b := range records {
		var v T
		if q.e.bare() {
			q.e.fill(&v, b)
		} else if err := q.e.decode(q.f, b, &v); err != nil {
			failed = err
			continue
		}
		out = append(out, v)
	}
	return out, failed
}
