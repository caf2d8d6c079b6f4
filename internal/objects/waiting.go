package objects

import (
	"multiproc/internal/store"
)

// lineup is a line of calls that wait in an object, first come first served,
// with what is known of each. It is guarded by the object's mutex.
type lineup[T any] struct {
	first, last *place[T]
	n           int
}

// place is a call's place in a line.
type place[T any] struct {
	call       *store.Call
	what       T
	in         *lineup[T] // nil: it was served, or has left
	prev, next *place[T]
}

// push puts a call at the end.
func (l *lineup[T]) push(p *place[T]) {
	p.in, p.prev, p.next = l, l.last, nil
	if l.last != nil {
		l.last.next = p
	} else {
		l.first = p
	}
	l.last = p
	l.n++
}

// pop takes the first one out; nil if there is none.
func (l *lineup[T]) pop() *place[T] {
	p := l.first
	if p != nil {
		p.leave()
	}
	return p
}

// leave takes p out of its line, and reports whether it was in one.
func (p *place[T]) leave() bool {
	l := p.in
	if l == nil {
		return false
	}
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.last = p.prev
	}
	p.in, p.prev, p.next = nil, nil, nil
	l.n--
	return true
}

// wait parks c at the end of the line. mu, the object's, is held. If patience
// ends, expired answers.
func (l *lineup[T]) wait(mu *store.Mutex, c *store.Call, what T, p patience, expired func()) {
	me := &place[T]{call: c, what: what}
	unpark := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return me.leave()
	}
	if l.park(c, p, unpark, expired) {
		l.push(me)
	}
}

func (l *lineup[T]) park(c *store.Call, p patience, unpark func() bool, expired func()) bool {
	if p.until.IsZero() {
		return c.Park(unpark)
	}
	return c.ParkUntil(p.until, unpark, expired)
}
