package endpoint

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keepAlive finds a peer whose machine is gone after some six seconds.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// TuneTCP lets the end of a peer be noticed within seconds, as long as nothing is
// on its way to it; see watchTCP.
func TuneTCP(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(keepAlive)
	}
}

// NewTryWriter makes a writer for a socket, which Go has made nonblocking.
// Calls are not concurrent.
func NewTryWriter(raw syscall.RawConn) TryWriter {
	var (
		b   []byte
		n   int
		err error
	)
	once := func(fd uintptr) bool {
		for {
			n, err = unix.Write(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return true
			}
		}
	}
	return func(data []byte) (int, error) {
		b = data
		cerr := raw.Write(once)
		b = nil
		switch {
		case cerr != nil:
			return 0, cerr
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case err != nil: // EPIPE comes without a signal: the Go runtime sees to that
			return 0, os.NewSyscallError("write", err)
		}
		return n, nil
	}
}

// pulse finds peers whose machine is gone while something is on its way to them:
// keep-alives rest then, and the kernel itself gives up after a quarter of an
// hour. Its option TCP_USER_TIMEOUT is no way out, for it also ends connections
// whose peer has closed its window: a program that stands in a debugger, and
// does not read, would lose its locks. Here a peer is alive as long as its kernel
// acknowledges anything, probes of a closed window too.
type pulse struct {
	mu    sync.Mutex
	conns map[*net.TCPConn]syscall.RawConn
	timer *time.Timer // nil: there are no connections
}

var pulses pulse

const (
	// pulseEvery is the time between two looks at all connections.
	pulseEvery = 2 * time.Second
	// deadAfter is how long a peer may acknowledge nothing although it should.
	deadAfter = 10 * time.Second
	// retryEvery bounds the time between two attempts of the kernel to reach a
	// peer, in milliseconds, where it knows this option, from Linux 6.15 on. It
	// doubles up to two minutes otherwise, so that the end of a machine whose
	// program has not read for long is noticed as much later.
	retryEvery  = 2000
	tcpRTOMaxMS = 44
)

// WatchTCP looks after a connection until it is closed, and closes it when its
// peer is gone.
func WatchTCP(c net.Conn) {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, tcpRTOMaxMS, retryEvery)
	})
	p := &pulses
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		p.conns = map[*net.TCPConn]syscall.RawConn{}
	}
	p.conns[tcp] = raw
	if p.timer == nil {
		p.timer = time.AfterFunc(pulseEvery, p.feel)
	}
}

// feel looks at all connections, as long as there are some.
func (p *pulse) feel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c, raw := range p.conns {
		info, err := tcpInfo(raw)
		if err == nil && silent(info) {
			_ = c.Close()
		}
		if err != nil || silent(info) {
			delete(p.conns, c)
		}
	}
	if len(p.conns) == 0 {
		p.conns, p.timer = nil, nil
		return
	}
	p.timer.Reset(pulseEvery)
}

func tcpInfo(raw syscall.RawConn) (info *unix.TCPInfo, err error) {
	cerr := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if cerr != nil {
		return nil, cerr
	}
	return info, err
}

// silent reports whether a peer has not answered for long, though the kernel has
// tried several times to reach it: with data, or with probes of a closed window.
func silent(info *unix.TCPInfo) bool {
	long := time.Duration(info.Last_ack_recv)*time.Millisecond >= deadAfter
	return long && (info.Unacked > 0 && info.Retransmits >= 2 || info.Probes >= 4)
}
