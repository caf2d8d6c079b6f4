package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/mperr"
)

// Limits bound what clients can make a store keep. What goes beyond fails with
// an error that wraps mperr.ErrLimit. In each field 0 means no limit.
type Limits struct {
	Objects int   // in the store
	Bytes   int64 // that all objects keep, by their own count, and calls that wait or are not acknowledged
	Calls   int   // of one session that wait, or hold what was not acknowledged
}

// maxTickets is how many tickets of one session may be outstanding, and
// allTickets how many there may be with those of sessions that have ended.
const (
	maxTickets = 1 << 16
	allTickets = 1 << 20
)

// Store keeps shared objects. It is made by New; its methods may be called by
// any number of goroutines, but not by an object with its mutex held.
type Store struct {
	limits Limits
	start  time.Time
	table  table
	bytes  atomic.Int64

	panicked func(*Broken) // nil: nobody wants to know

	kinds struct {
		sync.RWMutex
		types map[string]*Type
		funcs map[string]Func
	}

	mu       sync.Mutex
	closed   bool
	lastID   uint64
	count    int               // entries in the table
	counted  int               // entries with refs > 0
	byObject map[Object]*entry // all entries
	names    map[string]*entry
	tickets  map[uint64]*ticket
	sessions map[*Session]struct{}
	sweeper  sweeper
	presence presence

	ticketsAtMost int // allTickets, less in tests

	inner struct { // the session of Invoke
		sync.Once
		*Session
	}
}

// New makes an empty store without types.
func New(l Limits) *Store {
	s := &Store{
		limits: l, start: time.Now(),
		// Ids of two stores that one address has had do not meet, or a client
		// that missed the restart would use another object than it means.
		lastID:   uint64(rand.Uint32N(1<<31)|1) << 16,
		byObject: map[Object]*entry{}, names: map[string]*entry{}, tickets: map[uint64]*ticket{},
		sessions: map[*Session]struct{}{}, ticketsAtMost: allTickets,
	}
	s.table.init()
	s.kinds.types, s.kinds.funcs = map[string]*Type{}, map[string]Func{}
	s.sweeper.init()
	return s
}

// Add makes a type known, in place of an older one of the same id.
func (s *Store) Add(t *Type) {
	s.kinds.Lock()
	defer s.kinds.Unlock()
	s.kinds.types[t.ID] = t
}

// Type returns the type with that id, nil if there is none.
func (s *Store) Type(id string) *Type {
	s.kinds.RLock()
	defer s.kinds.RUnlock()
	return s.kinds.types[id]
}

// AddFunc offers a function under a Python name, "module.name".
func (s *Store) AddFunc(name string, f Func) {
	s.kinds.Lock()
	defer s.kinds.Unlock()
	s.kinds.funcs[name] = f
}

// Func returns the function of that name, nil if there is none.
func (s *Store) Func(name string) Func {
	s.kinds.RLock()
	defer s.kinds.RUnlock()
	return s.kinds.funcs[name]
}

// Lookup returns the type of the object with that id.
func (s *Store) Lookup(id uint64) (*Type, bool) {
	e := s.table.get(id)
	if e == nil {
		return nil, false
	}
	return e.typ, true
}

// Object returns the object with that id, so that another one can use it. It
// does not keep it alive: a reference in the contents does.
func (s *Store) Object(id uint64) (Object, bool) {
	e := s.table.get(id)
	if e == nil {
		return nil, false
	}
	return e.obj, true
}

// Cap returns the capacity of the object with that id, 0 if it has none.
func (s *Store) Cap(id uint64) int {
	if o, ok := s.Object(id); ok {
		if b, ok := o.(Bounded); ok {
			return b.Cap()
		}
	}
	return 0
}

// Charge counts delta bytes more that an object keeps, or less. Too many are
// an error, and not counted. An object may call it with its mutex held. It
// costs a few nanoseconds.
func (s *Store) Charge(delta int) error {
	n := s.bytes.Add(int64(delta))
	if delta <= 0 || s.limits.Bytes <= 0 || n <= s.limits.Bytes {
		return nil
	}
	s.bytes.Add(-int64(delta))
	return fmt.Errorf("%w: all values together may use %d bytes; delete some, or raise the limit", mperr.ErrLimit, s.limits.Bytes)
}

// ChargeAnyway is Charge without a limit, for what was there before and is put
// back.
func (s *Store) ChargeAnyway(delta int) { s.bytes.Add(int64(delta)) }

// Bytes is what Limits.Bytes bounds, as it was charged.
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// now is the time since the store was made.
func (s *Store) now() time.Duration { return time.Since(s.start) }

// Close ends all sessions and disposes of all objects.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	sessions := make([]*Session, 0, len(s.sessions))
	for ss := range s.sessions {
		sessions = append(sessions, ss)
	}
	s.sweeper.stop()
	for _, t := range s.tickets {
		t.stop()
	}
	s.mu.Unlock()
	for _, ss := range sessions {
		ss.End(nil)
	}
	s.mu.Lock()
	left := s.table.all()
	for _, e := range left {
		s.removeLocked(e)
	}
	s.sweeper.stop()
	s.mu.Unlock()
	s.dispose(left)
}
