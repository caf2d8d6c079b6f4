package fdbroker

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
	"multiproc/internal/wire"
)

// Who gives up on a root that does not answer has done nothing.
func TestTimeout(t *testing.T) {
	f := newFamily(t)
	f.root().Hold(table.Root, queue, 1)
	kept := f.root().put(queue, Entry{})
	before := descriptors(t)
	ours, theirs, err := fdpass.Pair()
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(theirs)
	p := &process{f: f, Broker: c, ref: table.Ref{Slot: 1, Gen: 7}, conn: theirs}
	const n = 2000 // more than the socket holds
	var calls sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range n {
		calls.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				id, fd := object(t)
				err = p.Offer(ctx, Parcel{ID: NewID(p.ref, uint64(i+1)), To: queue, Entries: []Entry{{ID: id}}, FDs: []int{fd}})
			case 1:
				_, err = p.Fetch(ctx, kept)
			case 2:
				_, err = p.Connect(ctx, table.Ref{Slot: uint32(i), Gen: 1})
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	for asked := 0; asked < n; {
		c.mu.Lock()
		asked = len(c.asked)
		c.mu.Unlock()
	}
	cancel()
	calls.Wait()
	f.adopt(ours, p.ref)
	p.sync()
	if n := f.Len(); n != 1 {
		t.Errorf("%d parcels are left", n)
	}
	f.root().fetch(kept)
	f.root().Taken(kept, nil)
	p.die()
	f.empty()
	for begin := time.Now(); descriptors(t) > before; {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%d descriptors before, %d after", before, descriptors(t))
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	before := descriptors(t)
	f := newFamily(t)
	f.root().Hold(table.Root, queue, 1)
	var wg sync.WaitGroup
	for range 4 {
		p := f.start(f.root())
		for i := range 4 {
			wg.Go(func() {
				for k := range 50 {
					id, fd := object(t)
					name := NewID(p.ref, uint64(1+i*50+k))
					if err := p.Offer(t.Context(), Parcel{ID: name, To: queue, Entries: []Entry{{ID: id}}, FDs: []int{fd}}); err != nil {
						t.Error(err)
						return
					}
					p.Commit(name)
					in, err := p.Fetch(t.Context(), name)
					if err != nil {
						t.Error(err)
						return
					}
					opens(t, in.FDs[0], id)
					p.Taken(name, nil)
				}
			})
		}
		defer func() { _ = p.conn.Close() }()
	}
	wg.Wait()
	f.empty()
	for begin := time.Now(); descriptors(t) > before+8; {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("%d descriptors before, %d after", before, descriptors(t))
		}
	}
}

// What is no request ends the conversation, and costs nobody a descriptor.
func TestRootRefuses(t *testing.T) {
	_, fd := object(t)
	defer shm.CloseFD(fd)
	one := []Entry{{}}
	for name, message := range map[string]struct {
		payload []byte
		fds     []int
	}{
		"garbage":                   {payload: []byte("no message")},
		"empty":                     {},
		"garbage with descriptor":   {payload: []byte{0xff}, fds: []int{fd}},
		"offer without descriptor":  {payload: wire.Append(nil, &wire.Offer{Handles: one})},
		"offer of nothing":          {payload: wire.Append(nil, &wire.Offer{})},
		"offer of one too many":     {payload: wire.Append(nil, &wire.Offer{Handles: one}), fds: []int{fd, fd}},
		"adopt without descriptor":  {payload: wire.Append(nil, &wire.Adopt{})},
		"adopt what is no socket":   {payload: wire.Append(nil, &wire.Adopt{}), fds: []int{fd}},
		"settled in no way":         {payload: wire.Append(nil, &wire.Settle{What: 99})},
		"fetch with descriptor":     {payload: wire.Append(nil, &wire.Fetch{}), fds: []int{fd}},
		"a message of another talk": {payload: wire.Append(nil, &wire.Cancel{Cause: "x"}), fds: []int{fd}},
	} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			f := newFamily(t)
			theirs, err := f.root().Connect(t.Context(), table.Ref{Slot: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := theirs.WriteFrame(message.payload, message.fds); err != nil {
				t.Fatal(err)
			}
			if _, _, err := theirs.ReadFrame(); !errors.Is(err, io.EOF) {
				t.Errorf("the root answered, or: %v", err)
			}
			_ = theirs.Close()
			if after := descriptors(t); after > before { // fewer: those of another test, late
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
	f := newFamily(t)
	p := f.start(f.root())
	_, dup := object(t)
	if err := p.Offer(t.Context(), Parcel{ID: NewID(table.Ref{Slot: 99}, 1), To: queue, Entries: one, FDs: []int{dup}}); err == nil {
		t.Error("a parcel in the name of another process was taken")
	}
}

// FuzzRoot sends any bytes to a root as one request, with a descriptor. The
// root answers or hangs up, and goes on for others.
func FuzzRoot(f *testing.F) {
	for _, m := range []wire.Message{
		&wire.Offer{Handles: []wire.Handle{{Flags: 3}}}, &wire.Fetch{}, &wire.Adopt{}, &wire.Ack{},
		&wire.Settle{What: 1}, &wire.Hold{Delta: -5}, &wire.Reaped{},
	} {
		f.Add(wire.Append(nil, m))
	}
	family := newFamily(f)
	family.root().Hold(table.Root, queue, 1)
	f.Fuzz(func(t *testing.T, payload []byte) {
		family.t = t
		p := family.start(family.root())
		_, fd := object(t)
		defer shm.CloseFD(fd)
		if err := p.conn.WriteFrame(payload, []int{fd}); err != nil {
			t.Fatal(err)
		}
		p.die()
		root := family.root()
		root.n = uint64(family.next)
		id := root.put(queue, Entry{})
		root.fetch(id)
		root.Taken(id, nil)
		family.empty()
	})
}

// An answer that is none is an error, and no descriptor of it stays open.
func TestClientRefuses(t *testing.T) {
	for name, reply := range map[string]wire.Message{
		"of another kind":   &wire.Ack{Request: 1},
		"too few":           &wire.Fetched{Request: 1, Parcel: ID{1}, Found: true, Handles: []Entry{{}, {}}},
		"of another parcel": &wire.Fetched{Request: 1, Parcel: ID{2}, Found: true, Handles: []Entry{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			before := descriptors(t)
			ours, theirs, err := fdpass.Pair()
			if err != nil {
				t.Fatal(err)
			}
			_, fd := object(t)
			go func() {
				_, _, _ = ours.ReadFrame()
				_ = ours.WriteFrame(wire.Append(nil, reply), []int{fd})
				shm.CloseFD(fd)
			}()
			_, err = NewClient(theirs).Fetch(t.Context(), ID{1})
			if err == nil || errors.Is(err, ErrRevoked) {
				t.Errorf("fetched: %v", err)
			}
			if name != "too few" && !errors.Is(err, mperr.ErrCorrupt) {
				t.Errorf("fetched: %v, want ErrCorrupt", err)
			}
			_, _ = ours.Close(), theirs.Close()
			for begin := time.Now(); descriptors(t) > before; {
				if time.Since(begin) > 30*time.Second {
					t.Fatalf("%d descriptors before, %d after", before, descriptors(t))
				}
			}
		})
	}
}
