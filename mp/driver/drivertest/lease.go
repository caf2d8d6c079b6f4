package drivertest

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var leaseTests = []test{
	{"acknowledged", testLeaseAck},
	{"given back", testLeaseNack},
	{"runs out", testLeaseRunsOut},
	{"extended", testLeaseExtend},
	{"delayed", testLeaseDelay},
	{"first in line", testLeaseOrder},
	{"waiting", testLeaseWaiting},
	{"cancelled", testLeaseCancelled},
	{"batches", testLeaseBatches},
	{"join", testLeaseJoin},
	{"closed for writing", testLeaseCloseWrite},
	{"dead letters", testLeaseDeadLetters},
	{"dead letters that are full", testLeaseDeadLettersFull},
	{"many at once", testLeaseMany},
	{"crowd", testLeaseCrowd},
}

// never is a lease that does not run out during a test, soon is one that does.
const (
	never = time.Hour
	soon  = 20 * time.Millisecond
)

func newLeased(t *testing.T, p driver.Place, s driver.Spec) complete.Queue {
	t.Helper()
	s.Kind = driver.KindQueue
	q := open[complete.Queue](t, p, s)
	needsMethod(t, q, "Receive")
	return q
}

// receive is Receive of one item, which is to be want, lent for the attempt-th time.
func receive(t *testing.T, q complete.Queue, want string, attempt int) (lease uint64) {
	t.Helper()
	out, err := q.Receive(within(t, timeLimit), 1)
	if err != nil || len(out) != 1 {
		t.Fatalf("receive: %d items, %v", len(out), err)
	}
	reads(t, "receive", out[0].Value, nil, want)
	if out[0].Attempt != attempt {
		t.Errorf("attempt %d of %s, want %d", out[0].Attempt, want, attempt)
	}
	return out[0].Lease
}

// counted checks how many items are there, and how many are lent.
func counted(t *testing.T, q complete.Queue, there, lent int) {
	t.Helper()
	ctx := within(t, timeLimit)
	n, err := q.Len(ctx)
	is(t, "len", n, err, there)
	n, err = q.Leased(ctx)
	is(t, "leased", n, err, lent)
}

func ack(t *testing.T, q complete.Queue, leases ...uint64) {
	t.Helper()
	_, err := q.Ack(within(t, timeLimit), leases)
	must(t, err)
}

func testLeaseAck(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	_, err := q.TryReceive(ctx, 1)
	wantErr(t, "receive from an empty queue", err, mperr.ErrEmpty)
	for i, v := range sampleItems(t) {
		must(t, q.Put(ctx, v))
		lease := receive(t, q, text(t, v), 1)
		counted(t, q, 0, 1)
		_, err := q.TryGet(ctx)
		wantErr(t, "get of what is lent", err, mperr.ErrEmpty)
		ack(t, q, lease)
		counted(t, q, 0, 0)
		lost, err := q.Ack(ctx, []uint64{lease})
		wantErr(t, "a second ack", err, mperr.ErrLeaseLost)
		if len(lost) != 1 || lost[0] != lease {
			t.Errorf("sample %d: lost %v", i, lost)
		}
		wantErr(t, "nack after ack", q.Nack(ctx, lease, 0), mperr.ErrLeaseLost)
		wantErr(t, "extend after ack", q.Extend(ctx, lease, never), mperr.ErrLeaseLost)
	}
	_, err = q.Receive(ctx, 0)
	wantErr(t, "receive of no items", err, mperr.ErrValue)
}

