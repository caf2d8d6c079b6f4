//go:build linux

package mp_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"multiproc/mp"
)

// MakeQueue returns a queue with one item in it.
var MakeQueue = mp.Func(makeQueue)

func makeQueue(ctx context.Context, _ mp.None) (*mp.Queue[string], error) {
	q, err := mp.NewQueue[string](0)
	if err != nil {
		return nil, err
	}
	return q, q.Put(ctx, "made by a child")
}

func TestHandleInResult(t *testing.T) {
	q := closing(t, get(MakeQueue.Run(t.Context(), mp.None{}))(t))
	if s := get(q.TryGet(t.Context()))(t); s != "made by a child" {
		t.Errorf("got %q", s)
	}
}

func init() { mp.RegisterType[*mp.Queue[string]]("mp_test.Strings") }

type everything struct {
	N       int
	Q       *mp.Queue[int]
	Nested  struct{ V *mp.Value[int64] }
	List    []*mp.Counter
	ByName  map[string]*mp.Array[int32]
	Any     any
	Nothing *mp.Mutex
	M       *mp.Mutex
	C       *mp.Conn[string, string]
	RV      *mp.RawValue[float64]
	RA      *mp.RawArray[byte]
}

// UseEverything leaves its mark in every object.
var UseEverything = mp.Proc(useEverything)

func useEverything(ctx context.Context, e everything) error {
	if e.Nothing != nil {
		return errors.New("a nil handle arrived as one")
	}
	if err := e.Q.Put(ctx, e.N); err != nil {
		return err
	}
	if err := e.Nested.V.Update(ctx, func(v *int64) error { *v += 7; return nil }); err != nil {
		return err
	}
	for i, c := range e.List {
		c.Add(int64(i))
	}
	for name, a := range e.ByName {
		a.Store(len(name), 5)
	}
	if err := e.Any.(*mp.Queue[string]).Put(ctx, "in any"); err != nil {
		return err
	}
	if err := e.M.Lock(ctx); err != nil {
		return err
	}
	e.M.Unlock()
	e.RV.Store(2.5)
	e.RA.Elements()[3] = 4
	s, err := e.C.Recv(ctx)
	if err != nil {
		return err
	}
	return e.C.Send(ctx, s+" and back")
}

func TestHandlesNested(t *testing.T) {
	mine, theirs := pipe[string, string](t)
	inAny := queue[string](t, 0)
	e := everything{
		N: 3, Q: queue[int](t, 0), Any: inAny, M: mutex(t), C: theirs,
		List:   []*mp.Counter{counter(t, 0), counter(t, 10), counter(t, 20)},
		ByName: map[string]*mp.Array[int32]{"ab": closing(t, get(mp.NewArray[int32](3))(t))},
		RV:     closing(t, get(mp.NewRawValue(1.5))(t)),
		RA:     closing(t, get(mp.NewRawArray[byte](8))(t)),
	}
	e.Nested.V = value[int64](t, 35)
	p := start(t, UseEverything, e)
	must(t, mine.Send(t.Context(), "there"))
	if s, err := mine.Recv(t.Context()); s != "there and back" || err != nil {
		t.Errorf("over the pipe: %q, %v", s, err)
	}
	finish(t, p)
	if n, err := e.Q.TryGet(t.Context()); n != 3 || err != nil {
		t.Errorf("queue: %d, %v", n, err)
	}
	if s, err := inAny.TryGet(t.Context()); s != "in any" || err != nil {
		t.Errorf("in any: %q, %v", s, err)
	}
	if get(e.Nested.V.Load(t.Context()))(t) != 42 || e.List[2].Load() != 22 || e.ByName["ab"].Load(2) != 5 || e.RV.Load() != 2.5 || e.RA.Load(3) != 4 {
		t.Error("an object does not carry the child's mark")
	}
	wantErr(t, "a Conn that has moved", theirs.Send(t.Context(), "x"), mp.ErrClosed)
	if _, err := mine.Recv(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the child's end: %v", err)
	}
}

// Sum adds up many counters.
var Sum = mp.Func(sum)

