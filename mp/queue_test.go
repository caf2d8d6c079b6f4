//go:build linux

package mp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

type order struct {
	ID   int
	Name string
	Tags []string
	Data []byte
	Sub  *order
	M    map[string]float64
}

type point struct{ X, Y int }

func init() { mp.RegisterType[point]() }

// roundTrip sends values through a queue and compares.
func roundTrip[T any](t *testing.T, values ...T) {
	t.Helper()
	roundTripIn(t, queue[T](t, 0), values...)
	roundTripIn(t, queue[T](t, 0, mp.In(drivertest.Memory())), values...)
}

func roundTripIn[T any](t *testing.T, q *mp.Queue[T], values ...T) {
	t.Helper()
	for _, v := range values {
		must(t, q.Put(t.Context(), v))
	}
	for _, v := range values {
		if got := get(q.Get(t.Context()))(t); !reflect.DeepEqual(got, v) {
			t.Errorf("%T: %#v became %#v", v, v, got)
		}
	}
}

func TestQueueCarriesAnyType(t *testing.T) {
	roundTrip(t, 1, -1, 1<<62)
	roundTrip[uint8](t, 0, 255)
	roundTrip(t, 1.5, -0.25)
	roundTrip(t, true, false)
	roundTrip(t, "", "text", strings.Repeat("long", 100_000))
	roundTrip(t, []byte{}, []byte{0}, make([]byte, 1<<20))
	roundTrip(t, struct{}{}, struct{}{})
	roundTrip(t, [3]int16{1, 2, 3})
	roundTrip(t, point{1, 2})
	roundTrip(t, []string{}, nil, []string{"a", ""})
	roundTrip(t, map[string][]int{"a": {1}, "b": nil}, nil)
	roundTrip(t, order{1, "n", []string{"x"}, []byte("d"), &order{ID: 2}, map[string]float64{"pi": 3.14}}, order{})
	roundTrip(t, time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC))
	roundTrip[any](t, nil, 1, -2.5, true, "s", []byte("b"), []any{1, "x", nil, 2.0}, map[string]any{"k": []any{3}})
	// In a place an any is what it is in every language.
	roundTripIn[any](t, queue[any](t, 0), nil, 1, int8(2), uint64(1<<63), 2.5, float32(1.25), true, "s", []byte("b"), []any{1, "x", nil, 2.0},
		map[string]any{"k": []any{int64(3)}}, []int{1, 2}, map[int]string{1: "a"}, point{3, 4}, []point{{5, 6}}, [2]bool{true})
}

// What Get returned does not change when more is got.
func TestGetGivesMemoryOfItsOwn(t *testing.T) { everywhere(t, testGetGivesMemoryOfItsOwn) }

func testGetGivesMemoryOfItsOwn(t *testing.T, in ...mp.Option) {
	q := queue[order](t, 0, in...)
	for i := range 100 {
		must(t, q.Put(t.Context(), order{ID: i, Name: fmt.Sprint("name", i), Data: []byte(fmt.Sprint("data", i))}))
	}
	var got []order
	for range 100 {
		got = append(got, get(q.Get(t.Context()))(t))
	}
	for i, o := range got {
		if o.Name != fmt.Sprint("name", i) || string(o.Data) != fmt.Sprint("data", i) {
			t.Errorf("%d became %+v", i, o)
		}
	}
}

func TestQueueFullAndEmpty(t *testing.T) { everywhere(t, testQueueFullAndEmpty) }

func testQueueFullAndEmpty(t *testing.T, in ...mp.Option) {
	for _, n := range []int{1, 2, 6} {
		q := queue[int](t, n, in...)
		if q.Cap() != n || !get(q.Empty(t.Context()))(t) || get(q.Full(t.Context()))(t) || get(q.Len(t.Context()))(t) != 0 {
			t.Errorf("a new queue of %d: cap %d, len %d", n, q.Cap(), get(q.Len(t.Context()))(t))
		}
		if _, err := q.TryGet(t.Context()); !errors.Is(err, mp.ErrEmpty) {
			t.Errorf("TryGet: %v", err)
		}
		if _, err := q.Get(within(t, short)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Get: %v", err)
		}
		for i := range n {
			must(t, q.TryPut(t.Context(), i))
			if get(q.Len(t.Context()))(t) != i+1 || get(q.Empty(t.Context()))(t) || get(q.Full(t.Context()))(t) != (i+1 == n) {
				t.Errorf("after %d of %d: len %d, full %v", i+1, n, get(q.Len(t.Context()))(t), get(q.Full(t.Context()))(t))
			}
		}
		wantErr(t, "TryPut", q.TryPut(t.Context(), 9), mp.ErrFull)
		wantErr(t, "Put", q.Put(within(t, short), 9), context.DeadlineExceeded)
		if get(q.Len(t.Context()))(t) != n {
			t.Errorf("failed puts changed the length to %d", get(q.Len(t.Context()))(t))
		}
		for i := range n {
			if v := get(q.TryGet(t.Context()))(t); v != i || get(q.Len(t.Context()))(t) != n-i-1 {
				t.Errorf("got %d, len %d", v, get(q.Len(t.Context()))(t))
			}
		}
	}
	for _, n := range []int{-1, 1<<30 + 1} {
		if q, err := mp.NewQueue[int](n, in...); err == nil {
			t.Errorf("a queue of %d items was made", n)
			must(t, q.Close())
		}
	}
}

func TestTooLarge(t *testing.T) { everywhere(t, testTooLarge) }

