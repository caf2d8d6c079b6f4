package objects

import (
	"fmt"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// barrier lets a number of parties wait for each other: Python's
// threading.Barrier. The last one to come answers all, so there is no time in
// which it drains.
//
// A party that stops waiting breaks the barrier for all, whatever the reason:
// its time is over, it cancels, or it dies. The others would wait in vain.
type barrier struct {
	leaf
	parties int64
	timeout time.Duration // of waits that have none

	guarded
	broken  bool
	waiting waitQueue[int] // with the order of arrival
}

func barrierTypes() []*store.Type {
	return []*store.Type{{
		ID: "Barrier", Proxy: "BarrierProxy",
		Exposed: []string{"__getattribute__", "wait", "abort", "reset"},
		New:     newBarrier,
	}}
}

func newBarrier(_ *store.Store, args store.Args) (store.Object, error) {
	a, err := bindArgs("Barrier", args, "parties", "action?", "timeout?")
	if err != nil {
		return nil, err
	}
	parties, err := integer(a[0])
	if err != nil {
		return nil, err
	}
	if parties < 1 {
		return nil, pyvalue.ValueError("parties must be >= 1")
	}
	if !a[1].IsNone() {
		return nil, pyvalue.NotImplemented("Barrier: this manager runs no Python code, so a barrier cannot have an action; " +
			"let the party for which wait() returns 0 do it")
	}
	timeout := forever
	if !a[2].IsNone() {
		if timeout, err = seconds(a[2]); err != nil {
			return nil, err
		}
	}
	return &barrier{parties: parties, timeout: timeout}, nil
}

var barrierClass = class[*barrier]{"Barrier", map[string]method[*barrier]{
	"wait":             {function("timeout?"), repliesTo((*barrier).wait)},
	"abort":            {function(), replies((*barrier).abort)},
	"reset":            {function(), replies((*barrier).reset)},
	"__getattribute__": {function("name"), (*barrier).attribute},
}}

// Call implements store.Object.
func (b *barrier) Call(c *store.Call) { barrierClass.call(b, c) }

func (b *barrier) wait(c *store.Call, a []store.Item) {
	p := after(b.timeout)
	if !a[0].IsNone() {
		var err error
		if p, err = within(a[0]); err != nil {
			c.Fail(err)
			return
		}
	}
	b.mu.Lock()
	switch {
	case b.broken:
		b.mu.Unlock()
		c.Fail(pyvalue.BrokenBarrier())
	case int64(b.waiting.n)+1 < b.parties:
		b.stay(c, p)
		b.mu.Unlock()
	default:
		index := b.waiting.n
		todo := b.letGo(func(p *queued[int]) { p.call.Return(intItem(p.what)) })
		b.mu.Unlock()
		todo.send()
		c.Return(intItem(index))
	}
}

// stay lets a party wait for the others.
func (b *barrier) stay(c *store.Call, p timeLimit) {
	me := &queued[int]{call: c, what: b.waiting.n}
	unpark := func() bool {
		b.mu.Lock()
		if !me.leave() {
			b.mu.Unlock()
			return false
		}
		todo := b.breakIt()
		b.mu.Unlock()
		todo.send()
		return true
	}
	if b.waiting.park(c, p, unpark, func() { c.Fail(pyvalue.BrokenBarrier()) }) {
		b.waiting.push(me)
	}
}

// letGo takes all out of the line; answer answers each.
func (b *barrier) letGo(answer func(*queued[int])) (todo answers) {
	for p := b.waiting.pop(); p != nil; p = b.waiting.pop() {
		todo = append(todo, func() { answer(p) })
	}
	return todo
}

// breakIt lets all who wait, and all who come, fail.
func (b *barrier) breakIt() answers {
	b.broken = true
	return b.letGo(func(p *queued[int]) { p.call.Fail(pyvalue.BrokenBarrier()) })
}

func (b *barrier) abort(c *store.Call) {
	b.mu.Lock()
	todo := b.breakIt()
	b.mu.Unlock()
	todo.send()
	c.Return(none)
}

func (b *barrier) reset(c *store.Call) {
	b.mu.Lock()
	todo := b.breakIt()
	b.broken = false
	b.mu.Unlock()
	todo.send()
	c.Return(none)
}

func (b *barrier) attribute(_ *store.Call, a []store.Item) (store.Item, error) {
	name, _ := a[0].Value().(string)
	b.mu.Lock()
	waiting, broken := b.waiting.n, b.broken
	b.mu.Unlock()
	switch name {
	case "parties":
		return store.Of(b.parties), nil
	case "n_waiting":
		return intItem(waiting), nil
	case "broken":
		return boolItem(broken), nil
	}
	return none, pyvalue.AttributeError("Barrier", name)
}

// Repr implements store.Object.
func (b *barrier) Repr() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return fmt.Sprintf("<threading.Barrier at %p: broken>", b)
	}
	return fmt.Sprintf("<threading.Barrier at %p: waiters=%d/%d>", b, b.waiting.n, b.parties)
}
