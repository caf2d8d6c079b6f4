package pool

import (
	"context"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"sync/atomic"

	"multiproc/mp"
	"multiproc/mp/executor"
)

// State is something that each worker makes once and its items use: a loaded model,
// a connection, a cache. Make it in a package-level variable, like a task:
//
//	var Model = pool.NewState(loadModel) // func(ctx context.Context, path string) (*model, error)
//
//	p, err := pool.New(pool.Options{Setup: []pool.Setup{Model.With("model.bin")}})
//
// and in a task Model.Get() is the worker's *model. If S is an io.Closer it is
// closed when the pool ends the worker, after those that were made later.
type State[A, S any] struct {
	task  *mp.Task[A, mp.None]
	name  string
	value atomic.Pointer[S]
}

// NewState registers a function that makes a state from an argument. It panics as
// mp.Func does.
func NewState[A, S any](f func(context.Context, A) (S, error)) *State[A, S] {
	s := &State[A, S]{name: runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()}
	s.task = mp.Proc(func(ctx context.Context, arg A) error {
		v, err := f(ctx, arg)
		if err == nil {
			s.value.Store(&v)
			if c, ok := any(v).(io.Closer); ok {
				closers = append(closers, c)
			}
		}
		return err
	}, mp.Named(s.name+" (state)"))
	return s
}

// closers are the states of this worker. Setups run one after the other.
var closers []io.Closer

// Setup is a State with its argument, for Options.
type Setup struct {
	run func(context.Context, executor.Executor) error
}

// With says what the state is made from. The argument is sent to each worker once.
func (s *State[A, S]) With(arg A) Setup {
	return Setup{func(ctx context.Context, ex executor.Executor) error {
		_, err := s.task.RunOn(ctx, ex, arg)
		return err
	}}
}

// Get returns the worker's state. It panics where there is none: in a process that
// is no worker of a pool with this Setup.
func (s *State[A, S]) Get() S {
	v := s.value.Load()
	if v == nil {
		panic(fmt.Sprintf("pool: there is no state %s in this process: it is not in the pool's Options.Setup", s.name))
	}
	return *v
}
