package store

import (
	"context"
	"fmt"
	"sync"
)

// Invoke calls a method of an object from within the program and waits for
// the answer, or for ctx. It has a session of its own for all its calls. It must
// not be called with an object's mutex held.
func (s *Store) Invoke(ctx context.Context, id uint64, method string, args Args) (Item, error) {
	s.inner.Do(func() { s.inner.Session = s.Join(Client{Name: "manager"}) })
	in := &invocation{answered: make(chan struct{})}
	in.call.Method, in.call.Args = method, args
	s.inner.Begin(&in.call, id, in)
	select {
	case <-in.answered:
	case <-ctx.Done():
		in.call.Cancel()
		if in.abandon() {
			return Item{}, ctx.Err()
		}
	}
	in.call.Acknowledge()
	return in.v, in.err
}

// invocation is a call of Invoke, and takes its answer.
type invocation struct {
	call     Call
	answered chan struct{}

	mu        sync.Mutex
	done      bool
	abandoned bool
	v         Item
	err       error
}

// abandon gives the call up, unless it was answered.
func (in *invocation) abandon() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.abandoned = !in.done
	return in.abandoned
}

func (in *invocation) set(v Item, err error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.abandoned {
		return false
	}
	in.done, in.v, in.err = true, v, err
	close(in.answered)
	return true
}

// Return implements Replier.
func (in *invocation) Return(v Item, taken bool) {
	if !in.set(v, nil) && taken {
		in.call.Lost()
	}
}

// Fail implements Replier.
func (in *invocation) Fail(err error) { in.set(Item{}, err) }

// Emit implements Replier: nobody would read a stream.
func (in *invocation) Emit(Item) bool { return false }

// New implements Replier: the object has nobody who would release it.
func (in *invocation) New(typ *Type, id uint64) {
	_ = in.call.session.Decref(id)
	in.Fail(fmt.Errorf("%s returns a new object of type %s, which is only for clients", in.call.Method, typ.ID))
}
