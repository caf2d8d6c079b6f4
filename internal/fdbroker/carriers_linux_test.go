package fdbroker

import (
	"testing"
)

// A parcel goes with its carrier, and carriers in it go with theirs.
func TestCarrierGone(t *testing.T) {
	in := func(c Carrier) Entry { return Entry{ID: c.Object, Ring: c.Ring, Flags: Carries} }
	for _, tt := range []struct {
		name string
		do   func(f *family, one, two *process)
		left int
	}{
		{"closed", func(_ *family, one, _ *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, queue, -1)
		}, 0},
		{"its holder died", func(_ *family, one, _ *process) { one.put(queue, Entry{}); one.die() }, 0},
		{"another holds it", func(f *family, one, two *process) {
			one.put(queue, Entry{})
			two.Hold(two.ref, queue, 1)
			two.sync()
			one.die()
		}, 1},
		{"given to a child that is being started", func(f *family, one, two *process) {
			one.put(queue, Entry{})
			one.Hold(two.ref, queue, 1)
			one.Hold(one.ref, queue, -1)
			one.sync()
		}, 1},
		{"and that dies", func(f *family, one, two *process) {
			one.put(queue, Entry{})
			one.Hold(two.ref, queue, 1)
			one.Hold(one.ref, queue, -1)
			one.sync()
			two.die()
		}, 0},
		{"closed while a message is under way", func(_ *family, one, _ *process) {
			id := one.offer(queue, Entry{})
			one.Hold(one.ref, queue, -1)
			one.Commit(id)
		}, 0},
		{"in another", func(_ *family, one, _ *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, other, 1)
			one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
		}, 2},
		{"in another, which is closed", func(_ *family, one, _ *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, other, 1)
			one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
			one.Hold(one.ref, other, -1)
		}, 0},
		{"in another, out of which it is taken", func(_ *family, one, two *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, other, 1)
			id := one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
			one.sync()
			two.fetch(id)
			two.Taken(id, nil)
			two.sync()
			one.die()
		}, 1},
		{"and then closed", func(_ *family, one, two *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, other, 1)
			id := one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
			one.sync()
			two.fetch(id)
			two.Taken(id, nil)
			two.Hold(two.ref, queue, -1)
			two.sync()
		}, 0},
		{"and its taker does not want it", func(_ *family, one, two *process) {
			one.put(queue, Entry{})
			one.Hold(one.ref, other, 1)
			id := one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
			one.sync()
			two.fetch(id)
			two.Taken(id, []int{0})
			two.sync()
		}, 0},
		{"in itself", func(_ *family, one, _ *process) {
			one.put(queue, in(queue))
			one.Hold(one.ref, queue, -1)
		}, 0},
		{"in each other", func(_ *family, one, _ *process) {
			one.Hold(one.ref, other, 1)
			one.put(queue, in(other))
			one.put(other, in(queue))
			one.Hold(one.ref, other, -1)
			one.Hold(one.ref, queue, -1)
		}, 0},
		{"in each other, and one is held", func(_ *family, one, _ *process) {
			one.Hold(one.ref, other, 1)
			one.put(queue, in(other))
			one.put(other, in(queue))
			one.Hold(one.ref, queue, -1)
		}, 2},
		{"in a chain", func(_ *family, one, _ *process) {
			last := queue
			for i := range byte(100) {
				next := Carrier{Object: [16]byte{100, i}}
				one.Hold(one.ref, next, 1)
				one.put(next, in(last))
				one.Hold(one.ref, last, -1)
				last = next
			}
			one.die()
		}, 0},
		{"a loan ends after it", func(_ *family, one, two *process) {
			id := one.put(queue, Entry{})
			two.fetch(id)
			one.die()
			two.Returned(id)
			two.sync()
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFamily(t)
			one, two := f.start(f.root()), f.start(f.root())
			one.Hold(one.ref, queue, 1)
			one.sync()
			tt.do(f, one, two)
			if f.members[one.ref] != nil {
				one.sync()
			}
			if n := f.Len(); n != tt.left {
				t.Errorf("%d parcels are left, want %d", n, tt.left)
			}
			_, _ = one.conn.Close(), two.conn.Close()
			f.empty()
			f.eventually(func() bool { return len(f.carriers) == 1 }, "only the root itself is a carrier") // of its children's answers
		})
	}
}

// What a child offers to its starter waits until that knows what has become of
// the child.
func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(f *family, starter, child *process, id ID)
		left int
	}{
		{"died", func(_ *family, _, child *process, _ ID) { child.die() }, 1},
		{"died and reaped", func(_ *family, starter, child *process, _ ID) { child.die(); starter.Reaped(child.ref, ID{}) }, 0},
		{"reaped, and then seen to die", func(_ *family, starter, child *process, _ ID) {
			starter.Reaped(child.ref, ID{})
			starter.sync()
			child.die()
		}, 0},
		{"answered", func(_ *family, starter, child *process, id ID) { child.die(); starter.Reaped(child.ref, id) }, 1},
		{"answered and not wanted", func(_ *family, starter, child *process, id ID) {
			child.die()
			starter.Reaped(child.ref, id)
			starter.Taken(id, nil)
		}, 0},
		{"the starter died", func(_ *family, starter, child *process, _ ID) { child.die(); starter.die() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFamily(t)
			starter := f.start(f.root())
			child := f.start(starter)
			tt.do(f, starter, child, child.offer(ToProcess(starter.ref), Entry{}))
			if f.members[starter.ref] != nil {
				starter.sync()
			}
			if n := f.Len(); n != tt.left {
				t.Errorf("%d parcels are left, want %d", n, tt.left)
			}
		})
	}
	f := newFamily(t)
	starter := f.start(f.root())
	child := f.start(starter)
	starter.die()
	child.offer(ToProcess(starter.ref), Entry{})
	f.empty()
}
