package table

import (
	"sync/atomic"
	"testing"
	"unsafe"
)

// flips calls f with each bit of the memory flipped, and puts it back.
func flips(p unsafe.Pointer, size int, f func(bit int)) {
	b := unsafe.Slice((*byte)(p), size)
	sound := append([]byte{}, b...)
	for bit := range 8 * size {
		b[bit/8] ^= 1 << (bit % 8)
		f(bit)
		copy(b, sound)
	}
}

// Whatever bit flips in what a pipe's end knows of its holders, or in the slot of
// a dead one: Add ends, and the pipe is not held for ever.
func TestFlipsHoldNothing(t *testing.T) {
	tab := newFamily(t)
	h, seg := newHolders(t, tab)
	t.Cleanup(func() { _ = seg.Close() })
	c, ref := member(t, tab, seg)
	c.Say("hold 1")
	c.Expect("held")
	for _, delta := range []int{1, -1} { // an entry that this process has left
		if err := h.Add(t.Context(), tab.Self(), delta); err != nil {
			t.Fatal(err)
		}
	}
	if !h.Any() {
		t.Fatal("nobody holds it")
	}
	c.Kill()
	if h.Any() {
		t.Fatal("a dead process holds it")
	}
	gone := func(bit int) {
		if h.Any() {
			tab.audit()
		}
		if h.Any() {
			t.Errorf("bit %d: held by nobody who lives", bit)
		}
	}
	flips(unsafe.Pointer(h.m), 32+4*16, func(bit int) {
		gone(bit)
		for _, delta := range []int{1, -1} {
			if err := h.Add(t.Context(), tab.Self(), delta); err != nil {
				t.Errorf("bit %d: %v", bit, err)
			}
		}
	})
	life := &tab.slots[ref.Slot].life
	flips(unsafe.Pointer(life), len(life), gone)
}

// Whatever bit flips in a slot that is free: processes find room.
func TestFlipsLeaveRoom(t *testing.T) {
	tab := newFamily(t)
	s := &tab.slots[1]
	flips(unsafe.Pointer(s), int(unsafe.Sizeof(*s)), func(bit int) {
		tab.hint.Store(1)
		ref := reserve(t, tab, "z")
		tab.Release(ref)
		atomic.StoreUint32(&tab.slots[2].gen, 0)
	})
	// A life word that names nobody, and one of a process that lives there
	// although the slot says that it is free.
	words := (*[2]uint64)(unsafe.Pointer(&s.life))
	words[1] = 1<<32 | 1<<31 | 1
	tab.hint.Store(1)
	c, ref := member(t, tab, nil)
	if ref.Slot != 1 {
		t.Errorf("got slot %d", ref.Slot)
	}
	atomic.StoreUint32(&s.state, free)
	tab.hint.Store(1)
	if again := reserve(t, tab, "y"); again.Slot == 1 {
		t.Error("got the slot of a process that lives")
	}
	c.Kill()
}

// The slot of a process is made good by the process, and what it says of the
// dead by those who wait for them.
func TestAudit(t *testing.T) {
	tab := newFamily(t)
	me := &tab.slots[tab.self.Slot]
	flips(unsafe.Pointer(&me.state), 8, func(bit int) {
		tab.audit()
		if bit >= 32 && !tab.Live(tab.Self()) {
			t.Errorf("bit %d: this process does not live", bit)
		}
	})
}
