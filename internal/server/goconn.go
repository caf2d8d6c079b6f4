package server

import (
	"fmt"
	"net"

	"multiproc/internal/endpoint"
	"multiproc/internal/frames"
	"multiproc/internal/store"
)

// A Go client's session is served by one connection after the other. Frames are
// numbered on either side, and what has not come is sent again on the next
// connection, so that nothing of what follows knows of connections.

// serveGo serves a connection whose first frame is of our own protocol.
func (c *conn) serveGo(first []byte) {
	var f frames.Frame
	switch err := frames.Parse(first, &f); {
	case err != nil && frames.VersionOf(first) == frames.Version:
		return // damaged: the client tries again
	case err != nil || f.Kind != frames.Hello:
		c.bye(fmt.Sprintf("this server speaks version %d of the protocol of Go clients, and the client another: build both with one version of multiproc", frames.Version))
		return
	}
	hello := f.ClientHello()
	g := c.enterSession(&hello)
	if g == nil {
		c.bye("the session is not known any more")
		return
	}
	err := g.serve(c, &hello)
	if c.s.ctx.Err() == nil {
		c.s.log.Debug("a client's connection ended", "peer", peerName(c.socket), "name", g.name, "error", err)
	}
}

// enterSession finds the session that a client resumes, or makes a new one. The
// connection is the session's from here on. Nil: the session is not known.
func (c *conn) enterSession(hello *frames.ClientHello) *goSession {
	if hello.Session == (frames.SessionID{}) {
		g := c.newSession(hello)
		if !c.s.sessions.add(g) {
			g.end()
			return nil
		}
		g.enter(c)
		return g
	}
	g := c.s.sessions.find(hello.Session)
	if g == nil || !g.enter(c) {
		return nil
	}
	if !g.out.resumable(hello.Got) {
		g.end()
		return nil
	}
	return g
}

func (c *conn) newSession(hello *frames.ClientHello) *goSession {
	pid := c.pid
	if pid == 0 && c.loopback() {
		pid = int(hello.PID) // for people to read; nothing depends on it
	}
	g := &goSession{s: c.s, id: newSessionID(), name: hello.Name, calls: map[uint64]*goCall{}, methods: map[string]string{}}
	g.out.idle.L = &g.out.mu
	g.session = c.s.store.Join(store.Client{PID: pid, Name: hello.Name})
	g.out.keeps, g.out.overflow = g.session.Keeps(), func() { c.s.background("the end of a session", g.end) }
	g.out.memory.share = g.session.Works()
	g.owner = g.session.Channel()
	return g
}

// enter makes a connection the session's. It reports false if that has ended.
func (g *goSession) enter(c *conn) bool {
	g.mu.Lock()
	if g.ended {
		g.mu.Unlock()
		return false
	}
	old, away := g.conn, g.away
	g.conn, g.away = c, nil
	g.mu.Unlock()
	g.out.expect(c)
	if old != nil {
		_ = old.socket.Close()
	}
	g.s.sessions.back(away)
	return true
}

// serve serves the connection to its end.
func (g *goSession) serve(c *conn, hello *frames.ClientHello) (err error) {
	defer func() { g.leave(c, err) }() // also after a panic
	c.client = c.clientProcess(hello)
	c.session.Store(g)
	c.s.farewell(c)
	err = c.in.WriteFrame(frames.AppendServerHello(nil, frames.ServerHello{
		Session: g.id, Store: c.s.id, Frame: uint64(c.s.limits.Frame), Got: g.out.come(),
		Grace:  uint64(c.s.limits.Grace.Milliseconds()),
		Direct: c.direct(hello),
	}))
	if err != nil {
		return err
	}
	g.speak(c)
	g.turn.Lock()
	defer g.turn.Unlock()
	return g.read(c)
}

// speak lets what the session sends go over the connection, if that is still
// its.
func (g *goSession) speak(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn == c {
		g.out.attach(c.in.NetConn())
	}
}

// fatal is an error that ends the session, and not only its connection.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// read carries out frames until the connection ends.
func (g *goSession) read(c *conn) error {
	defer g.out.uncork()
	var f frames.Frame
	for {
		// One read may bring hundreds of requests for large answers.
		if !c.in.Ready() || g.out.full() {
			g.out.uncork()
			g.out.wait(c, maxOut)
		}
		h, b, refusal, err := c.readFrame()
		if err != nil {
			return err
		}
		fresh, err := g.out.admit(c, &h)
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		if refusal != nil {
			err = g.refuse(b, refusal)
		} else if err = frames.Parse(b, &f); err == nil {
			err = g.survive(&f)
		}
		if err != nil {
			return fatal{err}
		}
	}
}

// readFrame reads a frame and checks it. With a refusal the frame was read past,
// and payload is how it begins.
func (c *conn) readFrame() (h frames.Head, payload []byte, refusal, err error) {
	b, err := c.in.Peek(frames.HeaderSize)
	if err != nil {
		return h, nil, nil, err
	}
	if h, err = frames.ParseHead(b); err != nil {
		return h, nil, nil, err
	}
	if b, err = c.in.ReadFrame(min(c.s.limits.Frame, unlimited-frames.Extra) + frames.Extra); err != nil {
		payload, refusal, err = c.passOver(h, err)
		return h, payload, refusal, err
	}
	payload = b[frames.Extra:]
	return h, payload, nil, h.Check(payload)
}

// passOver reads past a frame that was not read because of err, if that is
// possible.
func (c *conn) passOver(h frames.Head, err error) (payload []byte, refusal, _ error) {
	const beginning = 16 // the kind and the number of a call
	passed, check := 0, h.Checker()
	refusal, ok := c.tooLarge(err, func(part []byte) {
		before := min(max(frames.Extra-passed, 0), len(part)) // what is of the header
		passed += len(part)
		part = part[before:]
		check.Add(part)
		payload = append(payload, part[:min(beginning-len(payload), len(part))]...)
	})
	if !ok {
		return nil, nil, err
	}
	return payload, refusal, check.Err()
}

// refuse answers the call of a frame that was read past.
func (g *goSession) refuse(beginning []byte, refusal error) error {
	seq, ok := frames.CallSeq(beginning)
	if !ok {
		return refusal
	}
	c, err := g.enroll(seq)
	if err == nil {
		c.Fail(refusal)
	}
	return err
}

// direct reports whether it is known that nothing is between us and the client:
// the process at the other end of the socket is the one that the client says
// it is, in our own namespace of processes.
func (c *conn) direct(hello *frames.ClientHello) bool {
	return c.pid != 0 && uint64(c.pid) == hello.PID && hello.Host == endpoint.Host() && hello.Host != frames.Host{}
}

// clientProcess is the process of the client, if it is one of this machine and
// known, else 0. The process at the other end may be a tunnel's: then the
// client has another pid, or is on another machine.
func (c *conn) clientProcess(hello *frames.ClientHello) int {
	if !hello.Host.SameMachine(endpoint.Host()) {
		return 0
	}
	pid := c.pid
	if tcp, ok := c.socket.(*net.TCPConn); ok && c.s.peers != nil {
		pid, _ = c.s.peers.Find(tcp)
	}
	if hello.Host == endpoint.Host() && uint64(pid) != hello.PID {
		return 0
	}
	return pid
}
