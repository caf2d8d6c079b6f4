// Package table knows the processes of one family: who is there, and who
// lives.
//
// The table is a shared segment that the first process makes and every child
// inherits. Each process has a slot in it and holds the slot's robust lock for
// its whole life, so that anybody learns whether a process lives by one
// atomic load.
//
// # Layout
//
//	 128  death word  uint32, changes whenever a process dies uncleanly; every
//	                  sleeper of the family sleeps on it too
//	4096  slots       MaxProcesses × 64 bytes
//
// A slot:
//
//	 0  life     robust lock, held by the process from start to end
//	16  state    uint32: bits 0..7 state, 8..19 slot of the starter, 20..31
//	             low bits of the starter's gen: its slot may be used again
//	             while its orphans still have theirs
//	20  gen      uint32, counts the processes that had this slot
//	24  pid      uint32
//	28  reserved
//	32  name     32 bytes, for people; cut off, zero filled
//
// A slot goes free → starting (its starter, by one compare-and-swap) →
// running (the process itself, once it holds life) → serving (itself, if
// others depend on it) → clean (itself, when it
// has closed what it held) → free (its starter, gen + 1). A slot whose owner
// and starter are both dead is found by the next one who looks for a free
// slot.
package table

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/futex"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// MaxProcesses is how many processes of a family can be alive at once.
const MaxProcesses = 4096

const (
	offDeath = 128
	offSlots = 4096
	slotSize = 64
	nameSize = 32
)

const (
	free = iota
	starting
	running
	clean
	serving

	stateMask    = 0xff
	starterShift = 8
	genShift     = 20
	starterMask  = MaxProcesses - 1
)

var _ [1 << (genShift - starterShift)]byte = [MaxProcesses]byte{}

// state packs what a slot's state word says of its starter.
func (r Ref) state(s uint32) uint32 { return s | r.Slot<<starterShift | r.Gen<<genShift }

type slot struct {
	life  [robust.LockSize]byte
	state uint32
	gen   uint32
	pid   uint32
	_     uint32
	name  [nameSize]byte
}

var _ [slotSize]byte = [unsafe.Sizeof(slot{})]byte{}

// Ref names one process of the family for ever: a later process in the same
// slot has another Gen.
type Ref struct{ Slot, Gen uint32 }

// Pack turns a Ref into a word for shared memory.
func (r Ref) Pack() uint64 { return uint64(r.Gen)<<32 | uint64(r.Slot) }

// Unpack turns such a word into a Ref again.
func Unpack(w uint64) Ref { return Ref{Slot: uint32(w), Gen: uint32(w >> 32)} }

// Table is this process's handle to its family's table. There is one in a
// process, and it is never closed.
type Table struct {
	seg   *shm.Segment
	death *uint32
	slots *[MaxProcesses]slot
	self  Ref
	life  robust.Lock
	hint  atomic.Uint32 // where to look for a free slot
	owes  atomic.Bool
}

// ErrFull is returned by Reserve when MaxProcesses processes are alive.
var ErrFull = errors.New("the family has as many live processes as its table holds")

// Root is the Ref of every family's first process.
var Root = Ref{}

// Create makes a new family with this process as its root.
func Create(name string) (*Table, error) {
	id := shm.NewID()
	seg, err := shm.Create(shm.Header{Kind: shm.KindFamily, ID: id, Family: id, Size: offSlots + MaxProcesses*slotSize})
	if err != nil {
		return nil, err
	}
	t, err := newTable(seg)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	t.slots[0].state = Root.state(starting)
	t.setName(0, name)
	return t, t.enter(Root)
}

// Attach joins the family behind fd as the process that ref was reserved for.
func Attach(fd int, family shm.ID, ref Ref) (*Table, error) {
	seg, err := shm.Open(fd, shm.Want{Kind: shm.KindFamily, Family: family})
	if err != nil {
		return nil, err
	}
	t, err := newTable(seg)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	return t, t.enter(ref)
}

func newTable(seg *shm.Segment) (*Table, error) {
	if seg.Size != offSlots+MaxProcesses*slotSize {
		return nil, fmt.Errorf("family table of %d bytes: %w", seg.Size, mperr.ErrCorrupt)
	}
	mem, err := seg.Map(0, seg.Size)
	if err != nil {
		return nil, err
	}
	return &Table{
		seg:   seg,
		death: (*uint32)(unsafe.Add(mem, offDeath)),
		slots: (*[MaxProcesses]slot)(unsafe.Add(mem, offSlots)),
	}, nil
}

