package objects

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// leased is a queue whose items are lent for d.
func leased(cl *client, d time.Duration, attempts int, dead pyvalue.Value) uint64 {
	return cl.create("Queue", int64(0), int64(0), int64(d), int64(attempts), dead)
}

// receive is mp.receive of one item, which is there.
func (cl *client) receive(q uint64) (id, v pyvalue.Value, attempt int64) {
	cl.t.Helper()
	got, err := cl.do(q, "mp.receive", int64(1))
	if err != nil {
		cl.t.Fatal(err)
	}
	list := got.(*pyvalue.List).Items
	return list[0], list[2], list[1].(int64)
}

// What is lent is charged to the queue as long as it is the queue's, and what it refers
// to lives.
func TestLeasesAreTheQueues(t *testing.T) {
	s := newStore(t, store.Limits{})
	c, dead := connect(t, s), connect(t, s)
	q := leased(c, time.Hour, 0, nil)
	inner := c.create("list")
	c.must(nil, q, "put", pyvalue.Ref{ID: inner, Type: "list"})
	charged := s.Bytes()
	id, _, _ := c.receive(q)
	if n := s.Bytes(); n < charged {
		t.Errorf("%d bytes are charged for an item that is lent, %d for one that is there", n, charged)
	}
	found := false
	o, _ := s.Object(q)
	o.Refs(func(id uint64) bool { found = found || id == inner; return true })
	if !found {
		t.Error("what an item refers to is not the queue's while it is lent")
	}
	c.must(nil, q, "mp.nack", id, int64(0))
	id, _, _ = dead.receive(q)
	_ = id
	dead.die()
	id, _, attempt := c.receive(q)
	if attempt != 3 {
		t.Errorf("attempt %d", attempt)
	}
	c.must(pyList(), q, "mp.ack", pyList(id))
	if n := s.Bytes(); n != 0 {
		t.Errorf("an empty queue keeps %d bytes", n)
	}
}

// An answer that does not arrive has lent nothing, and was no attempt.
func TestLeaseThatNobodyHeardOf(t *testing.T) {
	s := newStore(t, store.Limits{})
	c, lost := connect(t, s), connect(t, s)
	q := leased(c, time.Hour, 1, pyvalue.Ref{ID: c.create("Queue"), Type: "Queue"})
	c.must(nil, q, "put", "a")
	call := lost.async(q, "mp.receive", int64(5))
	<-call.done
	call.Lost()
	id, _, attempt := c.receive(q)
	if attempt != 1 {
		t.Errorf("attempt %d", attempt)
	}
	lost.die() // who is told of nothing
	c.must(pyList(), q, "mp.ack", pyList(id))
}

// A queue that is shut down at once throws away what comes back, and one that is gone
// has nothing left.
func TestLeasesOfAQueueThatEnds(t *testing.T) {
	s := newStore(t, store.Limits{})
	c, me := connect(t, s), connect(t, s)
	q := leased(c, time.Hour, 0, nil)
	c.must(nil, q, "put", "a")
	a, _, _ := me.receive(q)
	join := c.start(q, "join")
	get := c.start(q, "get")
	c.must(nil, q, "shutdown", true)
	wantFailure(t, get, shutDown)
	wantWaiting(t, join)
	me.must(nil, q, "mp.nack", a, int64(0))
	wantResult(t, join, nil)
	c.must(int64(0), q, "qsize")

	q = leased(c, time.Hour, 0, nil)
	c.must(nil, q, "put", "a")
	c.receive(q)
	if err := c.ss.Decref(q); err != nil {
		t.Fatal(err)
	}
	if n := s.Bytes(); n != 0 {
		t.Errorf("a queue that is gone keeps %d bytes", n)
	}
	c.die()
}

// A Python client counts, waits for and gets what is left to it.
func TestLeasesAndPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	py := c.channel()
	q := c.create("JoinableQueue")
	py.must(nil, q, "put", "a")
	id, _, _ := c.receive(q)
	py.must(int64(0), q, "qsize")
	py.fails("Empty()", q, "get_nowait")
	get, join := py.start(q, "get"), py.start(q, "join")
	c.must(nil, q, "mp.nack", id, int64(0))
	wantResult(t, get, "a")
	wantWaiting(t, join)
	py.must(nil, q, "task_done")
	wantResult(t, join, nil)
}

// Receivers die, are late, give back and acknowledge at random: each item is
// acknowledged once, or dead.
func TestLeaseStorm(t *testing.T) {
	const n, crowd, attempts = 600, 5, 3
	s := newStore(t, store.Limits{})
	root := connect(t, s)
	dead := root.create("Queue")
	q := leased(root, 2*time.Millisecond, attempts, pyvalue.Ref{ID: dead, Type: "Queue"})
	for i := range n {
		root.must(nil, q, "mp.put", int64(i))
	}
	root.must(nil, q, "mp.closeWrite")
	var mu sync.Mutex
	acked := map[int64]int{}
	var all sync.WaitGroup
	for k := range crowd {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 9))
			for {
				me := connect(t, s)
				call := me.async(q, "mp.receive", int64(1+rnd.IntN(4)))
				<-call.done
				got, err := call.result()
				if errors.Is(err, io.EOF) {
					return
				}
				call.Acknowledge()
				for list := got.(*pyvalue.List).Items; len(list) > 0; list = list[3:] {
					if attempt := list[1].(int64); attempt > attempts {
						t.Errorf("attempt %d", attempt)
					}
					switch rnd.IntN(5) {
					case 0:
						<-time.After(time.Duration(rnd.IntN(4)) * time.Millisecond) // the lease may run out
						fallthrough
					case 1, 2:
						lost, err := me.do(q, "mp.ack", pyList(list[0]))
						if err != nil {
							t.Error(err)
						} else if len(lost.(*pyvalue.List).Items) == 0 {
							mu.Lock()
							acked[list[2].(int64)]++
							mu.Unlock()
						}
					case 3:
						_, err := me.do(q, "mp.nack", list[0], int64(rnd.IntN(2))*int64(time.Millisecond))
						if err != nil && !errors.Is(err, mperr.ErrLeaseLost) {
							t.Error(err)
						}
					}
				}
				me.die()
			}
		})
	}
	all.Wait()
	for {
		v, err := root.do(dead, "mp.tryGet")
		if err != nil {
			break
		}
		acked[v.(int64)]++
	}
	for i := range int64(n) {
		if acked[i] != 1 {
			t.Errorf("item %d was acknowledged, or dead, %d times", i, acked[i])
		}
	}
	if b := s.Bytes(); b != 0 {
		t.Errorf("empty queues keep %d bytes", b)
	}
}