func testTooLarge(t *testing.T, in ...mp.Option) {
	q := queue[[]byte](t, 0, append(in, mp.MaxBytes(1024))...)
	must(t, q.Put(t.Context(), []byte("before")))
	wantErr(t, "Put", q.Put(t.Context(), make([]byte, 1025)), mp.ErrTooLarge)
	wantErr(t, "TryPut", q.TryPut(t.Context(), make([]byte, 1<<20)), mp.ErrTooLarge)
	must(t, q.Put(t.Context(), []byte("after")))
	for _, want := range []string{"before", "after"} {
		if b := get(q.TryGet(t.Context()))(t); string(b) != want {
			t.Errorf("got %q, want %q", b, want)
		}
	}
	must(t, q.Put(t.Context(), make([]byte, 1016)))
	if b := get(q.TryGet(t.Context()))(t); len(b) != 1016 {
		t.Errorf("the largest record has %d bytes", len(b))
	}
}

// An encoding error comes back from Put and leaves no trace: CPython's
// test_queue_feeder_donot_stop_onexc.
func TestPutThatCannotBeEncoded(t *testing.T) { everywhere(t, testPutThatCannotBeEncoded) }

func testPutThatCannotBeEncoded(t *testing.T, in ...mp.Option) {
	q := queue[any](t, 1, in...)
	type unknown struct{ A int }
	if len(in) == 0 { // a place keeps it as a map
		if err := q.Put(t.Context(), unknown{1}); err == nil || !strings.Contains(err.Error(), "RegisterType") {
			t.Errorf("got %v, want an error that names RegisterType", err)
		}
	}
	if err := q.Put(t.Context(), make(chan int)); err == nil {
		t.Error("a channel was put")
	}
	if get(q.Len(t.Context()))(t) != 0 {
		t.Errorf("len %d", get(q.Len(t.Context()))(t))
	}
	must(t, q.TryPut(t.Context(), true))
	if v := get(q.TryGet(t.Context()))(t); v != true {
		t.Errorf("got %v", v)
	}
}

func TestTaskDoneAndJoin(t *testing.T) {
	q := queue[int](t, 0)
	must(t, q.Join(t.Context()))
	wantErr(t, "TaskDone of nothing", q.TaskDone(t.Context()), mp.ErrTaskDone)
	for i := range 10 {
		must(t, q.Put(t.Context(), i))
	}
	wantErr(t, "Join", q.Join(within(t, short)), context.DeadlineExceeded)
	var workers []mp.Child
	for range 4 {
		workers = append(workers, start(t, Work, q))
	}
	must(t, q.Join(t.Context()))
	wantErr(t, "TaskDone", q.TaskDone(t.Context()), mp.ErrTaskDone)
	must(t, q.CloseWrite(t.Context()))
	for _, w := range workers {
		finish(t, w)
	}
}

// Work takes items and says that each is done.
var Work = mp.Proc(func(ctx context.Context, q *mp.Queue[int]) error {
	for _, err := range q.Drain(ctx) {
		if err != nil {
			return err
		}
		if err := q.TaskDone(ctx); err != nil {
			return err
		}
	}
	return nil
}, mp.Named("work"))

func TestCloseWrite(t *testing.T) { everywhere(t, testCloseWrite) }

func testCloseWrite(t *testing.T, in ...mp.Option) {
	q := queue[string](t, 2, in...)
	must(t, q.Put(t.Context(), "a"))
	must(t, q.Put(t.Context(), "b"))
	waiting := make(chan error)
	go func() { waiting <- q.Put(context.Background(), "c") }()
	must(t, q.CloseWrite(t.Context()))
	wantErr(t, "a Put that waited", <-waiting, mp.ErrClosed)
	must(t, q.CloseWrite(t.Context()))
	wantErr(t, "Put", q.Put(t.Context(), "c"), mp.ErrClosed)
	var got []string
	for s, err := range q.Drain(t.Context()) {
		must(t, err)
		got = append(got, s)
	}
	if strings.Join(got, "") != "ab" {
		t.Errorf("All gave %q", got)
	}
	if _, err := q.Get(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("Get: %v", err)
	}
	if _, err := q.TryGet(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("TryGet: %v", err)
	}
	if _, err := q.GetBatch(t.Context(), 3); !errors.Is(err, io.EOF) {
		t.Errorf("GetBatch: %v", err)
	}
}

func TestBatches(t *testing.T) { everywhere(t, testBatches) }

func testBatches(t *testing.T, in ...mp.Option) {
	q := queue[int](t, 5, in...)
	n, err := q.PutBatch(within(t, short), []int{1, 2, 3, 4, 5, 6, 7})
	if n != 5 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("PutBatch = %d, %v", n, err)
	}
	if got := get(q.GetBatch(t.Context(), 3))(t); !reflect.DeepEqual(got, []int{1, 2, 3}) {
		t.Errorf("GetBatch = %v", got)
	}
	if got := get(q.GetBatch(t.Context(), 30))(t); !reflect.DeepEqual(got, []int{4, 5}) {
		t.Errorf("GetBatch = %v", got)
	}
	if _, err := q.GetBatch(within(t, short), 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("GetBatch of an empty queue: %v", err)
	}
	if _, err := q.GetBatch(t.Context(), 0); err == nil {
		t.Error("a batch of 0 items")
	}
	s := queue[order](t, 0, in...)
	must(t, get2(s.PutBatch(t.Context(), []order{{ID: 1}, {ID: 2, Name: "x"}})))
	if got := get(s.GetBatch(t.Context(), 9))(t); len(got) != 2 || got[1].Name != "x" {
		t.Errorf("GetBatch = %+v", got)
	}
	b := queue[[]byte](t, 0, in...)
	must(t, b.Put(t.Context(), []byte("item")))
	if got, err := mp.GetAppend(t.Context(), b, []byte("got ")); string(got) != "got item" || err != nil {
		t.Errorf("GetAppend = %q, %v", got, err)
	}
}
