package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
)

// Client says who opens a session.
type Client struct {
	Name string // for people
	PID  int    // of a process of this machine, 0 if it is not known
}

// Session is one client: a connection of a Go program, a Python process, or a
// Python channel whose process is not known. It counts the client's references
// and is where its calls begin. Its methods may be called by any number of
// goroutines.
type Session struct {
	store  *Store
	client Client
	main   *ownership
	linked atomic.Int64  // calls that wait or are not acknowledged
	keeps  *budget.Share // what the client keeps: its objects, and calls that wait
	works  *budget.Share // what the work for it takes

	// Guarded by Store.mu.
	refs     map[uint64]int
	mostRefs int // see drop
	tickets  map[uint64]struct{}
	ended    bool

	mu     sync.Mutex
	owners map[*ownership]struct{} // nil once it has ended
}

// errEnded answers calls of a session that was cut off.
var errEnded = fmt.Errorf("this client's session has ended: %w", mperr.ErrClosed)

func unsupported(kind string) error {
	return fmt.Errorf("this manager has no objects of type %q: %w", kind, errors.ErrUnsupported)
}

// Join opens a session. A long name is cut.
func (s *Store) Join(c Client) *Session {
	c.Name = strings.Clone(c.Name[:min(len(c.Name), maxName)])
	ss := &Session{store: s, client: c, refs: map[uint64]int{}, tickets: map[uint64]struct{}{}}
	ss.keeps, ss.works = s.budget.Keeping(), s.budget.Working()
	ss.main = &ownership{session: ss}
	ss.owners = map[*ownership]struct{}{ss.main: {}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[ss] = struct{}{}
	return ss
}

// Client returns who the session belongs to.
func (ss *Session) Client() Client { return ss.client }

// Keeps is charged for what the client makes the server keep beside its objects,
// such as answers that it may ask for again; Works for what the work for it takes.
func (ss *Session) Keeps() *budget.Share { return ss.keeps }

// Works is the share for work; see Keeps.
func (ss *Session) Works() *budget.Share { return ss.works }

// Owner is the owner of calls that name none: the session as a whole.
func (ss *Session) Owner() Owner { return ss.main }

// Channel makes another owner, which ends with EndOwner or with the session.
func (ss *Session) Channel() Owner {
	o := &ownership{session: ss}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.owners == nil {
		o.gone = true
		return o
	}
	ss.owners[o] = struct{}{}
	return o
}

// Refs returns how many references to an object the session has.
func (ss *Session) Refs(id uint64) int {
	ss.store.mu.Lock()
	defer ss.store.mu.Unlock()
	return ss.refs[id]
}

// Len returns how many objects the session refers to.
func (ss *Session) Len() int {
	ss.store.mu.Lock()
	defer ss.store.mu.Unlock()
	return len(ss.refs)
}

// EndOwner says that a channel is gone: what it waits for is withdrawn, what
// it took without acknowledgement is put back, and what it holds is released.
// But what it holds of an object whose id left reports true for stays held,
// for good: by Python's rules another may release it. A nil left stands for
// none. It returns when all objects know.
func (ss *Session) EndOwner(o Owner, left func(id uint64) bool) {
	ss.mu.Lock()
	delete(ss.owners, o)
	ss.mu.Unlock()
	o.end(left)
}

// Release releases what all owners hold, as End does. Their calls and the
// references stay: somebody else goes on with them.
func (ss *Session) Release(left func(id uint64) bool) {
	ss.mu.Lock()
	owners := slices.Collect(maps.Keys(ss.owners))
	ss.mu.Unlock()
	ss.store.withinEpoch(func() {
		for _, o := range owners {
			o.release(left)
		}
	})
}

// End ends all owners, as EndOwner does, and takes back the session's
// references. Its tickets live for a minute more. Calls that are begun
// afterwards are not answered, or fail. A second call does nothing.
func (ss *Session) End(left func(id uint64) bool) {
	ss.mu.Lock()
	owners := ss.owners
	ss.owners = nil
	ss.mu.Unlock()
	for o := range owners {
		o.end(left)
	}

	s := ss.store
	s.mu.Lock()
	if ss.ended {
		s.mu.Unlock()
		return
	}
	ss.ended = true
	delete(s.sessions, ss)
	s.orphanTicketsLocked(ss)
	var dead []*entry
	for id, n := range ss.refs {
		dead = append(dead, s.releaseLocked(s.table.get(id), n)...)
	}
	ss.refs = nil
	s.mu.Unlock()
	s.dispose(dead)
}

// crowded is an error if no more calls of the session may wait, or be without
// acknowledgement.
func (ss *Session) crowded() error {
	limit := ss.store.limits.Calls
	if limit > 0 && ss.linked.Load() >= int64(limit) {
		return fmt.Errorf("%w: %d calls of this client wait already, or were not acknowledged", mperr.ErrLimit, limit)
	}
	return nil
}
