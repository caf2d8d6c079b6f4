package objects

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// An object whose only reference is in a queue lives, also while the item is on
// its way, and for a while after that.
func TestReferencesInAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		a, b := connect(t, s), connect(t, s)
		q, e := a.create("Queue", int64(1)), a.create("Event")
		ref := data.Ref{ID: e, Type: "Event"}
		a.must(nil, q, "put", "plain")
		waits := a.start(q, "put", pyList(ref))
		_ = a.ss.Decref(e)
		<-time.After(time.Hour)
		b.must("plain", q, "get")
		wantResult(t, waits, nil)
		<-time.After(time.Hour)
		taken := b.async(q, "get")
		<-time.After(time.Hour)
		if _, known := s.Lookup(e); !known {
			t.Fatal("the event is gone")
		}
		taken.Acknowledge()
		if _, err := b.ss.Incref(e); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		b.must(nil, e, "set")
		_ = b.ss.Decref(e)
		<-time.After(time.Hour)
		if _, known := s.Lookup(e); known {
			t.Error("the event is never gone")
		}
	})
}

// The ring against a sorted slice.
func TestDeque(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var d deque
	var model, out []uint64
	seq := uint64(0)
	for range 20_000 {
		switch op := rnd.IntN(5); {
		case op < 2 || op == 2 && len(model) < 300:
			seq++
			d.push(element{seq: seq})
			model = append(model, seq)
		case op == 4 && len(out) > 0:
			i := rnd.IntN(len(out))
			back := out[i]
			out = slices.Delete(out, i, i+1)
			d.insert(element{seq: back})
			at, _ := slices.BinarySearch(model, back)
			model = slices.Insert(model, at, back)
		case len(model) > 0:
			if got := d.pop().seq; got != model[0] {
				t.Fatalf("popped %d, want %d", got, model[0])
			}
			out = append(out, model[0])
			model = model[1:]
			if len(out) > 20 {
				out = out[1:]
			}
		}
		if d.len() != len(model) {
			t.Fatalf("%d elements, want %d", d.len(), len(model))
		}
	}
	var got []uint64
	d.each(func(e element) bool { got = append(got, e.seq); return true })
	if !slices.Equal(got, model) {
		t.Errorf("%v, want %v", got, model)
	}
}

// Every method refuses arguments that it does not have, and answers.
func TestMethodsRefuseArguments(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	for kind, methods := range map[string][]string{
		"Queue":     keys(queueMethods),
		"Lock":      keys(mutexMethods),
		"RLock":     keys(rlockMethods),
		"Semaphore": keys(semaphoreMethods),
		"Condition": keys(conditionMethods),
		"Event":     keys(eventMethods),
		"Barrier":   keys(barrierMethods),
	} {
		var args []data.Value
		if kind == "Barrier" {
			args = append(args, int64(2))
		}
		id := c.create(kind, args...)
		for _, method := range methods {
			if _, err := c.do(id, method, named{"nonsense": nil}); !errors.Is(err, mperr.ErrType) {
				t.Errorf("%s.%s: %v", kind, method, err)
			}
			if method == "wait" {
				if _, err := c.do(id, method, "soon"); !errors.Is(err, mperr.ErrType) {
					t.Errorf("%s.%s: %v", kind, method, err)
				}
			}
		}
		o, _ := s.Object(id)
		if _, ok := o.Snapshot(); ok || !strings.HasPrefix(o.Repr(), "<") {
			t.Errorf("%s: %s", kind, o.Repr())
		}
		if _, err := c.do(id, "mp.nothing"); err == nil {
			t.Errorf("%s has every method", kind)
		}
	}
}

func keys[T any](m methods[T]) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}

// What Python may call is there.
func TestExposedMethodsExist(t *testing.T) {
	for _, typ := range slices.Concat(queueTypes(), syncTypes()) {
		have := map[string][]string{
			"Queue": keys(queueMethods), "JoinableQueue": keys(queueMethods), "Lock": keys(mutexMethods), "RLock": keys(rlockMethods),
			"Semaphore": keys(semaphoreMethods), "BoundedSemaphore": keys(semaphoreMethods), "Condition": keys(conditionMethods),
			"Event": keys(eventMethods), "Barrier": keys(barrierMethods),
		}[typ.ID]
		for _, method := range typ.Exposed {
			if !slices.Contains(have, method) {
				t.Errorf("%s has no %s", typ.ID, method)
			}
		}
	}
}
