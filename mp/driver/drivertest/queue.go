package drivertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"multiproc/internal/complete"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

var queueTests = []test{
	{"order", testQueueOrder},
	{"bounds", testQueueBounds},
	{"bytes", testQueueBytes},
	{"waiting", testQueueWaiting},
	{"cancelled", testQueueCancelled},
	{"batches", testQueueBatches},
	{"await", testQueueAwait},
	{"join", testQueueJoin},
	{"closed for writing", testQueueCloseWrite},
	{"crowd", testQueueCrowd},
}

func newQueue(t *testing.T, p driver.Place, size int, bytes int64) complete.Queue {
	t.Helper()
	return open[complete.Queue](t, p, driver.Spec{Kind: driver.KindQueue, Size: size, Bytes: bytes})
}

func testQueueOrder(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 0, 0), within(t, timeLimit)
	for i := range 100 {
		must(t, q.Put(ctx, item(t, i)))
	}
	n, err := q.Len(ctx)
	is(t, "len", n, err, 100)
	for i := range 100 {
		v, err := q.Get(ctx)
		reads(t, "get", v, err, fmt.Sprint(i))
	}
	for i, v := range sampleItems(t) {
		must(t, q.Put(ctx, v))
		got, err := q.TryGet(ctx)
		reads(t, fmt.Sprint("sample ", i), got, err, text(t, v))
	}
}

func testQueueBounds(t *testing.T, p driver.Place) {
	ctx := within(t, timeLimit)
	for _, size := range []int{1, 3} {
		q := newQueue(t, p, size, 0)
		if q.Cap() != size {
			t.Errorf("cap %d, want %d", q.Cap(), size)
		}
		_, err := q.TryGet(ctx)
		wantErr(t, "get from an empty queue", err, mperr.ErrEmpty)
		for i := range size {
			full, err := q.Full(ctx)
			is(t, "full", full, err, false)
			must(t, q.TryPut(ctx, item(t, i)))
		}
		full, err := q.Full(ctx)
		is(t, "full", full, err, true)
		wantErr(t, "put into a full queue", q.TryPut(ctx, item(t, 9)), mperr.ErrFull)
		n, err := q.Len(ctx)
		is(t, "len", n, err, size)
		for i := range size {
			v, err := q.TryGet(ctx)
			reads(t, "get", v, err, fmt.Sprint(i))
		}
	}
	q := newQueue(t, p, 0, 0)
	if q.Cap() != 0 {
		t.Errorf("cap of an unbounded queue: %d", q.Cap())
	}
	full, err := q.Full(ctx)
	is(t, "full", full, err, false)
}

func testQueueBytes(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 0, 1000), within(t, timeLimit)
	wantErr(t, "an item above the bound", q.Put(ctx, item(t, make([]byte, 2000))), mperr.ErrTooLarge)
	wantErr(t, "an item above the bound", q.TryPut(ctx, item(t, make([]byte, 2000))), mperr.ErrTooLarge)
	must(t, q.Put(ctx, item(t, make([]byte, 600))))
	wantErr(t, "items above the bound", q.TryPut(ctx, item(t, make([]byte, 600))), mperr.ErrFull)
	answer, cancel := waiting(t, "put", func(ctx context.Context) error { return q.Put(ctx, item(t, make([]byte, 600))) })
	defer cancel()
	_, err := q.Get(ctx)
	must(t, err)
	must(t, <-answer)
}

func testQueueWaiting(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 1, 0), within(t, timeLimit)
	var got []byte
	get := func(ctx context.Context) (err error) { got, err = q.Get(ctx); return err }
	put := func(ctx context.Context) error { return q.Put(ctx, item(t, "second")) }

	givesUp(t, "get", get)
	answer, cancel := waiting(t, "get", get)
	defer cancel()
	must(t, q.Put(ctx, item(t, "first")))
	must(t, <-answer)
	reads(t, "get", got, nil, "'first'")

	must(t, q.Put(ctx, item(t, "first")))
	givesUp(t, "put", put)
	n, err := q.Len(ctx)
	is(t, "len after puts that gave up", n, err, 1)
	answer, cancel = waiting(t, "put", put)
	defer cancel()
	must(t, get(ctx))
	must(t, <-answer)
	must(t, get(ctx))
	reads(t, "get", got, nil, "'second'")
}

// A Get that is cancelled takes nothing, and one that takes something says so,
// however close the two are.
func testQueueCancelled(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 0, 0), within(t, timeLimit)
	for i := range 200 {
		c, cancel := context.WithCancel(ctx)
		type answer struct {
			v   []byte
			err error
		}
		got := make(chan answer, 1)
		go func() {
			v, err := q.Get(c)
			got <- answer{v, err}
		}()
		if i%2 == 0 {
			go cancel()
		}
		must(t, q.Put(ctx, item(t, i)))
		cancel()
		a := <-got
		if a.err != nil {
			wantErr(t, "get", a.err, context.Canceled)
			a.v, a.err = q.TryGet(ctx)
		}
		reads(t, "the item", a.v, a.err, fmt.Sprint(i))
	}
	n, err := q.Len(ctx)
	is(t, "len", n, err, 0)
}

