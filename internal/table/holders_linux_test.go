package table

import (
	"sync/atomic"
	"testing"
)

func TestHolders(t *testing.T) {
	tab := newFamily(t)
	h, seg := newHolders(t, tab)
	add := func(ref Ref, delta int) {
		t.Helper()
		if err := h.Add(ref, delta); err != nil {
			t.Fatal(err)
		}
	}
	want := func(any bool) {
		t.Helper()
		if h.Any() != any {
			t.Errorf("Any is %v", !any)
		}
	}
	want(false)
	add(Root, -1) // held nothing
	want(false)
	add(Root, 2)
	add(Root, -1)
	want(true)
	add(Root, -5)
	want(false)

	// It holds as long as it lives, and is counted from when it is reserved.
	c, ref := member(t, tab, seg)
	c.Say("hold 1")
	c.Expect("held")
	want(true)
	c.Kill()
	want(false)
	tab.Release(ref)
	want(false)
	// The next process in the same slot holds nothing.
	tab.hint.Store(ref.Slot)
	c, again := member(t, tab, seg)
	if again.Slot != ref.Slot {
		t.Fatal(again)
	}
	want(false)
	add(again, 1)
	want(true)
	if used := h.m.used; used > 2 {
		t.Errorf("%d entries in use: the places of the dead are not used again", used)
	}
	c.Say("hold -1")
	c.Expect("held")
	want(false)
}

func TestHoldersFull(t *testing.T) {
	tab := newFamily(t)
	h, _ := newHolders(t, tab)
	var refs []Ref
	for range maxHolders {
		ref := reserve(t, tab, "")
		refs = append(refs, ref)
		if err := h.Add(ref, 1); err != nil {
			t.Fatal(err)
		}
	}
	last := reserve(t, tab, "")
	if err := h.Add(last, 1); err == nil {
		t.Errorf("one more than fit: %v", err)
	}
	if err := h.Add(refs[50], 1); err != nil { // counts in its place
		t.Error(err)
	}
	tab.Release(refs[70])
	if err := h.Add(last, 1); err != nil {
		t.Errorf("with a place of the dead: %v", err)
	}
	for i, ref := range append(refs, last) {
		if i != 70 {
			if err := h.Add(ref, -2); err != nil {
				t.Error(err)
			}
		}
	}
	if h.Any() {
		t.Error("somebody holds")
	}
}

// An object is handed round and round: at every moment somebody holds it, and
// Any never says otherwise.
func TestHoldersHandedOn(t *testing.T) {
	tab := newFamily(t)
	h, _ := newHolders(t, tab)
	refs := make([]Ref, 5)
	for i := range refs {
		refs[i] = reserve(t, tab, "")
	}
	if err := h.Add(refs[0], 1); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for i := 0; err == nil && !stop.Load(); i++ {
			// In both directions, so that entries come before and after.
			from, to := i%len(refs), (i+1)%len(refs)
			if err = h.Add(refs[to], 1); err == nil {
				err = h.Add(refs[from], -1)
			}
		}
		done <- err
	}()
	for range 300_000 {
		if !h.Any() {
			t.Error("nobody held it for a moment")
			break
		}
	}
	stop.Store(true)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func BenchmarkLive(b *testing.B) {
	tab := newFamily(b)
	for range b.N {
		_ = tab.Live(Root)
	}
}
