package objects

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// An object whose only reference is in a queue lives, also while the item is on
// its way, and for a while after that.
func TestReferencesInAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		a, b := connect(t, s), connect(t, s)
		q, e := a.create("Queue", int64(1)), a.create("Event")
		ref := pyvalue.Ref{ID: e, Type: "Event"}
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
	slices.Sort(got)
	if !slices.Equal(got, model) {
		t.Errorf("%v, want %v", got, model)
	}
}

// Every method refuses arguments that it does not have, and answers.
func TestMethodsRefuseArguments(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	for kind, methods := range map[string][]string{
		"Queue":     keys(queueClass),
		"Lock":      keys(mutexClass),
		"RLock":     keys(rlockClass),
		"Semaphore": keys(semaphoreClass),
		"Condition": keys(conditionClass),
		"Event":     keys(eventClass),
		"Barrier":   keys(barrierClass),
	} {
		var args []pyvalue.Value
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

func keys[T any](k class[T]) (names []string) {
	for name := range k.methods {
		names = append(names, name)
	}
	return names
}

// What Python may call is there.
func TestExposedMethodsExist(t *testing.T) {
	for _, typ := range slices.Concat(queueTypes(), syncTypes()) {
		have := map[string][]string{
			"Queue": keys(queueClass), "JoinableQueue": keys(queueClass), "Lock": keys(mutexClass), "RLock": keys(rlockClass),
			"Semaphore": keys(semaphoreClass), "BoundedSemaphore": keys(semaphoreClass), "Condition": keys(conditionClass),
			"Event": keys(eventClass), "Barrier": keys(barrierClass),
		}[typ.ID]
		for _, method := range typ.Exposed {
			if !slices.Contains(have, method) {
				t.Errorf("%s has no %s", typ.ID, method)
			}
		}
	}
}

// scanned is an object that keeps references, and has a say when a sweep looks
// at it.
type scanned struct {
	leaf
	args store.Args
	then atomic.Pointer[func()]
}

func (o *scanned) Call(c *store.Call) { o.args = c.Args; c.Return(none) }
func (o *scanned) Repr() string       { return "scanned" }
func (o *scanned) Dispose()           {}

func (o *scanned) Refs(yield func(id uint64) bool) {
	if then := o.then.Load(); then != nil {
		(*then)()
	}
	o.args.Refs(yield)
}

// A reference that is copied from one object to another while a sweep goes on,
// and that the sweep finds in neither, is not lost.
func TestReferencesAreCopied(t *testing.T) {
	for _, x := range []struct{ typ, add, merge string }{
		{"list", "append", "extend"}, {"dict", "setdefault", "update"}, {"set", "add", "update"}, {"list", "append", ""},
	} {
		t.Run(x.typ+" "+x.merge, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, store.Limits{})
				s.Add(&store.Type{ID: "scanned", New: func(*store.Store, store.Args) (store.Object, error) { return &scanned{}, nil }})
				c := connect(t, s)
				ref := func(id uint64) pyvalue.Value { return pyvalue.Ref{ID: id, Type: x.typ} }
				event, from, to := c.create("Event"), c.create(x.typ), c.create(x.typ)
				c.start(from, x.add, ref(event), ref(event)) // as key and value, of a dict
				c.start(from, x.add, ref(event))
				root, middle := c.create("scanned"), c.create("scanned")
				c.must(nil, middle, "", ref(middle))
				c.must(nil, root, "", ref(from), ref(middle), ref(to)) // they are looked at in the other order
				for _, id := range []uint64{event, from, to, middle} {
					_ = c.ss.Decref(id)
				}
				<-time.After(time.Hour)
				o, _ := s.Object(middle)
				swept := false
				then := func() {
					swept = true
					if x.merge == "" {
						to = c.create(x.typ, ref(from))
					} else {
						c.must(nil, to, x.merge, ref(from))
					}
					c.must(nil, from, "clear")
				}
				o.(*scanned).then.Store(&then)
				s.NumberOfObjects()
				if _, known := s.Lookup(event); !known || !swept {
					t.Errorf("swept: %t, the event is known: %t", swept, known)
				}
			})
		})
	}
}
