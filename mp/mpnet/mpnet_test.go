//go:build linux

package mpnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
	"multiproc/mp/mpnet"
	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get is must for calls with a result.
func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// closing closes v at the end of the test.
func closing[C io.Closer](t testing.TB, v C) C {
	t.Helper()
	t.Cleanup(func() {
		if err := v.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	return v
}

func openFDs(t testing.TB) int {
	t.Helper()
	return len(get(os.ReadDir("/proc/self/fd"))(t))
}

// send sends a value through a queue.
func send[T any](t testing.TB, v T) T {
	t.Helper()
	q := closing(t, get(mp.NewQueue[T](0))(t))
	must(t, q.Put(t.Context(), v))
	return get(q.Get(t.Context()))(t)
}

type listeners struct {
	TCP  *net.TCPListener
	Unix *net.UnixListener
	Any  net.Listener // TCP again
	None *net.TCPConn
}

// Answer accepts one connection on each listener, and echoes what comes in it.
// It returns the last of the connections.
var Answer = mp.Func(answer)

func answer(_ context.Context, ls listeners) (net.Conn, error) {
	if ls.None != nil {
		return nil, errors.New("a nil connection arrived as one")
	}
	var last net.Conn
	for _, l := range []net.Listener{ls.TCP, ls.Unix, ls.Any} {
		c, err := l.Accept()
		if err != nil {
			return nil, err
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(c, b); err != nil {
			return nil, err
		}
		if _, err := c.Write(b); err != nil {
			return nil, err
		}
		last = c
	}
	return last, nil
}

func talk(t testing.TB, network, address string) net.Conn {
	t.Helper()
	c := closing(t, get(net.Dial(network, address))(t))
	exchange(t, c, c)
	return c
}

// exchange writes to one end of a connection and reads from the other, which
// for a server that echoes is the same.
func exchange(t testing.TB, from, to net.Conn) {
	t.Helper()
	get(from.Write([]byte("ping")))(t)
	b := make([]byte, 4)
	must(t, to.SetReadDeadline(time.Now().Add(30*time.Second)))
	get(io.ReadFull(to, b))(t)
	if string(b) != "ping" {
		t.Errorf("read %q", b)
	}
}

func listenTCP(t testing.TB) *net.TCPListener {
	t.Helper()
	return closing(t, get(net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}))(t))
}

func listenUnix(t testing.TB) (l *net.UnixListener, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "socket")
	return closing(t, get(net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}))(t)), path
}

// pair is a TCP connection.
func pair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l := listenTCP(t)
	a = closing(t, get(net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)))(t))
	return a, closing(t, get(l.AcceptTCP())(t))
}

func TestListenersInArguments(t *testing.T) {
	tcp := listenTCP(t)
	unix, path := listenUnix(t)
	p := get(Answer.Start(t.Context(), listeners{TCP: tcp, Unix: unix, Any: tcp}))(t)
	talk(t, "tcp", tcp.Addr().String())
	talk(t, "unix", path)
	last := talk(t, "tcp", tcp.Addr().String())
	theirs := closing(t, get(p.Result(t.Context()))(t))
	if _, ok := theirs.(*net.TCPConn); !ok {
		t.Errorf("a %T came back", theirs)
	}
	exchange(t, theirs, last) // who accepted it has ended
	exchange(t, last, theirs)
	// The sender's own go on.
	done := make(chan error, 1)
	go func() {
		c, err := tcp.Accept()
		if err == nil {
			_, err = io.CopyN(c, c, 4)
			err = errors.Join(err, c.Close())
		}
		done <- err
	}()
	talk(t, "tcp", tcp.Addr().String())
	must(t, <-done)
}

func TestConnections(t *testing.T) {
	a, b := pair(t)
	arrived := closing(t, send(t, b))
	if arrived.LocalAddr().String() != b.LocalAddr().String() || arrived.RemoteAddr().String() != a.LocalAddr().String() {
		t.Errorf("arrived as %v to %v", arrived.LocalAddr(), arrived.RemoteAddr())
	}
	exchange(t, a, arrived)
	exchange(t, arrived, a)
	exchange(t, b, a)

	l, path := listenUnix(t)
	c := closing(t, get(net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"}))(t))
	d := closing(t, get(l.AcceptUnix())(t))
	exchange(t, closing(t, send(t, c)), closing(t, send[any](t, d).(*net.UnixConn)))

	server := closing(t, get(net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))(t))
	client := closing(t, get(net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr)))(t))
	there := closing(t, send[net.PacketConn](t, server))
	exchange(t, closing(t, send(t, client)), there.(*net.UDPConn))
	get(there.WriteTo([]byte("back"), client.LocalAddr()))(t)
	b4 := make([]byte, 4)
	must(t, client.SetReadDeadline(time.Now().Add(30*time.Second)))
	if get(client.Read(b4))(t); string(b4) != "back" {
		t.Errorf("read %q", b4)
	}
}

