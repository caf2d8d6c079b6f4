package mp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/handle"
	"multiproc/internal/ring"
	"multiproc/internal/shm"
)

// Queue is a first-in-first-out queue, in shared memory or in a place. Any number of
// goroutines in any number of processes put and get; items leave in the order
// in which they came, whoever put them. A pointer to a Queue may travel to
// other processes in arguments, over pipes and through queues; all handles
// share the queue. The zero Queue is not usable.
//
// A Put that returned nil is in the queue: the putter may exit or be killed at
// once. A process that is killed inside Put or Get leaves the queue as it was
// before or as it would be after the call; others go on.
//
// What a putter did before Put happens before what the getter of that item
// does after Get.
type Queue[T any] struct {
	object
	f    *family
	r    *ring.Ring
	e    elem[T]
	size int
	max  int
	far  *placeQueue[T] // of a queue in a place; what is above is then empty
}

// A queue in a place has no memory, so that enter refuses it like a closed
// one. Only then do methods look at far: a queue in memory pays nothing for it.

// NewQueue makes a queue that holds at most n items; 0 means that only
// MaxBytes bounds it. Items of a type with pointers, strings for example, may
// reach the byte bound before they are n; fixed-size items do so only if
// MaxBytes was given. Its elements may be of any type whose values can travel
// (see Func); Close gives the handle back.
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
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	q := &Queue[T]{}
	if o.in {
		return q.openIn(n, o)
	}
	finger, err := q.finger(0)
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	bytes, err := q.bound(n, o)
	if err != nil {
		return nil, fmt.Errorf("new queue: %w", err)
	}
	cfg := q.e.config(n, bytes)
	params := cfg.Params()
	f, seg, err := newSegment(shm.KindQueue, finger, queueData+cfg.DataSize(), [4]uint64{params[0], params[1]})
	if err != nil {
		return nil, err
	}
	if err := q.attach(f, seg, 0); err != nil {
		return nil, err
	}
	if q.e.handles {
		f.broker.Hold(f.table.Self(), q.e.to, +1)
	}
	return q, nil
}

// carries: messages that mention handles are taken through any handle of a
// queue.
func (q *Queue[T]) carries() (byte, bool) { return 0, q.e.handles }

// bound is the byte bound: what MaxBytes says; else room for n elements of a
// type whose size is known; else the default.
func (q *Queue[T]) bound(n int, o objectOptions) (int64, error) {
	switch {
	case o.given:
		return o.bytes, nil
	case n == 0 || !q.e.raw:
		return fitting(defaultBytes(defaultQueueBytes, usable()), func(bytes int64) int64 { return queueData + q.e.config(n, bytes).DataSize() }), nil
	}
	bytes := int64(n) * q.e.config(n, 0).RecordBytes()
	if bytes > ring.MaxBytes {
		return 0, fmt.Errorf("%d items of %d bytes; a queue holds %d bytes at most", n, q.e.size, int64(ring.MaxBytes))
	}
	return bytes, nil
}

// fitting is the default bound, or the part of it whose segment is as large as
// files of this process may be. size is the segment's. What cannot be is left
// for the kernel to refuse.
func fitting(bytes int64, size func(int64) int64) int64 {
	const least = 64 << 10
	most := shm.MaxFile()
	for bytes > least && size(bytes) > most {
		bytes /= 2
	}
	return bytes
}

// queueData is where a queue's records begin in its segment.
var queueData = shm.RoundPage(shm.HeaderSize + ring.ControlSize)

func (q *Queue[T]) kind() shm.Kind { return shm.KindQueue }

func (q *Queue[T]) finger(byte) (sum [16]byte, err error) {
	if q.e, err = newElem[T](); err != nil {
		return sum, err
	}
	return q.e.c.Fingerprint(), nil
}

func (q *Queue[T]) attach(f *family, seg *shm.Segment, _ byte) error {
	cfg := ring.FromParams([2]uint64{seg.Params[0], seg.Params[1]})
	if cfg.Fixed != q.e.raw || (cfg.Fixed && cfg.Size != q.e.size) {
		_ = seg.Close()
		return fmt.Errorf("%s %s: records of another size: %w", seg.Kind, seg.ID, ErrCorrupt)
	}
	var r *ring.Ring
	abort := func() {
		if r != nil { // else the ring was refused
			r.Abort()
		}
	}
	q.e.to = handle.Carrier{Object: seg.ID}
	var leave func()
	if q.e.handles {
		to := q.e.to
		leave = func() { f.broker.Hold(f.table.Self(), to, -1) }
	}
	if err := q.adopt(seg, queueData, abort, leave); err != nil {
		return err
	}
	r, err := ring.New(seg, q.body(), queueData, cfg)
	if err != nil {
		q.rest.leave = nil // who counted it for us gives it back
		_ = q.Close()
		return err
	}
	q.f, q.r, q.size, q.max = f, r, q.e.size, cfg.Items
	q.rest.detach = r.Detach
	return nil
}

