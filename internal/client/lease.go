package client

import (
	"context"
	"fmt"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// openQueue adds the constructor's arguments to an open request of a queue: those of
// leases only where there are some, for a server that knows none.
func (m *Manager) openQueue(r *request, spec driver.Spec) error {
	if spec.Lease == 0 && spec.DeadLetter == nil {
		r.begin(2).int(spec.Size).int(int(spec.Bytes))
		return nil
	}
	r.begin(5).int(spec.Size).int(int(spec.Bytes)).int(int(spec.Lease)).int(spec.Attempts)
	if spec.DeadLetter == nil {
		r.null()
		return nil
	}
	dead, ok := spec.DeadLetter.(*queueHandle)
	if !ok {
		return fmt.Errorf("%v is no queue for dead letters: %w", spec.DeadLetter, mperr.ErrType)
	}
	if _, err := dead.Embed(m); err != nil {
		return err
	}
	item, err := interchange.AppendValue(nil, pyvalue.Ref{ID: dead.id, Type: dead.typ})
	if err == nil {
		r.raw(item)
	}
	return err
}

func (q *queueHandle) Receive(ctx context.Context, limit int) ([]driver.Delivery, error) {
	return q.receive(ctx, "mp.receive", limit)
}

func (q *queueHandle) TryReceive(ctx context.Context, limit int) ([]driver.Delivery, error) {
	return q.receive(ctx, "mp.tryReceive", limit)
}

func (q *queueHandle) receive(ctx context.Context, method string, limit int) ([]driver.Delivery, error) {
	it, err := q.request(method).int(limit).array(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]driver.Delivery, 0, it.Len()/3)
	for it.Len() > 0 {
		lease, leaseOK := frames.Uint(it.Next())
		attempt, attemptOK := frames.Int(it.Next())
		v := it.Next()
		if !leaseOK || !attemptOK || v == nil {
			return nil, q.strange(method)
		}
		out = append(out, driver.Delivery{Value: v, Lease: lease, Attempt: int(attempt)})
	}
	return out, nil
}

// acksAtOnce is how many leases go into one message.
const acksAtOnce = 4096

func (q *queueHandle) Ack(ctx context.Context, leases []uint64) (lost []uint64, err error) {
	for first := true; first || len(leases) > 0; first = false { // of none, too: the handle may be closed
		part := leases[:min(len(leases), acksAtOnce)]
		leases = leases[len(part):]
		r := q.request("mp.ack").begin(len(part))
		for _, lease := range part {
			r.uint(lease)
		}
		r.n = 1
		it, err := r.array(ctx)
		if err != nil {
			return lost, err
		}
		for it.Len() > 0 {
			lease, ok := frames.Uint(it.Next())
			if !ok {
				return lost, q.strange("mp.ack")
			}
			lost = append(lost, lease)
		}
	}
	if len(lost) > 0 {
		err = fmt.Errorf("%s: %w", q, mperr.ErrLeaseLost)
	}
	return lost, err
}

func (q *queueHandle) Nack(ctx context.Context, lease uint64, delay time.Duration) error {
	return q.request("mp.nack").uint(lease).int(int(delay)).void(ctx)
}

func (q *queueHandle) Extend(ctx context.Context, lease uint64, d time.Duration) error {
	return q.request("mp.extend").uint(lease).int(int(d)).void(ctx)
}

func (q *queueHandle) Leased(ctx context.Context) (int, error) {
	return q.request("mp.leased").number(ctx)
}
