package mp

import (
	"context"
	"errors"
	"unsafe"

	"multiproc/internal/complete"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
)

// placeQueue is a queue in a place.
type placeQueue[T any] struct {
	handle[complete.Queue]
	t *interchange.Type[T]
}

func (q *placeQueue[T]) put(ctx context.Context, v T) error {
	b, err := encode(ctx, q.obj, q.t, v)
	if err != nil {
		return err
	}
	return q.obj.Put(ctx, b)
}

func (q *placeQueue[T]) tryPut(ctx context.Context, v T) error {
	b, err := encode(ctx, q.obj, q.t, v)
	if err != nil {
		return err
	}
	return q.obj.TryPut(ctx, b)
}

func (q *placeQueue[T]) get(ctx context.Context) (v T, err error) {
	b, err := q.obj.Get(ctx)
	if err != nil {
		return v, err
	}
	return taken(ctx, q.obj, q.t, b)
}

func (q *placeQueue[T]) tryGet(ctx context.Context) (v T, err error) {
	b, err := q.obj.TryGet(ctx)
	if err != nil {
		return v, err
	}
	return taken(ctx, q.obj, q.t, b)
}

func (q *placeQueue[T]) putBatch(ctx context.Context, values []T) (int, error) {
	all, failed := encodeAll(ctx, q.obj, q.t, values)
	if len(all) == 0 {
		return 0, errors.Join(failed, mperr.Ended(ctx))
	}
	n, err := q.obj.PutBatch(ctx, all)
	if err == nil {
		err = failed
	}
	return n, err
}

func (q *placeQueue[T]) getBatch(ctx context.Context, limit int) ([]T, error) {
	items, err := q.obj.GetBatch(ctx, limit)
	if err != nil {
		return nil, err
	}
	own, cancel := grace(ctx)
	defer cancel()
	out, err := decodeAll(own, q.obj, q.t, items)
	return out, lost(err)
}

// getAppend is for byte slices.
func (q *placeQueue[T]) getAppend(ctx context.Context, buf []byte) ([]byte, error) {
	v, err := q.get(ctx)
	if err != nil {
		return buf, err
	}
	return append(buf, *(*[]byte)(unsafe.Pointer(&v))...), nil
}

func (q *placeQueue[T]) length(ctx context.Context) (int, error) {
	return ask(ctx, &q.handle, complete.Queue.Len)
}

func (q *placeQueue[T]) full(ctx context.Context) (bool, error) {
	return ask(ctx, &q.handle, complete.Queue.Full)
}

func (q *placeQueue[T]) capacity() int {
	o, err := q.access()
	if err != nil {
		return 0
	}
	return o.Cap()
}

func (q *placeQueue[T]) taskDone(ctx context.Context) error {
	return q.do(ctx, complete.Queue.TaskDone)
}

func (q *placeQueue[T]) join(ctx context.Context) error { return q.do(ctx, complete.Queue.Join) }

func (q *placeQueue[T]) closeWrite(ctx context.Context) error {
	return q.do(ctx, complete.Queue.CloseWrite)
}

// source lets Select wait for the queue.
func (q *placeQueue[T]) source() (*waitSource, error) {
	o, err := q.access()
	if err != nil {
		return nil, err
	}
	return &waitSource{
		poll: func(ctx context.Context) (bool, error) {
			n, err := o.Len(ctx)
			return n > 0, err
		},
		await:   o.Await,
		release: func() {},
	}, nil
}
