package peer

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// pair is a connection: ours as who accepted it, and as who made it.
func pair(t *testing.T, address string) (accepted, made *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = c.Close() })
	return a.(*net.TCPConn), c.(*net.TCPConn)
}

func TestFind(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		var f Finder
		for range 3 {
			accepted, made := pair(t, address)
			if pid, gone := f.Find(accepted); pid != os.Getpid() || gone {
				t.Errorf("%s: %d %v, want %d", address, pid, gone, os.Getpid())
			}
			if err := made.Close(); err != nil {
				t.Fatal(err)
			}
			if pid, gone := f.Find(accepted); pid != 0 || !gone {
				t.Errorf("%s: closed: %d %v", address, pid, gone)
			}
		}
	}
}

// What the other end has not read is known, also while it comes.
func TestUnread(t *testing.T) {
	accepted, made := pair(t, "127.0.0.1:0")
	b := make([]byte, 700)
	for range 3 {
		if _, err := accepted.Write(b); err != nil {
			t.Fatal(err)
		}
		for _, left := range []int{700, 300, 0} {
			if n, ok := Unread(accepted); !ok || n != left {
				t.Errorf("%d %v, want %d", n, ok, left)
			}
			if left > 0 {
				if _, err := io.ReadFull(made, b[:min(left, 400)]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	if n, ok := Unread(accepted); ok && n > 0 {
		t.Errorf("%d of a connection that was closed", n)
	}
}

// TestHold is what another process does: it holds descriptors until its
// standard input ends.
func TestHold(t *testing.T) {
	if os.Getenv("PEER_TEST_HOLD") == "" {
		t.Skip("it is run by other tests")
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func hold(t *testing.T, c *net.TCPConn) (pid int, end func()) {
	t.Helper()
	file, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), "PEER_TEST_HOLD=1")
	cmd.ExtraFiles = []*os.File{file}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() { _ = stdin.Close(); _ = cmd.Wait() }
	t.Cleanup(end)
	return cmd.Process.Pid, end
}

// A process that has inherited the connection is not the one that made it;
// but it is who is left when that one has let go.
func TestFindTheOldest(t *testing.T) {
	accepted, made := pair(t, "127.0.0.1:0")
	pid, end := hold(t, made)
	var f Finder
	if found, gone := f.Find(accepted); found != os.Getpid() || gone {
		t.Errorf("%d %v, want %d, not its child %d", found, gone, os.Getpid(), pid)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if found, gone := f.Find(accepted); found != pid || gone {
			t.Errorf("%d %v, want %d", found, gone, pid)
		}
	}
	end()
	if found, gone := f.Find(accepted); found != 0 || !gone {
		t.Errorf("%d %v, want nobody", found, gone)
	}
	if f.again("no link at all"); len(f.seen) != 1 {
		t.Errorf("%v are remembered, want this process alone", f.seen)
	}
}

// A connection to another machine has no socket here.
func TestElsewhere(t *testing.T) {
	accepted, _ := pair(t, "127.0.0.1:0")
	local, remote, ok := near(accepted)
	if !ok {
		t.Fatal("a connection over the loopback network is not near")
	}
	if s, err := lookUp(remote, local); err != nil || s.inode == 0 || s.uid != uint32(os.Getuid()) {
		t.Errorf("%+v %v", s, err)
	}
	other := *remote
	other.Port ^= 1
	if s, err := lookUp(&other, local); err == nil {
		t.Errorf("a socket that nobody has: %+v", s)
	}
	if _, err := answer(nil); err == nil {
		t.Error("an empty answer is one")
	}
}

func BenchmarkFind(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	a, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	b.Run("seen", func(b *testing.B) {
		var f Finder
		for b.Loop() {
			f.Find(a.(*net.TCPConn))
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			var f Finder
			f.Find(a.(*net.TCPConn))
		}
	})
}

// Without descriptors nothing can be found out. A process must not count as
// unknown then: it was found before, and will be again.
func TestFindWithoutDescriptors(t *testing.T) {
	c, _ := pair(t, "127.0.0.1:0")
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	var f Finder
	pid, gone := f.Find(c)
	_, _, err := search("socket:[1]", uint32(os.Getuid()))
	if e := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); e != nil {
		t.Fatal(e)
	}
	if pid != 0 || !gone {
		t.Errorf("process %d is found, gone: %t", pid, gone)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("the search ends with %v", err)
	}
}
