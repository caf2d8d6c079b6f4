package objects

import (
	"multiproc/internal/store"
)

// waitQueue is a line of calls that wait in an object, first come first served,
// with what is known of each. It is guarded by the object's mutex.
type waitQueue[T any] struct {
	first, last *queued[T]
	n           int
}

// queued is a call in a line.
type queued[T any] struct {
	call       *store.Call
	what       T
	in         *waitQueue[T] // nil: it was served, or has left
	prev, next *queued[T]
}

// push puts a call at the end.
func (l *waitQueue[T]) push(p *queued[T]) {
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
func (l *waitQueue[T]) pop() *queued[T] {
	p := l.first
	if p != nil {
		p.leave()
	}
	return p
}

// leave takes p out of its line, and reports whether it was in one.
func (p *queued[T]) leave() bool {
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

// wait parks c at the end of the line. mu, the object's, is held. If the time
// ends, expired answers.
func (l *waitQueue[T]) wait(mu *store.Mutex, c *store.Call, what T, p timeLimit, expired func()) {
	me := &queued[T]{call: c, what: what}
	unpark := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return me.leave()
	}
	if l.park(c, p, unpark, expired) {
		l.push(me)
	}
}

func (l *waitQueue[T]) park(c *store.Call, p timeLimit, unpark func() bool, expired func()) bool {
	if p.until.IsZero() {
		return c.Park(unpark)
	}
	return c.ParkUntil(p.until, unpark, expired)
}
