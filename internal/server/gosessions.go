package server

import (
	"container/list"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
)

// sessions are the sessions of Go clients, with a connection or without.
type sessions struct {
	limit int // of those whose clients are away

	mu   sync.Mutex
	m    map[frames.SessionID]*goSession
	away list.List // *absence, the oldest first
	over bool      // there will be no more
}

// absence is the time between two connections of a session.
type absence struct {
	g     *goSession
	timer *time.Timer
	line  *lifeline     // of the client's process; nil: it is not known
	back  chan struct{} // closed at the end
	place *list.Element // in sessions.away; under sessions.mu
}

func newSessionID() (id frames.SessionID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func (s *sessions) add(g *goSession) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.m == nil {
		s.m = map[frames.SessionID]*goSession{}
	}
	s.m[g.id] = g
	return true
}

func (s *sessions) find(id frames.SessionID) *goSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[id]
}

func (s *sessions) remove(g *goSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, g.id)
}

// all are those that have not ended.
func (s *sessions) all() []*goSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*goSession, 0, len(s.m))
	for _, g := range s.m {
		all = append(all, g)
	}
	return all
}

// gone takes note of a client that is away. It reports false if there will be
// no more sessions. If too many are away, the oldest one's session has to end.
func (s *sessions) gone(a *absence) (oldest *goSession, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, false
	}
	a.place = s.away.PushBack(a)
	if s.limit > 0 && s.away.Len() > s.limit {
		oldest = s.away.Front().Value.(*absence).g
	}
	return oldest, true
}

// back ends an absence; nil is none.
func (s *sessions) back(a *absence) {
	if a == nil {
		return
	}
	s.mu.Lock()
	if a.place != nil {
		s.away.Remove(a.place)
		a.place = nil
	}
	s.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
	close(a.back)
	if a.line != nil {
		a.line.close()
	}
}

// hold makes close and what follows wait for the caller, unless it has begun.
func (s *sessions) hold(wg *sync.WaitGroup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		wg.Add(1)
	}
	return !s.over
}

// close ends all sessions, when what their clients are told last was written, or
// the deadlines of their connections have passed.
func (s *sessions) close() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	for _, g := range s.all() {
		g.mu.Lock()
		c := g.conn
		g.mu.Unlock()
		if c != nil {
			g.out.wait(c, 0)
		}
		g.end()
	}
}

// leave is the end of a connection because of err. The session goes on for a
// while, unless its client has ended it, or is dead.
func (g *goSession) leave(c *conn, err error) {
	g.mu.Lock()
	if g.conn != c {
		g.mu.Unlock()
		return // another connection has it already
	}
	g.mu.Unlock()
	var f fatal
	if errors.As(err, &f) {
		if !errors.Is(err, errBye) {
			g.out.bye(err.Error())
			g.out.wait(c, 0)
		}
		g.end()
		return
	}
	g.out.detach(c)
	a := &absence{g: g, back: make(chan struct{})}
	if c.client != 0 {
		a.line = newLifeline(c.socket, c.client)
	}
	oldest, ok := (*goSession)(nil), g.s.limits.Grace > 0 && (a.line == nil || !a.line.ended())
	g.mu.Lock()
	if ok = ok && g.conn == c && !g.ended; ok {
		if oldest, ok = g.s.sessions.gone(a); ok {
			g.conn, g.away = nil, a
			a.timer = time.AfterFunc(g.s.limits.Grace, g.endAbsent(a))
			if a.line != nil {
				g.s.wg.Add(1) // this connection's is not done yet
				go g.s.watchAbsent(a)
			}
		}
	}
	mine := g.conn == c
	g.mu.Unlock()
	switch {
	case ok:
		if oldest != nil {
			oldest.endAway()
		}
		return
	case a.line != nil:
		a.line.close()
	}
	if mine {
		g.end()
	}
}

// endAbsent ends the session if its client is still away in the same absence.
func (g *goSession) endAbsent(a *absence) func() {
	return func() {
		g.mu.Lock()
		still := g.away == a
		g.mu.Unlock()
		if still && g.s.sessions.hold(&g.s.wg) {
			defer g.s.wg.Done()
			g.end()
		}
	}
}

// endAway ends the session if its client is away.
func (g *goSession) endAway() {
	g.mu.Lock()
	a := g.away
	g.mu.Unlock()
	if a != nil {
		g.endAbsent(a)()
	}
}

// watchAbsent ends a session when its client's process ends. The kernel closes
// the sockets of a process before it says that the process has ended.
func (s *Server) watchAbsent(a *absence) {
	defer s.wg.Done()
	a.line.wait(a.back)
	select {
	case <-a.back:
	default:
		a.g.endAbsent(a)()
	}
}

// end ends the session: what the client holds is released, what was lent to it
// goes back, and its references are counted down.
func (g *goSession) end() {
	g.mu.Lock()
	if g.ended {
		g.mu.Unlock()
		return
	}
	g.ended = true
	conn, away := g.conn, g.away
	g.away = nil
	g.mu.Unlock()
	g.s.sessions.remove(g)
	g.s.sessions.back(away)
	g.out.end()
	if conn != nil {
		_ = conn.socket.Close()
	}
	g.session.End(nil)
}

// tend tells the clients whose frames are not read, because the reader is at work
// on a call, that the server lives.
func (s *Server) tend() {
	t := time.NewTicker(endpoint.Heartbeat)
	defer t.Stop()
	before := map[*goSession]uint64{}
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		now := map[*goSession]uint64{}
		for _, g := range s.sessions.all() {
			n, busy := g.out.atWork()
			if !busy {
				continue
			}
			if now[g] = n; before[g] == n {
				g.out.nod()
			}
		}
		before = now
	}
}
