package objects

import (
	"errors"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

const (
	full     = "Full()"
	empty    = "Empty()"
	shutDown = "ShutDown()"
)

func TestQueueAsInPython(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s).channel()
	q := c.create("Queue", named{"maxsize": int64(2)})
	if s.Cap(q) != 2 {
		t.Errorf("capacity %d", s.Cap(q))
	}
	c.must(true, q, "empty")
	c.fails(empty, q, "get_nowait")
	c.fails(empty, q, "get", false)
	c.fails(empty, q, "get", named{"block": int64(0), "timeout": "ignored"})
	c.must(nil, q, "put", "a")
	c.must(nil, q, "put", named{"item": "b"})
	c.must(true, q, "full")
	c.must(int64(2), q, "qsize")
	c.fails(full, q, "put_nowait", "c")
	c.fails(full, q, "put", "c", false)
	c.fails("ValueError(\"'timeout' must be a non-negative number\")", q, "put", "c", true, int64(-1))
	c.fails("ValueError(\"'timeout' must be a non-negative number\")", q, "get", true, -0.5)
	c.fails("ValueError('Invalid value NaN (not a number)')", q, "get", true, math.NaN())
	c.must("a", q, "get")
	c.must("b", q, "get", true, 0.5)
	c.must(nil, q, "task_done")
	c.must(nil, q, "task_done")
	c.fails("ValueError('task_done() called too many times')", q, "task_done")
	c.must(nil, q, "join")

	c.fails("TypeError(\"put() missing required argument: 'item'\")", q, "put")
	c.fails("TypeError(\"put() got multiple values for argument 'item'\")", q, "put", "x", named{"item": "x"})
	c.fails("TypeError(\"put() got an unexpected keyword argument 'x'\")", q, "put", "x", named{"x": "x"})
	c.fails("TypeError('get() takes at most 2 arguments (3 given)')", q, "get", true, nil, nil)
	c.fails("TypeError('qsize() takes no arguments (1 given)')", q, "qsize", true)
	c.fails("AttributeError(\"'Queue' object has no attribute 'queue'\")", q, "queue")

	c.must(nil, q, "put", "last")
	c.must(nil, q, "shutdown")
	c.fails(shutDown, q, "put", "x")
	c.must("last", q, "get")
	c.fails(shutDown, q, "get")
}

func TestQueueTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, store.Limits{})
		c := connect(t, s)
		q := c.create("Queue", int64(1))
		get := c.start(q, "get", true, 2.5)
		begun := time.Now()
		for get.waits() {
			<-time.After(100 * time.Millisecond)
		}
		if d := time.Since(begun); d < 2500*time.Millisecond || d > 2700*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		wantFailure(t, get, empty)
		c.must(nil, q, "put", "a")
		put := c.start(q, "put", "b", named{"timeout": int64(1)})
		patient := c.startWithin(time.Now().Add(time.Second), q, "mp.put", "c")
		huge := c.start(q, "put", "d", true, 1e300)
		<-time.After(2 * time.Second)
		wantFailure(t, put, full)
		if _, err := patient.result(); !errors.Is(err, mperr.ErrFull) && !errors.Is(err, errDeadline) {
			t.Error(err)
		}
		wantWaiting(t, huge)
		c.must("a", q, "get")
		c.must("d", q, "get")
		c.must(int64(0), q, "qsize")
	})
}

func TestQueueIsFair(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("Queue", int64(1))
	g1, g2 := c.start(q, "mp.get"), c.start(q, "get")
	wantWaiting(t, g1, g2)
	c.must(nil, q, "mp.put", "a")
	wantResult(t, g1, "a")
	wantWaiting(t, g2)
	c.must(nil, q, "put", "b")
	wantResult(t, g2, "b")
	c.must(nil, q, "mp.put", "c")
	p1, p2, p3 := c.start(q, "mp.put", "d"), c.start(q, "put", "e"), c.start(q, "mp.put", "f")
	c.must("c", q, "get")
	wantWaiting(t, p2, p3)
	p2.Cancel()
	wantFailure(t, p2, pythonError(errCanceled))
	wantResult(t, p1, nil)
	c.must("d", q, "mp.get")
	wantResult(t, p3, nil)
	c.must("f", q, "mp.tryGet")
	if _, err := c.do(q, "mp.tryGet"); !errors.Is(err, mperr.ErrEmpty) {
		t.Error(err)
	}
}

