package store

import (
	"context"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
)

// Object is a shared object: a list, a lock, a queue, a Go value whose methods
// were registered. Its methods are called by many goroutines at once; it has
// its own mutex and never calls back into the store with that mutex held,
// except for the methods of Call, which take no lock that an object may need.
// It is comparable: a pointer.
type Object interface {
	// Call carries out c.Method. It answers exactly once by one of c's methods
	// Return, ReturnTaken, ReturnNew, Fail; or it parks c and answers later. It
	// does not block: it runs on the goroutine that reads the connection.
	Call(c *Call)

	// Refs yields the ids of the objects that the object's contents refer to,
	// one for each reference. Arguments of calls that wait in the object need
	// not be yielded: the store knows those.
	Refs(yield func(id uint64) bool)

	// Repr is Python's repr() of the object, and Snapshot its copy as a plain
	// value, for #GETVALUE; an object that has none returns ok false.
	Repr() string
	Snapshot() (v Item, ok bool)

	// Dispose is called once, when nobody refers to the object any more. A call
	// may still be under way on another goroutine.
	Dispose()
}

// Bounded is what objects implement that have a capacity, as queues.
type Bounded interface {
	// Cap is the capacity, 0 if there is no bound.
	Cap() int
}

// Sized is what containers implement, in which there may be much.
type Sized interface{ Length() int }

// Abridged is what objects implement whose Repr may be long.
type Abridged interface {
	// ReprWithin returns at least the first n characters of Repr, or all of it,
	// at a cost that does not grow with what follows them.
	ReprWithin(n int) string
}

// Costly is what objects implement whose Repr or Snapshot may take much memory.
type Costly interface {
	// Cost is about how much Repr takes, if text is true, or Snapshot.
	Cost(text bool) int
}

// Type is a kind of object that clients can create.
type Type struct {
	// ID is the type id: "dict", "Queue".
	ID string
	// Exposed are the methods that a Python client may call, in CPython's
	// order. Methods whose names begin with "mp." are for Go clients and are
	// never listed.
	Exposed []string
	// Returns maps methods to the type id of the proxy that wraps what they
	// return: "__iter__" of a dict to "Iterator".
	Returns map[string]string
	// Proxy is the class of Python's proxy when a reference has to be written
	// that no Python client has ever sent: "DictProxy". Empty: AutoProxy.
	Proxy string
	// New makes an object from the arguments of create. Nil: objects of the
	// type cannot be created by clients. It may return an object that is in the
	// store already: the client gets a reference to that one.
	New func(s *Store, args Args) (Object, error)
}

// Args are the arguments of a call.
type Args struct {
	Pos   []Item
	Named map[string]Item // nil unless a Python client named some
	// Order are the names of Named in the order of the call, where that counts:
	// it is that of a dict. Nil if it is not known.
	Order []string
	// Loan is charged for what carrying out the call takes beside what is kept,
	// before it is allocated, and given back when the call is answered or waits.
	// Nil: nothing is charged.
	Loan *budget.Loan

	payer *budget.Share // see Store.Payer
}

// Refs yields the ids of the objects that the arguments refer to.
func (a Args) Refs(yield func(id uint64) bool) {
	more := true
	each := func(id uint64) bool {
		more = yield(id)
		return more
	}
	for i := range a.Pos {
		if a.Pos[i].Refs(each); !more {
			return
		}
	}
	for _, it := range a.Named {
		if it.Refs(each); !more {
			return
		}
	}
}

// size is the memory that the arguments take, by estimate.
func (a *Args) size() (size int) {
	for i := range a.Pos {
		size += a.Pos[i].Size()
	}
	for name, it := range a.Named {
		size += len(name) + it.Size()
	}
	return size
}

// mayRefer reports whether Refs is worth its time.
func (a *Args) mayRefer() bool {
	for i := range a.Pos {
		if a.Pos[i].refs {
			return true
		}
	}
	for _, it := range a.Named {
		if it.refs {
			return true
		}
	}
	return false
}

// Func is a function that a program offers to its clients by a Python name:
// tasks of a pool. It may block until ctx ends.
type Func func(ctx context.Context, args Args) (Item, error)

// Owner is who holds what is locked: the whole session of a Go client, one
// channel of a Python client. It is comparable, and an object that holds
// something for an owner registers with Call.Hold so that it is told of its end.
type Owner = *ownership

// Holder is an object that something is held of: it is told when the owner is
// gone without having given it back. It is comparable: a pointer.
type Holder interface {
	// OwnerGone is called once for each Hold that was not followed by a Drop,
	// without locks held. What the owner held may be somebody else's by now.
	OwnerGone(o Owner)
}

// Replier is where the answer to a call goes. Its methods are called from any
// goroutine, possibly with the mutex of an object held: they do not wait for
// the client, and do not call the object. Exactly one of Return, Fail and New
// is called, unless the owner of the call is gone.
type Replier interface {
	// Return answers with a value. If it was taken out of an object, the front
	// end calls Acknowledge or Lost of the call later; no object's mutex is held
	// then.
	Return(v Item, taken bool)
	// Fail answers with an error; pyvalue.ToException makes a Python exception of
	// it.
	Fail(err error)
	// Emit sends an item of a stream, and reports whether there was room for it
	// in the client's buffer.
	Emit(v Item) bool
	// New answers with a new object, which the caller's session has a reference
	// to.
	New(typ *Type, id uint64)
}

// unknown is the error for an id that no object has, or has any more.
func unknown(id uint64) error { return pyvalue.KeyError(Ident(id)) }
