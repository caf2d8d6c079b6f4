package objects

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

var (
	errCanceled = context.Canceled
	errDeadline = context.DeadlineExceeded
)

// An item whose taker died before it had it is where it was, whatever the
// order in which takers die.
func TestItemsComeBackInOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		s := newStore(t, store.Limits{})
		c := connect(t, s)
		q := c.create("Queue")
		c.must(int64(5), q, "mp.putBatch", pyList("a", "b", "c", "d", "e"))
		var takers []*client
		for i, method := range []string{"mp.get", "mp.getBatch", "get"} {
			me := connect(t, s)
			me.auto = false
			args := []pyvalue.Value{int64(2)}
			if i != 1 {
				args = nil
			}
			if _, err := me.do(q, method, args...); err != nil {
				t.Fatal(err)
			}
			takers = append(takers, me)
		}
		c.must("e", q, "mp.get")
		c.must(nil, q, "put", "f")
		for _, i := range order {
			takers[i].die()
		}
		c.must(pyList("a", "b", "c", "d", "f"), q, "mp.getBatch", int64(9))
	}
}

// What a dead client waited for goes to the next one, and its puts that waited
// are not put.
func TestDeadClientsDropOut(t *testing.T) {
	s := newStore(t, store.Limits{})
	alive, dead := connect(t, s), connect(t, s).channel()
	q := alive.create("Queue", int64(1))
	first, second := dead.start(q, "get"), alive.start(q, "get")
	dead.die()
	alive.must(nil, q, "put", "a")
	wantResult(t, second, "a")
	wantWaiting(t, first)

	alive.must(nil, q, "put", "b")
	dead = connect(t, s)
	lost, next := dead.start(q, "mp.put", "lost"), alive.start(q, "mp.put", "c")
	batch := dead.start(q, "mp.putBatch", pyList("lost", "too"))
	dead.die()
	alive.must("b", q, "get")
	wantResult(t, next, nil)
	alive.must("c", q, "get")
	alive.must(int64(0), q, "qsize")
	wantWaiting(t, lost, batch)
}

// An item that comes back goes to the one who waits.
func TestItemsComeBackToWaiters(t *testing.T) {
	s := newStore(t, store.Limits{})
	alive, dead := connect(t, s), connect(t, s)
	q := alive.create("Queue")
	taken := dead.async(q, "mp.get")
	waits := alive.start(q, "mp.get")
	alive.must(nil, q, "put", "a")
	wantWaiting(t, waits)
	taken.Lost()
	wantResult(t, waits, "a")
}

// A queue that was shut down at once stays empty: an item that comes back is
// thrown away as those that were in it. Who joins waits for the others.
func TestItemsComeBackToAQueueThatIsShutDown(t *testing.T) {
	s := newStore(t, store.Limits{})
	alive, dead := connect(t, s), connect(t, s)
	q := alive.create("JoinableQueue")
	alive.must(int64(3), q, "mp.putBatch", pyList("a", "b", "c"))
	alive.must("a", q, "get")
	dead.auto = false
	dead.must("b", q, "get")
	join := alive.start(q, "join")
	alive.must(nil, q, "shutdown", true)
	wantWaiting(t, join)
	dead.die()
	alive.must(int64(0), q, "qsize")
	alive.fails(shutDown, q, "get")
	wantWaiting(t, join)
	alive.must(nil, q, "task_done")
	wantResult(t, join, nil)
	if n := s.Bytes(); n != 0 {
		t.Errorf("an empty queue keeps %d bytes", n)
	}
}

// Producers and consumers die at random: no item is lost, and none arrives
// twice.
func TestQueueStorm(t *testing.T) {
	const producers, consumers, each = 3, 4, 400
	s := newStore(t, store.Limits{})
	root := connect(t, s)
	q := root.create("Queue", int64(7))
	var mu sync.Mutex
	got := map[int64][]int64{}
	var put, get sync.WaitGroup
	for p := range producers {
		put.Go(func() { produce(t, s, q, int64(p), each) })
	}
	for n := range consumers {
		get.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 7))
			for {
				v, err := consume(t, s, q, rnd)
				if errors.Is(err, io.EOF) {
					return
				}
				pair := v.(pyvalue.Tuple)
				mu.Lock()
				got[pair[0].(int64)] = append(got[pair[0].(int64)], pair[1].(int64))
				mu.Unlock()
			}
		})
	}
	put.Wait()
	root.must(nil, q, "mp.closeWrite")
	get.Wait()
	for p := range int64(producers) {
		slices.Sort(got[p])
		if n := len(got[p]); n != each || got[p][0] != 0 || got[p][n-1] != each-1 || len(slices.Compact(got[p])) != each {
			t.Errorf("producer %d: %d items", p, n)
		}
	}
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are charged to an empty queue", s.Bytes())
	}
}

// produce puts n items of p's; in between a client puts items of nobody's and
// dies, so that nobody knows whether they are there.
func produce(t *testing.T, s *store.Store, q uint64, p int64, n int64) {
	me := connect(t, s)
	for i := range n {
		<-me.async(q, "mp.put", pyvalue.Tuple{p, i}).done
		if i%5 == 0 {
			dying := connect(t, s)
			dying.async(q, "mp.put", pyvalue.Tuple{int64(-1), i})
			dying.die()
		}
	}
}

// consume gets one item, and dies now and then before it has it.
func consume(t *testing.T, s *store.Store, q uint64, rnd *rand.Rand) (pyvalue.Value, error) {
	for {
		me := connect(t, s)
		c := me.async(q, "mp.get")
		switch rnd.IntN(4) {
		case 0:
			me.die() // while it waits, or before it acknowledges
			continue
		case 1:
			<-c.done
			c.Lost()
			me.die()
			if _, err := c.result(); errors.Is(err, io.EOF) {
				return nil, err
			}
			continue
		case 2:
			c.Cancel()
		}
		<-c.done
		v, err := c.result()
		switch {
		case errors.Is(err, io.EOF):
			return nil, err
		case err == nil:
			c.Acknowledge()
			me.die()
			return v, nil
		}
		me.die()
	}
}
