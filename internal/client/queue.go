package client

import (
	"context"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
)

// queueHandle implements driver.Queue.
type queueHandle struct{ *handle }

var _ complete.Queue = (*queueHandle)(nil)

func (q *queueHandle) Put(ctx context.Context, v []byte) error {
	return q.request("mp.put").raw(v).void(ctx)
}

func (q *queueHandle) TryPut(ctx context.Context, v []byte) error {
	return q.request("mp.tryPut").raw(v).void(ctx)
}

func (q *queueHandle) Get(ctx context.Context) ([]byte, error) {
	return q.request("mp.get").value(ctx)
}

func (q *queueHandle) TryGet(ctx context.Context) ([]byte, error) {
	return q.request("mp.tryGet").value(ctx)
}

// PutBatch sends parts that the server accepts in one message.
func (q *queueHandle) PutBatch(ctx context.Context, vs [][]byte) (n int, err error) {
	for n < len(vs) {
		part := q.m.portion(vs[n:])
		put, err := q.request("mp.putBatch").list(part).number(ctx)
		n += max(0, min(put, len(part)))
		if err == nil && put < len(part) {
			// Cut short: by ctx, or by what the next try says.
			err = mperr.Ended(ctx)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (q *queueHandle) GetBatch(ctx context.Context, limit int) ([][]byte, error) {
	return q.request("mp.getBatch").int(limit).items(ctx)
}

func (q *queueHandle) Await(ctx context.Context) error {
	return q.request("mp.await").void(ctx)
}

func (q *queueHandle) Len(ctx context.Context) (int, error) {
	return q.request("mp.len").number(ctx)
}

func (q *queueHandle) Cap() int { return q.capacity }

func (q *queueHandle) Full(ctx context.Context) (bool, error) {
	return q.request("mp.full").truth(ctx)
}

func (q *queueHandle) TaskDone(ctx context.Context) error {
	return q.request("mp.taskDone").void(ctx)
}

func (q *queueHandle) Join(ctx context.Context) error {
	return q.request("mp.join").void(ctx)
}

func (q *queueHandle) CloseWrite(ctx context.Context) error {
	return q.request("mp.closeWrite").void(ctx)
}

// portionBytes is how much is sent in one message where it can be divided.
const portionBytes = 1 << 20

// portion is how much of vs goes into one message: one value at least.
func (m *Manager) portion(vs [][]byte) [][]byte {
	size := 0
	for i, v := range vs {
		if size += len(v); size > portionBytes && i > 0 {
			return vs[:i]
		}
	}
	return vs
}
