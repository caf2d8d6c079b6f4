package handle

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/wire"
)

// object makes a segment and returns its id and a descriptor of it that the
// caller may give away.
func object(t testing.TB) (shm.ID, int) {
	t.Helper()
	seg, err := shm.Create(shm.Header{Kind: shm.KindMutex, ID: shm.NewID(), Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := seg.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if err := seg.Close(); err != nil {
		t.Fatal(err)
	}
	return seg.ID, fd
}

// opens checks that fd is the object of that id, and closes it.
func opens(t testing.TB, fd int, id shm.ID) {
	t.Helper()
	seg, err := shm.Open(fd, shm.Want{Kind: shm.KindMutex})
	if err != nil {
		t.Fatal(err)
	}
	if seg.ID != id {
		t.Errorf("fetched object %s, want %s", seg.ID, id)
	}
	_ = seg.Close()
}

// client connects a client to a root.
func client(t testing.TB, from Broker) *Client {
	t.Helper()
	conn, err := from.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return NewClient(conn)
}

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Every ticket is good for one Fetch, through every kind of broker, and the
// root forgets the object with the last one.
func TestTickets(t *testing.T) {
	root := NewRoot()
	child := client(t, root)
	grandchild := client(t, child) // by Adopt
	for _, b := range []Broker{root, child, grandchild} {
		t.Run(fmt.Sprintf("%T", b), func(t *testing.T) {
			id, fd := object(t)
			again, err := shm.DupFD(fd)
			if err != nil {
				t.Fatal(err)
			}
			for _, fd := range []int{fd, again} {
				if err := b.Offer(id, fd); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				fd, err := grandchild.Fetch(id)
				if err != nil {
					t.Fatal(err)
				}
				opens(t, fd, id)
			}
			if _, err := b.Fetch(id); !errors.Is(err, mperr.ErrNoHandle) {
				t.Errorf("third fetch of two tickets: %v", err)
			}
			if n := root.Len(); n != 0 {
				t.Errorf("the root still holds %d objects", n)
			}
		})
	}
}

// The deposit outlives the one who made it.
func TestOffererGone(t *testing.T) {
	root := NewRoot()
	conn, err := root.Connect()
	if err != nil {
		t.Fatal(err)
	}
	id, fd := object(t)
	if err := NewClient(conn).Offer(id, fd); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := client(t, root).Fetch(id)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, got, id)
}

func TestManyAtOnce(t *testing.T) {
	before := descriptors(t)
	root := NewRoot()
	var wg sync.WaitGroup
	conns := make(chan *fdpass.Conn, 4)
	for range 4 {
		conn, err := root.Connect()
		if err != nil {
			t.Fatal(err)
		}
		conns <- conn
		c := NewClient(conn)
		for range 4 {
			wg.Go(func() {
				for range 50 {
					id, fd := object(t)
					if err := c.Offer(id, fd); err != nil {
						t.Error(err)
						return
					}
					got, err := c.Fetch(id)
					if err != nil {
						t.Error(err)
						return
					}
					opens(t, got, id)
				}
			})
		}
	}
	wg.Wait()
	close(conns)
	for conn := range conns {
		_ = conn.Close()
	}
	if n := root.Len(); n != 0 {
		t.Errorf("the root holds %d objects", n)
	}
	// The root's ends close when its goroutines see the end of the stream.
	if after := descriptors(t); after > before+4 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// What is no request ends the conversation, and costs nobody a descriptor.
func TestRootRefuses(t *testing.T) {
	_, fd := object(t)
	defer shm.CloseFD(fd)
	for name, message := range map[string]struct {
		payload []byte
		fds     []int
	}{
		"garbage":                   {payload: []byte("no message")},
		"empty":                     {},
		"garbage with descriptor":   {payload: []byte{0xff}, fds: []int{fd}},
		"offer without descriptor":  {payload: wire.Append(nil, &wire.Offer{})},
		"offer of two":              {payload: wire.Append(nil, &wire.Offer{}), fds: []int{fd, fd}},
		"adopt without descriptor":  {payload: wire.Append(nil, &wire.Adopt{})},
		"adopt what is no socket":   {payload: wire.Append(nil, &wire.Adopt{}), fds: []int{fd}},
		"a message of another talk": {payload: wire.Append(nil, &wire.Cancel{Cause: "x"}), fds: []int{fd}},
	} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			root := NewRoot()
			ours, theirs, err := fdpass.Pair()
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				root.Serve(ours)
				close(done)
			}()
			if err := theirs.WriteFrame(message.payload, message.fds); err != nil {
				t.Fatal(err)
			}
			if _, _, err := theirs.ReadFrame(); !errors.Is(err, io.EOF) {
				t.Errorf("the root answered, or: %v", err)
			}
			<-done
			_ = theirs.Close()
			if after := descriptors(t); after > before { // fewer: those of another test, late
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}

// FuzzRoot sends any bytes to a root as one request, with a descriptor. The
// root answers or hangs up, and goes on for others.
func FuzzRoot(f *testing.F) {
	for _, m := range []wire.Message{&wire.Offer{}, &wire.Fetch{}, &wire.Adopt{}, &wire.Ack{}} {
		f.Add(wire.Append(nil, m))
	}
	root := NewRoot()
	f.Fuzz(func(t *testing.T, payload []byte) {
		conn, err := root.Connect()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, fd := object(t)
		defer shm.CloseFD(fd)
		if err := conn.WriteFrame(payload, []int{fd}); err != nil {
			t.Fatal(err)
		}
		_, fds, _ := conn.ReadFrame()
		closeAll(fds)
		if m, err := wire.Decode(payload); err == nil {
			if offer, ok := m.(*wire.Offer); ok {
				fd, err := root.Fetch(offer.ID)
				if err != nil {
					t.Fatal(err)
				}
				shm.CloseFD(fd)
			}
		}

		id, fd := object(t)
		if err := root.Offer(id, fd); err != nil {
			t.Fatal(err)
		}
		got, err := root.Fetch(id)
		if err != nil {
			t.Fatal(err)
		}
		opens(t, got, id)
	})
}
