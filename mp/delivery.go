package mp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"multiproc/internal/ring"
	"multiproc/mp/driver"
)

// Delivery is an item of a queue that is lent: see Queue.Receive. What it is of
// use for ends with one call of Ack or Nack, with the lease, or with the process;
// from then on its methods return ErrLeaseLost. They may be called by any number of
// goroutines.
type Delivery[T any] struct {
	// Value is the item; it belongs to the receiver, also when the lease has ended.
	Value T
	// Attempt is how often the item has been delivered, this time included: from
	// the second on somebody may have done a part of the work.
	Attempt int

	q    *Queue[T]
	near ring.Lease
	far  uint64 // the same in a place
}

// Ack says that the item has been dealt with: nobody gets it again. For Join it counts
// as TaskDone. After ErrLeaseLost the item is another's by now, or waits to be: what was
// done may be done twice.
//
// Cost: some 20 ns in memory, and no lock; a round trip in a place. See Queue.AckBatch.
func (d *Delivery[T]) Ack(ctx context.Context) error {
	q, err := d.of()
	if err != nil {
		return err
	}
	if q.near != nil {
		return q.near.ackOne(ctx, d)
	}
	_, err = q.body().ack(ctx, []*Delivery[T]{d})
	return err
}

// Nack gives the item back: somebody gets it again after the delay, before items that
// were put later. The delay is the queue's to keep: the process may end meanwhile. An
// item that must go to the dead letters does so at once.
func (d *Delivery[T]) Nack(ctx context.Context, delay time.Duration) error {
	q, err := d.of()
	if err != nil {
		return err
	}
	return q.body().nack(ctx, d, max(delay, 0))
}

// Extend has the lease end after so long from now, or after the queue's own time if t
// is 0. Who works at an item for longer than that calls it again and again, from a
// place that shows that the work goes on.
func (d *Delivery[T]) Extend(ctx context.Context, t time.Duration) error {
	if t < 0 {
		return fmt.Errorf("extend a lease by %v: %w", t, ErrValue)
	}
	q, err := d.of()
	if err != nil {
		return err
	}
	return q.body().extend(ctx, d, t)
}

func (d *Delivery[T]) of() (*Queue[T], error) {
	if d == nil || d.q == nil {
		return nil, fmt.Errorf("a Delivery that no Receive returned: %w", ErrLeaseLost)
	}
	return d.q, nil
}

// Receive lends the first item, waiting while there is none. It stays the queue's until
// Ack: if the receiver's process dies, or its session with the place ends, it is
// delivered again at once, and if the lease runs out (30 s, or what WithLease says)
// then. It is first in line each time, by the order in which items were put. So nothing
// is lost that Put has acknowledged, and an item may be delivered more than once.
//
// A receiver that is too slow, or was stopped, does not hear of it: its Ack fails. An
// item that kills its receivers is delivered for ever unless WithDeadLetter bounds that.
//
// Errors are those of Get; io.EOF waits until nothing is lent that might come back. An
// item that cannot be decoded stays lent until the lease runs out, and the error says
// so. Get, of the same queue, takes an item as it always does, for good.
//
// In memory, items with handles or files cannot be lent, by an error that wraps
// errors.ErrUnsupported: handles in a manager to what is in it can.
//
// Cost: with Ack some three times that of Get for an int in memory, where each item that is
// lent takes 64 bytes or more; in a place that of Get.
func (q *Queue[T]) Receive(ctx context.Context) (*Delivery[T], error) {
	if q.near != nil {
		if d := q.near.receiveNow(ctx, q); d != nil {
			return d, nil
		}
	}
	return first(q.body().receive(ctx, q, 1))
}

// TryReceive is Receive that returns ErrEmpty instead of waiting.
func (q *Queue[T]) TryReceive(ctx context.Context) (*Delivery[T], error) {
	return first(q.body().tryReceive(ctx, q, 1))
}

func first[T any](ds []*Delivery[T], err error) (*Delivery[T], error) {
	if len(ds) == 0 {
		return nil, err
	}
	return ds[0], nil
}