// Sockets wait without a thread, and end by their deadline, on both sides.
func TestDeadlines(t *testing.T) {
	_, b := pair(t)
	l := listenTCP(t)
	for _, c := range []*net.TCPConn{closing(t, send(t, b)), b} {
		must(t, c.SetDeadline(time.Now()))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
	}
	for _, l := range []*net.TCPListener{closing(t, send(t, l)), l} {
		must(t, l.SetDeadline(time.Now()))
		if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Accept: %v", err)
		}
	}
}

func TestUnixListenersFile(t *testing.T) {
	l, path := listenUnix(t)
	must(t, send(t, l).Close())
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after Close of the listener that arrived: %v", err)
	}
	must(t, l.Close())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close of the sender's: %v", err)
	}
}

// A descriptor for each value, and none besides: a connection ends with the last.
func TestNothingIsLeft(t *testing.T) {
	a, b := pair(t)
	fds := openFDs(t)
	t.Run("taken and not taken", func(t *testing.T) {
		q := closing(t, get(mp.NewQueue[*net.TCPConn](0))(t))
		for range 3 {
			must(t, q.Put(t.Context(), b))
		}
		must(t, get(q.Get(t.Context()))(t).Close())
	})
	must(t, b.Close())
	must(t, a.SetReadDeadline(time.Now().Add(30*time.Second)))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Read: %v", err)
	}
	mptest.Eventually(t, func() bool { return openFDs(t) < fds }, "fewer than %d descriptors are open", fds)
}

func TestRefused(t *testing.T) {
	l := listenTCP(t)
	must(t, l.Close())
	q := closing(t, get(mp.NewQueue[net.Listener](0))(t))
	for _, l := range []net.Listener{l, &net.TCPListener{}} {
		if err := q.Put(t.Context(), l); !errors.Is(err, mp.ErrClosed) || !strings.Contains(err.Error(), "*net.TCPListener") {
			t.Errorf("Put of a closed one: %v", err)
		}
	}
	place := mp.In(drivertest.Memory())
	if _, err := mp.NewQueue[*net.TCPConn](0, place); err == nil || !strings.Contains(err.Error(), "made without mp.In") {
		t.Errorf("in a place: %v", err)
	}
}

// A descriptor that is not what the type says is closed, and so is what was
// made of it.
func TestAnotherSocket(t *testing.T) {
	l, _ := listenUnix(t)
	fds := openFDs(t)
	if _, err := mpnet.Listener[*net.TCPListener](get(l.File())(t)); err == nil || !strings.Contains(err.Error(), "is a *net.UnixListener") {
		t.Errorf("a Unix listener for TCP: %v", err)
	}
	if _, err := mpnet.Conn[*net.TCPConn](get(os.Open("/dev/null"))(t)); err == nil {
		t.Error("no socket for TCP")
	}
	mptest.Eventually(t, func() bool { return openFDs(t) <= fds }, "no more than %d descriptors are open", fds)
}

// Short takes a connection while it may open only so many more descriptors, and
// again when it may open more.
var Short = mp.Proc(short)

type shortage struct {
	Conns *mp.Queue[*net.TCPConn]
	More  int
}

func short(ctx context.Context, s shortage) error {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	free, err := syscall.Dup(1)
	if err != nil {
		return err
	}
	if err := syscall.Close(free); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(free + s.More), Max: old.Max}); err != nil {
		return err
	}
	if _, err := s.Conns.Get(ctx); !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "stays where it is") {
		return fmt.Errorf("Get where %d descriptors more may be open: %w", s.More, err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	c, err := s.Conns.Get(ctx)
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("here"))
	return errors.Join(err, c.Close())
}

// A connection that cannot be taken for want of descriptors stays in the queue,
// also if it is net that wants the last one.
func TestShortOfDescriptors(t *testing.T) {
	for more := range 2 {
		a, b := pair(t)
		q := closing(t, get(mp.NewQueue[*net.TCPConn](0))(t))
		must(t, q.Put(t.Context(), b))
		get(Short.Run(t.Context(), shortage{q, more}))(t)
		must(t, a.SetReadDeadline(time.Now().Add(30*time.Second)))
		got := make([]byte, 4)
		get(io.ReadFull(a, got))(t)
		if string(got) != "here" {
			t.Errorf("read %q", got)
		}
	}
}

// An IPConn travels, for who may open one.
func TestIPConn(t *testing.T) {
	c, err := net.ListenIP("ip4:253", &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}) // for experiments, RFC 3692
	if errors.Is(err, os.ErrPermission) {
		t.Skip(err)
	}
	must(t, err)
	closing(t, c)
	arrived := closing(t, send(t, c))
	get(c.WriteTo([]byte("ping"), c.LocalAddr()))(t)
	must(t, arrived.SetReadDeadline(time.Now().Add(30*time.Second)))
	b := make([]byte, 64)
	n, from, err := arrived.ReadFrom(b)
	if err != nil || string(b[:n]) != "ping" || from.String() != "127.0.0.1" {
		t.Errorf("read %q from %v, %v", b[:n], from, err)
	}
}
