//go:build linux

package mp_test

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"multiproc/manager"
	"multiproc/mp"
	"multiproc/mp/driver"
	"multiproc/mptest"
)

// What nobody gets is closed: handles of a page behind the one at which a loop
// ends, and those beside a value that cannot be decoded.
func TestHandlesThatNobodyGets(t *testing.T) {
	m, ctx := served(t).(*manager.Manager), t.Context()
	named := func(name string) []mp.Option { return []mp.Option{mp.In(m), mp.WithName(name)} }
	lists := closing(t, get(mp.NewList[*mp.List[int]](named("list")...))(t))
	dicts := closing(t, get(mp.NewDict[int, *mp.List[int]](named("dict")...))(t))
	for i := range 3 {
		l := get(mp.NewList[int](mp.In(m)))(t)
		must(t, lists.Append(ctx, l))
		must(t, dicts.Set(ctx, i, l))
		must(t, l.Close())
	}
	held := func() int { return get(m.Objects(ctx))(t) }
	before := held()

	check := func(what string) {
		t.Helper()
		if n := held(); n != before {
			t.Errorf("%s: %d objects have handles, %d had before", what, n, before)
		}
	}
	for l, err := range lists.All(ctx) {
		must(t, err)
		must(t, l.Close())
		break
	}
	check("a loop over a list")
	for e, err := range dicts.All(ctx) {
		must(t, err)
		must(t, e.Value.Close())
		break
	}
	check("a loop over a dict")
	for l, err := range dicts.Values(ctx) {
		must(t, err)
		must(t, l.Close())
		break
	}
	check("a loop over values")
	for _, err := range dicts.Keys(ctx) {
		must(t, err)
	}
	check("a loop over keys")

	anyList := closing(t, get(mp.NewList[any](named("list")...))(t))
	anyDict := closing(t, get(mp.NewDict[int, any](named("dict")...))(t))
	must(t, anyList.Append(ctx, "no list"))
	must(t, anyDict.Set(ctx, 3, "no list"))
	wantErr(t, "List.Copy", get2(lists.Copy(ctx)), mp.ErrType)
	check("List.Copy")
	wantErr(t, "Dict.Copy", get2(dicts.Copy(ctx)), mp.ErrType)
	check("Dict.Copy")
	seen := 0
	var last error
	for l, err := range lists.All(ctx) {
		if last = err; err == nil {
			seen++
			must(t, l.Close())
		}
	}
	wantErr(t, "List.All", last, mp.ErrType)
	check("List.All")
	for e, err := range dicts.All(ctx) {
		if last = err; err == nil {
			seen++
			must(t, e.Value.Close())
		}
	}
	wantErr(t, "Dict.All", last, mp.ErrType)
	check("Dict.All")
	if seen != 6 {
		t.Errorf("the loops came to %d of 6 handles before the value that is none", seen)
	}
}

// The handles of a page are open before the loop comes to them, since the place
// forgets what others take out meanwhile.
func TestHandlesOfAPage(t *testing.T) {
	m, ctx := served(t).(*manager.Manager), t.Context()
	lists := closing(t, get(mp.NewList[*mp.List[int]](mp.In(m)))(t))
	dicts := closing(t, get(mp.NewDict[int, *mp.List[int]](mp.In(m)))(t))
	for i := range 3 {
		l := get(mp.NewList[int](mp.In(m)))(t)
		must(t, lists.Append(ctx, l))
		must(t, dicts.Set(ctx, i, l))
		must(t, l.Close())
	}
	before := get(m.Objects(ctx))(t)
	check := func(what string) {
		t.Helper()
		if n := get(m.Objects(ctx))(t); n != before+3 {
			t.Errorf("%s: %d handles of the page are open at its first value", what, n-before)
		}
	}
	for l, err := range lists.All(ctx) {
		must(t, err)
		check("a loop over a list")
		must(t, l.Close())
		break
	}
	for e, err := range dicts.All(ctx) {
		must(t, err)
		check("a loop over a dict")
		must(t, e.Value.Close())
		break
	}
}

