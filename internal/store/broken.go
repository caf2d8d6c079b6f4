package store

import (
	"fmt"
	"runtime/debug"

	"multiproc/internal/mperr"
)

// Broken is the error of calls of an object in which a call has panicked. That
// is a mistake in this library, and nobody knows what it left half done: so no
// more calls are carried out on the object, and those that wait in it end. All
// other objects, and the client that made the call, go on.
type Broken struct {
	Object string // its type and id
	Method string // what panicked
	Value  any    // of the panic
	Stack  []byte
}

func (b *Broken) Error() string {
	return fmt.Sprintf("%s is broken: %s panicked in it (%v), and its contents may be half changed; "+
		"make a new object, and report what the server's log says", b.Object, b.Method, b.Value)
}

// Unwrap makes it an mperr.ErrCorrupt.
func (b *Broken) Unwrap() error { return mperr.ErrCorrupt }

// Breakable is what objects implement that have a Mutex: it is broken when a
// call has panicked. Break is called without locks, and does not take the
// mutex.
type Breakable interface{ Break(b *Broken) }

// OnPanic makes the store tell f of each panic. It is called before the store
// is used.
func (s *Store) OnPanic(f func(b *Broken)) { s.panicked = f }

// guard runs f, which is a part of the object of e or lets it go on; e is nil if
// the object is gone. If f panics the object is broken from then on, and guard
// returns what its calls are told.
func (s *Store) guard(e *entry, method string, f func()) (b *Broken) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				b = s.breakEntry(e, method, v)
			}
		}
	}()
	f()
	returned = true
	return nil
}

// breakEntry takes note of a panic in an object, and ends the calls that wait
// in it. The mutex of the object may be locked for good.
func (s *Store) breakEntry(e *entry, method string, value any) *Broken {
	b := s.report(e, method, value)
	if e == nil || !e.broken.CompareAndSwap(nil, b) {
		return b
	}
	if o, ok := e.obj.(Breakable); ok {
		o.Break(b)
	}
	s.failWaiting(e, b)
	return b
}

// report makes a Broken of a panic, and tells of it once.
func (s *Store) report(e *entry, method string, value any) *Broken {
	if b, ok := value.(*Broken); ok {
		return b
	}
	b := &Broken{Object: "an object", Method: method, Value: value, Stack: debug.Stack()}
	if e != nil {
		b.Object = e.typ.ID + " " + Ident(e.id)
	}
	if s.panicked != nil {
		s.panicked(b)
	}
	return b
}

// failWaiting ends the calls that wait in an object.
func (s *Store) failWaiting(e *entry, b *Broken) {
	var waiting []*Call
	s.eachCall(func(c *Call) {
		if c.entry == e && c.state.Load() == parked {
			waiting = append(waiting, c)
		}
	})
	for _, c := range waiting {
		c.Fail(b)
	}
}

// eachCall calls f for the calls that wait or are not acknowledged, with the
// locks held under which they are kept.
func (s *Store) eachCall(f func(c *Call)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eachCallLocked(f)
}

func (s *Store) eachCallLocked(f func(c *Call)) {
	for ss := range s.sessions {
		ss.mu.Lock()
		for o := range ss.owners {
			o.mu.Lock()
			for c := o.first; c != nil; c = c.next {
				f(c)
			}
			o.mu.Unlock()
		}
		ss.mu.Unlock()
	}
}

// Break says that a goroutine of an object's own has panicked: no more calls
// are carried out on it. No lock is held.
func (s *Store) Break(o Object, what string, value any) *Broken {
	s.mu.Lock()
	e := s.byObject[o]
	s.mu.Unlock()
	if e != nil {
		return s.breakEntry(e, what, value)
	}
	b := s.report(nil, what, value)
	if o, ok := o.(Breakable); ok {
		o.Break(b)
	}
	return b
}

// Safely runs f, which belongs to no object. A panic is told of, and is the
// error.
func (s *Store) Safely(what string, f func()) (err error) {
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				err = s.report(nil, what, v)
			}
		}
	}()
	f()
	returned = true
	return nil
}
