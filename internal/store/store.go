package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/budget"
)

// Limits bound what clients can make a store keep. What goes beyond fails with
// an error that wraps mperr.ErrLimit. In each field 0 means no limit.
type Limits struct {
	Objects int   // in the store
	Bytes   int64 // of memory, see package budget
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
	budget *budget.Account
	own    *budget.Share // what no session pays for
	frame  atomic.Int64  // what is charged for entries and calls, without what they hold

	panicked func(*Broken) // nil: nobody wants to know
	heavy    heavy

	kinds struct {
		sync.RWMutex
		types map[string]*Type
		funcs map[string]Func
	}

	mu          sync.Mutex
	closed      bool
	lastID      uint64
	count       int               // entries in the table
	counted     int               // entries with refs > 0
	byObject    map[Object]*entry // all entries
	mostObjects int               // see drop
	names       map[string]*entry
	tickets     map[uint64]*ticket
	sessions    map[*Session]struct{}
	sweeper     sweeper
	epochs      epochs

	ticketsAtMost int // allTickets, less in tests

	inner struct { // the session of Invoke
		sync.Once
		*Session
	}
}

// New makes an empty store without types.
func New(l Limits) *Store {
	s := &Store{
		limits: l, start: time.Now(), heavy: newHeavy(), budget: budget.New(l.Bytes),
		// Ids of two stores that one address has had do not meet, or a client
		// that missed the restart would use another object than it means.
		lastID:   uint64(rand.Uint32N(1<<31)|1) << 16,
		byObject: map[Object]*entry{}, names: map[string]*entry{}, tickets: map[uint64]*ticket{},
		sessions: map[*Session]struct{}{}, ticketsAtMost: allTickets,
	}
	s.own = s.budget.Keeping()
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

// Budget is the account of the memory that clients make the store use, and that
// the work for them takes.
func (s *Store) Budget() *budget.Account { return s.budget }

// Payer is who pays for what an object keeps that was made from these arguments:
// the session that made it, for as long as it is there, or the store. An object
// may charge it with its mutex held.
func (s *Store) Payer(args Args) *budget.Share {
	if args.payer != nil {
		return args.payer
	}
	return s.own
}

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
	s.budget.Close()
}

// Bytes is how much objects keep, and calls that wait or are not acknowledged,
// as it was charged, beside what the store itself takes for them.
func (s *Store) Bytes() int64 { return s.budget.Kept() - s.frame.Load() }

// Cost is about how much memory the Repr of an object takes, or its Snapshot.
func (s *Store) Cost(id uint64, text bool) (cost int) {
	if o, ok := s.Object(id); ok {
		if c, ok := o.(Costly); ok {
			_ = s.Safely("cost", func() { cost = c.Cost(text) })
		}
	}
	return cost
}
