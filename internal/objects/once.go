package objects

import (
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// once is mp.Once: something that is to be done once. Python has none; its clients can
// hold references to one, and that is all.
//
// One owner does it, the others wait in a line. If that fails, or the owner ends, the
// next one in the line is to do it.
type once struct {
	leaf

	guarded
	done bool
	who  store.Owner // does it; nil: nobody
	line waitQueue[struct{}]
}

func onceTypes() []*store.Type {
	return []*store.Type{{
		ID: "Once",
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("Once", args)
			return &once{}, err
		},
	}}
}

var onceClass = class[*once]{"Once", map[string]method[*once]{
	"mp.begin": {function(), replies((*once).begin)},
	"mp.end":   {ours(1), repliesTo((*once).end)},
	"mp.done":  {function(), tells((*once).isDone)},
}}

// Call implements store.Object.
func (o *once) Call(c *store.Call) { onceClass.call(o, c) }

// begin answers whether the caller is to do it.
func (o *once) begin(c *store.Call) {
	o.mu.Lock()
	switch {
	case o.done:
		o.mu.Unlock()
		c.Return(no)
	case o.who == nil:
		o.giveTo(c)
		o.mu.Unlock()
		c.Return(yes)
	default:
		o.line.wait(&o.mu, c, struct{}{}, timeLimit{}, nil)
		o.mu.Unlock()
	}
}

func (o *once) giveTo(c *store.Call) {
	o.who = c.Owner
	c.Hold(o)
}

// end says whether the caller has done it.
func (o *once) end(c *store.Call, a []store.Item) {
	o.mu.Lock()
	if o.who == nil || o.who != c.Owner {
		o.mu.Unlock()
		c.Fail(fmt.Errorf("once: %w", mperr.ErrNotHeld))
		return
	}
	c.Drop(o)
	o.who = nil
	o.done = pyvalue.Truth(a[0].Value())
	todo := o.next()
	o.mu.Unlock()
	c.Return(none)
	todo.send()
}

// next lets those in the line go on: all if it is done, else one that does it.
func (o *once) next() (todo answers) {
	for o.who == nil {
		p := o.line.pop()
		if p == nil {
			return todo
		}
		answer := no
		if !o.done {
			o.giveTo(p.call)
			answer = yes
		}
		todo = append(todo, func() { p.call.Return(answer) })
	}
	return todo
}

func (o *once) isDone() store.Item {
	o.mu.Lock()
	defer o.mu.Unlock()
	return boolItem(o.done)
}

// OwnerGone implements store.Holder: who was to do it is gone, and has not.
func (o *once) OwnerGone(who store.Owner) {
	o.mu.Lock()
	if o.who != who {
		o.mu.Unlock()
		return // it has ended meanwhile
	}
	o.who = nil
	todo := o.next()
	o.mu.Unlock()
	todo.send()
}

// Repr implements store.Object.
func (o *once) Repr() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	state := "to do"
	switch {
	case o.done:
		state = "done"
	case o.who != nil:
		state = "under way"
	}
	return fmt.Sprintf("<Once object at %p: %s>", o, state)
}

var _ store.Holder = (*once)(nil)
