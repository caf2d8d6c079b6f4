//go:build linux

package mp_test

import (
	"strings"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

type parcel struct {
	Name  string
	Lists []*mp.List[int]
	Sum   *mp.Value[int]
}

// A handle that is kept in a container of its place stays one to the same
// object.
func TestNesting(t *testing.T) { inPlaces(t, testNesting) }

func testNesting(t *testing.T, m driver.Place) {
	ctx := t.Context()
	d := dict[string, parcel](t, m)
	a, b, sum := list[int](t, m), list(t, m, 5), value(t, 1, mp.In(m))
	must(t, d.Set(ctx, "p", parcel{"first", []*mp.List[int]{a, b, nil}, sum}))
	must(t, a.Append(ctx, 7))
	p := get(d.Get(ctx, "p"))(t)
	if v := get(p.Lists[0].Get(ctx, -1))(t); v != 7 || p.Lists[2] != nil || p.Name != "first" {
		t.Errorf("got %d in %+v", v, p)
	}
	must(t, get2(p.Sum.Add(ctx, 41)))
	if get(sum.Load(ctx))(t) != 42 {
		t.Errorf("got %d", get(sum.Load(ctx))(t))
	}
	// The handles that Update was given are its own.
	var kept *mp.List[int]
	must(t, d.Update(ctx, "p", func(p *parcel) error {
		kept = p.Lists[1]
		p.Lists = p.Lists[1:]
		return kept.Append(ctx, 6)
	}))
	wantErr(t, "a handle that Update closed", kept.Append(ctx, 1), mp.ErrClosed)
	p = get(d.Get(ctx, "p"))(t)
	if n := get(p.Lists[0].Len(ctx))(t); n != 2 || len(p.Lists) != 2 {
		t.Errorf("%d elements, %d lists", n, len(p.Lists))
	}

	lists := closing(t, get(mp.NewList[*mp.Dict[int, string]](mp.In(m)))(t))
	must(t, lists.Append(ctx, dict[int, string](t, m)))
	for _, key := range []int{1, 2} {
		d := get(lists.Get(ctx, 0))(t)
		must(t, d.Set(ctx, key, "x"))
		must(t, d.Close())
	}
	last := closing(t, get(lists.Pop(ctx, 0))(t))
	if n := get(last.Len(ctx))(t); n != 2 {
		t.Errorf("a dict in a list has %d keys", n)
	}
}

// Every kind of handle, in a queue of its place and out of it.
func TestHandlesInPlaceQueue(t *testing.T) { inPlaces(t, testHandlesInPlaceQueue) }

func testHandlesInPlaceQueue(t *testing.T, m driver.Place) {
	ctx := t.Context()
	e := farEverything(t, m)
	q := queue[farThings](t, 0, mp.In(m))
	must(t, q.Put(ctx, e))
	useFar(t, get(q.Get(ctx))(t))
	checkFar(t, e)
}

type farThings struct {
	Q  *mp.Queue[string]
	V  *mp.Value[string]
	M  *mp.Mutex
	D  *mp.Dict[string, int]
	L  *mp.List[string]
	S  *mp.Set[string]
	NS *mp.Namespace
}

func farEverything(t *testing.T, m driver.Place) farThings {
	t.Helper()
	in := mp.In(m)
	return farThings{
		queue[string](t, 3, in), value(t, "", in), mutex(t, in), dict[string, int](t, m), list[string](t, m),
		closing(t, get(mp.NewSet[string](in))(t)), closing(t, get(mp.NewNamespace(in))(t)),
	}
}

func useFar(t *testing.T, e farThings) {
	t.Helper()
	ctx := t.Context()
	must(t, e.Q.Put(ctx, "q"))
	if e.Q.Cap() != 3 {
		t.Errorf("a queue of %d", e.Q.Cap())
	}
	must(t, e.V.Store(ctx, "v"))
	must(t, e.M.Lock(ctx))
	must(t, e.D.Set(ctx, "d", 1))
	must(t, e.L.Append(ctx, "l"))
	must(t, get2(e.S.Insert(ctx, "s")))
	must(t, e.NS.Set(ctx, "ns", 1))
	for _, c := range []closer{e.Q, e.V, e.D, e.L, e.S, e.NS} {
		must(t, c.Close())
	}
}

func checkFar(t *testing.T, e farThings) {
	t.Helper()
	ctx := t.Context()
	d, l := get(e.D.Get(ctx, "d"))(t), get(e.L.Get(ctx, 0))(t)
	s, ns := get(e.S.Has(ctx, "s"))(t), get(mp.Attr[int](ctx, e.NS, "ns"))(t)
	if q := get(e.Q.TryGet(ctx))(t); q != "q" || get(e.V.Load(ctx))(t) != "v" || d != 1 || l != "l" || !s || ns != 1 {
		t.Errorf("got %q %q %d %q %v %d", q, get(e.V.Load(ctx))(t), d, l, s, ns)
	}
	if ok, err := e.M.TryLock(ctx); ok || err != nil {
		t.Errorf("the mutex that somebody holds: %v, %v", ok, err)
	}
}

func TestForeignHandles(t *testing.T) { inPlaces(t, testForeignHandles) }

func testForeignHandles(t *testing.T, m driver.Place) {
	ctx := t.Context()
	d := dict[string, *mp.List[int]](t, m)
	other := list[int](t, drivertest.Memory())
	err := d.Set(ctx, "k", other)
	wantErr(t, "a list of another place", err, mp.ErrForeign)
	counters := dict[string, *mp.Counter](t, m)
	wantErr(t, "a counter in memory", counters.Set(ctx, "k", counter(t, 1)), mp.ErrForeign)
	queues := list[*mp.Queue[int]](t, m)
	err = queues.Append(ctx, queue[int](t, 1))
	wantErr(t, "a queue in memory", err, mp.ErrForeign)
	wantText(t, "a queue in memory", err, "mp.In")
	if n := get(d.Len(ctx))(t) + get(queues.Len(ctx))(t); n != 0 {
		t.Errorf("%d values were kept", n)
	}
	gone := list[int](t, m)
	must(t, gone.Close())
	wantErr(t, "a closed handle", d.Set(ctx, "k", gone), mp.ErrClosed)
}

// A handle of another kind than the one that is there.
func TestHandleOfAnotherKind(t *testing.T) { inPlaces(t, testHandleOfAnotherKind) }

func testHandleOfAnotherKind(t *testing.T, m driver.Place) {
	ctx := t.Context()
	in := []mp.Option{mp.In(m), mp.WithName("mixed")}
	lists := closing(t, get(mp.NewDict[string, *mp.List[int]](in...))(t))
	dicts := closing(t, get(mp.NewDict[string, *mp.Dict[int, int]](in...))(t))
	must(t, lists.Set(ctx, "k", list[int](t, m)))
	wantErr(t, "a list as a dict", get2(dicts.Get(ctx, "k")), mp.ErrType)
	numbers := closing(t, get(mp.NewDict[string, int](in...))(t))
	if _, err := numbers.Get(ctx, "k"); err == nil || !strings.Contains(err.Error(), "mixed") {
		t.Errorf("a list as a number: %v", err)
	}
}
