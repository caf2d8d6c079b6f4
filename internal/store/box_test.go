package store

import (
	"context"
	"slices"
	"sync"
	"testing"

	"multiproc/internal/pyvalue"
)

// box is an object for tests: it keeps items, lets calls wait for them, and
// can be held.
type box struct {
	mu       sync.Mutex
	items    []Item
	waiting  []*Call
	gone     []Owner
	disposed int
	opened   bool          // a copy can be had
	told     chan struct{} // receives for each OwnerGone
	funcs    chan func(context.Context)
	between  func() // what happens while an item is in no place; nil: nothing
}

func newBox(*Store, Args) (Object, error) {
	return &box{told: make(chan struct{}, 100), funcs: make(chan func(context.Context), 1)}, nil
}

func (b *box) Call(c *Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c.Method {
	case "add":
		b.items = append(b.items, c.Args.Pos...)
		c.Return(Item{})
	case "first":
		c.Return(b.items[0])
	case "drop": // without anybody hearing of it
		b.items = b.items[1:]
		c.Return(Item{})
	case "take":
		b.take(c)
	case "wait", "stream":
		if c.Park(func() bool { return b.unpark(c) }) {
			b.waiting = append(b.waiting, c)
		}
	case "hold":
		c.Hold(b)
		c.Return(Item{})
	case "release":
		c.Drop(b)
		c.Return(Item{})
	case "run":
		c.Go(<-b.funcs)
	case "iter":
		c.ReturnNew("box", &box{})
	default:
		c.Fail(pyvalue.AttributeError("box", c.Method))
	}
}

func (b *box) take(c *Call) {
	v := b.items[0]
	b.items = b.items[1:]
	between := b.between
	b.mu.Unlock()
	if between == nil {
		between = func() {}
	}
	between()
	c.ReturnTaken(v, func() {
		between()
		b.mu.Lock()
		defer b.mu.Unlock()
		b.items = slices.Insert(b.items, 0, v)
	})
	b.mu.Lock()
}

func (b *box) unpark(c *Call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, c)
	if i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	return i >= 0
}

// pop takes a call out of those that wait.
func (b *box) pop() *Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.waiting[0]
	b.waiting = b.waiting[1:]
	return c
}

func (b *box) Refs(yield func(id uint64) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, it := range b.items {
		it.Refs(yield)
	}
}

func (b *box) Repr() string { return "a box" }

func (b *box) Snapshot() (Item, bool) {
	if !b.opened {
		return Item{}, false
	}
	return b.items[0], true
}

func (b *box) Dispose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.disposed++
}

func (b *box) OwnerGone(o Owner) {
	b.mu.Lock()
	b.gone = append(b.gone, o)
	b.mu.Unlock()
	b.told <- struct{}{}
}

func (b *box) isDisposed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.disposed > 1 {
		panic("disposed of twice")
	}
	return b.disposed == 1
}

func (b *box) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.items)
}

func (b *box) goneCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.gone)
}

// reply is a call and its answer.
type reply struct {
	Call
	mu      sync.Mutex
	answers int
	v       Item
	taken   bool
	err     error
	typ     *Type
	id      uint64
	emitted int
	room    int // for Emit
}

func (r *reply) answer(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	f()
}

type replier struct{ *reply }

func (r replier) Return(v Item, taken bool) { r.answer(func() { r.v, r.taken = v, taken }) }
func (r replier) Fail(err error)            { r.answer(func() { r.err = err }) }
func (r replier) New(typ *Type, id uint64)  { r.answer(func() { r.typ, r.id = typ, id }) }

func (r replier) Emit(Item) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitted++
	return r.emitted <= r.room
}

// answered returns how often the call was answered, and its error.
func (r *reply) answered() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers, r.err
}

func begin(ss *Session, id uint64, method string, args ...Item) *reply {
	r := &reply{}
	r.Method, r.Args = method, Args{Pos: args}
	ss.Begin(&r.Call, id, replier{r})
	return r
}

// call makes a call that must be answered without an error.
func call(t *testing.T, ss *Session, id uint64, method string, args ...Item) Item {
	t.Helper()
	r := begin(ss, id, method, args...)
	if n, err := r.answered(); n != 1 || err != nil {
		t.Fatalf("%s: %d answers, error %v", method, n, err)
	}
	return r.v
}

func newStore(t *testing.T, l Limits) *Store {
	t.Helper()
	s := New(l)
	s.Add(&Type{ID: "box", New: newBox})
	s.Add(&Type{ID: "handed"})
	t.Cleanup(s.Close)
	return s
}

func create(t *testing.T, ss *Session) (uint64, *box) {
	t.Helper()
	id, _, err := ss.Create("box", Args{})
	if err != nil {
		t.Fatal(err)
	}
	o, _ := ss.store.Object(id)
	return id, o.(*box)
}

func ref(id uint64) Item { return Of(pyvalue.Ref{ID: id, Type: "box"}) }