// enter takes the life lock of the slot and marks it as running.
func (t *Table) enter(ref Ref) error {
	if ref.Slot >= MaxProcesses || atomic.LoadUint32(&t.slots[ref.Slot].gen) != ref.Gen {
		return fmt.Errorf("family table: slot %d generation %d is not this process's: %w", ref.Slot, ref.Gen, mperr.ErrCorrupt)
	}
	s := &t.slots[ref.Slot]
	id := t.seg.Family
	robust.SetFamily(id[:])
	t.life.Init(unsafe.Pointer(&s.life))
	// The last owner of the slot never unlocked: died is expected. Its word may
	// even say that it lives, see robust's owner.go.
	t.life.Reclaim()
	ok, _, err := t.life.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("family table: slot %d belongs to a live process: %w", ref.Slot, mperr.ErrCorrupt)
	}
	failpoint.Hit("table.life")
	atomic.StoreUint32(&s.pid, uint32(os.Getpid()))
	state := atomic.LoadUint32(&s.state)
	atomic.StoreUint32(&s.state, state&^stateMask|running)
	t.self = ref
	robust.SetDeathWord(t.death)
	robust.SetAudit(t.audit)
	return nil
}

// FD is the descriptor that a child inherits. It stays the table's own.
func (t *Table) FD() int { return t.seg.FD() }

// Family is the family's id.
func (t *Table) Family() shm.ID { return t.seg.ID }

// Self names this process.
func (t *Table) Self() Ref { return t.self }

// Reserve finds a slot for a child that this process is about to start. The
// starter gives it back with Release when the child was reaped or could not
// be started.
func (t *Table) Reserve(name string) (Ref, error) {
	want := t.self.state(starting)
	for sweep := range 2 {
		first := t.hint.Load()
		for i := range uint32(MaxProcesses) {
			n := (first + i) % MaxProcesses
			if n == 0 {
				continue // the root's
			}
			s := &t.slots[n]
			if sweep == 1 {
				t.reclaim(n)
			}
			if atomic.LoadUint32(&s.state) == free && t.vacant(n) && atomic.CompareAndSwapUint32(&s.state, free, want) {
				failpoint.Hit("table.reserved")
				t.setName(n, name)
				t.hint.Store(n + 1)
				return Ref{Slot: n, Gen: atomic.LoadUint32(&s.gen)}, nil
			}
		}
	}
	return Ref{}, ErrFull
}

func (t *Table) setName(n uint32, name string) {
	var b [nameSize]byte
	copy(b[:], name)
	t.slots[n].name = b
}

// Rename changes the name in the slot of a child of this process.
func (t *Table) Rename(ref Ref, name string) { t.setName(ref.Slot, name) }

// reclaim frees a slot that nobody will release: its process is dead, and so is
// the one that should have reaped it. That an own child was not reaped yet
// does not make it free.
func (t *Table) reclaim(n uint32) {
	s := &t.slots[n]
	// gen first: if the slot is freed and taken again in between, freeSlot
	// finds another gen.
	gen := atomic.LoadUint32(&s.gen)
	state := atomic.LoadUint32(&s.state)
	if state == free || t.starterLive(state) || t.Live(Ref{Slot: n, Gen: gen}) {
		return
	}
	if state&stateMask != clean {
		t.Bump() // its starter, who is dead, could not
	}
	t.freeSlot(n, gen, state)
}

// Orphan is a process that runs, or has ended and holds a slot, and whose
// starter is dead.
type Orphan struct {
	Ref
	PID     int // 0 if it has not come as far as to enter it
	Serving bool
}

// Orphans lists them. Nobody but the caller will reap them and release their
// slots.
func (t *Table) Orphans() (list []Orphan) {
	for n := range uint32(MaxProcesses) {
		s := &t.slots[n]
		gen := atomic.LoadUint32(&s.gen) // before the state, as in reclaim
		state := atomic.LoadUint32(&s.state)
		if n == 0 || state == free || t.starterLive(state) {
			continue
		}
		o := Orphan{Ref: Ref{n, gen}, Serving: state&stateMask == serving}
		if state&stateMask != starting { // or the pid is that of an earlier one
			o.PID = int(atomic.LoadUint32(&s.pid))
		}
		list = append(list, o)
	}
	return list
}