// ReceiveBatch is Receive of 1 to limit items, as many as there are. All leases begin
// at once: limit is best no more than what is worked off in a part of the lease.
func (q *Queue[T]) ReceiveBatch(ctx context.Context, limit int) ([]*Delivery[T], error) {
	if limit < 1 {
		return nil, fmt.Errorf("queue: a batch of %d items", limit)
	}
	return q.body().receive(ctx, q, limit)
}

// AckBatch is Ack of many items of this queue. lost are those whose lease has ended:
// the error is ErrLeaseLost then, and the others were acknowledged. In a place it is
// one round trip for some thousands.
func (q *Queue[T]) AckBatch(ctx context.Context, ds []*Delivery[T]) (lost []*Delivery[T], err error) {
	for _, d := range ds {
		of, err := d.of()
		if err == nil && of.body() != q.body() {
			err = fmt.Errorf("an item of %v is acknowledged in %v: %w", of, q, ErrValue)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(ds) == 0 {
		return nil, nil
	}
	return q.body().ack(ctx, ds)
}

// Leased is the number of items that are lent, or wait for the end of a delay. Len does
// not count them.
func (q *Queue[T]) Leased(ctx context.Context) (int, error) { return q.body().leased(ctx) }

// leaseOptions are the options of a queue about leases.
type leaseOptions struct {
	lease    time.Duration
	leased   bool // by WithLease
	dead     any  // *Queue[T]
	buried   bool // by WithDeadLetter
	attempts int
}

// WithLease says for how long Queue.Receive lends an item, 30 s unless it is given.
// Long enough is what an item takes on a bad day: who is late has worked in vain, and
// another does the same. That a receiver has died is noticed at once in any case. See
// Delivery.Extend.
func WithLease(d time.Duration) Option {
	return func(o *objectOptions) { o.lease, o.leased = d, true }
}

// WithDeadLetter has an item that was delivered so many times, and not acknowledged, go
// to another queue, of the same type in the same place. There it waits for somebody who
// looks into the matter. If that queue is full, or closed for writing, the item is
// delivered once more.
func WithDeadLetter[T any](q *Queue[T], attempts int) Option {
	return func(o *objectOptions) { o.dead, o.buried, o.attempts = q, true, attempts }
}

// maxAttempts is the most that WithDeadLetter counts to.
const maxAttempts = 10_000

func (o *leaseOptions) check() error {
	switch {
	case o.leased && o.lease <= 0:
		return fmt.Errorf("WithLease(%v): it must be more than nothing", o.lease)
	case o.buried && (o.attempts < 1 || o.attempts > maxAttempts):
		return fmt.Errorf("WithDeadLetter(…, %d): it must be 1 to %d attempts", o.attempts, maxAttempts)
	}
	return nil
}

// none refuses the options for objects that are no queues.
func (o *leaseOptions) none() error {
	if o.leased || o.buried {
		return errors.New("WithLease and WithDeadLetter: they are for queues, and nothing else")
	}
	return nil
}

// deadLetters is the queue of WithDeadLetter, nil if there is none.
func deadLetters[T any](o *objectOptions) (*Queue[T], error) {
	if !o.buried {
		return nil, nil
	}
	dead, ok := o.dead.(*Queue[T])
	switch {
	case !ok:
		return nil, fmt.Errorf("WithDeadLetter: a %T for dead letters of a %T: %w", o.dead, (*Queue[T])(nil), ErrType)
	case dead == nil || dead.near == nil && dead.far == nil:
		return nil, fmt.Errorf("WithDeadLetter: a queue that no New function made: %w", ErrClosed)
	case o.in && dead.near != nil || !o.in && dead.far != nil:
		return nil, fmt.Errorf("WithDeadLetter: %v lives elsewhere: %w", dead, ErrForeign)
	}
	return dead, nil
}

// leases adds to a spec what the options say.
func (o *leaseOptions) addTo(spec *driver.Spec, dead driver.Object) {
	spec.Lease, spec.DeadLetter = o.lease, dead
	if dead != nil {
		spec.Attempts = o.attempts
	}
}
