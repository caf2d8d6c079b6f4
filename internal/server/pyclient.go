package server

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// pyClient is what references and locks of Python clients belong to: a
// process of this machine, or all clients of a machine of which no more is
// known. CPython opens a connection for each change of a reference count, so
// that a connection is not a client.
//
// What a client's end does:
//
//   - A process of this machine is watched by a pidfd. When it ends, its
//     references are counted down, and what it still holds is released if it
//     still refers to the object; but a child that goes on with its channels
//     keeps the references. A process that leaves in order has given its
//     references back by then, and what it holds stays held: in Python a lock
//     may be acquired in a child and released in its parent.
//   - A client elsewhere is known by its channels. When one ends although its
//     client has not given back, after its last call, what it used, then it has
//     died: the end of a thread looks like that as well, and releases what the
//     thread holds. See leaveTracker.
//   - A TCP client on this machine is both. Its process is watched; but that
//     may be a tunnel's, which lives on when the Python process behind it has
//     died, so the ends of its channels mean what they mean elsewhere.
type pyClient struct {
	key     string
	session *store.Session
	line    *lifeline // nil: not watched
	direct  bool      // the watched process is the client, no tunnel
	uses    int       // connections under way; under pythons.mu

	mu       sync.Mutex
	address  pyvalue.Value // of the server, as the client's tokens say it
	channels map[*channel]struct{}
	leaves   leaveTracker // if it is not direct
}

// pythons are the Python clients that are known.
type pythons struct {
	mu     sync.Mutex
	m      map[string]*pyClient
	closed chan struct{} // made with m
	over   bool          // nobody is watched any more
	heirs  atomic.Int64  // channels of dead processes, which others have open
}

// python finds or makes the client of a connection. The caller gives it back
// with release. It returns nil if the client is gone already, or cannot be told
// from others: what it asked for would be nobody's, or theirs.
func (s *Server) python(c *conn) *pyClient {
	pid, direct := c.pid, c.pid != 0
	if tcp, ok := c.socket.(*net.TCPConn); ok && s.peers != nil {
		var gone bool
		if pid, gone = s.peers.Find(tcp); gone {
			return nil
		}
	}
	key := "host " + c.host()
	if pid != 0 {
		key = "pid " + strconv.Itoa(pid)
	}
	p := &s.pythons
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m, p.closed = map[string]*pyClient{}, make(chan struct{})
	}
	old := p.m[key]
	if old != nil && old.line != nil && old.line.ended() {
		// The pid belongs to a new process. The old one's watcher ends it.
		delete(p.m, key)
		old = nil
	}
	if old == nil {
		old = &pyClient{key: key, direct: direct, channels: map[*channel]struct{}{}}
		old.session = s.store.Join(store.Client{PID: c.pid, Name: "python " + key})
		p.m[key] = old
		if pid != 0 && !p.over {
			old.line = newLifeline(c.socket, pid)
			s.wg.Add(1)
			s.background("the watch of a process", func() { s.watchPython(old, p.closed) })
		}
	}
	old.uses++
	return old
}

// release gives a client back. One that is not watched is forgotten with its
// last connection if it refers to nothing.
func (s *Server) release(client *pyClient) {
	p := &s.pythons
	p.mu.Lock()
	client.uses--
	gone := client.uses == 0 && client.line == nil && client.session.Len() == 0 && p.m[client.key] == client
	if gone {
		delete(p.m, client.key)
	}
	p.mu.Unlock()
	if gone {
		client.session.End(keep)
	}
}

// keep says of every object that its holder left it in order.
func keep(uint64) bool { return true }

// watchPython waits for the end of a process of this machine.
func (s *Server) watchPython(client *pyClient, closed <-chan struct{}) {
	defer s.wg.Done()
	client.line.wait(closed)
	p := &s.pythons
	p.mu.Lock()
	if p.m[client.key] == client {
		delete(p.m, client.key)
	}
	p.mu.Unlock()
	client.line.close()
	// The kernel has closed its sockets by now. What their ends say about what
	// was taken comes first.
	left := func(id uint64) bool { return client.session.Refs(id) == 0 }
	heirs := client.inherited()
	if len(heirs) > 0 {
		client.session.Release(left)
	}
	p.heirs.Add(int64(len(heirs)))
	for _, ch := range heirs {
		<-ch.done
		p.heirs.Add(-1)
	}
	client.session.End(left)
}

