package store

import (
	"sync"
	"time"
)

// sweeper finds objects that nobody counts and nobody can reach. All but mu is
// guarded by Store.mu.
type sweeper struct {
	mu    sync.Mutex // held during a sweep; taken before Store.mu
	round uint64

	idle      map[*entry]struct{} // not counted, but perhaps part of another's contents
	referring map[*entry]struct{} // entries with refers set
	disturbed bool                // an idle one was counted again during a sweep
	timer     *time.Timer
	pause     time.Duration
	stopped   bool
	ended     time.Duration // the last sweep, see Store.now
	took      time.Duration
}

// grace is how long an object lives at least after its reference was part of a
// message: the receiver needs time to attach to it.
const grace = 10 * time.Second

// maxPause bounds the time between two sweeps as long as there are idle objects
// that are reachable. It begins with grace, and doubles.
const maxPause = 32 * grace

func (w *sweeper) init() {
	w.idle, w.referring = map[*entry]struct{}{}, map[*entry]struct{}{}
}

func (w *sweeper) stop() {
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// revived is told of entries that are counted for the first time, or again.
func (w *sweeper) revived(e *entry) {
	if _, ok := w.idle[e]; ok {
		delete(w.idle, e)
		w.disturbed = true
	}
}

func (w *sweeper) forget(e *entry) {
	delete(w.idle, e)
	delete(w.referring, e)
}

// idleLocked notes that nobody counts e any more, and sees to it that a sweep
// will look at it.
func (s *Store) idleLocked(e *entry) {
	s.sweeper.idle[e] = struct{}{}
	s.scheduleLocked(grace)
}

func (s *Store) scheduleLocked(pause time.Duration) {
	w := &s.sweeper
	if w.stopped || w.timer != nil && w.pause <= pause {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.pause = pause
	w.timer = time.AfterFunc(pause, func() {
		s.mu.Lock()
		w.timer = nil
		s.mu.Unlock()
		freed := 0
		_ = s.Safely("a sweep", func() { freed = s.sweep() })
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case len(w.idle) == 0:
		case freed > 0:
			s.scheduleLocked(grace)
		default:
			s.scheduleLocked(min(2*pause, maxPause))
		}
	})
}

// note keeps account of the references in arguments: the objects that they mean
// may become part of e's contents.
func (s *Store) note(e *entry, args Args) {
	if !e.refers.Load() {
		s.mu.Lock()
		e.refers.Store(true)
		if !e.gone {
			s.sweeper.referring[e] = struct{}{}
		}
		s.mu.Unlock()
	}
	args.Refs(s.touchID)
}

// Refer says that references may come into the object with that id from another
// object, without a call: see Hand.
func (s *Store) Refer(id uint64) {
	if e := s.table.get(id); e != nil {
		s.note(e, Args{})
	}
}

// Hand keeps account of the references in a value that goes from one object to
// another, which Refer has told of. The objects' mutexes may be held.
func (s *Store) Hand(v Item) { s.touch(v) }

// touch keeps account of the references in a value that leaves.
func (s *Store) touch(v Item) {
	if v.refs {
		v.Refs(s.touchID)
	}
}

// Carry returns what look finds in the object with that id, for another object
// or a client: references in it are on their way, as those in the messages of
// calls are. The error is a *Broken.
func (s *Store) Carry(id uint64, look func() []Item) (items []Item, err error) {
	e := s.table.get(id)
	if e != nil && e.broken.Load() != nil {
		return nil, e.broken.Load()
	}
	s.withinEpoch(func() {
		b := s.guard(e, "a look into it", func() {
			items = look()
			for i := range items {
				s.touch(items[i])
			}
		})
		if b != nil {
			items, err = nil, b
		}
	})
	return items, err
}

// Snapshot is the Snapshot of the object with that id, for a client. ok is
// false if there is none of it, or no such object.
func (s *Store) Snapshot(id uint64) (v Item, ok bool, err error) {
	e := s.table.get(id)
	if e == nil {
		return v, false, unknown(id)
	}
	_, err = s.Carry(id, func() []Item {
		v, ok = e.obj.Snapshot()
		return []Item{v}
	})
	return v, ok, err
}

// Repr is the repr of the object with that id.
func (s *Store) Repr(id uint64) (text string, err error) {
	e := s.table.get(id)
	if e == nil {
		return "", unknown(id)
	}
	return s.reprOf(e, func(o Object) string { return o.Repr() })
}

func (s *Store) reprOf(e *entry, repr func(Object) string) (text string, err error) {
	if b := e.broken.Load(); b != nil {
		return "", b
	}
	if b := s.guard(e, "repr", func() { text = repr(e.obj) }); b != nil {
		return "", b
	}
	return text, nil
}

func (s *Store) touchID(id uint64) bool {
	if e := s.table.get(id); e != nil {
		e.touched.Store(int64(s.now()))
		e.embedded.Store(true)
	}
	return true
}

// sweepNow is sweep for those who can make it happen as often as they like: it
// does nothing if sweeps would take more than a tenth of the time.
func (s *Store) sweepNow() {
	s.mu.Lock()
	w := &s.sweeper
	early := w.took > 0 && s.now() < w.ended+10*w.took
	s.mu.Unlock()
	if early || !w.mu.TryLock() { // another one is at it
		return
	}
	defer w.mu.Unlock()
	s.sweepLocked()
}

// sweep disposes of the idle objects that cannot be reached, and returns how
// many they were. It must not be called with an object's mutex held.
//
// Objects are not stopped meanwhile. A reference can only move from an object
// that has not been looked at to one that has been by way of a message, or by
// Carry, and then its object was touched: sweep gives up and leaves the rest for
// the next. Messages that are on their way from or to an object meanwhile have
// arrived when sweep decides, see epochs.
func (s *Store) sweep() int {
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()
	return s.sweepLocked()
}

// sweepLocked is sweep, with the sweeper's mutex held.
func (s *Store) sweepLocked() int {
	w := &s.sweeper
	s.mu.Lock()
	if len(w.idle) == 0 {
		s.mu.Unlock()
		return 0
	}
	w.round++
	w.disturbed = false
	begun := s.now()
	roots := s.rootsLocked(begun)
	calls := s.callsLocked()
	s.mu.Unlock()

	s.mark(roots, refsOf(calls), w.round)
	took := s.now() - begun
	calm := s.epochs.passed()

	s.mu.Lock()
	w.ended, w.took = s.now(), took
	if !calm {
		s.mu.Unlock()
		return 0
	}
	var dead []*entry
	for e := range w.idle {
		switch {
		case e.marked == w.round || e.refs > 0:
		case w.disturbed || e.touched.Load() >= int64(begun):
			s.mu.Unlock()
			return 0
		default:
			dead = append(dead, e)
		}
	}
	for _, e := range dead {
		s.removeLocked(e)
	}
	s.mu.Unlock()
	s.dispose(dead)
	return len(dead)
}

// rootsLocked marks the idle objects that were in a message recently, and
// returns all objects that are alive without doubt and may contain references.
func (s *Store) rootsLocked(now time.Duration) (roots []*entry) {
	w := &s.sweeper
	for e := range w.idle {
		if time.Duration(e.touched.Load()) > now-grace {
			e.marked = w.round
		}
	}
	for e := range w.referring {
		if e.refs > 0 || e.marked == w.round {
			e.marked = w.round
			roots = append(roots, e)
		}
	}
	return roots
}

// callsLocked returns what calls under way hold that may refer to something. To
// look into it takes long if it is much, so that comes later.
func (s *Store) callsLocked() (items []Item) {
	add := func(it Item) {
		if it.refs {
			items = append(items, it)
		}
	}
	s.eachCallLocked(func(c *Call) {
		for _, it := range c.Args.Pos {
			add(it)
		}
		for _, it := range c.Args.Named {
			add(it)
		}
		add(c.keep)
	})
	return items
}

// refsOf are the ids of all objects that items refer to.
func refsOf(items []Item) (ids []uint64) {
	for _, it := range items {
		it.Refs(func(id uint64) bool {
			ids = append(ids, id)
			return true
		})
	}
	return ids
}

// mark marks everything that can be reached from roots and ids.
func (s *Store) mark(roots []*entry, ids []uint64, round uint64) {
	reach := func(id uint64) bool {
		e := s.table.get(id)
		if e == nil || e.marked == round {
			return true
		}
		e.marked = round
		if e.refers.Load() {
			roots = append(roots, e)
		}
		return true
	}
	for _, id := range ids {
		reach(id)
	}
	for len(roots) > 0 {
		e := roots[len(roots)-1]
		roots = roots[:len(roots)-1]
		if e.broken.Load() == nil { // else nobody gets at its contents any more
			s.guard(e, "a sweep", func() { e.obj.Refs(reach) })
		}
	}
}
