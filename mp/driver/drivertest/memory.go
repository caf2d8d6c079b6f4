package drivertest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Memory returns a place in this process's memory: the twin that every other
// place is to behave like, and a place for tests that are not about one. It is
// as simple as can be, one lock for everything, and forgets nothing while it is
// in use.
func Memory() *Session { return NewStore().Join() }

// Store is where the objects of Memory are. Several sessions may use it, each
// as a process would that has a connection of its own.
type Store struct {
	id [16]byte

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each change
	waits   int           // calls that wait
	seen    int           // those of them that have looked since the last change
	last    uint64        // the last id, version, ticket or place in an order that was given
	objects map[uint64]*object
	names   map[string]*object
	tickets map[uint64]*object // references that were not opened yet
}

// object is an object of any kind: body is a *queue, *dict, …
type object struct {
	id       uint64
	kind     driver.Kind
	name     string
	body     any
	watchers map[*watcher]struct{}
}

// stores are those to which there are references: Store.id to *Store.
var stores sync.Map

const driverName = "drivertest.memory"

func init() { driver.Register(driverName, openReference) }

// NewStore returns a store without objects.
func NewStore() *Store {
	s := &Store{
		changed: make(chan struct{}),
		objects: map[uint64]*object{},
		names:   map[string]*object{},
		tickets: map[uint64]*object{},
	}
	_, _ = rand.Read(s.id[:]) // never fails
	return s
}

// Join begins a session.
func (s *Store) Join() *Session { return &Session{store: s, ended: make(chan struct{})} }

// Tickets is how many references were made and not opened.
func (s *Store) Tickets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.tickets)
}

// next is a number that was not given before. The lock is held.
func (s *Store) next() uint64 {
	s.last++
	return s.last
}

// tell wakes all who wait for anything. The lock is held.
func (s *Store) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
	s.seen = 0
}

// Waits is how many calls wait. See [CountWaits].
func (s *Store) Waits() (n int, settled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits, s.seen == s.waits
}

// Session is a place: a Store, seen by one of its users.
type Session struct {
	store *Store
	ended chan struct{}
	dead  bool // guarded by the store's lock
}

// own is the session, also of a place that embeds it.
func (p *Session) own() *Session { return p }

// String implements driver.Place.
func (p *Session) String() string { return fmt.Sprintf("memory %x", p.store.id[:4]) }

// Kill ends the session as the death of its process would: calls under way fail,
// locks that it holds are broken.
func (p *Session) Kill() {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.dead {
		return
	}
	p.dead = true
	close(p.ended)
	for _, o := range s.objects {
		if m, ok := o.body.(mortal); ok {
			m.ownerGone(p)
		}
	}
	s.tell()
}

var errDead = fmt.Errorf("the session was killed: %w", mperr.ErrUnknownFate)

// Open implements driver.Place.
func (p *Session) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	if err := mperr.Ended(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(p.checkLock(spec.Lock), p.checkDeadLetter(spec.DeadLetter)); err != nil {
		return nil, err
	}
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.dead {
		return nil, errDead
	}
	if o := s.names[spec.Name]; o != nil {
		if o.kind != spec.Kind {
			return nil, fmt.Errorf("%q is a %s and no %s: %w", spec.Name, o.kind, spec.Kind, mperr.ErrType)
		}
		return p.handle(o), nil
	}
	body := s.make(spec)
	if body == nil {
		return nil, fmt.Errorf("%v: objects of kind %q: %w", p, spec.Kind, errors.ErrUnsupported)
	}
	o := &object{id: s.next(), kind: spec.Kind, name: spec.Name, body: body, watchers: map[*watcher]struct{}{}}
	s.objects[o.id] = o
	if o.name != "" {
		s.names[o.name] = o
	}
	return p.handle(o), nil
}

func (s *Store) make(spec driver.Spec) any {
	switch spec.Kind {
	case driver.KindQueue:
		return &queue{size: spec.Size, bytes: spec.Bytes, leases: leasesOf(spec)}
	case driver.KindDict:
		return &dict{ttl: spec.TTL}
	case driver.KindNamespace:
		return &dict{texts: true}
	case driver.KindSet:
		return &set{}
	case driver.KindList:
		return &list{}
	case driver.KindValue:
		return &value{driver.Versioned{Value: spec.Init, Version: s.next()}}
	case driver.KindMutex:
		return &mutex{}
	}
	return makeSync(spec)
}

// handle returns a new handle to o, of the type that its kind has.
func (p *Session) handle(o *object) driver.Object {
	h := &handle{session: p, o: o, closed: make(chan struct{})}
	switch body := o.body.(type) {
	case *queue:
		return &queueHandle{h, body}
	case *dict:
		return &dictHandle{h, body}
	case *set:
		return &setHandle{h, body}
	case *list:
		return &listHandle{h, body}
	case *value:
		return &valueHandle{h, body}
	case *mutex:
		return &mutexHandle{h, body}
	default:
		return h.sync()
	}
}

