package objects

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"multiproc/internal/mperr"
	"multiproc/internal/store"
	"multiproc/mptest"
)

// Long work waits for its place beside everything else: its client can cancel
// it, and the object is used and looked at meanwhile.
func TestLongWorkStandsAside(t *testing.T) {
	s := newStore(t, store.Limits{})
	var full []func()
	for range max(runtime.GOMAXPROCS(0)-1, 1) {
		giveBack, err := s.Heavy(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		full = append(full, giveBack)
	}
	c, other := connect(t, s), connect(t, s)
	l := c.create("list")
	wait := func(p *pending) *pending {
		mptest.Eventually(t, p.answered, "%s is answered", p.Method)
		return p
	}
	for i := range muchElements + 1 {
		c.must(nil, l, "mp.append", int64(-i))
	}
	count, sort, dies := c.start(l, "mp.count", int64(-1)), c.start(l, "mp.sort", false), other.start(l, "mp.index", int64(1), int64(0), int64(9))
	wantWaiting(t, count, sort, dies)
	c.must(int64(muchElements+1), l, "mp.len")
	c.must(nil, l, "mp.append", int64(7))
	s.NumberOfObjects()
	_ = s.DebugInfo()
	count.Cancel()
	if _, err := wait(count).result(); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled count ends with %v", err)
	}
	other.die()
	for _, giveBack := range full {
		giveBack()
	}
	wantResult(t, wait(sort), nil)
	wantResult(t, wait(c.start(l, "mp.pop", int64(-1))), int64(7))
	wantResult(t, wait(c.start(l, "mp.count", int64(-3))), int64(1))
	wantResult(t, wait(c.start(l, "mp.remove", int64(-5))), nil)
	wantResult(t, wait(c.start(l, "mp.has", int64(-5))), false)
	wantResult(t, wait(c.start(l, "mp.index", int64(-4), int64(5), int64(1<<40))), int64(muchElements-5))
	mptest.Eventually(t, func() bool { return dies.waits() }, "nobody answers the dead")
}

// A client cannot make each change of an object cost as much as it likes.
func TestWatchesAreBounded(t *testing.T) {
	s := newStore(t, store.Limits{})
	c, other := connect(t, s), connect(t, s)
	d := c.create("dict")
	var all []*pending
	for range maxWatchesByOne {
		all = append(all, c.start(d, "mp.watch"))
	}
	wantWaiting(t, all...)
	if _, err := c.do(d, "mp.watch"); !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("one watch more ends with %v", err)
	}
	theirs := other.start(d, "mp.watch")
	c.must(nil, d, "mp.set", "k", int64(1))
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i, p := range all {
		if p.Cancel(); p.waits() {
			t.Fatalf("watch %d was not withdrawn", i)
		}
	}
	c.must(nil, d, "mp.set", "k", int64(2))
	if len(theirs.seen) != 2 || len(all[0].seen) != 1 {
		t.Errorf("%d and %d changes were seen", len(theirs.seen), len(all[0].seen))
	}
	o, _ := s.Object(d)
	if w := &o.(*dict).watchers; len(w.calls) != 1 || len(w.places) != 1 || len(w.perClient) != 1 {
		t.Errorf("%d watches are left, %d, %d", len(w.calls), len(w.places), len(w.perClient))
	}
	wantWaiting(t, theirs, c.start(d, "mp.watch"))
}
