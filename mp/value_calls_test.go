//go:build linux

package mp_test

import (
	"context"
	"errors"
	"math"
	"os"
	"sync"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

func TestValueCalls(t *testing.T) { everywhere(t, testValueCalls) }

func testValueCalls(t *testing.T, in ...mp.Option) {
	v, ctx := value(t, point{1, 2}, in...), t.Context()
	if x := get(v.Load(ctx))(t); x != (point{1, 2}) {
		t.Errorf("Get = %v", x)
	}
	must(t, v.Store(ctx, point{3, 4}))
	if a, b := get(v.CompareAndSwap(ctx, point{1, 2}, point{}))(t), get(v.CompareAndSwap(ctx, point{3, 4}, point{5, 6}))(t); a || !b {
		t.Errorf("CompareAndSwap = %v, %v", a, b)
	}
	if x := get(v.Load(ctx))(t); x != (point{5, 6}) {
		t.Errorf("Load = %v", x)
	}
	wantErr(t, "the sum of structs", get2(v.Add(ctx, point{})), mp.ErrType)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	wantErr(t, "Get", get2(v.Load(ended)), context.Canceled)
	wantErr(t, "Set", v.Store(ended, point{}), context.Canceled)
	wantErr(t, "CompareAndSwap", get2(v.CompareAndSwap(ended, point{5, 6}, point{})), context.Canceled)
	if x := get(v.Load(ctx))(t); x != (point{5, 6}) {
		t.Errorf("Load = %v", x)
	}
	nan := value(t, math.NaN(), in...)
	if get(nan.CompareAndSwap(ctx, math.NaN(), 1))(t) {
		t.Error("NaN equals NaN")
	}
}

// sumOf adds in memory and in a place.
func sumOf[T comparable](t *testing.T, a, b, want T) {
	t.Helper()
	everywhere(t, func(t *testing.T, in ...mp.Option) {
		v := value(t, a, in...)
		if got := get(v.Add(t.Context(), b))(t); got != want || get(v.Load(t.Context()))(t) != want {
			t.Errorf("%T: %v + %v = %v, %v", a, a, b, got, get(v.Load(t.Context()))(t))
		}
	})
}

type meters int32

func TestValueAdd(t *testing.T) {
	sumOf(t, 40, 2, 42)
	sumOf[int8](t, -100, -28, -128)
	sumOf[int16](t, 300, -1, 299)
	sumOf[meters](t, 1, 2, 3)
	sumOf[int64](t, 1<<40, 1, 1<<40+1)
	sumOf[uint](t, 1, 2, 3)
	sumOf[uint8](t, 200, 55, 255)
	sumOf[uint16](t, 1, 2, 3)
	sumOf[uint32](t, 1, 2, 3)
	sumOf[uint64](t, 1<<63, 1, 1<<63+1)
	sumOf[float32](t, 1.5, 2, 3.5)
	sumOf(t, 1.5, -2, -0.5)
	sumOf[complex64](t, 1i, 2, 2+1i)
	sumOf(t, 1i, 2, 2+1i)
	if v := get(value(t, int8(127)).Add(t.Context(), 1))(t); v != -128 {
		t.Errorf("127 + 1 = %d in memory", v)
	}
	wantErr(t, "the sum of bools", get2(value(t, true).Add(t.Context(), true)), mp.ErrType)
	far := value(t, "a", mp.In(drivertest.Memory()))
	if s := get(far.Add(t.Context(), "b"))(t); s != "ab" {
		t.Errorf("Add = %q", s)
	}
}

// In a place a value is of any type, and Update tries again.
func TestValueInPlace(t *testing.T) {
	v, ctx := value(t, map[string][]int{}, mp.In(drivertest.Memory())), t.Context()
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			for range 40 {
				must(t, v.Update(ctx, func(m *map[string][]int) error {
					(*m)["k"] = append((*m)["k"], i)
					return nil
				}))
			}
		})
	}
	all.Wait()
	if m := get(v.Load(ctx))(t); len(m["k"]) != 200 {
		t.Errorf("%d of 200 updates are there", len(m["k"]))
	}
}

// A place that is lost: every call says so.
func TestLostPlace(t *testing.T) {
	p, ctx := drivertest.NewStore().Join(), t.Context()
	v, q, m := value(t, 1, mp.In(p)), queue[int](t, 1, mp.In(p)), mutex(t, mp.In(p))
	must(t, m.Lock(ctx))
	must(t, q.Put(ctx, 1))
	p.Kill()
	for what, err := range map[string]error{
		"Load": get2(v.Load(ctx)), "Store": v.Store(ctx, 2), "Len": get2(q.Len(ctx)), "Full": get2(q.Full(ctx)),
		"Empty": get2(q.Empty(ctx)), "TryPut": q.TryPut(ctx, 2), "TryGet": get2(q.TryGet(ctx)), "TaskDone": q.TaskDone(ctx),
		"CloseWrite": q.CloseWrite(ctx), "Owner": get2(m.Owner(ctx)), "TryLock": get2(m.TryLock(ctx)),
	} {
		wantErr(t, what, err, mp.ErrUnknownFate)
	}
	m.Unlock() // what was lost is no mistake
	wantPanic(t, "does not hold", m.Unlock)
	wantErr(t, "Lock", m.Lock(ctx), mp.ErrUnknownFate)
	wantErr(t, "NewMutex", get2(mp.NewMutex(mp.In(p))), mp.ErrUnknownFate)
}

func TestMutexInPlace(t *testing.T) {
	store, ctx := drivertest.NewStore(), t.Context()
	victim := store.Join()
	theirs := mutex(t, mp.In(victim), mp.WithName("m"))
	m := mutex(t, mp.In(store.Join()), mp.WithName("m"))
	must(t, theirs.Lock(ctx))
	if get(m.Owner(ctx))(t) != os.Getpid() {
		t.Errorf("held by %d", get(m.Owner(ctx))(t))
	}
	wantPanic(t, "does not hold", m.Unlock)
	victim.Kill()
	var died *mp.OwnerDiedError
	if err := m.Lock(ctx); !errors.As(err, &died) {
		t.Fatalf("Lock: %v", err)
	}
	if ok, err := m.TryLock(ctx); ok || !errors.As(err, &died) {
		t.Errorf("TryLock: %v, %v", ok, err)
	}
	wantErr(t, "a repair that fails", m.Repair(ctx, func() error { return errMine }), errMine)
	wantPanic(t, "over", func() { _ = m.Repair(ctx, func() error { panic("over") }) })
	if err := m.Lock(ctx); !errors.As(err, &died) {
		t.Errorf("Lock after it: %v", err)
	}
	must(t, m.Repair(ctx, func() error {
		if get(m.Owner(ctx))(t) == 0 {
			t.Error("the repair does not hold the lock")
		}
		return nil
	}))
	must(t, m.Lock(ctx))
	m.Unlock()
}
