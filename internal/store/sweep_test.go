package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What nobody can reach goes, cycles too; what is reachable stays.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		var ids [5]uint64
		var boxes [5]*box
		for i := range ids {
			ids[i], boxes[i] = create(t, ss)
		}
		put := func(in, what int) { call(t, ss, ids[in], "add", ref(ids[what])) }
		put(0, 1) // 0 → 1 → 2, and the cycle 3 ⇄ 4
		put(1, 2)
		put(3, 4)
		put(4, 3)
		for _, id := range ids[1:] {
			if err := ss.Decref(id); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, gone ...bool) {
			t.Helper()
			for i, b := range boxes {
				if b.isDisposed() != gone[i] {
					t.Errorf("%s: box %d gone %t", when, i, !gone[i])
				}
			}
		}
		if n := s.NumberOfObjects(); n != 1 || s.Size() != 5 {
			t.Errorf("%d of %d objects are counted", n, s.Size())
		}
		check("in their grace", false, false, false, false, false)
		<-time.After(grace + time.Second)
		check("swept by itself", false, false, false, true, true)

		// An object that only another one refers to can be counted again.
		if _, err := ss.Incref(ids[2]); err != nil {
			t.Fatal(err)
		}
		if err := ss.Decref(ids[2]); err != nil {
			t.Fatal(err)
		}
		if err := ss.Decref(ids[2]); err != nil {
			t.Errorf("decref of one that is only nested is no error: %v", err)
		}
		call(t, ss, ids[0], "drop")
		<-time.After(grace + time.Second)
		s.NumberOfObjects()
		check("dropped", false, true, true, true, true)
		if s.Size() != 1 {
			t.Errorf("%d objects", s.Size())
		}
	})
}

// Objects that were never part of a message need no sweep.
func TestNoSweepForTheOrdinary(t *testing.T) {
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	id, b := create(t, ss)
	call(t, ss, id, "add", Of("plain"))
	if err := ss.Decref(id); err != nil || !b.isDisposed() || s.sweeper.timer != nil {
		t.Error("not at once", err)
	}
}

// Whoever takes the last reference to an object out has time to attach to it.
func TestGraceOfWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		outer, _ := create(t, ss)
		inner, b := create(t, ss)
		call(t, ss, outer, "add", ref(inner))
		_ = ss.Decref(inner)
		<-time.After(100 * grace)
		r := begin(ss, outer, "take")
		<-time.After(100 * grace)
		if s.NumberOfObjects(); b.isDisposed() {
			t.Fatal("it is not even acknowledged")
		}
		r.Acknowledge()
		outside, _ := create(t, ss)
		call(t, ss, outside, "add", Of("x"))
		if b.isDisposed() {
			t.Error("no grace")
		}
	})
}

// Whoever asks for a copy of the contents has time to attach to what they refer
// to.
func TestGraceOfWhatWasCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		outer, x := create(t, ss)
		inner, b := create(t, ss)
		call(t, ss, outer, "add", ref(inner))
		_ = ss.Decref(inner)
		<-time.After(100 * grace)
		if _, ok, _ := s.Snapshot(outer); ok {
			t.Error("a box can be copied")
		}
		x.opened = true
		if _, ok, _ := s.Snapshot(outer); !ok {
			t.Error("an opened box cannot be copied")
		}
		call(t, ss, outer, "drop")
		if s.NumberOfObjects(); b.isDisposed() {
			t.Error("no grace")
		}
		<-time.After(100 * grace)
		if s.NumberOfObjects(); !b.isDisposed() {
			t.Error("never disposed of")
		}
	})
}

// A reference that an object has let go of, and that the store has not heard of
// yet, is on its way: on the way out, and on the way back.
func TestNoSweepOfWhatIsBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		ss := s.Join(Client{})
		outer, x := create(t, ss)
		inner, b := create(t, ss)
		call(t, ss, outer, "add", ref(inner))
		_ = ss.Decref(inner)
		<-time.After(100 * grace)
		sweeps := 0
		x.between = func() {
			s.sweep()
			sweeps++
		}
		r := begin(ss, outer, "take")
		if b.isDisposed() {
			t.Fatal("disposed of on its way out")
		}
		<-time.After(100 * grace)
		r.Lost()
		if b.isDisposed() || x.len() != 1 {
			t.Fatal("disposed of on its way back")
		}
		dead := s.Join(Client{})
		begin(dead, outer, "take")
		<-time.After(100 * grace)
		dead.End(nil)
		if b.isDisposed() || x.len() != 1 || sweeps != 4 {
			t.Fatalf("disposed of when its taker died (%d sweeps)", sweeps)
		}
		call(t, ss, outer, "drop")
		<-time.After(100 * grace)
		if !b.isDisposed() {
			t.Error("never disposed of")
		}
	})
}

