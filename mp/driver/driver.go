package driver

import (
	"context"
	"time"
)

// Place keeps shared objects.
type Place interface {
	// Open finds the object of that name or makes it. The result implements
	// the interface that belongs to the spec's kind, and those of its optional
	// interfaces that the place offers. A kind that the place does not offer is
	// an error that wraps errors.ErrUnsupported, as is a name if it has none.
	Open(ctx context.Context, spec Spec) (Object, error)

	// Extract opens the object that a value kept in this place refers to; ref
	// is what Embed returned. The handle is the caller's to close.
	Extract(ctx context.Context, ref []byte) (Object, error)

	// String names the place in messages: "manager unix:/run/orders".
	String() string
}

// Kind is a kind of object. The words are the type ids of Python's
// SyncManager, where it has one.
type Kind string

// The kinds, and the interfaces that their objects implement. Those of
// synchronization follow in sync.go.
const (
	KindQueue     Kind = "Queue"     // Queue
	KindDict      Kind = "dict"      // Dict
	KindList      Kind = "list"      // List
	KindSet       Kind = "set"       // Set
	KindNamespace Kind = "Namespace" // Dict, keys are text
	KindValue     Kind = "Value"     // Value
	KindMutex     Kind = "Lock"      // Mutex
)

// Spec describes an object to be opened.
type Spec struct {
	Kind Kind
	Name string // empty: a new object without a name
	// Size is the capacity of a queue in items, Bytes that in bytes; 0 is
	// unbounded. It is also the permits of a semaphore and the parties of a
	// barrier. All from here on counts only if the object is made.
	Size  int
	Bytes int64
	// Code is the type code of a value for Python's eyes: "i", "d", "" for any.
	Code string
	// Init is the first value of a Value; nil otherwise.
	Init []byte
	// Lock is the Mutex of this place that a Cond uses; nil: one of its own.
	Lock Object
	// Lease is for how long Receive lends an item of a queue; 0 is DefaultLease.
	Lease time.Duration
	// DeadLetter is the queue of this place that takes an item which was lent
	// Attempts times and not acknowledged; nil: it is lent again.
	DeadLetter Object
	Attempts   int
	// TTL is for how long an entry of a dict lives from when it was last set, unless
	// SetFor has said something else; 0: it has no end, and there is no SetFor. Only
	// dicts that implement DictExpirer can be asked for it.
	TTL time.Duration
}

// DefaultLease is for how long an item is lent unless the queue's maker has said
// something else.
const DefaultLease = 30 * time.Second

// Object is a handle to a shared object.
type Object interface {
	// Close gives the handle back. Calls that wait in it return ErrClosed, and
	// so do later ones. What is held through it, a lock or a permit, stays held;
	// Unlock, RUnlock and Release give that back all the same.
	Close() error
	// Reference returns what another process needs to open the object, the
	// place's address and credentials included: the name under which the driver
	// was registered, and bytes for its OpenFunc. The object stays alive for the
	// one who opens the reference, once. Objects that stay in their process return
	// an error that wraps errors.ErrUnsupported, here and from Embed.
	Reference(ctx context.Context) (driver string, ref []byte, err error)
	// Embed returns the bytes by which a value that is kept in place into
	// refers to the object, or an error that wraps mp.ErrForeign if the object
	// lives elsewhere.
	Embed(into Place) ([]byte, error)
	// Place is where the object lives: values that are kept in the object embed
	// and extract handles there. It is the same for all objects of a session.
	Place() Place
	// String names the object in messages: "dict orders", "list 17".
	String() string
}

// Queue is first in, first out.
type Queue interface {
	Object
	Put(ctx context.Context, v []byte) error
	TryPut(ctx context.Context, v []byte) error // ErrFull
	// Get takes the first item. An item whose taker dies before it has it is
	// the first item again.
	Get(ctx context.Context) ([]byte, error)    // io.EOF when closed and empty
	TryGet(ctx context.Context) ([]byte, error) // ErrEmpty, io.EOF
	Len(ctx context.Context) (int, error)
	Cap() int
	// Full reports whether TryPut would return ErrFull.
	Full(ctx context.Context) (bool, error)
}

