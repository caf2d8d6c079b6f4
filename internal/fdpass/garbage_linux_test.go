package fdpass

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"multiproc/internal/mperr"
)

// rawSend sends bytes and descriptors as no writer of this package would.
func rawSend(t testing.TB, c *Conn, p []byte, fds ...int) {
	t.Helper()
	if n, err := sendmsg(c.FD(), [][]byte{p}, unix.UnixRights(fds...)); n != len(p) || err != nil {
		t.Fatalf("sent %d of %d bytes: %v", n, len(p), err)
	}
}

func TestEndInsideFrame(t *testing.T) {
	fds := memfds(t, 1)
	whole := []byte{4, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c', 'd'}
	for n := 1; n < len(whole); n++ {
		t.Run(fmt.Sprintf("after=%d", n), func(t *testing.T) {
			noLeak(t)
			a, b := pair(t)
			rawSend(t, a, whole[:n], fds[0])
			_ = a.Close()
			if _, _, err := b.ReadFrame(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("ReadFrame: %v", err)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	fds := memfds(t, 2)
	head := func(size, descrs, zero byte) []byte { return []byte{size, 0, 0, 0, descrs, 0, zero, 0} }
	for name, send := range map[string]func(*Conn){
		"reserved bits":              func(c *Conn) { rawSend(t, c, head(0, 1, 1), fds[0]) },
		"fewer descriptors":          func(c *Conn) { rawSend(t, c, head(0, 2, 0), fds[0]) },
		"more descriptors":           func(c *Conn) { rawSend(t, c, head(0, 1, 0), fds...) },
		"descriptors in the payload": func(c *Conn) { rawSend(t, c, head(1, 0, 0)); rawSend(t, c, []byte("x"), fds...) },
		"filler is not zero": func(c *Conn) {
			rawSend(t, c, []byte{0, 0, 0, 0, 251, 0, 0, 0}, fds[0])
			rawSend(t, c, []byte("x"), fds[1])
		},
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			a, b := pair(t)
			send(a)
			for range 2 { // the place in the stream is lost for good
				if _, _, err := b.ReadFrame(); !errors.Is(err, mperr.ErrCorrupt) {
					t.Errorf("ReadFrame: %v, want ErrCorrupt", err)
				}
			}
		})
	}
}

// A process at its limit of open files gets only some of the descriptors. That
// is the loss of this frame: the next one comes whole.
func TestTruncation(t *testing.T) {
	for _, n := range []int{1, 100, 600} {
		t.Run(fmt.Sprintf("fds=%d", n), func(t *testing.T) {
			noLeak(t)
			a, b := pair(t)
			fds := memfds(t, n)
			for range 2 {
				if err := a.WriteFrame([]byte("payload"), fds); err != nil {
					t.Fatal(err)
				}
			}
			before := openFDs(t)
			var old syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
				t.Fatal(err)
			}
			lowest, err := unix.Dup(a.FD()) // the next descriptor's number
			if err != nil {
				t.Fatal(err)
			}
			_ = unix.Close(lowest)
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(lowest + n*2/5), Max: old.Max}); err != nil {
				t.Fatal(err)
			}
			payload, got, err := b.ReadFrame()
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(err, ErrLost) || got != nil || string(payload) != "payload" {
				t.Errorf("ReadFrame = %q, %d descriptors, %v, want ErrLost", payload, len(got), err)
			}
			if after := openFDs(t); after != before {
				t.Errorf("%d descriptors are open, %d were before", after, before)
			}
			payload, got, err = b.ReadFrame()
			if err != nil || string(payload) != "payload" {
				t.Errorf("the frame behind: %q, %v", payload, err)
			}
			checkMemfds(t, got, n)
		})
	}
}

// A frame that would have to wait is not sent, and one that is sent is whole.
func TestTryWriteFrame(t *testing.T) {
	noLeak(t)
	a, b := pair(t)
	fds := memfds(t, 3)
	sent := 0
	for {
		ok, err := a.TryWriteFrame([]byte("some bytes"), fds)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		sent++
	}
	if sent == 0 {
		t.Fatal("nothing was sent")
	}
	for range sent {
		payload, got, err := b.ReadFrame()
		if err != nil || string(payload) != "some bytes" {
			t.Fatalf("%q, %v", payload, err)
		}
		checkMemfds(t, got, 3)
	}
	if ok, err := a.TryWriteFrame(nil, nil); !ok || err != nil {
		t.Errorf("with room again: %v, %v", ok, err)
	}
	_ = b.Close()
	if ok, err := a.TryWriteFrame(nil, nil); ok || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("to nobody: %v, %v", ok, err)
	}
}

// The length of a payload is believed only as far as its bytes arrive.
func TestLengthIsNotBelieved(t *testing.T) {
	a, b := pair(t)
	rawSend(t, a, []byte{0, 0, 0, 0x40, 0, 0, 0, 0, 'x'})
	_ = a.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := b.ReadFrame()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadFrame: %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*firstRoom {
		t.Errorf("one byte of payload made ReadFrame allocate %d bytes", n)
	}
}

// FuzzReadFrame sends arbitrary bytes, with descriptors at arbitrary places.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c', 'd'}, 0, 1)
	f.Add([]byte{0, 0, 0, 0, 251, 0, 0, 0, 0}, 8, 250)
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9}, 9, 3)
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255}, 3, 2)
	shared := make([]int, 253)
	fd, err := unix.MemfdCreate("fuzz", unix.MFD_CLOEXEC)
	if err != nil {
		f.Fatal(err)
	}
	for i := range shared {
		shared[i] = fd
	}
	f.Fuzz(func(t *testing.T, stream []byte, at, n int) {
		if len(stream) == 0 || len(stream) > 64<<10 {
			return // more would need a second goroutine to write
		}
		noLeak(t)
		a, b := pair(t)
		at = int(uint(at) % uint(len(stream)))
		n = int(uint(n) % uint(len(shared)+1))
		if at > 0 {
			rawSend(t, a, stream[:at])
		}
		rawSend(t, a, stream[at:], shared[:n]...)
		_ = a.Close()
		for {
			payload, fds, err := b.ReadFrame()
			if err != nil {
				if payload != nil || fds != nil {
					t.Errorf("%d bytes and %d descriptors beside %v", len(payload), len(fds), err)
				}
				return
			}
			if len(payload) > len(stream) || len(fds) > n {
				t.Errorf("%d bytes, %d descriptors; sent %d, %d", len(payload), len(fds), len(stream), n)
			}
			closeAll(fds)
		}
	})
}
