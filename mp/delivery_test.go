//go:build linux

package mp_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"

	"golang.org/x/sys/unix"
)

// open makes a queue that is closed at the end of the test.
func open[T any](t *testing.T, opts ...mp.Option) *mp.Queue[T] {
	t.Helper()
	q := get(mp.NewQueue[T](0, opts...))(t)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func TestDelivery(t *testing.T) { inPlaces(t, testDelivery) }

func testDelivery(t *testing.T, m driver.Place) {
	testDeliveries(t, mp.In(m))
}

func TestDeliveryInMemory(t *testing.T) { testDeliveries(t) }

// testDeliveries is about what lives where the options say.
func testDeliveries(t *testing.T, in ...mp.Option) {
	ctx := t.Context()
	dead := open[string](t, in...)
	q := open[string](t, append(in, mp.WithLease(time.Hour), mp.WithDeadLetter(dead, 2))...)
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

// Handles cannot be lent from memory; Get takes them, also when Receive has tried.
func TestDeliveryOfHandles(t *testing.T) {
	ctx := t.Context()
	q := open[any](t, mp.WithLease(time.Millisecond))
	c := get(mp.NewCounter(7))(t)
	defer c.Close()
	must(t, q.Put(ctx, c))
	must(t, q.Put(ctx, "a"))
	_, err := q.Receive(ctx)
	wantErr(t, "Receive", err, errors.ErrUnsupported)
	wantText(t, "Receive", err, "Get")
	v := get(q.Get(ctx))(t)
	got, ok := v.(*mp.Counter)
	if s, is := v.(string); is && s == "a" { // the lease had not run out yet
		got, ok = get(q.Get(ctx))(t).(*mp.Counter)
	}
	if !ok || got.Load() != 7 {
		t.Errorf("got %v", v)
	}
	must(t, got.Close())
	_, err = open[*mp.Counter](t).Receive(ctx)
	wantErr(t, "Receive", err, errors.ErrUnsupported)
}

// ReceiveAll is a receiver that gives back each item it gets.
var ReceiveAll = mp.Proc(receiveAll)

func receiveAll(ctx context.Context, q *mp.Queue[string]) error {
	for {
		d, err := q.Receive(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := d.Nack(ctx, 0); err != nil {
			return err
		}
	}
}

// A queue does not travel without that of its dead letters: by the arguments of a child,
// and through a queue.
func TestDeadLettersTravel(t *testing.T) {
	ctx := t.Context()
	last := open[string](t)
	dead := open[string](t, mp.WithDeadLetter(last, 1))
	q := open[string](t, mp.WithDeadLetter(dead, 2))
	way := open[*mp.Queue[string]](t)
	must(t, q.Put(ctx, "a"))
	must(t, q.CloseWrite(ctx))
	must(t, way.Put(ctx, q))
	must(t, q.Close())
	arrived := get(way.Get(ctx))(t)
	must(t, get(ReceiveAll.Start(ctx, arrived))(t).Wait(ctx))
	if v := get(dead.TryReceive(ctx))(t); v.Value != "a" || v.Attempt != 1 {
		t.Errorf("dead: %v", v)
	} else {
		must(t, v.Nack(ctx, 0))
	}
	if v := get(last.TryGet(ctx))(t); v != "a" {
		t.Errorf("the last: %q", v)
	}
	must(t, arrived.Close())
}

// blocksOf is how many bytes of memory a queue takes.
func blocksOf(t *testing.T, q *mp.Queue[[]byte]) int64 {
	t.Helper()
	fd := mp.FD(q)
	defer unix.Close(fd)
	var st unix.Stat_t
	must(t, unix.Fstat(fd, &st))
	return 512 * st.Blocks
}

// What was large and is not lent any more is no memory.
func TestDeliveriesGiveMemoryBack(t *testing.T) {
	ctx := t.Context()
	q := open[[]byte](t)
	const n, size = 20, 1 << 20
	for range 3 {
		var all []*mp.Delivery[[]byte]
		for range n {
			must(t, q.Put(ctx, make([]byte, size)))
			all = append(all, get(q.Receive(ctx))(t))
		}
		if b := blocksOf(t, q); b < n*size {
			t.Errorf("%d bytes for %d that are lent", b, n*size)
		}
		for i, d := range all {
			if i%2 == 0 {
				must(t, d.Ack(ctx))
				continue
			}
			must(t, d.Nack(ctx, 0))
			get(q.Get(ctx))(t)
		}
	}
	if b := blocksOf(t, q); b > n*size/2 {
		t.Errorf("%d bytes, and nothing is lent", b)
	}
}

func TestLeaseOptionsThatCannotBeMeant(t *testing.T) {
	m := drivertest.Memory()
	far, near := open[int](t, mp.In(m)), open[int](t)
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
	words, numbers := open[string](t, in...), open[int](t, in...)
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
