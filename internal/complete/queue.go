package complete

import (
	"context"
	"fmt"
	"time"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Queue is all that a queue can do.
type Queue interface {
	driver.Queue
	driver.QueueBatcher
	driver.QueueAwaiter
	driver.QueueTracker
	driver.QueueCloser
	driver.QueueLeaser
}

type queue struct {
	driver.Queue
	driver.QueueBatcher
	driver.QueueAwaiter
	driver.QueueTracker
	driver.QueueCloser
	driver.QueueLeaser
}

func newQueue(o driver.Queue) Queue {
	not := noQueue{o}
	return &queue{
		o,
		or[driver.QueueBatcher](o, builtQueue{o}),
		or[driver.QueueAwaiter](o, not),
		or[driver.QueueTracker](o, not),
		or[driver.QueueCloser](o, not),
		or[driver.QueueLeaser](o, not),
	}
}

func (q *queue) bare() driver.Object { return q.Queue }

// builtQueue is what can be built from Put, Get and TryGet.
type builtQueue struct{ q driver.Queue }

func (b builtQueue) PutBatch(ctx context.Context, vs [][]byte) (n int, err error) {
	for _, v := range vs {
		if err := b.q.Put(ctx, v); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// GetBatch has an error only if nothing was taken.
func (b builtQueue) GetBatch(ctx context.Context, limit int) ([][]byte, error) {
	if limit < 1 {
		return nil, fmt.Errorf("%v: a batch of at most %d items: %w", b.q, limit, mperr.ErrValue)
	}
	v, err := b.q.Get(ctx)
	if err != nil {
		return nil, err
	}
	vs := [][]byte{v}
	for len(vs) < limit {
		if v, err = b.q.TryGet(ctx); err != nil {
			break // what was taken is here: the next call tells
		}
		vs = append(vs, v)
	}
	return vs, nil
}

// noQueue is what cannot be built.
type noQueue struct{ q driver.Queue }

func (n noQueue) missing(method string) error { return &Missing{n.q, driver.KindQueue, method} }

func (n noQueue) Await(context.Context) error { return n.missing("Await") }

func (n noQueue) TaskDone(context.Context) error { return n.missing("TaskDone") }

func (n noQueue) Join(context.Context) error { return n.missing("Join") }

func (n noQueue) CloseWrite(context.Context) error { return n.missing("CloseWrite") }

func (n noQueue) Receive(context.Context, int) ([]driver.Delivery, error) {
	return nil, n.missing("Receive")
}

func (n noQueue) TryReceive(context.Context, int) ([]driver.Delivery, error) {
	return nil, n.missing("TryReceive")
}

func (n noQueue) Ack(context.Context, []uint64) ([]uint64, error) { return nil, n.missing("Ack") }

func (n noQueue) Nack(context.Context, uint64, time.Duration) error { return n.missing("Nack") }

func (n noQueue) Extend(context.Context, uint64, time.Duration) error { return n.missing("Extend") }

func (n noQueue) Leased(context.Context) (int, error) { return 0, n.missing("Leased") }
