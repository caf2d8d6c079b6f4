package store

import (
	"testing"
)

// Whatever is held when an owner ends is told once for each Hold, but for what
// it has left in order.
func TestHolds(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{PID: 17})
	a, boxA := create(t, s.Join(Client{}))
	b, boxB := create(t, s.Join(Client{}))
	o := ss.Channel()
	do := func(id uint64, method string) {
		r := &reply{}
		r.Method, r.Owner = method, o
		ss.Begin(&r.Call, id, replier{r})
	}
	for _, id := range []uint64{a, a, a, b, b} {
		do(id, "hold")
	}
	do(a, "release")
	o.Drop(boxB)
	o.Drop(boxB)
	o.Drop(boxB) // once too often
	do(b, "hold")
	if o.PID() != 17 || o.Gone() {
		t.Error("the owner is not itself")
	}
	ss.EndOwner(o, func(id uint64) bool { return id == b })
	if boxA.goneCount() != 2 || boxB.goneCount() != 0 {
		t.Errorf("told %d and %d times, want 2 and 0", boxA.goneCount(), boxB.goneCount())
	}
	ss.EndOwner(o, nil)
	ss.End(nil)
	if boxA.goneCount() != 2 || boxB.goneCount() != 0 {
		t.Error("told again")
	}
}

// A Hold of an owner that is gone already is told too, though the object's
// mutex is held.
func TestHoldAfterTheEnd(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, s.Join(Client{}))
	ss.End(nil)
	begin(ss, id, "hold")
	<-b.told
	if o := ss.Channel(); !o.Gone() {
		t.Error("a session that has ended has a new owner")
	}
}

// One channel's end does nothing to the others.
func TestChannelsAreApart(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, ss)
	var owners [3]Owner
	var calls [3]*reply
	for i := range owners {
		owners[i], calls[i] = ss.Channel(), &reply{}
		calls[i].Method, calls[i].Owner = "wait", owners[i]
		ss.Begin(&calls[i].Call, id, replier{calls[i]})
	}
	ss.EndOwner(owners[1], nil)
	if len(b.waiting) != 2 || ss.Refs(id) != 1 {
		t.Errorf("%d wait, %d references", len(b.waiting), ss.Refs(id))
	}
	ss.End(nil)
	if len(b.waiting) != 0 || !b.isDisposed() {
		t.Errorf("%d wait, disposed %t", len(b.waiting), b.isDisposed())
	}
}
