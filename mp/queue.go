package mp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/local"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Queue is a first-in-first-out queue, in shared memory or in a place. Any number of
// goroutines in any number of processes put and get; items leave in the order
// in which they came, whoever put them.
//
// Get gives an item away, Receive lends it until it is acknowledged: what must not be
// lost with a process that dies.
//
// A Put that returned nil is in the queue: the putter may exit or be killed at
// once. A process that is killed inside Put or Get leaves the queue as it was
// before or as it would be after the call; others go on.
//
// What a putter did before Put happens before what the getter of that item
// does after Get.
type Queue[T any] struct {
	travels
	near *memoryQueue[T] // one of the two, or neither for a handle that was never made
	far  *placeQueue[T]
}

// The calls that cost least in memory go to near directly: through the interface
// they would cost 5 ns more.

// queueBody is where a queue lives.
type queueBody[T any] interface {
	put(ctx context.Context, v T) error
	tryPut(ctx context.Context, v T) error
	get(ctx context.Context) (T, error)
	tryGet(ctx context.Context) (T, error)
	putBatch(ctx context.Context, values []T) (int, error)
	getBatch(ctx context.Context, limit int) ([]T, error)
	getAppend(ctx context.Context, buf []byte) ([]byte, error) // T is a byte slice
	length(ctx context.Context) (int, error)
	capacity() int
	full(ctx context.Context) (bool, error)
	taskDone(ctx context.Context) error
	join(ctx context.Context) error
	closeWrite(ctx context.Context) error
	receive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error)
	tryReceive(ctx context.Context, q *Queue[T], limit int) ([]*Delivery[T], error)
	ack(ctx context.Context, ds []*Delivery[T]) (lost []*Delivery[T], err error)
	nack(ctx context.Context, d *Delivery[T], delay time.Duration) error
	extend(ctx context.Context, d *Delivery[T], t time.Duration) error
	leased(ctx context.Context) (int, error)
	source() (*waitSource, error)
	Close() error
	String() string
}

// body is where the queue lives. The zero memoryQueue answers everything with
// the error of a handle that was never made.
func (q *Queue[T]) body() queueBody[T] {
	switch {
	case q.near != nil:
		return q.near
	case q.far != nil:
		return q.far
	}
	return &memoryQueue[T]{}
}

// NewQueue makes a queue that holds at most n items; 0 means that only
// MaxBytes bounds it. Items of a type with pointers, strings for example, may
// reach the byte bound before they are n; fixed-size items do so only if
// MaxBytes was given. Its elements may be of any type whose values can travel
// (see Func).
//
// With In the queue lives in a place, and n is 0 for one without bounds.
//
// Cost: some 30 µs. An empty queue takes two pages of memory. In a place: a
// round trip, as each call is.
func NewQueue[T any](n int, opts ...Option) (*Queue[T], error) {
	if n < 0 || n > 1<<30 {
		return nil, fmt.Errorf("new queue: %d items; use 0 for a queue bounded by bytes only", n)
	}
	o, err := collectOptions(opts)
	if err == nil {
		err = o.ttlOptions.none()
	}
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	dead, err := deadLetters[T](&o)
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	q := &Queue[T]{}
	if o.in {
		spec := driver.Spec{Kind: driver.KindQueue, Size: n}
		o.addTo(&spec, dead.remote())
		return made(q, openIn(q, o, spec))
	}
	m, err := newMemoryQueue[T](n, o)
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	q.near = m
	if dead != nil {
		if err := m.buryIn(dead.near); err != nil {
			_ = m.Close()
			return nil, fmt.Errorf("new queue: WithDeadLetter: %w", err)
		}
	}
	return q, nil
}

// Put appends v, waiting while the queue is full. It returns ctx's error, and
// then nothing was put; ErrClosed after CloseWrite; ErrTooLarge if the record
// is above the byte bound; or the error of encoding v. v may be changed
// afterwards.
//
// Cost: 40 to 100 ns for an int.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if q.near != nil {
		return q.near.put(ctx, v)
	}
	return q.body().put(ctx, v)
}

// TryPut is Put that returns ErrFull instead of waiting for room.
func (q *Queue[T]) TryPut(ctx context.Context, v T) error {
	if q.near != nil {
		return q.near.tryPut(ctx, v)
	}
	return q.body().tryPut(ctx, v)
}

// Get takes the first item, waiting while the queue is empty. It returns
// ctx's error, and then nothing was taken, or io.EOF when the queue is empty
// and CloseWrite was called. What it returns belongs to the caller.
//
// Cost: 40 to 100 ns for an int that is there.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	if q.near != nil {
		return q.near.get(ctx)
	}
	return q.body().get(ctx)
}

// TryGet is Get that returns ErrEmpty instead of waiting for an item.
func (q *Queue[T]) TryGet(ctx context.Context) (T, error) {
	if q.near != nil {
		return q.near.tryGet(ctx)
	}
	return q.body().tryGet(ctx)
}

