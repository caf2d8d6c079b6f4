package server

import (
	"container/list"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// handshakeLimiter bounds the connections that have not proved yet to know the key: it drops
// one of too many, so that those that only connect keep nobody out.
//
// A handshake takes one round trip until the key is proved, 100 ms to the other
// side of the world, and thousands may come meanwhile. So the limit is high, and
// whoever is among the younger half stays: nobody is dropped before half as many
// as there is room for have come behind it. Of the older half it is one at random,
// so that a handshake that takes longer is not lost for certain. No address has
// more than half of the places, if others want them.
type handshakeLimiter struct {
	limit   int
	refused logLimiter

	mu    sync.Mutex
	young list.List    // of *handshake, the oldest in front
	old   []*handshake // in no order
	from  map[string]int
}

// handshake is a connection that has not proved itself yet.
type handshake struct {
	conn    net.Conn
	from    string        // the address
	element *list.Element // among the young
	index   int           // among the old, if it is not among the young
	out     bool          // dropped, or has left
}

func (l *handshakeLimiter) enter(c net.Conn) *handshake {
	p := &handshake{conn: c, from: addressOf(c)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		l.from = map[string]int{}
	}
	l.from[p.from]++
	p.element = l.young.PushBack(p)
	for l.young.Len() > max(l.limit/2, 1) {
		l.ageLocked()
	}
	if l.young.Len()+len(l.old) > l.limit {
		l.dropLocked(p.from)
	}
	return p
}

// ageLocked makes the oldest of the young one of the old.
func (l *handshakeLimiter) ageLocked() {
	p := l.young.Remove(l.young.Front()).(*handshake)
	p.element, p.index = nil, len(l.old)
	l.old = append(l.old, p)
}

// leave takes one away that has proved itself, or is gone.
func (l *handshakeLimiter) leave(p *handshake) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(p)
}

func (l *handshakeLimiter) removeLocked(p *handshake) {
	if p.out {
		return
	}
	p.out = true
	if l.from[p.from]--; l.from[p.from] == 0 {
		delete(l.from, p.from)
	}
	if p.element != nil {
		l.young.Remove(p.element)
		return
	}
	last := len(l.old) - 1
	l.old[p.index] = l.old[last]
	l.old[p.index].index = p.index
	l.old[last] = nil
	l.old = l.old[:last]
}

// dropOne drops one, for which there are no descriptors left.
func (l *handshakeLimiter) dropOne() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked("")
}

// dropLocked drops one of the old, at random; of that address, if it has more than
// its share.
func (l *handshakeLimiter) dropLocked(from string) {
	p := l.victim(func(p *handshake) bool { return l.from[from] <= l.limit/2 || p.from == from })
	if p == nil {
		return
	}
	l.removeLocked(p)
	_ = p.conn.Close() // ends the read in its handshake
}

// victim is one of the old, or if there is none the oldest of the young.
func (l *handshakeLimiter) victim(may func(*handshake) bool) *handshake {
	if n := len(l.old); n > 0 {
		start := rand.IntN(n)
		for i := range n {
			if p := l.old[(start+i)%n]; may(p) {
				return p
			}
		}
	}
	for e := l.young.Front(); e != nil; e = e.Next() {
		if p := e.Value.(*handshake); may(p) {
			return p
		}
	}
	return nil
}

// addressOf is what connections share that count as one peer: an address, of IPv6
// the network that one customer has.
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

// logLimiter keeps a crowd from filling the log: it lets one message a second
// through.
type logLimiter struct {
	mu   sync.Mutex
	last time.Time
}

func (q *logLimiter) allow() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.last) >= time.Second {
		q.last = now
		return true
	}
	return false
}