// Extract implements driver.Place. A reference in a value is an id, 8 bytes
// big endian, and the kind.
func (p *Session) Extract(ctx context.Context, ref []byte) (driver.Object, error) {
	if err := mperr.Ended(ctx); err != nil {
		return nil, err
	}
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ref) < 8 {
		return nil, fmt.Errorf("a reference of %d bytes: %w", len(ref), mperr.ErrCorrupt)
	}
	o := s.objects[binary.BigEndian.Uint64(ref)]
	if o == nil || string(o.kind) != string(ref[8:]) {
		return nil, fmt.Errorf("reference % x: %w", ref, mperr.ErrNoHandle)
	}
	return p.handle(o), nil
}

// openReference is the driver's OpenFunc: the reference is the store's id and a
// ticket. It opens the object in a session of its own.
func openReference(_ context.Context, ref []byte) (driver.Object, error) {
	if len(ref) != 24 {
		return nil, fmt.Errorf("a reference of %d bytes: %w", len(ref), mperr.ErrCorrupt)
	}
	found, ok := stores.Load([16]byte(ref))
	if !ok {
		return nil, fmt.Errorf("memory %x is not the memory of process %d: %w", ref[:4], os.Getpid(), mperr.ErrForeign)
	}
	s, ticket := found.(*Store), binary.BigEndian.Uint64(ref[16:])
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.tickets[ticket]
	if o == nil {
		return nil, fmt.Errorf("ticket %d: %w", ticket, mperr.ErrNoHandle)
	}
	delete(s.tickets, ticket)
	return s.Join().handle(o), nil
}

// handle is what the handles of all kinds have in common.
type handle struct {
	session *Session
	o       *object
	closed  chan struct{}
	gone    bool // guarded by the store's lock, as what follows
	held    int  // how often something was taken through the handle and not given back
	lost    int  // how often it was given back before the one who took it did
}

// Close implements driver.Object.
func (h *handle) Close() error {
	s := h.session.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.gone {
		return fmt.Errorf("%v: %w", h, mperr.ErrClosed)
	}
	h.gone = true
	close(h.closed)
	return nil
}

// Place implements driver.Object.
func (h *handle) Place() driver.Place { return h.session }

// String implements driver.Object.
func (h *handle) String() string {
	if h.o.name != "" {
		return strings.ToLower(string(h.o.kind)) + " " + h.o.name
	}
	return fmt.Sprintf("%s %d", strings.ToLower(string(h.o.kind)), h.o.id)
}

// Reference implements driver.Object.
func (h *handle) Reference(ctx context.Context) (name string, ref []byte, err error) {
	s := h.session.store
	err = h.do(ctx, func() error {
		ticket := s.next()
		s.tickets[ticket] = h.o
		ref = binary.BigEndian.AppendUint64(append(ref, s.id[:]...), ticket)
		stores.Store(s.id, s)
		return nil
	})
	return driverName, ref, err
}

// Embed implements driver.Object.
func (h *handle) Embed(into driver.Place) ([]byte, error) {
	if p, ok := into.(interface{ own() *Session }); !ok || p.own().store != h.session.store {
		return nil, fmt.Errorf("%v lives in %v and not in %v: %w", h, h.session, into, mperr.ErrForeign)
	}
	var ref []byte
	err := h.do(context.Background(), func() error {
		ref = append(binary.BigEndian.AppendUint64(nil, h.o.id), h.o.kind...)
		return nil
	})
	return ref, err
}

// do calls f with the lock held, once.
func (h *handle) do(ctx context.Context, f func() error) error {
	return h.when(ctx, func() (bool, error) { return true, f() })
}

// when calls f with the lock held, again after each change, until it reports
// that it is done or returns an error. An error means that f changed nothing.
func (h *handle) when(ctx context.Context, f func() (bool, error)) error {
	var changed chan struct{}
	for {
		var err error
		changed, err = h.try(ctx, f, changed)
		if changed == nil {
			if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return fmt.Errorf("%v: %w", h, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-h.closed:
		case <-h.session.ended:
		}
	}
}

// try calls f once. Where it is to be tried again, changed is what to wait for;
// waited is what was waited for, if it is tried again.
func (h *handle) try(ctx context.Context, f func() (bool, error), waited chan struct{}) (changed chan struct{}, err error) {
	s := h.session.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if waited != nil {
		s.waits--
	}
	if waited == s.changed {
		s.seen--
	}
	switch {
	case ctx.Err() != nil:
		return nil, mperr.Ended(ctx)
	case h.session.dead:
		return nil, errDead
	case h.gone:
		return nil, mperr.ErrClosed
	}
	done, err := f()
	if err != nil {
		return nil, err
	}
	if !done {
		s.waits++
		s.seen++
		return s.changed, nil
	}
	s.tell()
	return nil, nil
}
