package drivertest

import (
	"context"
	"fmt"
	"io"

	"multiproc/internal/mperr"
)

// queue is the body of a queue.
type queue struct {
	size   int   // 0: any number of items
	bytes  int64 // 0: any number of bytes
	items  []queued
	held   int64  // bytes in items
	last   uint64 // how many were put
	open   int    // items for which TaskDone was not called
	closed bool   // by CloseWrite
	leases
}

// queued is an item in a queue: the put-th, which has been lent so often.
type queued struct {
	v       []byte
	put     uint64
	attempt int
}

type queueHandle struct {
	*handle
	q *queue
}

// put puts v if there is room.
func (q *queue) put(v []byte) (bool, error) {
	n := int64(len(v))
	switch {
	case q.closed:
		return false, fmt.Errorf("closed for writing: %w", mperr.ErrClosed)
	case q.bytes > 0 && n > q.bytes:
		return false, fmt.Errorf("an item of %d bytes: %w", n, mperr.ErrTooLarge)
	case q.full() || q.bytes > 0 && q.held+n > q.bytes:
		return false, nil
	}
	q.last++
	q.items, q.held, q.open = append(q.items, queued{v: v, put: q.last}), q.held+n, q.open+1
	return true, nil
}

func (q *queue) full() bool { return q.size > 0 && len(q.items) >= q.size }

// take takes up to n items.
func (q *queue) take(n int) ([]queued, error) {
	n = min(n, len(q.items))
	if n == 0 && q.ended() {
		return nil, io.EOF
	}
	out := q.items[:n:n]
	q.items = q.items[n:]
	for _, it := range out {
		q.held -= int64(len(it.v))
	}
	return out, nil
}

// ended reports whether no item will ever be there.
func (q *queue) ended() bool { return q.closed && len(q.items) == 0 && len(q.lent) == 0 }

func (h *queueHandle) Put(ctx context.Context, v []byte) error {
	return h.when(ctx, func() (bool, error) { return h.q.put(v) })
}

func (h *queueHandle) TryPut(ctx context.Context, v []byte) error {
	return h.do(ctx, func() error {
		ok, err := h.q.put(v)
		if err == nil && !ok {
			err = mperr.ErrFull
		}
		return err
	})
}

func (h *queueHandle) Get(ctx context.Context) ([]byte, error) {
	items, err := h.GetBatch(ctx, 1)
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func (h *queueHandle) TryGet(ctx context.Context) (v []byte, err error) {
	err = h.do(ctx, func() error {
		items, err := h.q.take(1)
		switch {
		case err != nil:
			return err
		case len(items) == 0:
			return mperr.ErrEmpty
		}
		v = items[0].v
		return nil
	})
	return v, err
}

func (h *queueHandle) PutBatch(ctx context.Context, vs [][]byte) (n int, err error) {
	for _, v := range vs {
		if err := h.Put(ctx, v); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (h *queueHandle) GetBatch(ctx context.Context, limit int) (vs [][]byte, err error) {
	err = h.when(ctx, func() (bool, error) {
		if limit < 1 {
			return false, fmt.Errorf("a batch of at most %d items: %w", limit, mperr.ErrValue)
		}
		items, err := h.q.take(limit)
		for _, it := range items {
			vs = append(vs, it.v)
		}
		return len(items) > 0, err
	})
	return vs, err
}

func (h *queueHandle) Await(ctx context.Context) error {
	return h.when(ctx, func() (bool, error) { return len(h.q.items) > 0 || h.q.ended(), nil })
}

func (h *queueHandle) Len(ctx context.Context) (n int, err error) {
	err = h.do(ctx, func() error { n = len(h.q.items); return nil })
	return n, err
}

func (h *queueHandle) Cap() int { return h.q.size }

func (h *queueHandle) Full(ctx context.Context) (full bool, err error) {
	err = h.do(ctx, func() error { full = h.q.full(); return nil })
	return full, err
}

func (h *queueHandle) TaskDone(ctx context.Context) error {
	return h.do(ctx, func() error {
		if h.q.open == 0 {
			return mperr.ErrTaskDone
		}
		h.q.open--
		return nil
	})
}

func (h *queueHandle) Join(ctx context.Context) error {
	return h.when(ctx, func() (bool, error) { return h.q.open == 0, nil })
}

func (h *queueHandle) CloseWrite(ctx context.Context) error {
	return h.do(ctx, func() error { h.q.closed = true; return nil })
}