func TestQueueBatches(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("Queue", int64(3))
	c.must(int64(0), q, "mp.putBatch", pyList())
	c.must(int64(2), q, "mp.putBatch", pyList("a", "b"))
	put := c.start(q, "mp.putBatch", pyList("c", "d", "e", "f"))
	wantWaiting(t, put)
	c.must(pyList("a", "b"), q, "mp.getBatch", int64(2))
	wantWaiting(t, put)
	c.must("c", q, "mp.get")
	wantResult(t, put, int64(4))
	c.must(pyList("d", "e", "f"), q, "mp.getBatch", int64(100))
	get := c.start(q, "mp.getBatch", int64(100))
	c.must(int64(3), q, "mp.putBatch", pyList("g", "h", "i"))
	wantResult(t, get, pyList("g", "h", "i"))

	// What a cancelled batch has put is said: an error means nothing.
	put = c.start(q, "mp.putBatch", pyList("1", "2", "3", "4"))
	put.Cancel()
	wantResult(t, put, int64(3))
	put = c.start(q, "mp.putBatch", pyList("5", "6"))
	put.Cancel()
	wantFailure(t, put, pythonError(errCanceled))
	put = c.start(q, "mp.putBatch", pyList("5", "6"))
	c.must("1", q, "get")
	c.must(nil, q, "mp.closeWrite")
	wantResult(t, put, int64(1))
	c.must(pyList("2", "3", "5"), q, "mp.getBatch", int64(9))
	if _, err := c.do(q, "mp.getBatch", int64(9)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	c.fails("ValueError('queue: a batch of at most 0 items')", q, "mp.getBatch", int64(0))
}

// A batch is as much as fits an answer, whatever the limit.
func TestBatchIsBounded(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("Queue")
	const items = 16
	for range items {
		c.must(nil, q, "mp.put", string(make([]byte, pageBytes/4)))
	}
	batches := 0
	for got := 0; got < items; batches++ {
		v, err := c.do(q, "mp.getBatch", int64(1000))
		if err != nil {
			t.Fatal(err)
		}
		got += len(v.(*pyvalue.List).Items)
	}
	if batches < 3 {
		t.Errorf("%d items of %d bytes came in %d batches", items, pageBytes/4, batches)
	}
	c.must(nil, q, "mp.put", string(make([]byte, 2*pageBytes)))
	if _, err := c.do(q, "mp.getBatch", int64(1000)); err != nil {
		t.Errorf("one item that is larger than that: %v", err)
	}
}

// An item does not keep the memory of the batch with which it came.
func TestItemsOfABatchStandAlone(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("Queue")
	batch := store.Array(store.Of(string(make([]byte, 1<<20))), store.Of("small"))
	c.must(int64(2), q, "mp.putBatch", batch)
	raw, _ := batch.CBOR()
	clear(raw) // as whoever reads the next frame may do
	if _, err := c.do(q, "get"); err != nil {
		t.Error(err)
	}
	c.must("small", q, "get")
}

func TestQueueClose(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("Queue", int64(1))
	get, python, await := c.start(q, "mp.get"), c.start(q, "get"), c.start(q, "mp.await")
	c.must(nil, q, "mp.closeWrite")
	wantFailure(t, python, shutDown)
	if _, err := get.result(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	wantResult(t, await, nil)
	if _, err := c.do(q, "mp.put", "x"); !errors.Is(err, mperr.ErrClosed) {
		t.Error(err)
	}

	q = c.create("JoinableQueue", int64(1))
	c.must(nil, q, "put", "a")
	put, join := c.start(q, "put", "b"), c.start(q, "join")
	wantWaiting(t, put, join)
	c.must(nil, q, "shutdown", true)
	wantFailure(t, put, shutDown)
	wantResult(t, join, nil)
	c.fails(shutDown, q, "get")
}

func TestQueueJoinAndAwait(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	q := c.create("JoinableQueue")
	await := c.start(q, "mp.await")
	c.must(nil, q, "mp.put", "a")
	wantResult(t, await, nil)
	c.must(nil, q, "mp.await")
	join := c.start(q, "mp.join")
	c.must("a", q, "mp.get")
	wantWaiting(t, join)
	c.must(nil, q, "mp.taskDone")
	wantResult(t, join, nil)
	if _, err := c.do(q, "mp.taskDone"); !errors.Is(err, mperr.ErrTaskDone) {
		t.Error(err)
	}
}

func TestQueueBoundInBytes(t *testing.T) {
	s := newStore(t, store.Limits{Bytes: 1 << 20})
	c := connect(t, s)
	raw := func(n int) store.Item { return store.Raw(append([]byte{0x58, byte(n - 2)}, make([]byte, n-2)...)) }
	q := c.create("Queue", int64(0), int64(100))
	c.must(nil, q, "mp.put", raw(60))
	big := c.start(q, "mp.put", raw(80))
	small := c.start(q, "mp.put", raw(30))
	c.fails(full, q, "mp.tryPut", raw(30))
	wantWaiting(t, big, small)
	if _, err := c.do(q, "mp.put", raw(101)); !errors.Is(err, mperr.ErrTooLarge) {
		t.Error(err)
	}
	big.Cancel()
	wantResult(t, small, nil)
	if s.Bytes() == 0 {
		t.Error("nothing is charged")
	}
	_ = c.ss.Decref(q)
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are still charged", s.Bytes())
	}

	s = newStore(t, store.Limits{Bytes: 1550})
	c = connect(t, s)
	q = c.create("Queue")
	c.must(int64(2), q, "mp.putBatch", store.Array(raw(80), raw(80), raw(80)))
	if _, err := c.do(q, "mp.put", raw(80)); !errors.Is(err, mperr.ErrLimit) {
		t.Error(err)
	}
}

// What puts that wait hold is charged too, until they have been put or have left.
func TestWaitingPutsAreCharged(t *testing.T) {
	s := newStore(t, store.Limits{Bytes: 20_000})
	c := connect(t, s)
	q := c.create("Queue", int64(1))
	c.must(nil, q, "put", "a")
	before, big := s.Bytes(), string(make([]byte, 6000))
	puts := []*pending{c.start(q, "put", big), c.start(q, "mp.putBatch", pyList("b", "c"))}
	wantWaiting(t, puts...)
	if n := s.Bytes() - before; n < 6000 {
		t.Errorf("%d bytes are charged for puts that wait", n)
	}
	if _, err := c.do(q, "put", big); !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("a put that cannot wait: %v", err)
	}
	others := s.Budget().Keeping()
	others.Force(1000) // a timeout needs little
	patient := c.start(c.create("Event"), "wait", 1000.0)
	wantWaiting(t, patient)
	patient.Cancel()
	others.GiveAll()
	puts[0].Cancel()
	c.must("a", q, "get")
	c.must("b", q, "get")
	wantResult(t, puts[1], int64(2))
	c.must("c", q, "get")
	dead := connect(t, s)
	c.must(nil, q, "put", "a")
	dead.start(q, "put", big)
	dead.die()
	c.must("a", q, "get")
	if n := s.Bytes(); n != 0 {
		t.Errorf("an empty queue keeps %d bytes", n)
	}
}

