package fdbroker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"multiproc/internal/fdpass"
	"multiproc/internal/shm"
	"multiproc/internal/table"
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

// counts stands for the holders of all ends of pipes: by object and process.
type counts struct {
	mu sync.Mutex
	n  map[shm.ID]map[table.Ref]int
	no error // Hold of this process fails
	of table.Ref
}

type countedEnd struct {
	c  *counts
	id shm.ID
}

func (c *counts) open(_ int, e Entry) (Holder, error) { return countedEnd{c, e.ID}, nil }

func (h countedEnd) Hold(_ context.Context, who table.Ref, delta int) error {
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	if delta > 0 && h.c.no != nil && who == h.c.of {
		return h.c.no
	}
	if h.c.n[h.id] == nil {
		h.c.n[h.id] = map[table.Ref]int{}
	}
	if h.c.n[h.id][who] += delta; h.c.n[h.id][who] == 0 {
		delete(h.c.n[h.id], who)
	}
	return nil
}

func (countedEnd) Close() {}

// forget makes an end held by nobody.
func (c *counts) forget(id shm.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[id] = nil
}

// fail makes Hold of a process fail.
func (c *counts) fail(who table.Ref, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.no, c.of = err, who
}

func (c *counts) holders(id shm.ID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.n[id])
}

// family is a root and its members.
type family struct {
	*Root
	pipes counts
	t     testing.TB
	next  uint32
}

func newFamily(t testing.TB) *family {
	t.Helper()
	f := &family{t: t, pipes: counts{n: map[shm.ID]map[table.Ref]int{}}}
	f.Root = NewRoot(table.Root, f.pipes.open)
	return f
}

// process is a member: its broker, and its place.
type process struct {
	Broker
	f    *family
	ref  table.Ref
	conn *fdpass.Conn // nil for the root
	n    uint64
}

func (f *family) root() *process { return &process{Broker: f.Broker(), f: f} }

// start makes a member by way of another.
func (f *family) start(from Broker) *process {
	f.t.Helper()
	f.next++
	p := &process{f: f, ref: table.Ref{Slot: f.next, Gen: 7}}
	conn, err := from.Connect(f.t.Context(), p.ref)
	if err != nil {
		f.t.Fatal(err)
	}
	p.conn, p.Broker = conn, NewClient(conn)
	f.t.Cleanup(func() { _ = conn.Close() })
	return p
}

// die ends a member; the root has seen it when die returns.
func (p *process) die() {
	p.f.t.Helper()
	_ = p.conn.Close()
	p.f.eventually(func() bool { return p.f.members[p.ref] == nil }, "the root saw the end of %v", p.ref)
}

// eventually waits for a state of the root.
func (f *family) eventually(ok func() bool, format string, a ...any) {
	f.t.Helper()
	for begin := time.Now(); ; {
		f.mu.Lock()
		done := ok()
		f.mu.Unlock()
		if done {
			return
		}
		if time.Since(begin) > 30*time.Second {
			f.t.Fatalf("waited in vain: "+format, a...)
		}
	}
}

// empty waits until the root holds nothing.
func (f *family) empty() {
	f.t.Helper()
	f.eventually(func() bool { return len(f.parcels) == 0 }, "no parcel is left")
}

var (
	queue = Carrier{Object: [16]byte{1}}
	other = Carrier{Object: [16]byte{2}}
)

// offer deposits one object for a message in a carrier.
func (p *process) offer(to Carrier, e Entry) ID {
	p.f.t.Helper()
	id, fd := object(p.f.t)
	if e.ID == (shm.ID{}) {
		e.ID = id
	}
	p.n++
	name := NewID(p.ref, p.n)
	if err := p.Offer(p.f.t.Context(), Parcel{ID: name, To: to, Entries: []Entry{e}, FDs: []int{fd}}); err != nil {
		p.f.t.Fatal(err)
	}
	return name
}

func (p *process) put(to Carrier, e Entry) ID {
	p.f.t.Helper()
	id := p.offer(to, e)
	p.Commit(id)
	p.sync()
	return id
}

// sync returns when the root has dealt with what the process has said.
func (p *process) sync() {
	p.f.t.Helper()
	if _, err := p.Fetch(p.f.t.Context(), ID{1}); !errors.Is(err, ErrRevoked) {
		p.f.t.Fatalf("a parcel that nobody has offered: %v", err)
	}
}

func (p *process) fetch(id ID) {
	p.f.t.Helper()
	in, err := p.Fetch(p.f.t.Context(), id)
	if err != nil {
		p.f.t.Fatal(err)
	}
	in.close()
}

func (p *process) gone(id ID) {
	p.f.t.Helper()
	if _, err := p.Fetch(p.f.t.Context(), id); !errors.Is(err, ErrRevoked) {
		p.f.t.Errorf("parcel %x is still there: %v", id, err)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
