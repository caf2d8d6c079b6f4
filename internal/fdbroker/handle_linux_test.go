package fdbroker

import (
	"errors"
	"fmt"
	"testing"

	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// A parcel is good for one message, through every kind of broker, and the root
// forgets it then.
func TestParcels(t *testing.T) {
	f := newFamily(t)
	root := f.root()
	child := f.start(root)
	grandchild := f.start(child) // by Adopt
	for _, from := range []*process{root, child, grandchild} {
		for _, to := range []*process{root, child, grandchild} {
			t.Run(fmt.Sprint(from.ref, to.ref), func(t *testing.T) {
				to.Hold(to.ref, queue, 1)
				to.sync()
				objects, p := []shm.ID{}, Parcel{To: queue}
				for range 300 { // more than go into one message of the kernel's
					id, fd := object(t)
					objects, p.FDs = append(objects, id), append(p.FDs, fd)
					p.Entries = append(p.Entries, Entry{ID: id})
				}
				from.n++
				p.ID = NewID(from.ref, from.n)
				if err := from.Offer(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				from.Commit(p.ID)
				in, err := to.Fetch(t.Context(), p.ID)
				if err != nil {
					t.Fatal(err)
				}
				for i, fd := range in.FDs {
					if in.Entries[i].ID != objects[i] {
						t.Fatalf("entry %d is of %x, want %x", i, in.Entries[i].ID, objects[i])
					}
					opens(t, fd, objects[i])
				}
				to.Taken(p.ID, nil)
				to.gone(p.ID)
				to.Hold(to.ref, queue, -1)
				f.empty()
			})
		}
	}
}

// What is put stays when its putter dies; what is not put yet does not.
func TestOffererGone(t *testing.T) {
	f := newFamily(t)
	taker, putter := f.start(f.root()), f.start(f.root())
	taker.Hold(taker.ref, queue, 1)
	taker.sync()
	put, not := putter.put(queue, Entry{}), putter.offer(queue, Entry{})
	putter.die()
	taker.gone(not)
	taker.fetch(put)
	taker.Taken(put, nil)
	taker.sync()
	f.empty()
}

// What one has taken, or may have, goes with it; unless another has it on loan.
func TestTakerGone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		then  func(id ID, one, two *process)
		there bool
	}{
		{"alone", func(_ ID, one, _ *process) { one.die() }, false},
		{"returned", func(id ID, one, _ *process) { one.Returned(id); one.sync(); one.die() }, true},
		{"returned once of two", func(id ID, one, _ *process) { one.fetch(id); one.Returned(id); one.sync(); one.die() }, false},
		{"lent to two", func(id ID, one, two *process) { two.fetch(id); one.die() }, true},
		{"and the other returns it", func(id ID, one, two *process) { two.fetch(id); one.die(); two.Returned(id); two.sync() }, false},
		{"and the other dies, too", func(id ID, one, two *process) { two.fetch(id); one.die(); two.die() }, false},
		{"and the other takes it", func(id ID, one, two *process) { two.fetch(id); one.die(); two.Taken(id, nil); two.sync() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFamily(t)
			root, one, two := f.root(), f.start(f.root()), f.start(f.root())
			root.Hold(table.Root, queue, 1)
			id := root.put(queue, Entry{})
			one.fetch(id)
			tt.then(id, one, two)
			if there := f.Len() == 1; there != tt.there {
				t.Errorf("the parcel is there: %v, want %v", there, tt.there)
			}
		})
	}
}

// Ends of pipes are counted for the root while they are under way, and for who
// has them on loan.
func TestEndsAreCounted(t *testing.T) {
	f := newFamily(t)
	root, one := f.root(), f.start(f.root())
	root.Hold(table.Root, queue, 1)
	end := shm.ID{9}
	want := func(what, holders string) {
		t.Helper()
		f.eventually(func() bool { return f.pipes.holders(end) == holders }, "%s: held by %s, not %s", what, holders, f.pipes.holders(end))
	}
	id := one.put(queue, Entry{ID: end, Flags: End})
	want("put", "map[{0 0}:1]")
	one.fetch(id)
	want("fetched", "map[{0 0}:1 {1 7}:1]")
	one.Returned(id)
	want("returned", "map[{0 0}:1]")
	one.fetch(id)
	one.Taken(id, nil)
	want("taken", "map[{1 7}:1]")
	f.pipes.forget(end)
	id = one.put(queue, Entry{ID: end, Flags: End})
	one.fetch(id)
	one.Taken(id, []int{0})
	want("taken, and not wanted", "map[]")
	id = one.offer(queue, Entry{ID: end, Flags: End})
	one.Revoke(id)
	want("revoked", "map[]")

	f.pipes.fail(one.ref, errors.New("too many hold it"))
	id = root.put(queue, Entry{ID: end, Flags: End})
	if _, err := one.Fetch(t.Context(), id); err == nil || err.Error() != "too many hold it" {
		t.Errorf("one too many: %v", err)
	}
	want("refused", "map[{0 0}:1]")
	f.pipes.fail(table.Root, errors.New("too many hold it"))
	_, fd := object(t)
	err := one.Offer(t.Context(), Parcel{ID: NewID(one.ref, 99), To: queue, Entries: []Entry{{ID: end, Flags: End}}, FDs: []int{fd}})
	if err == nil || err.Error() != "too many hold it" {
		t.Errorf("one too many: %v", err)
	}
	one.sync()
	want("refused", "map[{0 0}:1]")
	f.pipes.fail(table.Root, nil)
	root.fetch(id)
	root.Taken(id, []int{0})
	f.empty()
}