func TestQueueRefuses(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s)
	for _, args := range [][]pyvalue.Value{{"x"}, {int64(1), "x"}, {int64(1), int64(1), int64(1)}} {
		if _, _, err := c.ss.Create("Queue", arguments(args)); !errors.Is(err, mperr.ErrType) {
			t.Errorf("%v: %v", args, err)
		}
	}
	q := c.create("Queue", int64(-1))
	c.must(nil, q, "put", "a", true, int64(-5)) // not looked at, as in CPython
}

// A Python client gets a batch as a list, whatever the items share each among
// its own parts.
func TestBatchOfItemsThatShare(t *testing.T) {
	s := newStore(t, store.Limits{})
	c := connect(t, s).channel()
	q := c.create("Queue")
	pair := func(n int64) pyvalue.Value {
		row := pyList(n)
		return pyList(row, row)
	}
	for n := range int64(2) {
		raw, err := interchange.AppendValue(nil, pair(n))
		if err != nil {
			t.Fatal(err)
		}
		c.must(nil, q, "mp.put", store.Raw(raw))
	}
	c.must(pyList(pair(0), pair(1)), q, "mp.getBatch", int64(9))
}

// A batch of nothing is put at once, also where others wait to put, and leaves
// nothing behind.
func TestBatchOfNothing(t *testing.T) {
	s := newStore(t, store.Limits{})
	s.OnPanic(func(b *store.Broken) { t.Errorf("%v\n%s", b, b.Stack) })
	c := connect(t, s)
	q := c.create("Queue", int64(1))
	c.must(nil, q, "mp.put", "a")
	waits := c.start(q, "mp.put", "b")
	c.must(int64(0), q, "mp.putBatch", pyList())
	c.must("a", q, "mp.get")
	wantResult(t, waits, nil)
	c.must("b", q, "mp.get")
}
