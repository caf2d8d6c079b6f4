//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// nearby is a place whose queues are those of memory, so that the conformance suite
// runs over them. It has no other kinds.
type nearby struct{}

func (p *nearby) String() string { return "nearby" }

func (p *nearby) Extract(context.Context, []byte) (driver.Object, error) {
	return nil, errors.ErrUnsupported
}

func (p *nearby) Open(ctx context.Context, s driver.Spec) (driver.Object, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if s.Kind != driver.KindQueue || s.Name != "" {
		return nil, fmt.Errorf("%s %q: %w", s.Kind, s.Name, errors.ErrUnsupported)
	}
	var opts []mp.Option
	if s.Lease > 0 {
		opts = append(opts, mp.WithLease(s.Lease))
	}
	if s.Bytes > 0 {
		opts = append(opts, mp.MaxBytes(s.Bytes))
	}
	if dead, ok := s.DeadLetter.(*nearQueue); ok {
		opts = append(opts, mp.WithDeadLetter(dead.q, s.Attempts))
	}
	q, err := mp.NewQueue[[]byte](s.Size, opts...)
	if err != nil {
		return nil, err
	}
	return &nearQueue{p: p, q: q, lent: map[uint64]*mp.Delivery[[]byte]{}}, nil
}

// nearQueue is a queue as a place has it.
type nearQueue struct {
	p    *nearby
	q    *mp.Queue[[]byte]
	mu   sync.Mutex
	last uint64
	lent map[uint64]*mp.Delivery[[]byte]
}

func (o *nearQueue) Close() error                       { return o.q.Close() }
func (o *nearQueue) Place() driver.Place                { return o.p }
func (o *nearQueue) String() string                     { return "queue " + o.q.String() }
func (o *nearQueue) Cap() int                           { return o.q.Cap() }
func (o *nearQueue) remote() error                      { return fmt.Errorf("%v: %w", o, errors.ErrUnsupported) }
func (o *nearQueue) Embed(driver.Place) ([]byte, error) { return nil, o.remote() }

func (o *nearQueue) Reference(context.Context) (string, []byte, error) { return "", nil, o.remote() }

func (o *nearQueue) Put(ctx context.Context, v []byte) error    { return o.q.Put(ctx, v) }
func (o *nearQueue) TryPut(ctx context.Context, v []byte) error { return o.q.TryPut(ctx, v) }
func (o *nearQueue) Get(ctx context.Context) ([]byte, error)    { return o.q.Get(ctx) }
func (o *nearQueue) TryGet(ctx context.Context) ([]byte, error) { return o.q.TryGet(ctx) }
func (o *nearQueue) Len(ctx context.Context) (int, error)       { return o.q.Len(ctx) }
func (o *nearQueue) Full(ctx context.Context) (bool, error)     { return o.q.Full(ctx) }
func (o *nearQueue) TaskDone(ctx context.Context) error         { return o.q.TaskDone(ctx) }
func (o *nearQueue) Join(ctx context.Context) error             { return o.q.Join(ctx) }
func (o *nearQueue) CloseWrite(ctx context.Context) error       { return o.q.CloseWrite(ctx) }
func (o *nearQueue) Leased(ctx context.Context) (int, error)    { return o.q.Leased(ctx) }

func (o *nearQueue) Await(ctx context.Context) error {
	_, err := mp.Select(ctx, o.q)
	return err
}

func (o *nearQueue) PutBatch(ctx context.Context, vs [][]byte) (int, error) {
	return o.q.PutBatch(ctx, vs)
}

func (o *nearQueue) GetBatch(ctx context.Context, limit int) ([][]byte, error) {
	if limit < 1 {
		return nil, mp.ErrValue
	}
	return o.q.GetBatch(ctx, limit)
}

func (o *nearQueue) note(ds []*mp.Delivery[[]byte], err error) ([]driver.Delivery, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []driver.Delivery
	for _, d := range ds {
		o.last++
		o.lent[o.last] = d
		out = append(out, driver.Delivery{Value: d.Value, Lease: o.last, Attempt: d.Attempt})
	}
	return out, err
}

func (o *nearQueue) of(id uint64) *mp.Delivery[[]byte] {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lent[id]
}

func (o *nearQueue) Receive(ctx context.Context, limit int) ([]driver.Delivery, error) {
	if limit < 1 {
		return nil, mp.ErrValue
	}
	return o.note(o.q.ReceiveBatch(ctx, limit))
}

func (o *nearQueue) TryReceive(ctx context.Context, limit int) ([]driver.Delivery, error) {
	var out []driver.Delivery
	for len(out) < limit {
		d, err := o.q.TryReceive(ctx)
		if err != nil {
			if len(out) > 0 {
				err = nil
			}
			return out, err
		}
		more, _ := o.note([]*mp.Delivery[[]byte]{d}, nil)
		out = append(out, more...)
	}
	return out, nil
}

func (o *nearQueue) Ack(ctx context.Context, leases []uint64) (lost []uint64, err error) {
	if len(leases) == 0 {
		_, err := o.q.Leased(ctx)
		return nil, err
	}
	for _, id := range leases {
		if e := o.of(id).Ack(ctx); errors.Is(e, mp.ErrLeaseLost) {
			lost, err = append(lost, id), e
		} else if e != nil {
			return lost, e
		}
	}
	return lost, err
}

func (o *nearQueue) Nack(ctx context.Context, lease uint64, delay time.Duration) error {
	if d := o.of(lease); d != nil {
		return d.Nack(ctx, delay)
	}
	_, err := o.q.Leased(ctx)
	return errors.Join(err, mp.ErrLeaseLost)
}

func (o *nearQueue) Extend(ctx context.Context, lease uint64, d time.Duration) error {
	if x := o.of(lease); x != nil {
		return x.Extend(ctx, d)
	}
	_, err := o.q.Leased(ctx)
	return errors.Join(err, mp.ErrLeaseLost)
}

// Queues in memory keep what package driver promises of queues in places.
func TestQueueContract(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) driver.Place { return &nearby{} })
}
