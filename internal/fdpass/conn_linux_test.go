package fdpass

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

// openFDs counts this process's descriptors.
func openFDs(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// noLeak fails the test if it leaves descriptors behind. The poller's own
// descriptors appear with its first use, hence the warming pair.
func noLeak(t testing.TB) {
	t.Helper()
	a, b := pair(t)
	_, _ = a.Close(), b.Close()
	before := openFDs(t)
	t.Cleanup(func() {
		if after := openFDs(t); after != before {
			t.Errorf("%d descriptors are open, %d were at the start", after, before)
		}
	})
}

func pair(t testing.TB) (a, b *Conn) {
	t.Helper()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}

// openFilesLimit sets the soft limit for the time of the test.
func openFilesLimit(t testing.TB, n uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if n > old.Max {
		t.Skipf("needs %d descriptors, the hard limit is %d", n, old.Max)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
}

// memfds makes n descriptors; number i refers to a file of i bytes.
func memfds(t testing.TB, n int) []int {
	t.Helper()
	fds := make([]int, n)
	for i := range fds {
		fd, err := unix.MemfdCreate("fdpass", unix.MFD_CLOEXEC)
		if err == nil {
			err = unix.Ftruncate(fd, int64(i))
		}
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	t.Cleanup(func() { closeAll(fds) })
	return fds
}

// checkMemfds checks order and flags of what arrived, and closes it.
func checkMemfds(t *testing.T, fds []int, want int) {
	t.Helper()
	defer closeAll(fds)
	if len(fds) != want {
		t.Errorf("%d descriptors arrived, want %d", len(fds), want)
	}
	for i, fd := range fds {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Size != int64(i) {
			t.Fatalf("descriptor %d of %d: size %d, %v", i, len(fds), st.Size, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Fatalf("descriptor %d of %d is not close-on-exec (%v)", i, len(fds), err)
		}
	}
}

func TestFrames(t *testing.T) {
	openFilesLimit(t, 12_500)
	for _, n := range []int{0, 1, 249, 250, 251, 500, 501, 1000, 6000} {
		for _, payload := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("0123456789"), 30_000)} {
			t.Run(fmt.Sprintf("fds=%d/bytes=%d", n, len(payload)), func(t *testing.T) {
				noLeak(t)
				a, b := pair(t)
				fds := memfds(t, n)
				sent := make(chan error, 1)
				go func() {
					err := a.WriteFrame(payload, fds)
					// A second frame right behind: the reader must not take of it.
					sent <- errors.Join(err, a.WriteFrame([]byte("next"), fds[:min(n, 2)]))
				}()
				for _, want := range []struct {
					payload []byte
					fds     int
				}{{payload, n}, {[]byte("next"), min(n, 2)}} {
					got, gotFDs, err := b.ReadFrame()
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want.payload) {
						t.Errorf("%d bytes arrived, other than the %d sent", len(got), len(want.payload))
					}
					checkMemfds(t, gotFDs, want.fds)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestLargePayload(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	payload := bytes.Repeat([]byte("multiproc!"), 2<<20)
	sentFDs := memfds(t, 3)
	sent := make(chan error, 1)
	go func() { sent <- a.WriteFrame(payload, sentFDs) }()
	got, fds, err := b.ReadFrame()
	if err != nil || !bytes.Equal(got, payload) {
		t.Errorf("%d bytes arrived, %v", len(got), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	checkMemfds(t, fds, 3)
}

func TestConcurrentWriters(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	fds := memfds(t, 300)
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				// The payload's length tells its content and its descriptors.
				n := w * 30_000
				if err := a.WriteFrame(bytes.Repeat([]byte{byte(w)}, n), fds[:w*40]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range writers * each {
		payload, got, err := b.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		w := len(payload) / 30_000
		if !bytes.Equal(payload, bytes.Repeat([]byte{byte(w)}, w*30_000)) {
			t.Fatal("frames of several writers mixed")
		}
		checkMemfds(t, got, w*40)
	}
	wg.Wait()
}

func TestWriteRefusals(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	fds := memfds(t, 1)
	if err := a.WriteFrame(nil, make([]int, MaxDescriptors+1)); err == nil {
		t.Error("a frame with too many descriptors was sent")
	}
	// The gigabyte is never touched, so no page of it exists.
	if err := a.WriteFrame(make([]byte, MaxPayload+1), nil); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("too large a frame: %v", err)
	}
	// A bad number, alone or far behind good ones, must not break the stream.
	bad := make([]int, 600)
	for i := range bad {
		bad[i] = fds[0]
	}
	bad[599] = 1 << 20
	for _, list := range [][]int{{-1}, bad} {
		if err := a.WriteFrame([]byte("lost"), list); !errors.Is(err, unix.EBADF) {
			t.Errorf("a descriptor that is none: %v", err)
		}
	}
	if err := a.WriteFrame([]byte("fine"), nil); err != nil {
		t.Error(err)
	}
	if got, _, err := b.ReadFrame(); err != nil || string(got) != "fine" {
		t.Errorf("ReadFrame = %q, %v", got, err)
	}
}

func TestDeadPeer(t *testing.T) {
	noLeak(t)
	fds := memfds(t, 2)
	a, b := pair(t)
	if err := a.WriteFrame([]byte("read before the end"), fds); err != nil {
		t.Fatal(err)
	}
	if err := b.WriteFrame([]byte("never read"), fds); err != nil {
		t.Fatal(err)
	}
	// b reads what a sent; a dies with b's frame unread, which the kernel
	// tells b as ECONNRESET.
	_ = a.Close()
	payload, got, err := b.ReadFrame()
	if err != nil || string(payload) != "read before the end" {
		t.Errorf("ReadFrame = %q, %v", payload, err)
	}
	closeAll(got)
	for range 2 {
		if _, _, err := b.ReadFrame(); !errors.Is(err, io.EOF) {
			t.Errorf("ReadFrame after the end: %v, want io.EOF", err)
		}
		if err := b.WriteFrame(nil, nil); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("WriteFrame to nobody: %v, want EPIPE", err)
		}
	}
}

func TestPeerDiesWhileWriterWaits(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	cut := make(chan error, 1)
	go func() { cut <- a.WriteFrame(make([]byte, 8<<20), nil) }()
	var one [1]byte // the writer is under way once its first byte is here
	if err := b.raw.Read(func(fd uintptr) bool {
		_, _, _, err := recvmsg(int(fd), one[:], nil)
		return !errors.Is(err, unix.EAGAIN)
	}); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if err := <-cut; !errors.Is(err, syscall.EPIPE) {
		t.Errorf("WriteFrame cut short: %v, want EPIPE", err)
	}
	if err := a.WriteFrame(nil, nil); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("WriteFrame afterwards: %v, want the same", err)
	}
}

func TestCloseWakes(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	got := make(chan error, 2)
	go func() {
		_, _, err := b.ReadFrame()
		got <- err
	}()
	go func() { got <- b.WriteFrame(make([]byte, 8<<20), nil) }()
	// Whether they wait yet or not: both must come back.
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-got; !errors.Is(err, os.ErrClosed) {
			t.Errorf("after Close: %v, want os.ErrClosed", err)
		}
	}
	if err := b.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := b.Dup(); !errors.Is(err, os.ErrClosed) || b.FD() != -1 {
		t.Errorf("Dup after Close: %v, FD: %d", err, b.FD())
	}
	_ = a.Close()
}

func TestFromFDAndDup(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	fd, err := b.Dup()
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	c, err := FromFD(fd)
	if err != nil {
		t.Fatal(err)
	}
	if c.FD() != fd {
		t.Errorf("FD() = %d, want %d", c.FD(), fd)
	}
	if err := a.WriteFrame([]byte("hello"), nil); err != nil {
		t.Error(err)
	}
	if got, _, err := c.ReadFrame(); err != nil || string(got) != "hello" {
		t.Errorf("ReadFrame = %q, %v", got, err)
	}
	_ = c.Close()
	if _, _, err := a.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last duplicate was closed: %v", err)
	}
}

func TestFromFDRefuses(t *testing.T) {
	noLeak(t)
	fds := memfds(t, 1)
	dgram, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(dgram) })
	for _, fd := range []int{-1, fds[0], dgram} {
		if c, err := FromFD(fd); err == nil {
			t.Errorf("FromFD(%d) = %v", fd, c)
		}
	}
	if _, err := unix.FcntlInt(uintptr(dgram), unix.F_GETFD, 0); err != nil {
		t.Errorf("the refused descriptor was closed: %v", err)
	}
}