// starterLive reports whether the process lives that a state word names as the
// starter.
func (t *Table) starterLive(state uint32) bool {
	n := state >> starterShift & starterMask
	same := atomic.LoadUint32(&t.slots[n].gen)<<genShift == state&^(1<<genShift-1)
	return same && t.slotLive(n)
}

// freeSlot makes the slot's generation pass first: a Ref to the dead process
// must not come to mean the next one.
func (t *Table) freeSlot(n, gen, state uint32) {
	s := &t.slots[n]
	if atomic.CompareAndSwapUint32(&s.gen, gen, gen+1) {
		failpoint.Hit("table.aged")
		atomic.CompareAndSwapUint32(&s.state, state, free)
	}
}

// Release gives the slot of a reaped child back. Unless the child ended
// cleanly, the whole family is told to look at what it waits for.
func (t *Table) Release(ref Ref) {
	if ref.Slot >= MaxProcesses || atomic.LoadUint32(&t.slots[ref.Slot].gen) != ref.Gen {
		return
	}
	state := atomic.LoadUint32(&t.slots[ref.Slot].state)
	if state&stateMask != clean {
		t.Bump()
	}
	t.freeSlot(ref.Slot, ref.Gen, state)
}

// Bump wakes every sleeper of the family.
func (t *Table) Bump() {
	atomic.AddUint32(t.death, 1)
	futex.Wake(t.death, 1<<30)
}

// Owe says that this process has accounts in shared memory that others close for it
// when it has ended: they are told then, however it ends.
func (t *Table) Owe() {
	if !t.owes.Load() { // a store each time would cost as much as a lock
		t.owes.Store(true)
	}
}

// Leave marks this process as ending in order: it holds no lock and no end of
// a pipe any more.
func (t *Table) Leave() {
	if t.owes.Load() {
		return
	}
	s := &t.slots[t.self.Slot]
	atomic.StoreUint32(&s.state, atomic.LoadUint32(&s.state)&^stateMask|clean)
}

// Serve marks this process as one that others depend on.
func (t *Table) Serve() {
	s := &t.slots[t.self.Slot]
	atomic.StoreUint32(&s.state, atomic.LoadUint32(&s.state)&^stateMask|serving)
	failpoint.Hit("table.serving")
}

// Served reports whether a process lives that has the same starter as this one
// and is not one that others depend on.
func (t *Table) Served() bool {
	const starter = ^uint32(stateMask)
	own := atomic.LoadUint32(&t.slots[t.self.Slot].state) & starter
	for n := range uint32(MaxProcesses) {
		state := atomic.LoadUint32(&t.slots[n].state)
		if n != 0 && n != t.self.Slot && state&starter == own && state&stateMask == running && t.slotLive(n) {
			return true
		}
	}
	return false
}

// Live reports whether the process lives. One that is being started counts
// as alive for as long as its starter is.
func (t *Table) Live(ref Ref) bool {
	if ref.Slot >= MaxProcesses || atomic.LoadUint32(&t.slots[ref.Slot].gen) != ref.Gen {
		return false
	}
	return t.slotLive(ref.Slot)
}

func (t *Table) slotLive(n uint32) bool {
	// A chain of starters ends at a running process; the bound is against a
	// corrupted table.
	for range 64 {
		s := &t.slots[n]
		state := atomic.LoadUint32(&s.state)
		switch state & stateMask {
		case running, serving, clean:
			var life robust.Lock
			life.Init(unsafe.Pointer(&s.life))
			return life.OwnerAlive()
		case starting:
			n = state >> starterShift & starterMask
			if atomic.LoadUint32(&t.slots[n].gen)<<genShift != state&^(1<<genShift-1) {
				return false
			}
		default:
			return false
		}
	}
	return false
}

// PID is the process id in a slot, 0 before it has one.
func (t *Table) PID(ref Ref) int {
	if ref.Slot >= MaxProcesses || atomic.LoadUint32(&t.slots[ref.Slot].gen) != ref.Gen {
		return 0
	}
	return int(atomic.LoadUint32(&t.slots[ref.Slot].pid))
}