func sum(_ context.Context, all []*mp.Counter) (n int64, _ error) {
	for _, c := range all {
		n += c.Load()
	}
	return n, nil
}

func TestThousandHandles(t *testing.T) {
	var all []*mp.Counter
	for i := range int64(1000) {
		all = append(all, counter(t, i))
	}
	if n := get(Sum.Run(t.Context(), all))(t); n != 499500 {
		t.Errorf("the sum of 1000 counters is %d", n)
	}
}

// PutQueue puts a queue of its own into a queue and ends.
var PutQueue = mp.Proc(putQueue)

func putQueue(ctx context.Context, out *mp.Queue[*mp.Queue[int]]) error {
	q, err := mp.NewQueue[int](0)
	if err != nil {
		return err
	}
	for i := range 3 {
		if err := q.Put(ctx, i); err != nil {
			return err
		}
	}
	return out.Put(ctx, q)
}

func TestHandleThroughQueueOfTheDead(t *testing.T) {
	carrier := queue[*mp.Queue[int]](t, 0)
	before := mp.Deposits()
	finish(t, start(t, PutQueue, carrier))
	if n := mp.Deposits(); n != before+1 {
		t.Errorf("%d deposits, want %d", n, before+1)
	}
	// Once fetched by the root itself, once by a child.
	q := closing(t, get(carrier.Get(t.Context()))(t))
	for i := range 3 {
		if v := get(q.TryGet(t.Context()))(t); v != i {
			t.Errorf("item %d is %d", i, v)
		}
	}
	finish(t, start(t, PutQueue, carrier))
	if n := get(Drain.Run(t.Context(), carrier))(t); n != 3 {
		t.Errorf("the third process found %d items", n)
	}
	if n := mp.Deposits(); n != before {
		t.Errorf("%d deposits are left, want %d", n, before)
	}
}

// Drain counts what is in a queue that it finds in a queue.
var Drain = mp.Func(drain)

func drain(ctx context.Context, in *mp.Queue[*mp.Queue[int]]) (int, error) {
	q, err := in.Get(ctx)
	if err != nil {
		return 0, err
	}
	n, err := q.Len(ctx)
	if err != nil {
		return 0, err
	}
	for range n {
		if _, err := q.Get(ctx); err != nil {
			return 0, err
		}
	}
	return n, q.Close()
}

// A put that fails takes its deposit back.
func TestFailedPutTakesItsDepositBack(t *testing.T) {
	carrier := queue[*mp.Counter](t, 1)
	c := counter(t, 1)
	must(t, carrier.Put(t.Context(), c))
	before := mp.Deposits()
	wantErr(t, "TryPut", carrier.TryPut(t.Context(), c), mp.ErrFull)
	wantErr(t, "Put", carrier.Put(within(t, short), c), context.DeadlineExceeded)
	if n := mp.Deposits(); n != before {
		t.Errorf("%d deposits, want %d", n, before)
	}
	closing(t, get(carrier.Get(t.Context()))(t))
}

// A Conn that goes through a queue is held all the way.
func TestConnThroughQueue(t *testing.T) {
	carrier := queue[*mp.Conn[mp.None, int]](t, 0)
	recv, send := oneWay[int](t)
	must(t, carrier.Put(t.Context(), recv))
	must(t, send.Send(t.Context(), 1)) // the pipe is not broken though nobody has the other end in hand
	total := counter(t, 0)
	p := start(t, ReadFrom, readFrom{carrier, total})
	must(t, send.Send(t.Context(), 2))
	must(t, send.Close())
	finish(t, p)
	if total.Load() != 3 {
		t.Errorf("the reader added up %d", total.Load())
	}
}

type readFrom struct {
	Carrier *mp.Queue[*mp.Conn[mp.None, int]]
	Sum     *mp.Counter
}

// ReadFrom takes a Conn out of a queue and reads it to its end.
var ReadFrom = mp.Proc(func(ctx context.Context, r readFrom) error {
	c, err := r.Carrier.Get(ctx)
	if err != nil {
		return err
	}
	return read(ctx, reader{c, r.Sum})
}, mp.Named("read-from"))
