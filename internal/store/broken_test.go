package store

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
)

// bomb is an object that panics in each of its methods, with its mutex held.
type bomb struct {
	mu    Mutex
	armed string // the method that panics
	calls []*Call
}

func (b *bomb) Break(x *Broken) { b.mu.Break(x) }

func (b *bomb) touch(method string) {
	b.mu.Lock()
	if b.armed == method {
		panic("bang")
	}
	b.mu.Unlock()
}

func (b *bomb) Call(c *Call) {
	b.touch(c.Method)
	switch c.Method {
	case "wait":
		b.mu.Lock()
		defer b.mu.Unlock()
		unpark := func() bool { b.touch("unpark"); return true }
		if c.ParkUntil(time.Now().Add(time.Hour), unpark, func() { b.touch("expired") }) {
			b.calls = append(b.calls, c)
		}
	case "take":
		c.ReturnTaken(Item{}, func() { b.touch("putBack") })
	case "hold":
		c.Hold(b)
		c.Return(Item{})
	default:
		c.Return(Item{})
	}
}

func (b *bomb) OwnerGone(Owner)             { b.touch("OwnerGone") }
func (b *bomb) Refs(func(uint64) bool)      { b.touch("Refs") }
func (b *bomb) Repr() string                { b.touch("Repr"); return "a bomb" }
func (b *bomb) Snapshot() (v Item, ok bool) { b.touch("Snapshot"); return v, true }
func (b *bomb) Dispose()                    { b.touch("Dispose") }
func newBomb(*Store, Args) (Object, error)  { return &bomb{}, nil }
func (b *bomb) arm(method string)           { b.mu.Lock(); b.armed = method; b.mu.Unlock() }
func plant(t *testing.T, ss *Session) (uint64, *bomb) {
	t.Helper()
	ss.store.Add(&Type{ID: "bomb", New: newBomb})
	id, _, err := ss.Create("bomb", Args{})
	if err != nil {
		t.Fatal(err)
	}
	o, _ := ss.store.Object(id)
	return id, o.(*bomb)
}

// Wherever an object panics, with its mutex held: calls that wait in it are
// answered, later ones are refused in words, and the store goes on.
func TestPanicsBreakTheirObjectAlone(t *testing.T) {
	for method, pull := range map[string]func(s *Store, ss *Session, id uint64, took, waits *reply){
		"bang":      func(_ *Store, ss *Session, id uint64, _, _ *reply) { begin(ss, id, "bang") },
		"unpark":    func(_ *Store, _ *Session, _ uint64, _, waits *reply) { waits.Cancel() },
		"expired":   func(*Store, *Session, uint64, *reply, *reply) { <-time.After(2 * time.Hour) },
		"putBack":   func(_ *Store, _ *Session, _ uint64, took, _ *reply) { took.Lost() },
		"OwnerGone": func(_ *Store, ss *Session, _ uint64, _, _ *reply) { ss.End(nil) },
		"Repr":      func(s *Store, _ *Session, _ uint64, _, _ *reply) { s.DebugInfo() },
		"Snapshot":  func(s *Store, _ *Session, id uint64, _, _ *reply) { _, _, _ = s.Snapshot(id) },
	} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, Limits{})
				var told []*Broken
				s.OnPanic(func(b *Broken) { told = append(told, b) })
				ss, other := s.Join(Client{}), s.Join(Client{})
				id, b := plant(t, other)
				waits := begin(ss, id, "wait")
				neighbour := begin(other, id, "wait")
				took := begin(ss, id, "take")
				begin(ss, id, "hold")
				b.arm(method)
				pull(s, ss, id, took, waits)
				synctest.Wait()

				if n, err := neighbour.answered(); n != 1 || !errors.Is(err, mperr.ErrCorrupt) {
					t.Errorf("a call that waits has %d answers, %v", n, err)
				}
				n, err := begin(other, id, "wait").answered()
				if n != 1 || !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "bomb "+Ident(id)) {
					t.Errorf("a later call has %d answers, %v", n, err)
				}
				if _, ok, err := s.Snapshot(id); ok && err == nil {
					t.Error("there is a copy of what is broken")
				}
				_ = s.DebugInfo()
				sound, _ := create(t, other)
				call(t, other, sound, "add", Item{})
				ss.End(nil)
				other.End(nil)
				if s.Size() != 0 || ss.linked.Load() != 0 || other.linked.Load() != 0 {
					t.Errorf("%d objects are left, %d and %d calls", s.Size(), ss.linked.Load(), other.linked.Load())
				}
				if len(told) != 1 || !strings.Contains(string(told[0].Stack), "touch") {
					t.Errorf("told of %v", told)
				}
			})
		})
	}
}

// What the store asks of an object when nobody calls it breaks nothing either.
func TestPanicsOfSweeps(t *testing.T) {
	for _, method := range []string{"Refs", "Dispose"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t, Limits{})
			ss := s.Join(Client{})
			id, b := plant(t, ss)
			inner, x := create(t, ss)
			call(t, ss, id, "keep", ref(inner))
			b.arm(method)
			_ = ss.Decref(inner)
			<-time.After(100 * grace)
			s.NumberOfObjects()
			_ = ss.Decref(id)
			<-time.After(100 * grace)
			if s.NumberOfObjects(); s.Size() != 0 || !x.isDisposed() {
				t.Errorf("%s panics: %d objects are left", method, s.Size())
			}
		})
	}
}

// Those who wait for a mutex when it is broken go on, whoever holds it.
func TestBrokenMutex(t *testing.T) {
	for range 200 {
		var m Mutex
		b := &Broken{}
		m.Lock()
		ended := make(chan any)
		for range 4 {
			go func() {
				defer func() { ended <- recover() }()
				m.Lock()
				defer m.Unlock()
			}()
		}
		m.Break(b)
		for range 4 {
			if v := <-ended; v != b {
				t.Fatalf("Lock panics with %v", v)
			}
		}
		m.Unlock() // of whoever held it
	}
}
