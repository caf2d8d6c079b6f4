package store

import (
	"cmp"
	"errors"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Create makes an object of a type and a reference to it for the session. If
// no type has that id but a named object has it as its name, and there are no
// arguments, then that object is what Python's create means.
func (ss *Session) Create(typeid string, args Args) (id uint64, typ *Type, err error) {
	s := ss.store
	typ = s.Type(typeid)
	if typ == nil {
		if len(args.Pos)+len(args.Named) > 0 {
			return 0, nil, pyvalue.KeyError(typeid)
		}
		e, err := ss.named(typeid, "")
		if e == nil {
			return 0, nil, cmp.Or[error](err, pyvalue.KeyError(typeid))
		}
		return e.id, e.typ, nil
	}
	e, err := s.create(ss, typ, "", args)
	if err != nil {
		return 0, nil, err
	}
	return e.id, e.typ, nil
}

// Open finds the object of that name or makes it, and a reference to it for
// the session. Without a name it always makes one. An object of that name and
// of another type is an error that wraps mperr.ErrType.
func (ss *Session) Open(kind, name string, args Args) (id uint64, typ *Type, created bool, err error) {
	s := ss.store
	typ = s.Type(kind)
	if typ == nil {
		return 0, nil, false, unsupported(kind)
	}
	if len(name) > maxName {
		return 0, nil, false, pyvalue.ValueError(fmt.Sprintf("open %s: a name of %d bytes, at most %d are possible", kind, len(name), maxName))
	}
	for {
		e, err := ss.named(name, kind)
		if e != nil || err != nil {
			return e.ident(), typ, false, err
		}
		// Another client may be faster, and a third one take the name away again.
		e, err = s.create(ss, typ, name, args)
		if !errors.Is(err, errTaken) {
			return e.ident(), typ, err == nil, err
		}
	}
}

// maxName is how long the name of an object or of a client may be, in bytes.
const maxName = 4096

// named finds the object of that name, and takes a reference to it for the
// session. It returns nil if there is none. An object that is not of that kind
// is an error, unless kind is empty.
func (ss *Session) named(name, kind string) (*entry, error) {
	s := ss.store
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.names[name]
	switch {
	case e == nil:
		return nil, nil
	case kind != "" && e.typ.ID != kind:
		return nil, fmt.Errorf("open %s %q: %w: it is of type %s", kind, name, mperr.ErrType, e.typ.ID)
	case ss.ended || s.closed:
		return nil, errEnded
	}
	s.countLocked(e)
	ss.refs[e.id]++
	return e, nil
}

// errTaken is the error of create if there is an object of that name.
var errTaken = errors.New("the name is taken")

// create makes an object. A name must be free, and gets a reference of its own.
func (s *Store) create(ss *Session, typ *Type, name string, args Args) (*entry, error) {
	if typ.New == nil {
		return nil, pyvalue.TypeError("objects of type " + typ.ID + " come from methods of others, they cannot be created")
	}
	if s.full() {
		s.sweepNow() // there may be some that nobody can reach
	}
	args.payer = ss.keeps
	o, err := typ.New(s, args)
	if err != nil {
		return nil, err
	}
	return s.adopt(ss, typ, name, o, args.mayRefer(), args)
}

func (s *Store) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.Objects > 0 && s.count >= s.limits.Objects
}

// adopt takes an object into the store, unless it is there already, and counts
// a reference of the session. An object that cannot be taken is disposed of.
func (s *Store) adopt(ss *Session, typ *Type, name string, o Object, refers bool, args Args) (*entry, error) {
	e, isNew, err := s.enter(ss, typ, name, o)
	if err != nil {
		if isNew {
			o.Dispose()
		}
		return nil, err
	}
	if refers {
		s.note(e, args)
	}
	return e, nil
}