func testQueueBatches(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 5, 0), within(t, timeLimit)
	n, err := q.PutBatch(within(t, 10*short), items(t, 1, 2, 3, 4, 5, 6, 7))
	if n != 5 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a batch of 7 into a queue of 5: %d, %v", n, err)
	}
	batch, err := q.GetBatch(ctx, 3)
	readAll(t, "a batch of 3", batch, err, "1 2 3")
	batch, err = q.GetBatch(ctx, 30)
	readAll(t, "a batch of 30", batch, err, "4 5")
	givesUp(t, "a batch of nothing", func(ctx context.Context) error { _, err := q.GetBatch(ctx, 3); return err })
	n, err = q.PutBatch(ctx, nil)
	is(t, "an empty batch", n, err, 0)
	answer, cancel := waiting(t, "a batch", func(ctx context.Context) error {
		n, err := q.PutBatch(ctx, items(t, 1, 2, 3, 4, 5, 6, 7))
		is(t, "put", n, err, 7)
		return err
	})
	defer cancel()
	for i := range 7 {
		v, err := q.Get(ctx)
		reads(t, "get", v, err, fmt.Sprint(i+1))
	}
	must(t, <-answer)
}

func testQueueAwait(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 0, 0), within(t, timeLimit)
	needsMethod(t, q, "Await")
	givesUp(t, "await", q.Await)
	answer, cancel := waiting(t, "await", q.Await)
	defer cancel()
	must(t, q.Put(ctx, item(t, 1)))
	must(t, <-answer)
	must(t, q.Await(ctx))
	v, err := q.TryGet(ctx)
	reads(t, "await took the item", v, err, "1")
	answer, cancel = waiting(t, "await", q.Await)
	defer cancel()
	must(t, q.CloseWrite(ctx))
	must(t, <-answer)
}

func testQueueJoin(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 0, 0), within(t, timeLimit)
	must(t, q.Join(ctx))
	wantErr(t, "done with nothing", q.TaskDone(ctx), mperr.ErrTaskDone)
	must(t, q.Put(ctx, item(t, 1)))
	must(t, q.Put(ctx, item(t, 2)))
	givesUp(t, "join", q.Join)
	answer, cancel := waiting(t, "join", q.Join)
	defer cancel()
	_, err := q.GetBatch(ctx, 2)
	must(t, err)
	must(t, q.TaskDone(ctx))
	must(t, q.TaskDone(ctx))
	must(t, <-answer)
	wantErr(t, "done too often", q.TaskDone(ctx), mperr.ErrTaskDone)
}

func testQueueCloseWrite(t *testing.T, p driver.Place) {
	q, ctx := newQueue(t, p, 1, 0), within(t, timeLimit)
	needsMethod(t, q, "CloseWrite")
	must(t, q.Put(ctx, item(t, "last")))
	put := func(ctx context.Context) error { return q.Put(ctx, item(t, "late")) }
	answer, cancel := waiting(t, "put", put)
	defer cancel()
	must(t, q.CloseWrite(ctx))
	wantErr(t, "a put that waited", <-answer, mperr.ErrClosed)
	wantErr(t, "put", put(ctx), mperr.ErrClosed)
	wantErr(t, "try put", q.TryPut(ctx, item(t, "late")), mperr.ErrClosed)
	must(t, q.CloseWrite(ctx))
	v, err := q.Get(ctx)
	reads(t, "what is left", v, err, "'last'")
	_, err = q.Get(ctx)
	wantErr(t, "get", err, io.EOF)
	_, err = q.TryGet(ctx)
	wantErr(t, "try get", err, io.EOF)
	_, err = q.GetBatch(ctx, 2)
	wantErr(t, "get batch", err, io.EOF)

	q = newQueue(t, p, 0, 0)
	answer, cancel = waiting(t, "get", func(ctx context.Context) error { _, err := q.Get(ctx); return err })
	defer cancel()
	must(t, q.CloseWrite(ctx))
	wantErr(t, "a get that waited", <-answer, io.EOF)
}

// Whatever is put by many is got by many, once.
func testQueueCrowd(t *testing.T, p driver.Place) {
	const crowd, each = 5, 100
	q, ctx := newQueue(t, p, 7, 0), within(t, timeLimit)
	needsMethod(t, q, "CloseWrite")
	var putting, getting sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for i := range crowd {
		values := make([][]byte, each)
		for j := range values {
			values[j] = item(t, i*each+j)
		}
		putting.Go(func() {
			for _, v := range values {
				if err := q.Put(ctx, v); err != nil {
					t.Error(err)
					return
				}
			}
		})
		getting.Go(func() {
			for {
				v, err := q.Get(ctx)
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[string(v)]++
				mu.Unlock()
			}
		})
	}
	putting.Wait()
	must(t, q.CloseWrite(ctx))
	getting.Wait()
	for v, n := range seen {
		if n != 1 {
			t.Errorf("item %s came %d times", text(t, []byte(v)), n)
		}
	}
	if len(seen) != crowd*each {
		t.Errorf("%d different items came, %d were put", len(seen), crowd*each)
	}
}
