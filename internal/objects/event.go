package objects

import (
	"fmt"

	"multiproc/internal/store"
)

// event is a flag to wait for: Python's threading.Event.
type event struct {
	leaf
	guarded
	set     bool
	waiting waitQueue[struct{}]
}

func eventTypes() []*store.Type {
	return []*store.Type{{
		ID: "Event", Proxy: "EventProxy",
		Exposed: []string{"is_set", "set", "clear", "wait"},
		New: func(_ *store.Store, args store.Args) (store.Object, error) {
			_, err := bindArgs("Event", args)
			return &event{}, err
		},
	}}
}

var eventClass = class[*event]{"Event", map[string]method[*event]{
	"is_set": {function(), tells((*event).isSet)},
	"isSet":  {function(), tells((*event).isSet)},
	"set":    {function(), replies((*event).setFlag)},
	"clear":  {function(), replies((*event).clear)},
	"wait":   {function("timeout?"), repliesTo((*event).wait)},
}}

// Call implements store.Object.
func (e *event) Call(c *store.Call) { eventClass.call(e, c) }

func (e *event) isSet() store.Item { return boolItem(e.flag()) }

func (e *event) flag() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

func (e *event) setFlag(c *store.Call) {
	e.mu.Lock()
	e.set = true
	var free []*store.Call
	for p := e.waiting.pop(); p != nil; p = e.waiting.pop() {
		free = append(free, p.call)
	}
	e.mu.Unlock()
	for _, w := range free {
		w.Return(yes)
	}
	c.Return(none)
}

func (e *event) clear(c *store.Call) {
	e.mu.Lock()
	e.set = false
	e.mu.Unlock()
	c.Return(none)
}

func (e *event) wait(c *store.Call, a []store.Item) {
	p, err := within(a[0])
	if err != nil {
		c.Fail(err)
		return
	}
	e.mu.Lock()
	if !e.set {
		e.waiting.wait(&e.mu, c, struct{}{}, p, func() { c.Return(no) })
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	c.Return(yes)
}

// Repr implements store.Object.
func (e *event) Repr() string {
	state := "unset"
	if e.flag() {
		state = "set"
	}
	return fmt.Sprintf("<threading.Event at %p: %s>", e, state)
}