// inherited waits for the ends of a dead process's channels, and returns those
// that another process has still open, after a fork: a daemon, for example, that
// its parent has left behind. It goes on with them, in the dead one's name and
// with its references, as in CPython's server. But what the dead one held is
// released, since the other process may know nothing of its connection.
func (client *pyClient) inherited() (heirs []*channel) {
	limit := time.After(lastWords)
	for _, ch := range client.open() {
		select {
		case <-ch.done:
			continue
		case <-limit:
			limit = hasPassed
		}
		select {
		case <-ch.done:
		default:
			ch.inherited.Store(true)
			heirs = append(heirs, ch)
		}
	}
	return heirs
}

// hasPassed is a time that has come.
var hasPassed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

// open are the client's channels.
func (client *pyClient) open() []*channel {
	client.mu.Lock()
	defer client.mu.Unlock()
	return slices.Collect(maps.Keys(client.channels))
}

// close ends the watching of processes.
func (p *pythons) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.m == nil {
		return
	}
	close(p.closed)
	for _, client := range p.m {
		if client.line != nil {
			client.line.close()
		}
	}
}

// decref gives a reference back: a channel that has used the object may end
// now, and leaves it in order.
func (client *pyClient) decref(id uint64) error {
	err := client.session.Decref(id)
	if !client.direct {
		client.mu.Lock()
		last := client.session.Refs(id) == 0
		client.leaves.decref(id, last)
		if last { // nobody leaves it any more, in order or not
			for ch := range client.channels {
				ch.forgetUse(id)
			}
		}
		client.mu.Unlock()
	}
	return err
}

// gave takes note of a reference that came with an answer.
func (client *pyClient) gave(id uint64) {
	if client.direct {
		return
	}
	client.mu.Lock()
	client.leaves.gave(id)
	client.mu.Unlock()
}

// enter and leave keep the list of the client's channels.
func (client *pyClient) enter(ch *channel) {
	client.mu.Lock()
	client.channels[ch] = struct{}{}
	client.mu.Unlock()
}

// leave returns what the channel has used and its client not left in order,
// with the times of use.
func (client *pyClient) leave(ch *channel) (died map[uint64]time.Time) {
	client.mu.Lock()
	defer client.mu.Unlock()
	delete(client.channels, ch)
	ch.uses.Give(len(ch.used) * useCost)
	for id, last := range ch.used {
		if client.session.Refs(id) == 0 || client.leaves.announced(id, last) {
			delete(ch.used, id)
		}
	}
	return ch.used
}

// dropRefs counts down the references of a process that has died without having
// given back what it used. It waits for what the process may have sent before:
// that is on another connection.
func (s *Server) dropRefs(client *pyClient, used map[uint64]time.Time) {
	s.pythons.mu.Lock()
	client.uses++
	s.pythons.mu.Unlock()
	time.AfterFunc(lastWords, func() {
		_ = s.store.Safely("the end of a process", func() { s.dropRefsNow(client, used) })
	})
}

func (s *Server) dropRefsNow(client *pyClient, used map[uint64]time.Time) {
	client.mu.Lock()
	for id, last := range used {
		if client.leaves.since(id, last) {
			delete(used, id)
		}
	}
	client.mu.Unlock()
	for id := range used {
		_ = client.session.Decref(id)
	}
	s.release(client)
}

// using takes note of a call through a channel.
func (client *pyClient) using(ch *channel, id uint64) error {
	if client.direct {
		return nil
	}
	client.mu.Lock()
	defer client.mu.Unlock()
	if _, ok := ch.used[id]; !ok {
		if err := ch.uses.Take(useCost); err != nil {
			return err
		}
	}
	ch.used[id] = time.Now()
	return nil
}

// useCost is what an entry of channel.used takes.
const useCost = 64

// forgetUse is called with client.mu held.
func (ch *channel) forgetUse(id uint64) {
	if _, ok := ch.used[id]; ok {
		delete(ch.used, id)
		ch.uses.Give(useCost)
	}
}

// tokens is the address for tokens that are sent to the client.
func (client *pyClient) tokens(c *conn) pyvalue.Value {
	client.mu.Lock()
	defer client.mu.Unlock()
	if client.address != nil {
		return client.address
	}
	return pythonAddress(c.socket)
}

// told takes note of the address in a token of the client's: it is the one by
// which the client reaches us.
func (client *pyClient) told(address pyvalue.Value) {
	if !isAddress(address) {
		return
	}
	client.mu.Lock()
	client.address = address
	client.mu.Unlock()
}

// isMainThread tells by the name of a channel whether its end is the end of a
// process: other threads come and go.
func isMainThread(name string) bool { return !strings.Contains(name, "|") }
