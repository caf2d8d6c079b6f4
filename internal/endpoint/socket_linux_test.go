package endpoint

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/mptest"
)

// tcpPair is a connection over TCP, and its other end.
func tcpPair(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// A peer that does not read, so that its window closes, is none that is gone:
// its kernel answers. No option of the socket ends the connection either.
func TestClosedWindowIsNoDeath(t *testing.T) {
	c, _ := tcpPair(t)
	TuneTCP(c)
	WatchTCP(c)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		if n, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); n != 0 || err != nil {
			t.Errorf("TCP_USER_TIMEOUT is %d, %v", n, err)
		}
	})
	try := NewTryWriter(raw)
	b := make([]byte, 1<<20)
	var info *unix.TCPInfo
	mptest.Eventually(t, func() bool {
		_, werr := try(b)
		info, err = tcpInfo(raw)
		return werr == nil && err == nil && info.Notsent_bytes > 0 && info.Unacked == 0
	}, "the window closes")
	info.Last_ack_recv = 60_000 // as it will be when the kernel's probes have become rare
	if silent(info) {
		t.Errorf("a closed window counts as a death: %+v", info)
	}
}

func TestSilentPeers(t *testing.T) {
	for name, c := range map[string]struct {
		info unix.TCPInfo
		want bool
	}{
		"idle":                {unix.TCPInfo{Last_ack_recv: 1 << 30}, false},
		"answers":             {unix.TCPInfo{Last_ack_recv: 100, Unacked: 5, Retransmits: 4}, false},
		"just sent":           {unix.TCPInfo{Last_ack_recv: 1 << 30, Unacked: 5}, false},
		"does not answer":     {unix.TCPInfo{Last_ack_recv: 10_500, Unacked: 5, Retransmits: 5}, true},
		"a probe under way":   {unix.TCPInfo{Last_ack_recv: 110_000, Probes: 1}, false},
		"no probe is heard":   {unix.TCPInfo{Last_ack_recv: 11_000, Probes: 5}, true},
		"not for long so far": {unix.TCPInfo{Last_ack_recv: 9000, Unacked: 1, Retransmits: 5}, false},
	} {
		if got := silent(&c.info); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What is closed is not looked after any more, and nothing is left then.
func TestPulseEnds(t *testing.T) {
	c, _ := tcpPair(t)
	WatchTCP(c)
	_ = c.Close()
	pulses.feel()
	pulses.mu.Lock()
	defer pulses.mu.Unlock()
	if _, ok := pulses.conns[c]; ok {
		t.Error("a closed connection is looked after")
	}
}
