package mp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

func (p *placeQueue[T]) receive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error) {
	ds, err := ask(ctx, &p.handle, func(o complete.Queue, ctx context.Context) ([]driver.Delivery, error) {
		return o.Receive(ctx, limit)
	})
	return p.arrived(ctx, q, ds, err)
}

func (p *placeQueue[T]) tryReceive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error) {
	ds, err := ask(ctx, &p.handle, func(o complete.Queue, ctx context.Context) ([]driver.Delivery, error) {
		return o.TryReceive(ctx, limit)
	})
	return p.arrived(ctx, q, ds, err)
}

// arrived decodes what was lent. With an error about an item that cannot be decoded,
// which stays lent, the others are returned too.
func (p *placeQueue[T]) arrived(ctx context.Context, q *Queue[T], ds []driver.Delivery, err error) ([]*Delivery[T], error) {
	if err != nil {
		return nil, err
	}
	if p.t.HasHandles() {
		own, cancel := grace(ctx)
		defer cancel()
		ctx = own
	}
	out := make([]*Delivery[T], 0, len(ds))
	all := make([]Delivery[T], len(ds))
	for i, x := range ds {
		v, failed := decode(ctx, p.obj, p.t, x.Value)
		if failed != nil {
			err = undecoded(failed)
			continue
		}
		d := &all[i]
		d.Value, d.Attempt, d.q, d.far = v, x.Attempt, q, x.Lease
		out = append(out, d)
	}
	return out, err
}

func undecoded(err error) error {
	return fmt.Errorf("an item is lent that cannot be decoded, and is delivered again when its lease has run out: %w", err)
}

func (p *placeQueue[T]) ack(ctx context.Context, ds []*Delivery[T]) (lost []*Delivery[T], err error) {
	leases := make([]uint64, len(ds))
	for i, d := range ds {
		leases[i] = d.far
	}
	ids, err := ask(ctx, &p.handle, func(o complete.Queue, ctx context.Context) ([]uint64, error) {
		return o.Ack(ctx, leases)
	})
	if !errors.Is(err, ErrLeaseLost) {
		return nil, err
	}
	gone := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	for _, d := range ds {
		if gone[d.far] {
			lost = append(lost, d)
		}
	}
	return lost, err
}

func (p *placeQueue[T]) nack(ctx context.Context, d *Delivery[T], delay time.Duration) error {
	return p.do(ctx, func(o complete.Queue, ctx context.Context) error { return o.Nack(ctx, d.far, delay) })
}

func (p *placeQueue[T]) extend(ctx context.Context, d *Delivery[T], t time.Duration) error {
	return p.do(ctx, func(o complete.Queue, ctx context.Context) error { return o.Extend(ctx, d.far, t) })
}

func (p *placeQueue[T]) leased(ctx context.Context) (int, error) {
	return ask(ctx, &p.handle, complete.Queue.Leased)
}
