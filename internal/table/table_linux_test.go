package table

import (
	"bytes"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
)

func TestLayoutGolden(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"offDeath", offDeath, 128},
		{"offSlots", offSlots, 4096},
		{"MaxProcesses", MaxProcesses, 4096},
		{"sizeof slot", unsafe.Sizeof(slot{}), 64},
		{"life", unsafe.Offsetof(slot{}.life), 0},
		{"state", unsafe.Offsetof(slot{}.state), 16},
		{"gen", unsafe.Offsetof(slot{}.gen), 20},
		{"pid", unsafe.Offsetof(slot{}.pid), 24},
		{"name", unsafe.Offsetof(slot{}.name), 32},
		{"holders.used", unsafe.Offsetof(holders{}.used), 16},
		{"holders.version", unsafe.Offsetof(holders{}.version), 20},
		{"holders.entries", unsafe.Offsetof(holders{}.entries), 32},
		{"HoldersSize", HoldersSize, 2048},
		{"states", free<<24 | starting<<16 | running<<8 | clean, 0<<24 | 1<<16 | 2<<8 | 3},
		{"serving", serving, 4},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, want %d", c.name, c.got, c.want)
		}
	}
	r := Ref{Slot: 0x123, Gen: 0x45678}
	if r.Pack() != 0x45678_00000123 || Unpack(r.Pack()) != r {
		t.Errorf("packed %#x", r.Pack())
	}
	if s := r.state(running); s != 0x678_123_02 {
		t.Errorf("state %#x", s)
	}
}

func TestLife(t *testing.T) {
	tab := newFamily(t)
	if tab.Self() != Root || !tab.Live(Root) || tab.PID(Root) != os.Getpid() {
		t.Errorf("root: %v live=%v pid=%d", tab.Self(), tab.Live(Root), tab.PID(Root))
	}
	ref := reserve(t, tab, "a name that is longer than the slot can hold")
	if !tab.Live(ref) || tab.PID(ref) != 0 {
		t.Errorf("starting: live=%v pid=%d", tab.Live(ref), tab.PID(ref))
	}
	if name := tab.slots[ref.Slot].name; !bytes.HasPrefix(name[:], []byte("a name that is longer")) {
		t.Errorf("name %q", name)
	}
	c := start(t, tab, ref, nil)
	c.Expect("in")
	if !tab.Live(ref) || tab.PID(ref) != c.PID() {
		t.Errorf("running: live=%v pid=%d, want %d", tab.Live(ref), tab.PID(ref), c.PID())
	}
	before := deaths(tab)
	c.Kill()
	if tab.Live(ref) {
		t.Error("the dead lives")
	}
	if deaths(tab) != before {
		t.Error("the death word changed before anybody reaped")
	}
	tab.Release(ref)
	if deaths(tab) == before {
		t.Error("an unclean death changed no death word")
	}
	if tab.Live(ref) || tab.PID(ref) != 0 {
		t.Errorf("released: live=%v pid=%d", tab.Live(ref), tab.PID(ref))
	}
	before = deaths(tab)
	tab.Release(ref) // twice does nothing, also when the slot is another's
	tab.hint.Store(ref.Slot)
	again, cr := member(t, tab, nil)
	if cr != (Ref{Slot: ref.Slot, Gen: ref.Gen + 1}) {
		t.Errorf("the slot's next process is %v, after %v", cr, ref)
	}
	tab.Release(ref)
	if deaths(tab) != before || !tab.Live(cr) || tab.Live(ref) {
		t.Errorf("releasing %v disturbed %v", ref, cr)
	}
	again.Say("leave")
	again.Expect("left")
	if !tab.Live(cr) {
		t.Error("one that leaves lives until it ends")
	}
	again.Kill()
	tab.Release(cr)
	if deaths(tab) != before || tab.Live(cr) {
		t.Error("a clean end woke the family, or left the slot live")
	}
	// One that could not be started.
	lost := reserve(t, tab, "")
	tab.Release(lost)
	if tab.Live(lost) {
		t.Error("a slot that was given back lives")
	}
}

