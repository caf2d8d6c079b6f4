package server

import (
	"errors"
	"testing"
	"time"

	"multiproc/internal/budget"
	"multiproc/internal/mperr"
	"multiproc/internal/store"
)

// Each reference that is given back announces the end of one channel that used
// the object before, and not since.
func TestLeaves(t *testing.T) {
	const id = 7
	var d leaveTracker
	if d.announced(id, time.Time{}) || d.since(id, time.Time{}) {
		t.Error("something was announced")
	}
	d.gave(id)
	used := time.Now()
	d.decref(id, false) // the one that came with the answer
	if d.announced(id, used) {
		t.Error("a client that gets an object of its own announces an end")
	}
	if !d.since(id, used) {
		t.Error("nothing was given back")
	}
	d.decref(id, false)
	if d.announced(id, time.Now()) {
		t.Error("an end was announced before the last use")
	}
	if !d.announced(id, used) {
		t.Error("an end was not announced")
	}
	if d.announced(id, used) {
		t.Error("one reference announces two ends")
	}
	d.decref(id, false)
	d.back[id][0] = d.back[id][0].Add(-leaveTimeout)
	if d.announced(id, time.Time{}) {
		t.Error("an end was announced long ago")
	}
	d.decref(id, false)
	d.gave(id)
	d.decref(id, true)
	if len(d.given)+len(d.back)+len(d.last) != 0 {
		t.Errorf("of an object that nobody there knows is left: %v", d)
	}
}

// A channel that uses one object after the other remembers none of those that
// were given back.
func TestChannelForgets(t *testing.T) {
	s := serveTest(t, "unix")
	client := &pyClient{session: s.store.Join(store.Client{}), channels: map[*channel]struct{}{}}
	defer client.session.End(nil)
	ch := &channel{used: map[uint64]time.Time{}, uses: budget.New(20 * useCost).Keeping()}
	client.enter(ch)
	for range 3 {
		id, _, err := client.session.Create("dict", store.Args{})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.using(ch, id); err != nil {
			t.Fatal(err)
		}
		if err := client.decref(id); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(ch.used); n != 0 || ch.uses.Held() != 0 {
		t.Errorf("%d are remembered, %d bytes charged", n, ch.uses.Held())
	}
	if err := errors.Join(client.using(ch, 1), client.using(ch, 1)); err != nil {
		t.Error(err)
	}
	if ch.uses.Held() != useCost {
		t.Errorf("%d bytes are charged for one object", ch.uses.Held())
	}
	var err error
	for id := uint64(2); err == nil && id < 100; id++ {
		err = client.using(ch, id)
	}
	if !errors.Is(err, mperr.ErrLimit) || len(ch.used) > 20 {
		t.Errorf("%d are remembered: %v", len(ch.used), err)
	}
	client.leave(ch)
	if ch.uses.Held() != 0 {
		t.Errorf("%d bytes stay charged", ch.uses.Held())
	}
}
