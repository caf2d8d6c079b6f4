package drivertest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// The end of a queue waits for what is lent: it may come back.
func testLeaseCloseWrite(t *testing.T, p driver.Place) {
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	needsMethod(t, q, "CloseWrite")
	must(t, q.Put(ctx, item(t, 1)))
	must(t, q.Put(ctx, item(t, 2)))
	a, b := receive(t, q, "1", 1), receive(t, q, "2", 1)
	must(t, q.CloseWrite(ctx))
	_, err := q.TryReceive(ctx, 1)
	wantErr(t, "receive while items are lent", err, mperr.ErrEmpty)
	_, err = q.TryGet(ctx)
	wantErr(t, "get while items are lent", err, mperr.ErrEmpty)
	calls := map[string]func(context.Context) error{
		"receive": func(ctx context.Context) error { _, err := q.Receive(ctx, 1); return err },
		"get":     func(ctx context.Context) error { _, err := q.Get(ctx); return err },
		"batch":   func(ctx context.Context) error { _, err := q.GetBatch(ctx, 3); return err },
	}
	answers := map[string]chan error{}
	for name, call := range calls {
		answer, cancel := waiting(t, name, call)
		defer cancel()
		answers[name] = answer
	}
	ack(t, q, a)
	for _, answer := range answers {
		still(t, "an item is acknowledged and another lent", len(answers), answer)
	}
	ack(t, q, b)
	for name, answer := range answers {
		wantErr(t, name+" after the last ack", <-answer, io.EOF)
	}
	_, err = q.TryReceive(ctx, 1)
	wantErr(t, "try receive", err, io.EOF)
	if !lacks(q, "Await") {
		must(t, q.Await(ctx))
	}
}

func testLeaseDeadLetters(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	dead := newLeased(t, p, driver.Spec{Lease: never})
	q := newLeased(t, p, driver.Spec{Lease: soon, DeadLetter: complete.Bare(dead), Attempts: 2})
	must(t, q.Put(ctx, item(t, "poison")))
	must(t, q.Put(ctx, item(t, "sound")))
	must(t, q.Nack(ctx, receive(t, q, "'poison'", 1), 0))
	must(t, q.Nack(ctx, receive(t, q, "'poison'", 2), never)) // no delay keeps it from being dead
	_, err := q.Ack(ctx, []uint64{receive(t, q, "'sound'", 1)})
	must(t, err)
	counted(t, dead, 1, 0)
	ack(t, dead, receive(t, dead, "'poison'", 1))
	// The same by leases that run out.
	must(t, q.Put(ctx, item(t, "slow")))
	receive(t, q, "'slow'", 1)
	receive(t, q, "'slow'", 2)
	givesUp(t, "receive", func(ctx context.Context) error { _, err := q.Receive(ctx, 1); return err })
	eventually(t, func() bool {
		_, err := q.TryReceive(ctx, 1)
		n, _ := dead.Len(ctx)
		return errors.Is(err, mperr.ErrEmpty) && n == 1
	}, "the item is dead")
	receive(t, dead, "'slow'", 1)
	counted(t, q, 0, 0)
	if !lacks(q, "Join") {
		must(t, q.Join(ctx)) // what is dead has been dealt with
	}
	if !offers(t, p, driver.KindMutex) {
		return
	}
	mutex := open[complete.Mutex](t, p, spec(driver.KindMutex))
	_, err = p.Open(ctx, driver.Spec{Kind: driver.KindQueue, DeadLetter: complete.Bare(mutex), Attempts: 1})
	wantErr(t, "a lock for dead letters", err, mperr.ErrType)
}

// What the dead letters do not take is lent once more, and not lost.
func testLeaseDeadLettersFull(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	dead := newLeased(t, p, driver.Spec{Size: 1})
	q := newLeased(t, p, driver.Spec{Lease: never, DeadLetter: complete.Bare(dead), Attempts: 1})
	must(t, dead.Put(ctx, item(t, "full")))
	must(t, q.Put(ctx, item(t, 1)))
	must(t, q.Nack(ctx, receive(t, q, "1", 1), 0))
	lease := receive(t, q, "1", 2)
	_, err := dead.Get(ctx)
	must(t, err)
	must(t, q.Nack(ctx, lease, 0))
	_, err = q.TryReceive(ctx, 1)
	wantErr(t, "receive of what is dead", err, mperr.ErrEmpty)
	v, err := dead.Get(ctx)
	reads(t, "a dead letter", v, err, "1")
}

