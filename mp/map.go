package mp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/mp/executor"
)

// Map calls the task with each argument of in, in processes of ex, a pool.Pool
// for example, and gives the results in the order of the arguments:
//
//	for words, err := range CountWords.Map(ctx, p, slices.Values(files)) {
//		if err != nil {
//			return err // and the rest is given up
//		}
//		…
//	}
//
// An item that failed has an *ItemError, and the loop goes on with the next. The
// last error is not one if the whole came to its end early: that of ctx, or of
// an executor that stops. A panic of in is one of the loop.
//
// in may be endless: what is under way is bounded. It runs in a goroutine of its
// own, one at a time and ahead of the loop. Leaving the loop gives up the items
// that are under way; it waits neither for them nor for in, which is asked to
// stop when it has its next value.
//
// An argument may be changed when in goes on, unless it has handles in it: those
// are sent later.
//
// The StartOptions of With count for processes that Start makes, not here.
func (t *Task[A, R]) Map(ctx context.Context, ex executor.Executor, in iter.Seq[A]) iter.Seq2[R, error] {
	return t.each(ctx, ex, in, true)
}

// Each is Map with the results in the order in which they come.
func (t *Task[A, R]) Each(ctx context.Context, ex executor.Executor, in iter.Seq[A]) iter.Seq2[R, error] {
	return t.each(ctx, ex, in, false)
}

// Reduce calls the task with each argument of in, as Map does, and f with what
// came of the items before and the result of the next, in this process and in
// their order. At the first error it gives up the rest, and returns it. Without
// any item the zero value comes out.
func (t *Task[A, R]) Reduce(ctx context.Context, ex executor.Executor, in iter.Seq[A], f func(sum, next R) R) (R, error) {
	var sum R
	first := true
	for r, err := range t.Map(ctx, ex, in) {
		switch {
		case err != nil:
			var none R
			return none, err
		case first:
			sum, first = r, false
		default:
			sum = f(sum, r)
		}
	}
	return sum, nil
}

// ItemError is why an item of Map or Each has no result. It wraps what happened:
// a *RemoteError that the function returned, or what the executor says of the
// process that died.
type ItemError struct {
	Index int // of the item, from 0
	Err   error
}

func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap returns Err.
func (e *ItemError) Unwrap() error { return e.Err }

func (t *Task[A, R]) job(ordered bool) executor.Job {
	return executor.Job{Task: t.name, ArgSize: argSize(t.args.Plan), Ordered: ordered}
}

func (t *Task[A, R]) each(ctx context.Context, ex executor.Executor, in iter.Seq[A], ordered bool) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		job := t.job(ordered)
		job.Carried = executor.Inject(ctx)
		s, err := ex.Open(ctx, job)
		if err != nil {
			yield(none, fmt.Errorf("%s: %w", t.name, err))
			return
		}
		defer func() {
			s.Close(nil)
			_, _ = s.Next() // gives back what was in use
		}()
		var input feeder
		go feed(&input, s, &argument[A]{c: t.args}, in)
		for {
			res, err := s.Next()
			if err == nil {
				if !t.yield(&res, yield) {
					return
				}
				continue
			}
			if r := input.panicked(); r != nil {
				panic(r)
			}
			if !errors.Is(err, io.EOF) {
				yield(none, fmt.Errorf("%s: %w", t.name, err))
			}
			return
		}
	}
}

// yield gives a loop the results of some items.
func (t *Task[A, R]) yield(res *executor.Results, yield func(R, error) bool) bool {
	records, from := res.Records, 0
	if t.result.Raw() && res.Failures == 0 {
		// Numbers and the like: copied, as they were written.
		size := int(unsafe.Sizeof(*new(R)))
		step := executor.Head + size
		for size > 0 && from < res.Count && executor.IsResult(records[from*step:], size) {
			r := *(*R)(unsafe.Pointer(&records[from*step+executor.Head]))
			if !yield(r, nil) {
				return false
			}
			from++
		}
		records = records[from*step:]
	}
	for i := from; i < res.Count; i++ {
		r, err := t.next(res, &records)
		if err != nil {
			err = &ItemError{res.First + i, err}
		}
		if !yield(r, err) {
			return false
		}
	}
	return true
}

// next is the first result of those that are left.
func (t *Task[A, R]) next(res *executor.Results, records *[]byte) (r R, err error) {
	if res.Err != nil {
		return r, res.Err
	}
	if res.Value != nil {
		box, ok := res.Value.(boxed[R])
		if !ok {
			return r, fmt.Errorf("result of %s: a %T: %w", t.name, res.Value, ErrCorrupt)
		}
		return box.V, nil
	}
	rec, rest, err := executor.Cut(*records)
	if err != nil {
		return r, fmt.Errorf("result of %s: %w", t.name, err)
	}
	*records = rest
	if f := rec.Failure; f != nil {
		return r, &RemoteError{
			Task: t.name, Name: res.Worker, PID: res.PID, Message: f.Message, Stack: f.Stack, Panic: f.Panic, causes: f.Causes,
		}
	}
	if err := t.result.Decode(rec.Result, &r, nil); err != nil {
		return r, fmt.Errorf("result of %s: %w", t.name, err)
	}
	return r, nil
}