// What is held through a handle that was closed is given back as always.
func TestCloseWhileHeld(t *testing.T) { everywhere(t, testMutexClosedWhileHeld) }

func testMutexClosedWhileHeld(t *testing.T, in ...mp.Option) {
	m, ctx := mutex(t, in...), t.Context()
	carrier := queue[*mp.Mutex](t, 1)
	must(t, carrier.Put(ctx, m))
	other := closing(t, get(carrier.Get(ctx))(t))
	must(t, m.Lock(ctx))
	must(t, m.Close())
	if ok := get(other.TryLock(ctx))(t); ok {
		t.Error("a lock whose handle was closed is free")
	}
	m.Unlock()
	if ok := get(other.TryLock(ctx))(t); !ok {
		t.Error("a lock that was given back by a closed handle is not free")
	}
	other.Unlock()
	wantErr(t, "a closed handle", m.Lock(ctx), mp.ErrClosed)
}

func TestLocksClosedWhileHeld(t *testing.T) { inPlaces(t, testLocksClosedWhileHeld) }

func testLocksClosedWhileHeld(t *testing.T, p driver.Place) {
	ctx := t.Context()
	in := func(name string) []mp.Option { return []mp.Option{mp.In(p), mp.WithName(name)} }
	c, otherC := get(mp.NewCond(nil, in("c")...))(t), closing(t, get(mp.NewCond(nil, in("c")...))(t))
	must(t, c.Lock(ctx))
	must(t, c.Close())
	c.Unlock()
	must(t, otherC.Lock(ctx))
	otherC.Unlock()
	rw, otherRW := get(mp.NewRWMutex(in("rw")...))(t), closing(t, get(mp.NewRWMutex(in("rw")...))(t))
	must(t, rw.RLock(ctx))
	must(t, rw.RLock(ctx))
	must(t, rw.Close())
	rw.RUnlock()
	rw.RUnlock()
	must(t, otherRW.Lock(ctx))
	otherRW.Unlock()
	s, otherS := get(mp.NewSemaphore(1, in("s")...))(t), closing(t, get(mp.NewSemaphore(1, in("s")...))(t))
	must(t, s.Acquire(ctx, 1))
	must(t, s.Close())
	must(t, s.Release(ctx, 1))
	wantErr(t, "the second release", s.Release(ctx, 1), mp.ErrClosed)
	must(t, otherS.Acquire(ctx, 1))
}

// A handle that is closed while others put and get through it: each call ends
// well or with ErrClosed, and none touches memory that is gone. What a Put said
// it has put is there.
func TestCloseInFullUse(t *testing.T) {
	// More threads than processors: some are stopped in the middle of a call.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	ctx, carrier := t.Context(), queue[*mp.Queue[int]](t, 1)
	for round := range 40 {
		q := get(mp.NewQueue[int](100))(t)
		must(t, carrier.Put(ctx, q))
		other := closing(t, get(carrier.Get(ctx))(t))
		var wg sync.WaitGroup
		var put, got atomic.Int64
		use := func(call func() error, n *atomic.Int64) {
			for {
				switch err := call(); {
				case err == nil:
					n.Add(1)
				case errors.Is(err, mp.ErrClosed):
					return
				case !errors.Is(err, mp.ErrFull) && !errors.Is(err, mp.ErrEmpty):
					t.Error(err)
					return
				}
			}
		}
		for range 4 {
			wg.Go(func() { use(func() error { return q.TryPut(ctx, 1) }, &put) })
			wg.Go(func() { use(func() error { _, err := q.TryGet(ctx); return err }, &got) })
		}
		mptest.Eventually(t, func() bool { return got.Load() > 1000 }, "items come")
		must(t, q.Close())
		if round%10 == 0 {
			runtime.GC()
		}
		wg.Wait()
		if left := int64(get(other.Len(ctx))(t)); put.Load()-got.Load() != left {
			t.Fatalf("%d were put and %d got, %d are left", put.Load(), got.Load(), left)
		}
	}
}
