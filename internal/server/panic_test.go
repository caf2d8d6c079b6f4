package server

import (
	"strings"
	"testing"

	"multiproc/internal/frames"
	"multiproc/internal/pickle"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// mine is an object with a mistake: "bang" panics with its mutex held.
type mine struct{ mu store.Mutex }

func (m *mine) Break(b *store.Broken) { m.mu.Break(b) }

func (m *mine) Call(c *store.Call) {
	m.mu.Lock()
	defer func() { // not in a panic
		if c.Method != "bang" {
			m.mu.Unlock()
		}
	}()
	switch c.Method {
	case "bang":
		panic("a mistake")
	case "wait":
		c.Park(func() bool { m.mu.Lock(); defer m.mu.Unlock(); return true })
	default:
		c.Hold(m)
		c.Return(store.Of(nil))
	}
}

func (m *mine) OwnerGone(store.Owner)            { m.mu.Lock(); defer m.mu.Unlock() }
func (m *mine) Refs(func(uint64) bool)           {}
func (m *mine) Repr() string                     { return "<mine>" }
func (m *mine) Snapshot() (v store.Item, _ bool) { return v, false }
func (m *mine) Dispose()                         { m.mu.Lock(); defer m.mu.Unlock() }

// A panic in an object is the failure of that call, in both languages: who made
// it and who waits in the object are told, all other objects go on, over the
// same connections, and the server ends when it is told to.
func TestPanicIsOneCallsFailure(t *testing.T) {
	for _, front := range []string{"go", "python"} {
		t.Run(front, func(t *testing.T) {
			s := serveTest(t, "unix")
			s.store.Add(&store.Type{ID: "mine", Exposed: []string{"bang"}, New: func(*store.Store, store.Args) (store.Object, error) {
				return &mine{}, nil
			}})
			a, b := s.goPeer(t), s.goPeer(t)
			id, dict := a.open("mine", "m"), a.open("dict", "d")
			a.call(id, "hold")
			b.open("mine", "m")
			waits := b.begin(id, "wait", frames.NoTimeout)
			b.call(0, "ping")
			if front == "go" {
				a.fails(a.begin(id, "bang", frames.NoTimeout), "RuntimeError", "")
			} else {
				c := s.rawChannel(t)
				for range 2 {
					send(t, c, store.Ident(id), "bang", pyvalue.Tuple{})
					r, err := c.ReadFrame(1 << 20)
					if err != nil {
						t.Fatal(err)
					}
					if v, err := pickle.Decode(r, pickle.Options{}); err != nil || !strings.Contains(pyvalue.Repr(v), "is broken") {
						t.Errorf("%s, %v", pyvalue.Repr(v), err)
					}
				}
			}
			b.fails(waits, "RuntimeError", "")
			b.fails(b.begin(id, "hold", frames.NoTimeout), "RuntimeError", "")
			a.call(dict, "mp.set", "k", int64(1))
			a.call(0, "count")
			a.call(0, "debug")
			log := s.log.String()
			if strings.Count(log, "a call panicked") != 1 || !strings.Contains(log, "a mistake") || !strings.Contains(log, "panic_test.go") {
				t.Errorf("the log says:\n%s", log)
			}
		})
	}
}
