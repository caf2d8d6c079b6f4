//go:build linux

package mp_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

func TestDelivery(t *testing.T) { inPlaces(t, testDelivery) }

func testDelivery(t *testing.T, m driver.Place) {
	testDeliveries(t, mp.In(m))
}

// testDeliveries is about what lives where the options say.
func testDeliveries(t *testing.T, in ...mp.Option) {
	ctx := t.Context()
	dead := get(mp.NewQueue[string](0, in...))(t)
	q := get(mp.NewQueue[string](0, append(in, mp.WithLease(time.Hour), mp.WithDeadLetter(dead, 2))...))(t)
	for _, v := range []string{"a", "b", "c", "d"} {
		must(t, q.Put(ctx, v))
	}
	a := get(q.Receive(ctx))(t)
	if a.Value != "a" || a.Attempt != 1 {
		t.Errorf("received %q, attempt %d", a.Value, a.Attempt)
	}
	must(t, a.Nack(ctx, 0))
	wantErr(t, "Ack after Nack", a.Ack(ctx), mp.ErrLeaseLost)
	a = get(q.TryReceive(ctx))(t)
	if a.Value != "a" || a.Attempt != 2 {
		t.Errorf("received %q, attempt %d", a.Value, a.Attempt)
	}
	must(t, a.Extend(ctx, time.Minute))
	must(t, a.Nack(ctx, time.Hour)) // which is one attempt too many
	batch := get(q.ReceiveBatch(ctx, 5))(t)
	if len(batch) != 3 || batch[0].Value != "b" || batch[2].Value != "d" {
		t.Errorf("received %v", batch)
	}
	if n := get(q.Leased(ctx))(t); n != 3 {
		t.Errorf("leased: %d", n)
	}
	must(t, batch[1].Ack(ctx))
	lost, err := q.AckBatch(ctx, batch)
	wantErr(t, "AckBatch", err, mp.ErrLeaseLost)
	if len(lost) != 1 || lost[0] != batch[1] {
		t.Errorf("lost %v", lost)
	}
	lost, err = q.AckBatch(ctx, nil)
	if lost != nil || err != nil {
		t.Errorf("AckBatch of nothing: %v, %v", lost, err)
	}
	if v := get(dead.Get(ctx))(t); v != "a" {
		t.Errorf("dead: %q", v)
	}
	must(t, q.CloseWrite(ctx))
	_, err = q.Receive(ctx)
	wantErr(t, "Receive", err, io.EOF)
	must(t, q.Join(ctx))

	_, err = q.ReceiveBatch(ctx, 0)
	wantText(t, "no items", err, "0 items")
	wantErr(t, "Extend by less than nothing", batch[0].Extend(ctx, -1), mp.ErrValue)
	wantErr(t, "Ack of nobody's", new(mp.Delivery[int]).Ack(ctx), mp.ErrLeaseLost)
	_, err = dead.AckBatch(ctx, batch)
	wantErr(t, "Ack in another queue", err, mp.ErrValue)
}

func TestLeaseOptionsThatCannotBeMeant(t *testing.T) {
	m := drivertest.Memory()
	far, near := get(mp.NewQueue[int](0, mp.In(m)))(t), get(mp.NewQueue[int](0))(t)
	wantText(t, "no lease", get2(mp.NewQueue[int](0, mp.WithLease(0))), "WithLease(0s)")
	wantText(t, "no attempts", get2(mp.NewQueue[int](0, mp.WithDeadLetter(near, 0))), "attempts")
	wantText(t, "a lease of a lock", get2(mp.NewMutex(mp.WithLease(1))), "queues")
	_, _, err := mp.Pipe[int, int](mp.WithLease(1))
	wantText(t, "a lease of a pipe", err, "queues")
	for what, x := range map[string]struct{ err, want error }{
		"another type":         {get2(mp.NewQueue[string](0, mp.WithDeadLetter(near, 1))), mp.ErrType},
		"another place":        {get2(mp.NewQueue[int](0, mp.WithDeadLetter(far, 1))), mp.ErrForeign},
		"memory and not there": {get2(mp.NewQueue[int](0, mp.In(m), mp.WithDeadLetter(near, 1))), mp.ErrForeign},
		"a second place":       {get2(mp.NewQueue[int](0, mp.In(drivertest.Memory()), mp.WithDeadLetter(far, 1))), mp.ErrForeign},
		"no queue":             {get2(mp.NewQueue[int](0, mp.WithDeadLetter(new(mp.Queue[int]), 1))), mp.ErrClosed},
	} {
		wantErr(t, what, x.err, x.want)
	}
}

// What cannot be decoded is not lost: it comes again when the lease has run out.
func TestDeliveryThatCannotBeDecoded(t *testing.T) { inPlaces(t, testDeliveryThatCannotBeDecoded) }

func testDeliveryThatCannotBeDecoded(t *testing.T, m driver.Place) {
	ctx, in := t.Context(), []mp.Option{mp.In(m), mp.WithName("q"), mp.WithLease(time.Hour)}
	words, numbers := get(mp.NewQueue[string](0, in...))(t), get(mp.NewQueue[int](0, in...))(t)
	must(t, words.Put(ctx, "a"))
	must(t, numbers.Put(ctx, 1))
	ds, err := numbers.ReceiveBatch(ctx, 5)
	wantErr(t, "Receive", err, mp.ErrType)
	if len(ds) != 1 || ds[0].Value != 1 {
		t.Errorf("received %v", ds)
	}
	if n := get(numbers.Leased(ctx))(t); n != 2 {
		t.Errorf("leased: %d", n)
	}
	if _, err := words.TryGet(ctx); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("get: %v", err)
	}
}