func testLeaseNack(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	must(t, q.Put(ctx, item(t, 1)))
	for attempt := 1; attempt < 5; attempt++ {
		lease := receive(t, q, "1", attempt)
		must(t, q.Nack(ctx, lease, 0))
		counted(t, q, 1, 0)
		wantErr(t, "nack twice", q.Nack(ctx, lease, 0), mperr.ErrLeaseLost)
		_, err := q.Ack(ctx, []uint64{lease})
		wantErr(t, "ack after nack", err, mperr.ErrLeaseLost)
	}
	old := receive(t, q, "1", 5)
	must(t, q.Nack(ctx, old, 0))
	lease := receive(t, q, "1", 6)
	_, err := q.Ack(ctx, []uint64{old})
	wantErr(t, "ack of a lease that another has taken over", err, mperr.ErrLeaseLost)
	ack(t, q, lease)
	counted(t, q, 0, 0)
	// Who only gets has what comes back, too.
	must(t, q.Put(ctx, item(t, 2)))
	must(t, q.Nack(ctx, receive(t, q, "2", 1), 0))
	v, err := q.Get(ctx)
	reads(t, "get of what came back", v, err, "2")
	counted(t, q, 0, 0)
}

func testLeaseRunsOut(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: soon}), within(t, timeLimit)
	must(t, q.Put(ctx, item(t, 1)))
	old := receive(t, q, "1", 1)
	lease := receive(t, q, "1", 2) // nothing but the time brings it
	lost, err := q.Ack(ctx, []uint64{old})
	wantErr(t, "ack of a lease that has run out", err, mperr.ErrLeaseLost)
	if len(lost) != 1 {
		t.Errorf("lost %v", lost)
	}
	must(t, q.Extend(ctx, lease, never))
	ack(t, q, lease)
	must(t, q.Put(ctx, item(t, 2)))
	receive(t, q, "2", 1)
	v, err := q.Get(ctx)
	reads(t, "get of what has run out", v, err, "2")
	must(t, q.Put(ctx, item(t, 3)))
	receive(t, q, "3", 1)
	if !lacks(q, "Await") {
		must(t, q.Await(ctx))
		counted(t, q, 1, 0)
	}
}

func testLeaseExtend(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	must(t, q.Put(ctx, item(t, 1)))
	lease := receive(t, q, "1", 1)
	must(t, q.Extend(ctx, lease, soon))
	lease = receive(t, q, "1", 2)
	must(t, q.Extend(ctx, lease, soon))
	must(t, q.Extend(ctx, lease, 0)) // the queue's own time
	givesUp(t, "receive", func(ctx context.Context) error { _, err := q.Receive(ctx, 1); return err })
	ack(t, q, lease)
}

func testLeaseDelay(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	for i := range 3 {
		must(t, q.Put(ctx, item(t, i)))
	}
	must(t, q.Nack(ctx, receive(t, q, "0", 1), 2*soon))
	must(t, q.Nack(ctx, receive(t, q, "1", 1), never))
	last := receive(t, q, "2", 1)
	n, err := q.Leased(ctx)
	if err != nil || n < 2 { // the first delay may be over
		t.Errorf("leased: %d, %v", n, err)
	}
	ack(t, q, receive(t, q, "0", 2))
	ack(t, q, last)
	counted(t, q, 0, 1)
	_, err = q.TryReceive(ctx, 1)
	wantErr(t, "receive of what is delayed", err, mperr.ErrEmpty)
}

// What comes back is where it was, whatever the order in which it comes.
func testLeaseOrder(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	const n = 40
	for i := range n {
		must(t, q.Put(ctx, item(t, i)))
	}
	out, err := q.Receive(ctx, n/2)
	must(t, err)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	for _, d := range out {
		must(t, q.Nack(ctx, d.Lease, 0))
	}
	for i := range n {
		v, err := q.Get(ctx)
		reads(t, "get", v, err, text(t, item(t, i)))
	}
}

func testLeaseWaiting(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	var got []driver.Delivery
	call := func(ctx context.Context) (err error) { got, err = q.Receive(ctx, 1); return err }
	givesUp(t, "receive", call)
	for attempt, wake := range []func(){
		func() { must(t, q.Put(ctx, item(t, 1))) },
		func() { must(t, q.Nack(ctx, got[0].Lease, 0)) },
		func() { must(t, q.Nack(ctx, got[0].Lease, soon)) },
		func() { must(t, q.Extend(ctx, got[0].Lease, soon)) },
	} {
		answer, cancel := waiting(t, "receive", call)
		before := got
		wake()
		must(t, <-answer)
		cancel()
		if len(got) != 1 || got[0].Attempt != attempt+1 || attempt > 0 && got[0].Lease == before[0].Lease {
			t.Fatalf("received %v after %v", got, before)
		}
	}
	get := func(ctx context.Context) error { _, err := q.Get(ctx); return err }
	answer, cancel := waiting(t, "get", get)
	defer cancel()
	must(t, q.Nack(ctx, got[0].Lease, 0))
	must(t, <-answer)
}

