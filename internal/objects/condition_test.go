package objects

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

func TestConditionAsInPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b, c := connect(t, s), connect(t, s), connect(t, s)
	k := a.create("Condition")
	a.fails("RuntimeError('cannot wait on un-acquired lock')", k, "wait", nil)
	a.fails("RuntimeError('cannot notify on un-acquired lock')", k, "notify", int64(1))
	a.fails("RuntimeError('cannot notify on un-acquired lock')", k, "notify_all")
	a.must(true, k, "acquire")
	a.must(true, k, "acquire") // an RLock
	first := a.start(k, "wait", nil)
	b.must(true, k, "acquire")
	second := b.start(k, "wait")
	c.must(true, k, "acquire")
	o, _ := s.Object(k)
	if got := o.Repr(); !strings.HasPrefix(got, "<Condition(<locked _thread.RLock object count=1 at 0x") || !strings.HasSuffix(got, ">, 2)>") {
		t.Error(got)
	}
	c.must(nil, k, "notify")
	wantWaiting(t, first, second) // until c lets go
	c.must(nil, k, "release")
	wantResult(t, first, true)
	wantWaiting(t, second)
	a.must(nil, k, "notify_all")
	a.must(nil, k, "release")
	wantWaiting(t, second) // it has its depth again
	a.must(nil, k, "release")
	wantResult(t, second, true)
	b.must(nil, k, "notify", int64(5)) // nobody
	b.must(nil, k, "release")
}

// Conditions over one lock exclude each other, and keep it alive.
func TestConditionsShareALock(t *testing.T) {
	s := newStore(t, store.Limits{})
	a, b := connect(t, s), connect(t, s)
	l := a.create("Lock")
	k := a.create("Condition", pyvalue.Ref{ID: l, Type: "Lock"})
	other := a.create("Condition", pyvalue.Ref{ID: l, Type: "Lock"})
	_ = a.ss.Decref(l)
	s.NumberOfObjects()
	a.must(true, k, "acquire")
	b.must(false, other, "acquire", false)
	b.must(false, l, "acquire", false)
	wait := a.start(k, "wait")
	b.must(true, l, "acquire")
	b.must(nil, other, "notify_all")
	b.must(nil, k, "notify_all")
	b.must(nil, l, "release")
	wantResult(t, wait, true)
	o, _ := s.Object(k)
	var ids []uint64
	o.Refs(func(id uint64) bool { ids = append(ids, id); return true })
	if len(ids) != 1 || ids[0] != l {
		t.Errorf("refers to %v", ids)
	}
	for _, arg := range []pyvalue.Value{"x", pyvalue.Ref{ID: a.create("Event"), Type: "Event"}, pyvalue.Ref{ID: 1, Type: "Lock"}} {
		if _, _, err := a.ss.Create("Condition", arguments([]pyvalue.Value{arg})); err == nil {
			t.Errorf("a condition over %v", arg)
		}
	}
}

// Whatever ends a wait, the caller has the lock again when it learns of it.
func TestWaitEndsWithTheLock(t *testing.T) {
	for name, c := range map[string]struct {
		timeout pyvalue.Value
		end     func(p *pending)
		want    pyvalue.Value
		err     error
	}{
		"timeout":   {2.0, func(*pending) {}, false, nil},
		"zero":      {int64(0), func(*pending) {}, false, nil},
		"negative":  {int64(-1), func(*pending) {}, false, nil},
		"cancelled": {nil, func(p *pending) { p.Cancel(); p.Cancel() }, nil, context.Canceled},
		"timeLimit": {nil, func(*pending) { <-time.After(time.Hour) }, nil, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, store.Limits{})
				a, b := connect(t, s), connect(t, s)
				k := a.create("Condition")
				a.must(true, k, "acquire")
				next := b.start(k, "acquire")
				wait := a.startWithin(time.Now().Add(time.Minute), k, "wait", c.timeout)
				wantResult(t, next, true)
				c.end(wait)
				<-time.After(10 * time.Second)
				wantWaiting(t, wait)
				b.must(nil, k, "release")
				if v, err := wait.result(); !errors.Is(err, c.err) || c.err == nil && v != c.want {
					t.Errorf("%v, %v", v, err)
				}
				a.must(nil, k, "release")
			})
		})
	}
}

// A waiter that dies waits no more, and hands on a notification it had.
func TestDeadWaiters(t *testing.T) {
	s := newStore(t, store.Limits{})
	dead, notified, next, c := connect(t, s), connect(t, s), connect(t, s), connect(t, s)
	k := c.create("Condition")
	var calls []*pending
	for _, me := range []*client{dead, notified, next} {
		me.must(true, k, "acquire")
		calls = append(calls, me.start(k, "wait"))
	}
	c.must(true, k, "acquire")
	dead.die()
	c.must(nil, k, "notify", int64(1))
	notified.die()
	c.must(nil, k, "release")
	wantResult(t, calls[2], true)
	wantWaiting(t, calls[0], calls[1])
	next.die()
	c.must(true, k, "acquire")
}

// Clients wait, notify and die at random; in the end the condition works.
func TestConditionStorm(t *testing.T) {
	const clients, lives = 6, 150
	for _, lock := range []string{"", "Lock", "RLock"} {
		s := newStore(t, store.Limits{})
		root := connect(t, s)
		var k uint64
		if lock == "" {
			k = root.create("Condition")
		} else {
			k = root.create("Condition", pyvalue.Ref{ID: root.create(lock), Type: lock})
		}
		var all sync.WaitGroup
		for n := range clients {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(n), 5))
				for range lives {
					liveWithCondition(t, s, k, rnd)
				}
			})
		}
		all.Wait()
		c := connect(t, s)
		wait := root.async(k, "acquire")
		<-wait.done
		wait = root.async(k, "wait")
		<-c.async(k, "acquire").done
		<-c.async(k, "notify_all").done
		<-c.async(k, "release").done
		<-wait.done
		wantResult(t, wait, true)
	}
}

func liveWithCondition(t *testing.T, s *store.Store, k uint64, rnd *rand.Rand) {
	me := connect(t, s)
	defer me.die()
	<-me.async(k, "acquire").done
	switch rnd.IntN(5) {
	case 0:
		me.async(k, "wait")
		return
	case 1:
		c := me.async(k, "wait")
		c.Cancel()
		<-c.done
	case 2:
		<-me.async(k, "wait", 0.0001).done
	case 3:
		<-me.async(k, "notify", int64(2)).done
	case 4:
		return
	}
	if rnd.IntN(3) > 0 {
		<-me.async(k, "release").done
	}
}
