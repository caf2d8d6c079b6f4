package server

import (
	"container/list"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// gate bounds the connections that have not proved yet to know the key: it drops
// one of too many, so that those who only connect keep nobody out.
//
// A handshake takes one round trip until the key is proved, 100 ms to the other
// side of the world, and thousands may come meanwhile. So the gate is wide, and
// whoever is among the younger half stays: nobody is dropped before half as many
// as there is room for have come behind it. Of the older half it is one at random,
// so that a handshake that takes longer is not lost for certain. No address has
// more than half of the places, if others want them.
type gate struct {
	limit   int
	refused quiet

	mu    sync.Mutex
	young list.List // of *place, the oldest in front
	old   []*place  // in no order
	from  map[string]int
}

// place is one at the gate.
type place struct {
	conn    net.Conn
	from    string        // the address
	element *list.Element // among the young
	index   int           // among the old, if it is not among the young
	out     bool          // dropped, or has left
}

func (g *gate) enter(c net.Conn) *place {
	p := &place{conn: c, from: addressOf(c)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.from == nil {
		g.from = map[string]int{}
	}
	g.from[p.from]++
	p.element = g.young.PushBack(p)
	for g.young.Len() > max(g.limit/2, 1) {
		g.ageLocked()
	}
	if g.young.Len()+len(g.old) > g.limit {
		g.dropLocked(p.from)
	}
	return p
}

// ageLocked makes the oldest of the young one of the old.
func (g *gate) ageLocked() {
	p := g.young.Remove(g.young.Front()).(*place)
	p.element, p.index = nil, len(g.old)
	g.old = append(g.old, p)
}

// leave takes one away that has proved itself, or is gone.
func (g *gate) leave(p *place) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.removeLocked(p)
}

func (g *gate) removeLocked(p *place) {
	if p.out {
		return
	}
	p.out = true
	if g.from[p.from]--; g.from[p.from] == 0 {
		delete(g.from, p.from)
	}
	if p.element != nil {
		g.young.Remove(p.element)
		return
	}
	last := len(g.old) - 1
	g.old[p.index] = g.old[last]
	g.old[p.index].index = p.index
	g.old[last] = nil
	g.old = g.old[:last]
}

// dropOne drops one, for which there are no descriptors left.
func (g *gate) dropOne() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropLocked("")
}

// dropLocked drops one of the old, at random; of that address, if it has more than
// its share.
func (g *gate) dropLocked(from string) {
	p := g.victim(func(p *place) bool { return g.from[from] <= g.limit/2 || p.from == from })
	if p == nil {
		return
	}
	g.removeLocked(p)
	_ = p.conn.Close() // ends the read in its handshake
}

// victim is one of the old, or if there is none the oldest of the young.
func (g *gate) victim(may func(*place) bool) *place {
	if n := len(g.old); n > 0 {
		start := rand.IntN(n)
		for i := range n {
			if p := g.old[(start+i)%n]; may(p) {
				return p
			}
		}
	}
	for e := g.young.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*place); may(p) {
			return p
		}
	}
	return nil
}

// addressOf is what those share who count as one at the gate: an address, of
// IPv6 the network that one customer has.
func addressOf(c net.Conn) string {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	switch {
	case !ok:
		return c.RemoteAddr().Network()
	case tcp.IP.To4() == nil && len(tcp.IP) == net.IPv6len:
		return string(tcp.IP[:8])
	}
	return string(tcp.IP)
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