func TestAttachRefuses(t *testing.T) {
	tab := newFamily(t)
	ref := reserve(t, tab, "")
	fd := func() int {
		fd, err := tab.seg.Dup()
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	for _, c := range []struct {
		name   string
		fd     int
		family shm.ID
		ref    Ref
		want   error
	}{
		{"another generation", fd(), tab.Family(), Ref{ref.Slot, ref.Gen + 1}, mperr.ErrCorrupt},
		{"no slot", fd(), tab.Family(), Ref{Slot: MaxProcesses}, mperr.ErrCorrupt},
		{"a live process's slot", fd(), tab.Family(), Root, mperr.ErrCorrupt},
		{"another family", fd(), shm.NewID(), ref, mperr.ErrForeign},
	} {
		if _, err := Attach(c.fd, c.family, c.ref); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	_, seg := newHolders(t, tab)
	dup, err := seg.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(dup, tab.Family(), ref); !errors.Is(err, mperr.ErrType) {
		t.Errorf("not a table: %v", err)
	}
	small, err := shm.Create(shm.Header{Kind: shm.KindFamily, Size: 4096})
	if err != nil {
		t.Fatal(err)
	}
	if dup, err = small.Dup(); err != nil {
		t.Fatal(err)
	}
	if _, err := Attach(dup, shm.ID{}, ref); !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("a short table: %v", err)
	}
}

// A starter dies before its child runs: nobody will release the slot, and
// whoever runs out of slots takes it.
func TestStarterDies(t *testing.T) {
	tab := newFamily(t)
	starter, sref := member(t, tab, nil)
	starter.Say("reserve")
	planned := refOf(t, starter.Hear())
	starter.Say("reserve")
	orphan := refOf(t, starter.Hear())
	grandchild := start(t, tab, orphan, nil)
	grandchild.Expect("in")
	starter.Kill()
	if tab.Live(planned) {
		t.Error("a process whose starter is dead is still being started")
	}
	if !tab.Live(orphan) {
		t.Error("the orphan is not live")
	}
	tab.Release(sref)
	// The starter's slot goes to a process that lives on: it is not the
	// orphan's starter.
	tab.hint.Store(sref.Slot)
	_, heir := member(t, tab, nil)
	if heir.Slot != sref.Slot {
		t.Fatalf("%v did not get the slot of %v", heir, sref)
	}
	grandchild.Kill()
	if tab.Live(orphan) {
		t.Error("the dead orphan lives")
	}
	before := deaths(tab)
	taken := fill(t, tab)
	if !taken[Ref{planned.Slot, planned.Gen + 1}] || !taken[Ref{orphan.Slot, orphan.Gen + 1}] {
		t.Error("the orphans' slots were not found")
	}
	if deaths(tab) == before {
		t.Error("nobody was told of the orphan's death")
	}
}

// fill takes every slot there is.
func fill(t *testing.T, tab *Table) map[Ref]bool {
	t.Helper()
	taken := map[Ref]bool{}
	for range MaxProcesses {
		ref, err := tab.Reserve("x")
		if errors.Is(err, ErrFull) {
			return taken
		}
		if err != nil || taken[ref] || ref.Slot == 0 || ref.Slot >= MaxProcesses {
			t.Fatalf("reserved %v: %v", ref, err)
		}
		taken[ref] = true
	}
	t.Fatal("the table is never full")
	return nil
}

func TestTableFull(t *testing.T) {
	tab := newFamily(t)
	taken := fill(t, tab)
	if len(taken) != MaxProcesses-1 {
		t.Errorf("%d slots, want %d", len(taken), MaxProcesses-1)
	}
	for ref := range taken {
		tab.Release(ref)
		again, err := tab.Reserve("y")
		if err != nil || again != (Ref{ref.Slot, ref.Gen + 1}) {
			t.Fatalf("after releasing %v: %v, %v", ref, again, err)
		}
		break
	}
}

// A table of any bytes gives answers.
func TestCorruptTable(t *testing.T) {
	tab := newFamily(t)
	for i := range uint32(64) {
		s := &tab.slots[i+1]
		atomic.StoreUint32(&s.state, 0x01010101*i^i<<7|i%5)
		atomic.StoreUint32(&s.gen, i*0x10000001)
	}
	// A circle of starters.
	tab.slots[100].state = Ref{Slot: 101}.state(starting)
	tab.slots[101].state = Ref{Slot: 100}.state(starting)
	for i := range uint32(200) {
		for _, gen := range []uint32{0, 1, i * 0x10000001} {
			_ = tab.Live(Ref{i, gen})
			_ = tab.PID(Ref{i, gen})
		}
	}
	if tab.Live(Ref{Slot: 100}) || tab.Live(Ref{Slot: 1 << 31}) || tab.PID(Ref{Slot: 1 << 31}) != 0 {
		t.Error("a circle of starters lives")
	}
	tab.Release(Ref{Slot: 1 << 31})
	for i := range uint32(200) {
		tab.reclaim(i + 1)
	}
	if _, err := tab.Reserve("z"); err != nil {
		t.Error(err)
	}
}