// Versioned is a value with the version that its last change gave it.
// Versions of an entry only grow; 0 stands for no entry.
type Versioned struct {
	Value   []byte
	Version uint64
}

// Dict maps keys to values, in the order of insertion. See optional.go for what
// else a place may offer of it.
type Dict interface {
	Object
	Get(ctx context.Context, key []byte) (v Versioned, err error) // ErrNoKey
	Set(ctx context.Context, key, v []byte) error
	// SetVersion sets the entry if its version is still version (0: if there
	// is none); a nil v deletes it. ok says whether it did.
	SetVersion(ctx context.Context, key, v []byte, version uint64) (ok bool, err error)
	Delete(ctx context.Context, key []byte) (bool, error)
	Len(ctx context.Context) (int, error)
	// Page returns up to limit entries in order, those behind cursor, which is
	// 0 at first. next is 0 after the last page. Entries that stay throughout
	// are seen exactly once. limit 0 is everything at once: one moment's state.
	Page(ctx context.Context, cursor uint64, limit int) (keys, vs [][]byte, next uint64, err error)
}

// Change is what happened to one entry of a dict.
type Change struct {
	Key     []byte // nil: the dict was cleared
	Value   []byte // nil: the entry was deleted
	Version uint64 // the entry's; of a Clear it says nothing
}

// List is a sequence. A negative index counts from the end, as in Python.
type List interface {
	Object
	Get(ctx context.Context, i int) (Versioned, error) // ErrIndex
	Set(ctx context.Context, i int, v []byte) error    // ErrIndex
	// SetVersion sets element i if the list has not changed there since version
	// was read.
	SetVersion(ctx context.Context, i int, v []byte, version uint64) (bool, error)
	Append(ctx context.Context, v []byte) error
	Len(ctx context.Context) (int, error)
	// Slice returns the elements of [start:stop:step] as they are at one moment;
	// a nil bound is left out.
	Slice(ctx context.Context, start, stop, step *int) ([][]byte, error)
}

// ListChange is what happened to a list. Op is the method's name: "append",
// "extend", "insert", "set" (also by Add, SetVersion and CompareAndSwap), "pop",
// "delete", "remove", "reverse", "sort", "clear", "setSlice", "deleteSlice",
// "repeat". Index is where the one element stands that it is about, counted from
// the beginning, and -1 where there is no such; Value is what was put there.
type ListChange struct {
	Op      string
	Index   int
	Value   []byte
	Version uint64
}

// Set is a collection of values of which no two are equal.
type Set interface {
	Object
	Add(ctx context.Context, v []byte) (added bool, err error)
	Remove(ctx context.Context, v []byte) (bool, error)
	Has(ctx context.Context, v []byte) (bool, error)
	Len(ctx context.Context) (int, error)
	// Page is as that of Dict.
	Page(ctx context.Context, cursor uint64, limit int) (vs [][]byte, next uint64, err error)
}

// Value is one value.
type Value interface {
	Object
	Get(ctx context.Context) (Versioned, error)
	Set(ctx context.Context, v []byte) error
	// SetVersion sets the value if its version is still version.
	SetVersion(ctx context.Context, v []byte, version uint64) (bool, error)
}

// Mutex excludes its holder from others. It belongs to the session that took
// it: when that ends without Unlock, the next ones to want it get an
// *mp.OwnerDiedError and do not hold it, until Heal.
type Mutex interface {
	Object
	Lock(ctx context.Context) error
	TryLock(ctx context.Context) (bool, error)
	// Unlock returns ErrNotHeld if the session does not hold the lock; a place may
	// also insist on the handle through which it was taken. A lock that was lost
	// with its session counts as held until Unlock, and there is no error then. Unlock waits for a bounded time, of the
	// place's own choice, whatever ctx says.
	Unlock(ctx context.Context) error
	// LockBroken takes the lock also if a holder died; Heal, with the lock
	// held, says that what it protects is sound again.
	LockBroken(ctx context.Context) error
	Heal(ctx context.Context) error
}