// GetAppend is Get for a queue of byte slices that appends the item to buf,
// which it returns: a loop that passes buf[:0] allocates nothing and leaves
// the collector nothing to do. After an error buf is returned as it was.
//
// For items of 64 KiB that is twice as fast as Get.
func GetAppend[B ~[]byte](ctx context.Context, q *Queue[B], buf B) (B, error) {
	return q.body().getAppend(ctx, buf)
}

// PutBatch puts the values in order, waiting for room as Put does, and returns
// how many were put: all of them, or an error. It takes the queue's lock once
// for as many as there is room for, which costs a few nanoseconds an item.
// Items of others may come between its own only where it had to wait.
func (q *Queue[T]) PutBatch(ctx context.Context, values []T) (int, error) {
	return q.body().putBatch(ctx, values)
}

// GetBatch takes between 1 and limit items, as many as there are, waiting
// while the queue is empty. From a manager about a megabyte comes at once, one
// item at least. Items of a type with handles in it are taken one by one. Errors
// are those of Get; with an error about an item that cannot be decoded, the
// others are returned too.
func (q *Queue[T]) GetBatch(ctx context.Context, limit int) ([]T, error) {
	if limit < 1 {
		return nil, fmt.Errorf("queue: a batch of %d items", limit)
	}
	return q.body().getBatch(ctx, limit)
}

// Drain iterates over the items as Get returns them. It ends without an error
// when the queue is closed for writing and empty; any other error of Get is
// the last pair.
func (q *Queue[T]) Drain(ctx context.Context) iter.Seq2[T, error] {
	return all(ctx, q.Get)
}

func all[T any](ctx context.Context, next func(context.Context) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := next(ctx)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len is the number of items in the queue, exact at one moment during the
// call.
func (q *Queue[T]) Len(ctx context.Context) (int, error) { return q.body().length(ctx) }

// Cap is the number of items that the queue was made for, 0 if only its bytes
// are bounded.
func (q *Queue[T]) Cap() int { return q.body().capacity() }

// Empty reports whether the queue held no item at one moment during the call.
func (q *Queue[T]) Empty(ctx context.Context) (bool, error) {
	n, err := q.Len(ctx)
	return n == 0 && err == nil, err
}

// Full reports whether no item could be put at one moment during the call.
func (q *Queue[T]) Full(ctx context.Context) (bool, error) { return q.body().full(ctx) }

// TaskDone says that an item that Get returned has been dealt with; see Join.
// It returns ErrTaskDone if it was called more often than items were put.
func (q *Queue[T]) TaskDone(ctx context.Context) error { return q.body().taskDone(ctx) }

// Join waits until TaskDone was called for every item that was ever put.
func (q *Queue[T]) Join(ctx context.Context) error { return q.body().join(ctx) }

// CloseWrite tells everybody that no more comes: Put returns ErrClosed in
// every process, Get takes what is left and then returns io.EOF. It may be
// called any number of times.
func (q *Queue[T]) CloseWrite(ctx context.Context) error { return q.body().closeWrite(ctx) }

// Close gives the handle back. In memory a queue lives for as long as another
// handle to it exists in any process, and in a place also by its name.
func (q *Queue[T]) Close() error { return q.body().Close() }

// String names the object.
func (q *Queue[T]) String() string { return q.body().String() }

func (q *Queue[T]) source() (*waitSource, error) { return q.body().source() }

// What a Queue shows to sessions.

func (q *Queue[T]) travel() traveller { return q }

func (q *Queue[T]) kind() shm.Kind { return shm.KindQueue }

func (q *Queue[T]) side() byte { return 0 }

func (q *Queue[T]) finger(byte) (sum [16]byte, err error) {
	e, err := newElem[T]()
	if err != nil {
		return sum, err
	}
	return e.c.Fingerprint(), nil
}

func (q *Queue[T]) borrow() (*shm.Segment, func(), error) {
	if q.near == nil {
		return nil, nil, local.ErrNoObject
	}
	return q.near.Borrow()
}

func (q *Queue[T]) attach(f *family, seg *shm.Segment, _ byte) error {
	e, err := newElem[T]()
	if err != nil {
		_ = seg.Close()
		return err
	}
	m := &memoryQueue[T]{e: e}
	if err := m.attach(f, seg); err != nil {
		return err
	}
	q.near = m
	return nil
}

// carries: messages that mention handles are taken through any handle of a
// queue.
func (q *Queue[T]) carries() (byte, bool) {
	return 0, q.near != nil && q.near.e.handles
}

func (q *Queue[T]) plan() error {
	_, err := interchange.For[T]()
	return err
}

func (q *Queue[T]) remote() driver.Object {
	if q == nil || q.far == nil {
		return nil
	}
	return q.far.remote()
}

func (q *Queue[T]) open(obj driver.Object) error {
	t, err := interchange.For[T]()
	if err != nil {
		_ = obj.Close()
		return err
	}
	p := &placeQueue[T]{t: t}
	if err := p.open(obj); err != nil {
		return err
	}
	q.far = p
	return nil
}

var _ codec.Handle = (*Queue[int])(nil)
