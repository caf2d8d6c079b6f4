package mp

import (
	"context"
	"errors"

	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// placeQueue is a queue in a place.
type placeQueue[T any] struct {
	remote[driver.Queue]
	t *portable.Type[T]
}

func (q *Queue[T]) plan() error {
	_, err := portable.For[T]()
	return err
}

func (q *Queue[T]) openIn(n int, o objectOptions) (*Queue[T], error) {
	if err := openIn(q, o, driver.Spec{Kind: driver.KindQueue, Size: n}); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *Queue[T]) open(obj driver.Object) error {
	t, err := portable.For[T]()
	if err != nil {
		_ = obj.Close()
		return err
	}
	far := &placeQueue[T]{t: t}
	if err := far.open(obj); err != nil {
		return err
	}
	q.far, q.max = far, far.obj.Cap()
	return nil
}

func (q *Queue[T]) inPlace() driver.Object {
	if q.far == nil {
		return nil
	}
	return q.far.obj
}

func (q *placeQueue[T]) put(ctx context.Context, v T) error {
	b, err := encode(ctx, q.obj, q.t, v)
	if err != nil {
		return err
	}
	return q.obj.Put(ctx, b)
}

func (q *placeQueue[T]) tryPut(v T) error {
	ctx := context.Background()
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

func (q *placeQueue[T]) tryGet() (v T, err error) {
	ctx := context.Background()
	b, err := q.obj.TryGet(ctx)
	if err != nil {
		return v, err
	}
	return taken(ctx, q.obj, q.t, b)
}

func (q *placeQueue[T]) putBatch(ctx context.Context, values []T) (int, error) {
	all, failed := encodeAll(ctx, q.obj, q.t, values)
	if len(all) == 0 {
		return 0, errors.Join(failed, ctx.Err())
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

// len is 0, as on a closed handle, if the place does not answer any more.
func (q *placeQueue[T]) len() int {
	n, _ := q.obj.Len(context.Background())
	return n
}

func (q *placeQueue[T]) full() bool {
	full, _ := q.obj.Full(context.Background())
	return full
}

// source lets Select wait for the queue.
func (q *placeQueue[T]) source() *waitSource {
	return &waitSource{
		poll: func(ctx context.Context) (bool, error) {
			n, err := q.obj.Len(ctx)
			return n > 0, err
		},
		await:   q.obj.Await,
		release: func() {},
	}
}