// The arguments of calls that wait keep what they refer to.
func TestWaitingCallsAreRoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		a, b := s.Join(Client{}), s.Join(Client{})
		id, x := create(t, a)
		inner, y := create(t, b)
		r := begin(a, id, "wait", ref(inner))
		b.End(nil)
		<-time.After(100 * grace)
		if y.isDisposed() {
			t.Fatal("disposed of while a call speaks of it")
		}
		x.pop().Return(Item{})
		if n, _ := r.answered(); n != 1 {
			t.Fatal("not answered")
		}
		<-time.After(100 * grace)
		if !y.isDisposed() {
			t.Error("never disposed of")
		}
	})
}

// References wander between objects while sweeps go on: nothing that can be
// reached is ever lost, and in the end nothing is left.
func TestSweepStorm(t *testing.T) {
	const hubs, movers, moves = 6, 4, 3000
	s := newStore(t, Limits{})
	ss := s.Join(Client{})
	var hub [hubs]uint64
	for i := range hub {
		hub[i], _ = create(t, ss)
	}
	var lost, swept atomic.Int64
	stop := make(chan struct{})
	var sweeps, work sync.WaitGroup
	sweeps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.forceGrace()
				swept.Add(int64(s.sweep()))
			}
		}
	})
	for m := range movers {
		work.Go(func() {
			me := s.Join(Client{})
			rnd := rand.New(rand.NewPCG(uint64(m), 1))
			inner, _, _ := me.Create("box", Args{})
			at := rnd.IntN(hubs)
			begin(me, hub[at], "add", ref(inner))
			if me.Decref(inner) != nil {
				lost.Add(1)
			}
			for range moves {
				if _, err := me.Incref(inner); err != nil {
					lost.Add(1)
					return
				}
				to := rnd.IntN(hubs)
				begin(me, hub[to], "add", ref(inner))
				if me.Decref(inner) != nil {
					lost.Add(1)
				}
			}
		})
	}
	work.Wait()
	close(stop)
	sweeps.Wait()
	if lost.Load() > 0 || swept.Load() > 0 {
		t.Errorf("%d lost, %d swept that were reachable", lost.Load(), swept.Load())
	}
	ss.End(nil)
	s.forceGrace()
	s.sweep()
	if s.Size() != 0 {
		t.Errorf("%d objects are left", s.Size())
	}
}

// forceGrace ends the grace of all objects.
func (s *Store) forceGrace() {
	for _, e := range s.table.all() {
		if now := int64(s.now()); e.touched.Load() < now {
			e.touched.CompareAndSwap(e.touched.Load(), -int64(grace)-1)
		}
	}
}

// A store that is full looks for what nobody can reach before it refuses.
func TestLimitSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{Objects: 2})
		s.sweeper.stop() // no sweep but for the limit
		ss := s.Join(Client{})
		a, _ := create(t, ss)
		b, _ := create(t, ss)
		call(t, ss, a, "add", ref(b))
		call(t, ss, b, "add", ref(a))
		_, _ = ss.Decref(a), ss.Decref(b)
		if _, _, err := ss.Create("box", Args{}); err == nil {
			t.Fatal("no limit")
		}
		<-time.After(grace + 1)
		if _, _, err := ss.Create("box", Args{}); err != nil {
			t.Error(err)
		}
	})
}

// Whoever asks for the number of objects all the time does not keep the store
// sweeping.
func TestSweepsOnDemandAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, Limits{})
		s.sweeper.stop() // only those on demand
		ss := s.Join(Client{})
		a, _ := create(t, ss)
		b, _ := create(t, ss)
		call(t, ss, a, "add", ref(b))
		_ = ss.Decref(b)
		s.NumberOfObjects()
		s.sweeper.took = time.Second
		round := s.sweeper.round
		for range 10 {
			s.NumberOfObjects()
			_ = s.DebugInfo()
		}
		if s.sweeper.round != round {
			t.Errorf("%d sweeps more", s.sweeper.round-round)
		}
		<-time.After(11 * time.Second)
		if s.NumberOfObjects(); s.sweeper.round == round {
			t.Error("no sweep at all")
		}
	})
}
