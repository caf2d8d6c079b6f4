// Package peer finds the process at the other end of a TCP connection within
// this machine. A Unix socket tells that by itself, TCP does not.
package peer

import (
	"net"
	"sync"
)

// Finder finds processes. It remembers where it found those that connected
// before, for they will connect again. The zero Finder is ready for use, by
// any number of goroutines.
type Finder struct {
	mu   sync.Mutex
	seen map[int]int // pid -> the descriptor that its last connection had
}

// Find returns the process that has made the connection, or 0 if that is not
// known: it is on another machine, another user's whose descriptors we may not
// see, or of another PID namespace. It may be a tunnel's process, behind which
// the real peer is. gone says that the other end was closed, or its process
// has died; or that this process lacks the descriptors or the memory to look,
// and had better close the connection than take the peer for another.
//
// A process is found each time or never, as long as its user and ours stay the
// same. The cost is some 15 µs if it connected before, plus 1 µs for each other
// process that did; else some milliseconds, to look at all descriptors of that
// user's processes.
func (f *Finder) Find(c *net.TCPConn) (pid int, gone bool) { return f.find(c) }

// Unread returns how many bytes have come to the other end of a connection within
// this machine that nobody there has read. What is still on its way is not among
// them. ok is false if that is not known. Cost: some 10 µs.
func Unread(c *net.TCPConn) (n int, ok bool) { return unread(c) }

// near reports whether both ends of a connection are on this machine: then
// they have one address, or are in the loopback network. Link-local addresses
// mean something only with an interface, and are left out.
func near(c *net.TCPConn) (local, remote *net.TCPAddr, ok bool) {
	local, _ = c.LocalAddr().(*net.TCPAddr)
	remote, _ = c.RemoteAddr().(*net.TCPAddr)
	ok = local != nil && remote != nil && !remote.IP.IsLinkLocalUnicast() &&
		(remote.IP.IsLoopback() || remote.IP.Equal(local.IP))
	return local, remote, ok
}
