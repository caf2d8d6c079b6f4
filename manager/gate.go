package manager

import (
	"container/list"
	"net"
	"sync"
	"time"
)

// gate bounds the connections that have not proved yet to know the key: it
// drops the oldest of too many, so that those who only connect keep nobody
// out for longer than it takes a handshake.
type gate struct {
	limit   int
	refused quiet

	mu   sync.Mutex
	half list.List // of *place, the oldest in front
}

// place is one at the gate.
type place struct {
	conn    net.Conn
	element *list.Element // nil after leave
}

func (g *gate) enter(c net.Conn) *place {
	p := &place{conn: c}
	g.mu.Lock()
	defer g.mu.Unlock()
	p.element = g.half.PushBack(p)
	if g.half.Len() > g.limit {
		g.dropLocked()
	}
	return p
}

// leave takes one away that has proved itself, or is gone.
func (g *gate) leave(p *place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.element != nil {
		g.half.Remove(p.element)
		p.element = nil
	}
}

// dropOldest drops the one that has been here the longest.
func (g *gate) dropOldest() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropLocked()
}

func (g *gate) dropLocked() {
	front := g.half.Front()
	if front == nil {
		return
	}
	p := front.Value.(*place)
	g.half.Remove(front)
	p.element = nil
	_ = p.conn.Close() // ends the read in its handshake
}

// quiet keeps a crowd from filling the log: it lets one message a second
// through.
type quiet struct {
	mu   sync.Mutex
	last time.Time
}

func (q *quiet) speak() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.last) >= time.Second {
		q.last = now
		return true
	}
	return false
}
