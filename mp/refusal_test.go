//go:build linux

package mp_test

import (
	"context"
	"errors"
	"testing"

	"multiproc/mp"
)

// A context that has ended is the answer of every call that takes one, and
// nothing else happens.
func TestEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := must1(mp.NewQueue[int](3))(t)
	v := must1(mp.NewValue(1))(t)
	a := must1(mp.NewArray[int](3))(t)
	m := must1(mp.NewMutex())(t)
	called := false
	inside := func([]int) error { called = true; return nil }
	for name, err := range map[string]error{
		"Put":          q.Put(ctx, 1),
		"Get":          second(q.Get(ctx)),
		"PutBatch":     second(q.PutBatch(ctx, []int{1})),
		"GetBatch":     second(q.GetBatch(ctx, 1)),
		"Join":         q.Join(ctx),
		"Select":       second(mp.Select(ctx, q)),
		"Value.Update": v.Update(ctx, func(*int) error { called = true; return nil }),
		"Array.View":   a.View(ctx, inside),
		"Array.Update": a.Update(ctx, inside),
		"Array.Repair": a.Repair(ctx, inside),
		"Array.Values": second(a.Copy(ctx)),
		"SetSlice":     a.SetSlice(ctx, 0, []int{9}),
		"Mutex.Lock":   m.Lock(ctx),
		"Mutex.Repair": m.Repair(ctx, func() error { called = true; return nil }),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if called {
		t.Error("a function was called all the same")
	}
}

func must1[T interface{ Close() error }](x T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = x.Close() })
		return x
	}
}

func second[T any](_ T, err error) error { return err }

// The bound in items is what was asked for, whatever the size of an item.
func TestCapIsKept(t *testing.T) {
	q := must1(mp.NewQueue[[65536]byte](17_000))(t) // above the default of 1 GiB
	if q.Cap() != 17_000 || get(q.Full(t.Context()))(t) {
		t.Fatalf("Cap %d, Full %v", q.Cap(), get(q.Full(t.Context()))(t))
	}
	small := must1(mp.NewQueue[[100]byte](50))(t)
	for i := range 50 {
		if err := small.TryPut(t.Context(), [100]byte{}); err != nil {
			t.Fatalf("put %d of %d: %v", i+1, small.Cap(), err)
		}
	}
	if err := small.TryPut(t.Context(), [100]byte{}); !errors.Is(err, mp.ErrFull) {
		t.Errorf("put behind the last: %v", err)
	}
	if _, err := mp.NewQueue[[65536]byte](1 << 20); err == nil {
		t.Error("a queue of 64 GiB was made")
	}
	for _, n := range []int64{-5, 0, 9 << 30} {
		if _, err := mp.NewQueue[int](0, mp.MaxBytes(n)); err == nil {
			t.Errorf("MaxBytes(%d) was taken", n)
		}
		if _, _, err := mp.Pipe[int, int](mp.MaxBytes(n)); err == nil {
			t.Errorf("MaxBytes(%d) was taken for a pipe", n)
		}
	}
}

// What stands for nothing is refused with words.
func TestNothingGiven(t *testing.T) {
	if _, err := mp.Select(t.Context()); err == nil {
		t.Error("Select of nothing")
	}
	if _, err := mp.Select(t.Context(), nil); err == nil {
		t.Error("Select of nil")
	}
	if err := mp.WaitAll[mp.Child](t.Context(), nil); err == nil {
		t.Error("WaitAll of nil")
	}
	var v mp.Value[int]
	if err := v.Update(t.Context(), nil); !errors.Is(err, mp.ErrClosed) {
		t.Errorf("Update of a zero Value: %v", err)
	}
}
