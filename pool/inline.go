package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"multiproc/mp"
	"multiproc/mp/executor"
)

// Inline is an executor that runs items in this process, one after the other and as
// they are taken from the input. Inside a task it is what a call of the task's own
// can run on: an item that waited for items of its own pool could wait for ever, for
// a worker that waits itself. In a test or under a debugger it takes the place of a
// pool. Nothing kills an item here.
var Inline executor.Executor = inline{}

type inline struct{}

// errNoPool is what a pool that was never made returns, as in a worker, where what
// main assigns is nil.
var errNoPool = errors.New("there is no such pool in this process: inside a task use pool.Inline, or give the work back to the program that has the pool")

// Open implements executor.Executor.
func (inline) Open(ctx context.Context, job executor.Job) (executor.Stream, error) {
	r, ok := executor.Lookup(job.Task)
	if !ok {
		return nil, fmt.Errorf("there is no task %s", job.Task)
	}
	s := &inlineStream{job: job, runner: r, results: make(chan executor.Results), over: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(executor.Extract(ctx, job.Carried))
	context.AfterFunc(s.ctx, func() { s.Close(context.Cause(s.ctx)) })
	return s, nil
}

type inlineStream struct {
	job     executor.Job
	runner  executor.Runner
	ctx     context.Context
	cancel  context.CancelCauseFunc
	results chan executor.Results
	index   int
	over    chan struct{} // closed by Close

	close sync.Once
	end   sync.Once
	cause error
}

// Put implements executor.Stream.
func (s *inlineStream) Put(arg executor.Argument) error {
	select {
	case <-s.over:
		return executor.ErrClosed
	default:
	}
	res := executor.Results{First: s.index, Count: 1, Worker: mp.Self().Name, PID: os.Getpid()}
	s.index++
	b, err := arg.Append(nil)
	switch {
	case err == nil:
		res.Records, res.Value = s.call(func() ([]byte, any) { return s.runner.Call(s.ctx, b, nil) })
	case errors.Is(err, executor.ErrHandles):
		res.Records, res.Value = s.call(func() ([]byte, any) { return s.runner.CallValue(s.ctx, arg.Value(), nil) })
	default:
		res.Err = err
	}
	if s.job.Deliver != nil {
		s.job.Deliver(res)
		s.Close(nil)
		return nil
	}
	select {
	case s.results <- res:
		return nil
	case <-s.over:
		return executor.ErrClosed
	}
}

// call calls f in a goroutine of its own, which f may end.
func (s *inlineStream) call(f func() ([]byte, any)) (record []byte, value any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if !returned {
				record = executor.AppendPanic(nil, nil)
			}
		}()
		record, value = f()
		returned = true
	}()
	<-done
	return record, value
}

// Plain implements executor.Stream.
func (s *inlineStream) Plain() bool { return false }

// Reserve implements executor.Stream.
func (s *inlineStream) Reserve() ([]byte, error) { return nil, errors.ErrUnsupported }

// Commit implements executor.Stream.
func (s *inlineStream) Commit() bool { return false }

// End implements executor.Stream.
func (s *inlineStream) End() { s.end.Do(func() { close(s.results) }) }

// Next implements executor.Stream.
func (s *inlineStream) Next() (executor.Results, error) {
	select {
	case <-s.over:
		return executor.Results{}, s.why()
	default:
	}
	select {
	case res, ok := <-s.results:
		if ok {
			return res, nil
		}
		return executor.Results{}, io.EOF
	case <-s.over:
		return executor.Results{}, s.why()
	}
}

func (s *inlineStream) why() error {
	if s.cause == nil {
		return io.EOF
	}
	return s.cause
}

// Close implements executor.Stream.
func (s *inlineStream) Close(cause error) {
	s.close.Do(func() {
		s.cause = cause
		close(s.over)
		s.cancel(cause)
	})
}