// feeder is the goroutine that runs the input of a Map.
type feeder struct {
	mu    sync.Mutex
	value any
}

// panicked is what the input panicked with, nil if it did not.
func (f *feeder) panicked() any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value
}

var errInputPanicked = errors.New("the input panicked")

func feed[A any](f *feeder, s executor.Stream, arg *argument[A], in iter.Seq[A]) {
	returned := false
	defer func() {
		if returned {
			return
		}
		f.mu.Lock()
		if f.value = recover(); f.value == nil {
			f.value = "mp: the input of Map called runtime.Goexit"
		}
		f.mu.Unlock()
		s.Close(errInputPanicked)
		s.End()
	}()
	size := argSize(arg.c.Plan)
	if size > 0 && s.Plain() {
		feedRaw(s, in, size)
		returned = true
		s.End()
		return
	}
	for a := range in {
		arg.v = a
		if err := s.Put(arg); err != nil && errors.Is(err, executor.ErrClosed) {
			break
		}
	}
	returned = true
	s.End()
}

// feedRaw feeds arguments that are memory without pointers.
func feedRaw[A any](s executor.Stream, in iter.Seq[A], size int) {
	// What the loop uses lies beside each other, and no slice is cut for each item.
	var room struct {
		base    unsafe.Pointer
		at, end int
	}
	for a := range in {
		for room.at == room.end {
			b, err := s.Reserve()
			if err != nil {
				return
			}
			room.base, room.at, room.end = unsafe.Pointer(unsafe.SliceData(b)), 0, len(b)/size*size
		}
		*(*A)(unsafe.Add(room.base, room.at)) = a
		room.at += size
		if !s.Commit() {
			return
		}
	}
}

// Future is an item that was submitted. Its methods may be called by any number
// of goroutines. It needs no closing, and the item goes on if it is forgotten.
type Future[R any] struct {
	task  string
	s     executor.Stream
	done  chan struct{}
	value R
	err   error
}

// Submit calls the task once, in a process of ex, as soon as there is one. It does
// not wait, and an executor takes any number of items: who submits many keeps count
// of them, or uses Map. ctx is the item's life, as it is a process's in Start.
func (t *Task[A, R]) Submit(ctx context.Context, ex executor.Executor, args A) (*Future[R], error) {
	return t.submit(ctx, ex, args, false)
}

func (t *Task[A, R]) submit(ctx context.Context, ex executor.Executor, args A, wait bool) (*Future[R], error) {
	f := &Future[R]{task: t.name, done: make(chan struct{})}
	job := t.job(false)
	job.Carried, job.Wait = executor.Inject(ctx), wait
	job.Deliver = func(res executor.Results) {
		if f.value, f.err = t.next(&res, &res.Records); res.Err != nil {
			f.err = fmt.Errorf("%s: %w", t.name, res.Err)
		}
		close(f.done)
	}
	s, err := ex.Open(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", t.name, err)
	}
	f.s = s
	put := false
	defer func() {
		if !put { // encoding the argument panics
			s.Close(errInputPanicked)
			s.End()
		}
	}()
	err = s.Put(&argument[A]{t.args, args})
	put = true
	s.End()
	if err != nil && !errors.Is(err, executor.ErrClosed) { // which the Future says better
		return nil, fmt.Errorf("submit %s: %w", t.name, err)
	}
	return f, nil
}

// RunOn is Submit and Result.
func (t *Task[A, R]) RunOn(ctx context.Context, ex executor.Executor, args A) (R, error) {
	f, err := t.submit(ctx, ex, args, true)
	if err != nil {
		var none R
		return none, err
	}
	if w, ok := f.s.(executor.Waiter); ok {
		w.Wait(f.done)
	}
	<-f.done
	return f.value, f.err
}

// Result waits for the item, or for the end of ctx, which is all that ends then.
func (f *Future[R]) Result(ctx context.Context) (R, error) {
	select {
	case <-f.done:
		return f.value, f.err
	default:
	}
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none R
		return none, fmt.Errorf("%s: %w: %w", f.task, ErrRunning, mperr.Ended(ctx))
	}
}

// Done is closed when Result would not wait.
func (f *Future[R]) Done() <-chan struct{} { return f.done }

// Cancel gives the item up with this cause, nil for context.Canceled: if it has
// not begun it never does, and otherwise its context ends, and after its grace
// its process. It does not wait. It does nothing if there is a result.
func (f *Future[R]) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	f.s.Close(cause)
}