// Ten thousand items are lent at once, and all come back in order.
func testLeaseMany(t *testing.T, p driver.Place) {
	const n = 10_000
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	vs := make([][]byte, n)
	for i := range vs {
		vs[i] = item(t, i)
	}
	_, err := q.PutBatch(ctx, vs)
	must(t, err)
	var all []driver.Delivery
	for len(all) < n {
		out, err := q.Receive(ctx, n)
		must(t, err)
		all = append(all, out...)
	}
	counted(t, q, 0, n)
	for _, d := range all[n/2:] {
		must(t, q.Nack(ctx, d.Lease, 0))
	}
	var leases []uint64
	for _, d := range all[:n/2] {
		leases = append(leases, d.Lease)
	}
	ack(t, q, leases...)
	counted(t, q, n/2, 0)
	for i := n / 2; i < n; {
		got, err := q.GetBatch(ctx, n)
		must(t, err)
		for _, v := range got {
			if string(v) != string(vs[i]) {
				t.Fatalf("item %s where %s was put", text(t, v), text(t, vs[i]))
			}
			i++
		}
	}
}

// Many receive, and acknowledge or give back as it comes: each item is acknowledged
// once.
func testLeaseCrowd(t *testing.T, p driver.Place) {
	const crowd, each = 4, 60
	q, ctx := newLeased(t, p, driver.Spec{Lease: never}), within(t, timeLimit)
	needsMethod(t, q, "CloseWrite")
	var all sync.WaitGroup
	var mu sync.Mutex
	done := map[string]int{}
	for i := range crowd * each {
		must(t, q.Put(ctx, item(t, i)))
	}
	must(t, q.CloseWrite(ctx))
	for range crowd {
		all.Go(func() {
			for {
				out, err := q.Receive(ctx, 1+rand.IntN(3))
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				for _, d := range out {
					switch rand.IntN(4) {
					case 0:
						err = q.Nack(ctx, d.Lease, 0)
					case 1:
						err = q.Nack(ctx, d.Lease, time.Millisecond)
					default:
						_, err = q.Ack(ctx, []uint64{d.Lease})
						mu.Lock()
						done[string(d.Value)]++
						mu.Unlock()
					}
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	for v, n := range done {
		if n != 1 {
			t.Errorf("item %s was acknowledged %d times", text(t, []byte(v)), n)
		}
	}
	if len(done) != crowd*each {
		t.Errorf("%d different items were acknowledged, %d were put", len(done), crowd*each)
	}
}

// What the dead have not acknowledged comes back at once.
func testDeathOfReceiver(t *testing.T, victim, witness driver.Place, kill func()) {
	if !offers(t, witness, driver.KindQueue) {
		t.Skipf("%v does not offer queues", witness)
	}
	ctx, s := within(t, timeLimit), driver.Spec{Kind: driver.KindQueue, Name: "q", Lease: never}
	theirs, q := newLeased(t, victim, s), newLeased(t, witness, s)
	for i := range 4 {
		must(t, q.Put(ctx, item(t, i)))
	}
	out, err := theirs.Receive(ctx, 3)
	must(t, err)
	ack(t, theirs, out[1].Lease)
	_, err = q.Ack(ctx, []uint64{out[0].Lease})
	wantErr(t, "ack of another's lease", err, mperr.ErrLeaseLost)
	ack(t, q, receive(t, q, "3", 1))
	kill()
	ack(t, q, receive(t, q, "0", 2)) // there is nothing else: it waits until the death is known
	must(t, q.Put(ctx, item(t, 4)))
	ack(t, q, receive(t, q, "2", 2))
	ack(t, q, receive(t, q, "4", 1))
	counted(t, q, 0, 0)
}
