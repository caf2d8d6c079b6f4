package mp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/ring"
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
	type bounds struct{ begin, end int }
	records := make([]bounds, 0, len(values))
	sessions := make([]export, 0, len(values))
	var failed error
	for i := range values {
		out := export{f: q.f, ctx: ctx, to: q.e.to}
		next, err := q.e.encode(b, &values[i], &out)
		if err != nil {
			out.rollback()
			failed = err
			break
		}
		records = append(records, bounds{len(next) - len(out.record(next[len(b):])), len(next)})
		b, sessions = next, append(sessions, out)
	}
	put, err := q.r.PutMany(ctx, len(records), func(i int) (unsafe.Pointer, int) {
		at := records[i]
		return unsafe.Pointer(unsafe.SliceData(b[at.begin:])), at.end - at.begin
	})
	for i := range sessions {
		if i < put {
			sessions[i].commit("")
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
// item at least. Items of a type with handles in it are taken one by one. Errors
// are those of Get; with an error about an item that cannot be decoded, the
// others are returned too.
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
	if q.e.handles {
		return q.getEach(ctx, limit)
	}
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
		} else if err := q.e.decode(b, &v, nil); err != nil {
			failed = err
			continue
		}
		out = append(out, v)
	}
	return out, failed
}

// getEach is GetBatch for items whose handles are fetched before they are
// taken. Once there is one, it waits for no other.
func (q *Queue[T]) getEach(ctx context.Context, limit int) (out []T, err error) {
	for len(out) < limit {
		var v T
		if len(out) == 0 {
			err = q.e.get(ctx, q.f, q.r, &v)
		} else {
			err = q.e.tryGet(ctx, q.f, q.r, &v)
		}
		switch {
		case err == nil:
			out = append(out, v)
			continue
		case len(out) > 0 && (errors.Is(err, mperr.ErrEmpty) || errors.Is(err, io.EOF) || ctx.Err() != nil):
			return out, nil
		}
		return out, err
	}
	return out, nil
}
