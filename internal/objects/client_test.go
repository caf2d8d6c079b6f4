package objects

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// client is a client without a connection: calls and answers are function
// calls.
type client struct {
	t     testing.TB
	s     *store.Store
	ss    *store.Session
	owner store.Owner // nil: the session
	auto  bool        // acknowledges at once
}

func newStore(t testing.TB, l store.Limits) *store.Store {
	s := store.New(l)
	Register(s)
	t.Cleanup(s.Close)
	return s
}

func connect(t testing.TB, s *store.Store) *client {
	return &client{t: t, s: s, ss: s.Join(store.Client{PID: 4711}), auto: true}
}

// channel is a Python channel of the client's process.
func (cl *client) channel() *client {
	return &client{t: cl.t, s: cl.s, ss: cl.ss, owner: cl.ss.Channel(), auto: true}
}

// die ends the client, or the channel.
func (cl *client) die() {
	if cl.owner != nil {
		cl.ss.EndOwner(cl.owner, nil)
		return
	}
	cl.ss.End(nil)
}

func (cl *client) create(typeid string, args ...pyvalue.Value) uint64 {
	cl.t.Helper()
	id, _, err := cl.ss.Create(typeid, arguments(args))
	if err != nil {
		cl.t.Fatalf("create %s: %v", typeid, err)
	}
	return id
}

type named map[string]pyvalue.Value

func arguments(args []pyvalue.Value) store.Args {
	var a store.Args
	for _, v := range args {
		if kw, ok := v.(named); ok {
			a.Named = map[string]store.Item{}
			for k, v := range kw {
				a.Named[k] = store.Of(v)
			}
			continue
		}
		if it, ok := v.(store.Item); ok {
			a.Pos = append(a.Pos, it)
			continue
		}
		a.Pos = append(a.Pos, store.Of(v))
	}
	return a
}

// pending is a call and its answer.
type pending struct {
	store.Call
	auto bool

	mu    sync.Mutex
	times int
	v     pyvalue.Value
	taken bool
	err   error
	newID uint64
	seen  []pyvalue.Value
	room  int           // for what is emitted; 0: no bound
	done  chan struct{} // nil, or closed when it is answered
	then  func()        // nil, or what happens as the answer is on its way
}

func (p *pending) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times++
	f()
	if p.done != nil && p.times == 1 {
		close(p.done)
	}
}

type answerTo struct{ *pending }

func (p answerTo) Return(v store.Item, taken bool) {
	p.set(func() { p.v, p.taken = v.Value(), taken })
	if p.then != nil {
		p.then()
	}
	if taken && p.auto {
		p.Acknowledge()
	}
}

func (p answerTo) Fail(err error) { p.set(func() { p.err = err }) }

func (p answerTo) New(_ *store.Type, id uint64) { p.set(func() { p.newID = id }) }

func (p answerTo) Emit(v store.Item) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.room > 0 && len(p.seen) == p.room {
		return false
	}
	p.seen = append(p.seen, v.Value())
	return true
}

// waits reports whether the call has no answer yet.
func (p *pending) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.times == 0
}

func (p *pending) answered() bool { return !p.waits() }

func (p *pending) result() (pyvalue.Value, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.times != 1 {
		return nil, errTimes
	}
	return p.v, p.err
}

var errTimes = errors.New("not answered exactly once")

// start begins a call; arguments by name stand in a value of type named.
func (cl *client) start(id uint64, method string, args ...pyvalue.Value) *pending {
	return cl.startWithin(time.Time{}, id, method, args...)
}

// async begins a call whose done is closed when it is answered; nothing is
// acknowledged.
func (cl *client) async(id uint64, method string, args ...pyvalue.Value) *pending {
	return cl.begin(&pending{done: make(chan struct{})}, id, method, args...)
}

func (cl *client) startWithin(deadline time.Time, id uint64, method string, args ...pyvalue.Value) *pending {
	p := &pending{auto: cl.auto}
	p.Deadline = deadline
	return cl.begin(p, id, method, args...)
}

func (cl *client) begin(p *pending, id uint64, method string, args ...pyvalue.Value) *pending {
	p.Method, p.Args, p.Owner = method, arguments(args), cl.owner
	p.Python = cl.owner != nil
	cl.ss.Begin(&p.Call, id, answerTo{p})
	return p
}

// do makes a call that must be answered at once.
func (cl *client) do(id uint64, method string, args ...pyvalue.Value) (pyvalue.Value, error) {
	cl.t.Helper()
	p := cl.start(id, method, args...)
	if p.waits() {
		cl.t.Fatalf("%s waits", method)
	}
	return p.result()
}

// must makes a call that succeeds at once and returns want.
func (cl *client) must(want pyvalue.Value, id uint64, method string, args ...pyvalue.Value) {
	cl.t.Helper()
	p := cl.start(id, method, args...)
	wantResult(cl.t, p, want)
}

func wantResult(t testing.TB, p *pending, want pyvalue.Value) {
	t.Helper()
	if got, err := p.result(); err != nil || !pyvalue.Equal(got, want) {
		t.Errorf("%s returns %s, %v; want %s", p.Method, pyvalue.Repr(got), err, pyvalue.Repr(want))
	}
}

// fails makes a call that fails with an exception, given as Python writes it.
func (cl *client) fails(want string, id uint64, method string, args ...pyvalue.Value) {
	cl.t.Helper()
	wantFailure(cl.t, cl.start(id, method, args...), want)
}

func wantFailure(t testing.TB, p *pending, want string) {
	t.Helper()
	_, err := p.result()
	if got := pythonError(err); got != want {
		t.Errorf("%s fails with %s, want %s", p.Method, got, want)
	}
}

// pythonError is an error as Python would write it.
func pythonError(err error) string {
	if err == nil {
		return "nothing"
	}
	e := pyvalue.ToException(err)
	text := e.Class.Name + "("
	for i, a := range e.Args {
		if i > 0 {
			text += ", "
		}
		text += pyvalue.Repr(a)
	}
	return text + ")"
}

func wantWaiting(t testing.TB, calls ...*pending) {
	t.Helper()
	for i, p := range calls {
		if !p.waits() {
			v, err := p.result()
			t.Errorf("%s (%d) does not wait: %v, %v", p.Method, i, v, err)
		}
	}
}

// pyList is a Python list.
func pyList(items ...pyvalue.Value) *pyvalue.List { return &pyvalue.List{Items: slices.Clone(items)} }
