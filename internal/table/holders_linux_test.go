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
		if err := h.Add(t.Context(), ref, delta); err != nil {
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
		if err := h.Add(t.Context(), ref, 1); err != nil {
			t.Fatal(err)
		}
	}
	last := reserve(t, tab, "")
	if err := h.Add(t.Context(), last, 1); err == nil {
		t.Errorf("one more than fit: %v", err)
	}
	if err := h.Add(t.Context(), refs[50], 1); err != nil { // counts in its place
		t.Error(err)
	}
	tab.Release(refs[70])
	if err := h.Add(t.Context(), last, 1); err != nil {
		t.Errorf("with a place of the dead: %v", err)
	}
	for i, ref := range append(refs, last) {
		if i != 70 {
			if err := h.Add(t.Context(), ref, -2); err != nil {
				t.Error(err)
			}
		}
	}
	if h.Any() {
		t.Error("somebody holds")
	}
}

// An object is handed on and back, from the last place to the first: at every
// moment somebody holds it, and Any, which looks from the first to the last,
// never says otherwise.
func TestHoldersHandedOn(t *testing.T) {
	tab := newFamily(t)
	h, _ := newHolders(t, tab)
	a, b := reserve(t, tab, ""), reserve(t, tab, "")
	h.m.used = maxHolders
	for i := 1; i < maxHolders-1; i++ { // the dead in between make a look last
		h.m.entries[i].ref, h.m.entries[i].count = Ref{Slot: 5, Gen: 99}.Pack(), countWord(1, Ref{Slot: 5, Gen: 99}.Pack())
	}
	last := &h.m.entries[maxHolders-1]
	last.ref, last.count = a.Pack(), countWord(1, a.Pack())
	var stop atomic.Bool
	done := make(chan error)
	go func() {
		var err error
		for err == nil && !stop.Load() {
			if err = h.Add(t.Context(), b, 1); err == nil {
				err = h.Add(t.Context(), a, -1)
			}
			// Back to the last place, where Add would not put it.
			atomic.StoreUint64(&last.count, countWord(1, last.ref))
			atomic.AddUint32(&h.m.version, 1)
			if err == nil {
				err = h.Add(t.Context(), b, -1)
			}
		}
		done <- err
	}()
	for range 1_000_000 {
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
