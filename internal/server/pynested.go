package server

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"multiproc/internal/peer"
	"multiproc/internal/store"
)

// A thread of a Python client can send a request while it waits for the answer
// to another one: its handler of a signal uses a proxy. Or an exception has ended
// the wait, KeyboardInterrupt for example, and the request is its next one. Both
// look the same, and in both the next answer is for the new request. But in the
// first the thread then waits for the first answer again, in the second never.
//
// The kernel knows: whoever waits for an answer reads it. So once the new answer
// was read, the server sends the first four bytes of another one, which announce
// that its length comes in eight bytes, whatever it is. If they are read although
// there is no request, then the thread waits, and the call begins anew, with what
// is left of its time. If they are not read, they are the beginning of the answer
// to the next request.
//
// A wait that has read such a beginning, of an answer that nobody waited for when
// it was sent, takes it along if it is interrupted in turn. What then waits in
// Python is not known any more: it is taken for a thread whose waits are ended by
// exceptions, as the one before was. A handler's call is answered then, too, but
// the wait around it does not return.
//
// Who tells what was read at the other end is a Unix socket, and the kernel of a
// TCP connection within this machine. There it must be known that a Python program
// is at the other end, and not a tunnel, which reads whatever comes.

// debt is a call that was withdrawn because another request came.
type debt struct {
	call  *store.Call
	id    uint64
	until time.Time // when its own timeout ends it; zero: never
	drop  time.Time // when nobody waits for it any more
}

const (
	probeFirst = 2 * time.Millisecond
	probeLast  = 200 * time.Millisecond
	// sureAfter is how long the announcement must have been read without a
	// request: one may be on its way through the server.
	sureAfter = 50 * time.Millisecond
	// debtTime is how long a call without a timeout is remembered, and one with
	// a timeout beyond that.
	debtTime = time.Minute
)

// unread is how many bytes the client has not read. known is false where nobody
// tells.
func (c *conn) unread() (n int, known bool) {
	switch socket := c.socket.(type) {
	case *net.UnixConn:
		return unsent(socket), true
	case *net.TCPConn:
		if !c.isPython() {
			return 0, false
		}
		n, known = peer.Unread(socket)
		return n + unsent(socket), known
	}
	return 0, false
}

// isPython reports whether the process at the other end of a TCP connection
// within this machine runs a program that is called python.
func (c *conn) isPython() bool {
	if c.python.Load() == 0 && c.s.peers != nil {
		found := int32(notPython)
		if tcp, ok := c.socket.(*net.TCPConn); ok {
			if pid, _ := c.s.peers.Find(tcp); pid != 0 && strings.HasPrefix(programOf(pid), "python") {
				found = isPython
			}
		}
		c.python.Store(found)
	}
	return c.python.Load() == isPython
}

const (
	notPython = 1 + iota
	isPython
)

// programOf is the file name of the program that a process runs, "" if that is
// not known.
func programOf(pid int) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	return filepath.Base(path)
}

// owe remembers the call that was withdrawn. The token is in hand.
func (ch *channel) owe(call *store.Call, id uint64) {
	if call == nil {
		return
	}
	if _, known := ch.c.unread(); !known {
		return
	}
	d := debt{call: call, id: id, until: call.Until(), drop: time.Now().Add(debtTime)}
	if !d.until.IsZero() {
		d.drop = d.until.Add(debtTime)
	}
	const most = 16 // handlers in handlers
	if len(ch.debts) < most {
		ch.debts = append(ch.debts, d)
	}
}

// probeSoon looks later whether the thread waits for what it is owed. The token
// is in hand, or a call is under way.
func (ch *channel) probeSoon() {
	if len(ch.debts) > 0 && ch.probing.CompareAndSwap(false, true) {
		time.AfterFunc(probeFirst, func() { ch.probe(probeFirst) })
	}
}

func (ch *channel) probe(pause time.Duration) {
	select {
	case <-ch.done:
		return
	default:
	}
	pause = min(2*pause, probeLast)
	again := true
	select {
	case <-ch.free:
		var begun bool
		if begun, again = ch.pay(); !begun {
			ch.free <- struct{}{}
		}
	default: // a call is under way
	}
	if again {
		time.AfterFunc(pause, func() { ch.probe(pause) })
	} else {
		ch.probing.Store(false)
	}
}

// pay begins the last call that is owed if the thread waits for it. The token is
// in hand, and stays with a call that was begun.
func (ch *channel) pay() (begun, again bool) {
	now := time.Now()
	for n := len(ch.debts); n > 0 && now.After(ch.debts[n-1].drop); n-- {
		ch.debts = ch.debts[:n-1]
	}
	n := len(ch.debts)
	if n == 0 || !ch.c.out.sound() {
		return false, false
	}
	if n, known := ch.c.unread(); n > 0 || !known || ch.arrived.Load() || arriving(ch.c.socket) > 0 {
		ch.read = time.Time{}
		return false, true
	}
	if !ch.c.out.announced() {
		ch.settle(true) // it has read the last answer
		ch.c.out.announce()
		ch.read = time.Time{}
		return false, true
	}
	if ch.read.IsZero() {
		ch.read = now
	}
	if now.Sub(ch.read) < sureAfter {
		return false, true
	}
	d := ch.debts[n-1]
	ch.debts = ch.debts[:n-1]
	ch.call, ch.callID = &store.Call{Method: d.call.Method, Args: d.call.Args, Owner: ch.owner, Deadline: d.until, Python: true}, d.id
	ch.state.Store(waiting)
	ch.waited.Store(true)
	ch.client.session.Begin(ch.call, d.id, ch)
	return true, false
}