// enter is adopt's part under the lock. After an error isNew says whether the
// object is to be disposed of.
func (s *Store) enter(ss *Session, typ *Type, name string, o Object) (e *entry, isNew bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e = s.byObject[o]
	isNew = e == nil
	switch {
	case ss.ended || s.closed:
		return nil, isNew, errEnded
	case name != "" && s.names[name] != nil:
		return nil, isNew, errTaken
	case name != "" && e != nil && e.name != "":
		return nil, isNew, fmt.Errorf("open %s %q: the object has the name %q already", typ.ID, name, e.name)
	case isNew && s.limits.Objects > 0 && s.count >= s.limits.Objects:
		return nil, true, fmt.Errorf("%w: there may be %d objects; release some, or raise the limit", mperr.ErrLimit, s.limits.Objects)
	}
	cost, payer := 2*len(name), ss.keeps
	if isNew {
		cost += objectCost
	} else {
		payer = e.payer
	}
	if err := payer.Take(cost); err != nil {
		return nil, isNew, err
	}
	s.frame.Add(int64(cost))
	if isNew {
		s.lastID++
		e = &entry{id: s.lastID, typ: typ, obj: o, payer: payer}
		s.byObject[o] = e
		s.count++
		s.table.put(e)
	}
	e.cost += cost
	if name != "" {
		e.name = name
		s.names[name] = e
		s.countLocked(e)
	}
	s.countLocked(e)
	ss.refs[e.id]++
	return e, isNew, nil
}

// objectCost is what an object takes of the store, its smallest form, and the
// reference of who made it.
const objectCost = 640

// countLocked counts a reference.
func (s *Store) countLocked(e *entry) {
	e.refs++
	if e.refs == 1 {
		s.counted++
		s.sweeper.revived(e)
	}
}

// acquire counts a reference of the session.
func (s *Store) acquire(ss *Session, e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case ss.ended || s.closed:
		return errEnded
	case e.gone:
		return unknown(e.id)
	}
	s.countLocked(e)
	ss.refs[e.id]++
	return nil
}

// releaseLocked takes n references back. If the object is nobody's now it is
// returned, to be disposed of without the lock.
func (s *Store) releaseLocked(e *entry, n int) (dead []*entry) {
	e.refs -= n
	if e.refs > 0 || e.gone {
		return nil
	}
	s.counted--
	if e.embedded.Load() {
		s.idleLocked(e)
		return nil
	}
	s.removeLocked(e)
	return []*entry{e}
}

// removeLocked takes an entry out of the store.
func (s *Store) removeLocked(e *entry) {
	if e.gone {
		return
	}
	e.gone = true
	s.count--
	s.byObject = drop(s.byObject, e.obj, &s.mostObjects)
	if e.name != "" {
		delete(s.names, e.name)
	}
	s.sweeper.forget(e)
	s.table.remove(e)
	e.payer.Give(e.cost)
	s.frame.Add(-int64(e.cost))
}

// dispose disposes of objects. What a broken one keeps is garbage with it.
func (s *Store) dispose(dead []*entry) {
	for _, e := range dead {
		if e.broken.Load() == nil {
			s.guard(e, "dispose", e.obj.Dispose)
		}
	}
}

// Incref counts one reference more of the session to an object, which needs to
// have none: it is enough that another object's contents refer to it.
func (ss *Session) Incref(id uint64) (*Type, error) {
	e := ss.store.table.get(id)
	if e == nil {
		return nil, unknown(id)
	}
	return e.typ, ss.store.acquire(ss, e)
}

// Decref takes one of the session's references back.
func (ss *Session) Decref(id uint64) error {
	s := ss.store
	e := s.table.get(id)
	if e == nil {
		return unknown(id)
	}
	s.mu.Lock()
	if ss.refs[id] == 0 {
		refs := e.refs
		s.mu.Unlock()
		if refs == 0 {
			return nil // it is kept by other objects only; CPython ignores that too
		}
		return pyvalue.AssertionError(fmt.Sprintf("Id %s: this client has no reference to it (%d of others)", Ident(id), refs))
	}
	if ss.refs[id]--; ss.refs[id] == 0 {
		ss.refs = drop(ss.refs, id, &ss.mostRefs)
	}
	dead := s.releaseLocked(e, 1)
	s.mu.Unlock()
	s.dispose(dead)
	return nil
}

// Forget takes the name away from an object, which goes if nobody else refers
// to it.
func (s *Store) Forget(name string) error {
	s.mu.Lock()
	e := s.names[name]
	if e == nil {
		s.mu.Unlock()
		return fmt.Errorf("forget %q: %w", name, pyvalue.KeyError(name))
	}
	delete(s.names, name)
	e.name = ""
	e.cost -= 2 * len(name)
	e.payer.Give(2 * len(name))
	s.frame.Add(-2 * int64(len(name)))
	dead := s.releaseLocked(e, 1)
	s.mu.Unlock()
	s.dispose(dead)
	return nil
}