// A Receive that is cancelled lends nothing, and one that lends something says so.
func testLeaseCancelled(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	for i := range 200 {
		c, cancel := context.WithCancel(ctx)
		type answer struct {
			out []driver.Delivery
			err error
		}
		got := make(chan answer, 1)
		go func() {
			out, err := q.Receive(c, 1)
			got <- answer{out, err}
		}()
		if i%2 == 0 {
			go cancel()
		}
		must(t, q.Put(ctx, item(t, i)))
		cancel()
		a := <-got
		if a.err != nil {
			wantErr(t, "receive", a.err, context.Canceled)
			a.out, a.err = q.Receive(ctx, 1)
		}
		must(t, a.err)
		reads(t, "the item", a.out[0].Value, nil, text(t, item(t, i)))
		if a.out[0].Attempt != 1 {
			t.Errorf("attempt %d: one that was cancelled counts", a.out[0].Attempt)
		}
		ack(t, q, a.out[0].Lease)
	}
	counted(t, q, 0, 0)
}

func testLeaseBatches(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never, Size: 5}), within(t, timeLimit)
	for i := range 5 {
		must(t, q.Put(ctx, item(t, i)))
	}
	out, err := q.Receive(ctx, 3)
	must(t, err)
	rest, err := q.TryReceive(ctx, 30)
	must(t, err)
	if len(out) != 3 || len(rest) != 2 {
		t.Fatalf("%d and %d items", len(out), len(rest))
	}
	out = append(out, rest...)
	// What is lent takes no room.
	for i := range 5 {
		must(t, q.TryPut(ctx, item(t, i+5)))
	}
	var leases []uint64
	for i, d := range out {
		reads(t, "receive", d.Value, nil, text(t, item(t, i)))
		leases = append(leases, d.Lease)
	}
	must(t, q.Nack(ctx, leases[2], 0))
	counted(t, q, 6, 4)
	lost, err := q.Ack(ctx, leases)
	wantErr(t, "ack of a batch", err, mperr.ErrLeaseLost)
	if len(lost) != 1 || lost[0] != leases[2] {
		t.Errorf("lost %v of %v", lost, leases)
	}
	counted(t, q, 6, 0)
	wantErr(t, "put beside what came back", q.TryPut(ctx, item(t, 9)), mperr.ErrFull)
	must(t, func() error { _, err := q.Ack(ctx, nil); return err }())
}

func testLeaseJoin(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	needsMethod(t, q, "Join")
	for i := range 3 {
		must(t, q.Put(ctx, item(t, i)))
	}
	a, b := receive(t, q, "0", 1), receive(t, q, "1", 1)
	answer, cancel := waiting(t, "join", q.Join)
	defer cancel()
	_, err := q.Get(ctx)
	must(t, err)
	must(t, q.TaskDone(ctx))
	ack(t, q, a)
	must(t, q.Nack(ctx, b, 0))
	still(t, "an item came back", 1, answer)
	ack(t, q, receive(t, q, "1", 2))
	must(t, <-answer)
	wantErr(t, "task done after ack", q.TaskDone(ctx), mperr.ErrTaskDone)
	must(t, q.Put(ctx, item(t, 3)))
	must(t, q.Nack(ctx, receive(t, q, "3", 1), 0))
	_, err = q.Get(ctx)
	must(t, err)
	givesUp(t, "join", q.Join)
	must(t, q.TaskDone(ctx))
	must(t, q.Join(ctx))
}