// Put appends v, waiting while the queue is full. It returns ctx's error, and
// then nothing was put; ErrClosed after CloseWrite; ErrTooLarge if the record
// is above the byte bound; or the error of encoding v. v may be changed
// afterwards.
//
// Cost: 40 to 100 ns for an int.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !q.enter() {
		if q.far != nil {
			return q.far.put(ctx, v)
		}
		return q.errClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.Put(ctx, unsafe.Pointer(&v), q.size)
	} else {
		w := v // escapes, where v must not
		err = q.e.put(ctx, q.f, &w, func(p unsafe.Pointer, n int) error { return q.r.Put(ctx, p, n) })
	}
	q.exit()
	return err
}

// TryPut is Put that returns ErrFull instead of waiting for room.
func (q *Queue[T]) TryPut(v T) error {
	if !q.enter() {
		if q.far != nil {
			return q.far.tryPut(v)
		}
		return q.errClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.TryPut(unsafe.Pointer(&v), q.size)
	} else {
		w := v
		err = q.e.put(context.Background(), q.f, &w, q.r.TryPut)
	}
	q.exit()
	return err
}

// Get takes the first item, waiting while the queue is empty. It returns
// ctx's error, and then nothing was taken, or io.EOF when the queue is empty
// and CloseWrite was called. What it returns belongs to the caller.
//
// Cost: 40 to 100 ns for an int that is there.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var v T
	if err := ctx.Err(); err != nil {
		return v, err
	}
	if !q.enter() {
		if q.far != nil {
			return q.far.get(ctx)
		}
		return v, q.errClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.Get(ctx, unsafe.Pointer(&v))
	} else {
		w := new(T)
		if err = q.e.get(ctx, q.f, q.r, w); err == nil {
			v = *w
		}
	}
	q.exit()
	return v, err
}

// TryGet is Get that returns ErrEmpty instead of waiting for an item.
func (q *Queue[T]) TryGet() (T, error) {
	var v T
	if !q.enter() {
		if q.far != nil {
			return q.far.tryGet()
		}
		return v, q.errClosed()
	}
	var err error
	if q.e.raw {
		err = q.r.TryGet(unsafe.Pointer(&v))
	} else {
		w := new(T)
		if err = q.e.tryGet(context.Background(), q.f, q.r, w); err == nil {
			v = *w
		}
	}
	q.exit()
	return v, err
}

// All iterates over the items as Get returns them. It ends without an error
// when the queue is closed for writing and empty; any other error of Get is
// the last pair.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
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
// call. On a closed handle it is 0, and in a place that does not answer any more.
func (q *Queue[T]) Len() int {
	if !q.enter() {
		if q.far != nil {
			return q.far.len()
		}
		return 0
	}
	defer q.exit()
	return q.r.Len()
}

// Cap is the number of items that the queue was made for, 0 if only its bytes
// are bounded.
func (q *Queue[T]) Cap() int { return q.max }

// Empty reports whether the queue held no item at one moment during the call.
func (q *Queue[T]) Empty() bool { return q.Len() == 0 }

// Full reports whether no item could be put at one moment during the call.
func (q *Queue[T]) Full() bool {
	if !q.enter() {
		if q.far != nil {
			return q.far.full()
		}
		return false
	}
	defer q.exit()
	return q.r.Full()
}

// TaskDone says that an item that Get returned has been dealt with; see Join.
// It returns ErrTaskDone if it was called more often than items were put.
func (q *Queue[T]) TaskDone() error {
	if !q.enter() {
		if q.far != nil {
			return q.far.obj.TaskDone(context.Background())
		}
		return q.errClosed()
	}
	defer q.exit()
	return q.r.Done(1)
}

// Join waits until TaskDone was called for every item that was ever put.
func (q *Queue[T]) Join(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !q.enter() {
		if q.far != nil {
			return q.far.obj.Join(ctx)
		}
		return q.errClosed()
	}
	defer q.exit()
	return q.r.WaitDone(ctx)
}

// CloseWrite tells everybody that no more comes: Put returns ErrClosed in
// every process, Get takes what is left and then returns io.EOF. It may be
// called any number of times.
func (q *Queue[T]) CloseWrite() error {
	if !q.enter() {
		if q.far != nil {
			return q.far.obj.CloseWrite(context.Background())
		}
		return q.errClosed()
	}
	defer q.exit()
	return q.r.CloseWrite(context.Background())
}

// Close gives back this process's handle. Calls that wait in it return
// ErrClosed, and so do later ones; the memory is unmapped when the last call
// has returned. The queue itself lives for as long as another handle to it
// exists in any process, and in a place also by its name. A second Close
// returns ErrClosed.
func (q *Queue[T]) Close() error {
	if q.far != nil {
		return q.far.Close()
	}
	return q.object.Close()
}

func (q *Queue[T]) source() (*waitSource, error) {
	if !q.enter() {
		if q.far != nil {
			return q.far.source(), nil
		}
		return nil, q.errClosed()
	}
	return q.look(q.r), nil
}

var _ codec.Handle = (*Queue[int])(nil)
