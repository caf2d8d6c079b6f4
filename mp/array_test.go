//go:build linux

package mp_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"runtime"
	"syscall"
	"testing"

	"multiproc/mp"
)

// RunningSum replaces each element by the sum up to it, as CPython's test does.
var RunningSum = mp.Proc(func(ctx context.Context, a *mp.Array[int64]) error {
	return a.Update(ctx, func(s []int64) error {
		for i := 1; i < len(s); i++ {
			s[i] += s[i-1]
		}
		return nil
	})
}, mp.Named("running-sum"))

func TestArray(t *testing.T) {
	seq := []int64{680, 626, 934, 821, 150, 233, 548, 982, 714, 831}
	a := closing(t, get(mp.ArrayOf(seq...))(t))
	if a.Len() != len(seq) || a.Load(4) != seq[4] {
		t.Errorf("len %d, element 4 %d", a.Len(), a.Load(4))
	}
	if s := get(a.Slice(t.Context(), 2, 7))(t); !reflect.DeepEqual(s, seq[2:7]) {
		t.Errorf("Slice = %v", s)
	}
	must(t, a.SetSlice(t.Context(), 4, []int64{1, 2, 3, 4}))
	copy(seq[4:], []int64{1, 2, 3, 4})
	if s := get(a.Copy(t.Context()))(t); !reflect.DeepEqual(s, seq) {
		t.Errorf("Values = %v", s)
	}
	finish(t, start(t, RunningSum, a))
	sum := int64(0)
	for i, v := range a.All() {
		if sum += seq[i]; v != sum {
			t.Errorf("element %d is %d, want %d", i, v, sum)
		}
	}
	wantErr(t, "View", a.View(t.Context(), func([]int64) error { return errMine }), errMine)
	wantErr(t, "Update", a.Update(t.Context(), func([]int64) error { return errMine }), errMine)
}

func TestArrayBounds(t *testing.T) {
	a := closing(t, get(mp.NewArray[int32](3))(t))
	raw := closing(t, get(mp.NewRawArray[int32](3))(t))
	for name, f := range map[string]func(){
		"Load 3":     func() { a.Load(3) },
		"Load -1":    func() { a.Load(-1) },
		"Store 3":    func() { a.Store(3, 1) },
		"Slice":      func() { _, _ = a.Slice(t.Context(), 2, 4) },
		"Slice back": func() { _, _ = a.Slice(t.Context(), 2, 1) },
		"SetSlice":   func() { _ = a.SetSlice(t.Context(), 2, []int32{1, 2}) },
		"AtomicAdd":  func() { mp.AtomicAdd(a, 3, 1) },
		"raw Load":   func() { raw.Load(3) },
		"raw Store":  func() { raw.Store(-1, 1) },
	} {
		t.Run(name, func(t *testing.T) { wantPanic(t, "out of range", f) })
	}
	if s := get(a.Copy(t.Context()))(t); !reflect.DeepEqual(s, []int32{0, 0, 0}) {
		t.Errorf("a new array holds %v", s)
	}
	empty := closing(t, get(mp.NewArray[int](0))(t))
	if s := get(empty.Copy(t.Context()))(t); len(s) != 0 || empty.Len() != 0 {
		t.Errorf("an empty array holds %v", s)
	}
}

// Two view at once, and nobody updates meanwhile.
func TestViewsShare(t *testing.T) {
	a := closing(t, get(mp.NewArray[int](2))(t))
	must(t, a.View(t.Context(), func([]int) error {
		inner := make(chan error)
		go func() { inner <- a.View(context.Background(), func([]int) error { return nil }) }()
		must(t, <-inner)
		wantErr(t, "Update during a View", a.Update(within(t, short), func([]int) error { return nil }), context.DeadlineExceeded)
		return nil
	}))
	must(t, a.Update(t.Context(), func([]int) error {
		wantErr(t, "View during an Update", a.View(within(t, short), func([]int) error { return nil }), context.DeadlineExceeded)
		return nil
	}))
}

// Die changes half of an array and is killed.
var Die = mp.Proc(func(ctx context.Context, a *mp.Array[int]) error {
	return a.Update(ctx, func(s []int) error {
		s[0] = 1
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	})
}, mp.Named("die"))

func TestArrayOwnerDies(t *testing.T) {
	a := closing(t, get(mp.NewArray[int](2))(t))
	p := start(t, Die, a)
	<-p.Done()
	calls := 0
	f := func([]int) error { calls++; return nil }
	var died *mp.OwnerDiedError
	for range 2 {
		for _, err := range []error{a.View(t.Context(), f), a.Update(t.Context(), f), get2(a.Copy(t.Context()))} {
			if !errors.As(err, &died) || died.PID != p.PID() || died.Object != "array" {
				t.Fatalf("got %v, want the death of %d", err, p.PID())
			}
		}
	}
	if a.Load(0) != 1 || a.Load(1) != 0 {
		t.Error("single elements are not readable as they were left")
	}
	wantErr(t, "a Repair that fails", a.Repair(t.Context(), func([]int) error { return errMine }), errMine)
	if err := a.View(t.Context(), f); !errors.As(err, &died) {
		t.Errorf("after it: %v", err)
	}
	if calls != 0 {
		t.Error("a function was called with a half changed array")
	}
	must(t, a.Repair(t.Context(), func(s []int) error { s[1] = 1; return nil }))
	must(t, a.View(t.Context(), f))
	must(t, a.Update(t.Context(), f))
	if calls != 2 {
		t.Errorf("%d calls after the repair, want 2", calls)
	}
}

// A function that does not return leaves the array as a death does.
func TestArrayPanicInUpdate(t *testing.T) {
	a := closing(t, get(mp.ArrayOf(1, 2, 3))(t))
	for _, leave := range []func(){runtime.Goexit, func() { panic("over") }} {
		for _, change := range []func(context.Context, func([]int) error) error{a.Update, a.Repair} {
			done := make(chan int)
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				_ = change(t.Context(), func(s []int) error {
					s[0] = 9
					leave()
					return nil
				})
			}()
			<-done
			var died *mp.OwnerDiedError
			_, err := a.Copy(t.Context())
			if !errors.As(err, &died) || died.PID != mp.Self().PID {
				t.Errorf("after a function that did not return: %v", err)
			}
			must(t, a.Repair(t.Context(), func(s []int) error { s[0] = 1; return nil }))
			if got := get(a.Copy(t.Context()))(t); got[0] != 1 {
				t.Errorf("got %v", got)
			}
		}
	}
}
