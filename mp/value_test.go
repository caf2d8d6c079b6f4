//go:build linux

package mp_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"multiproc/mp"
	"multiproc/mp/driver/drivertest"
)

type wide struct {
	A, B, C int64
	F       [4]float32
}

// Increment adds one, n times, by Update.
var Increment = mp.Proc(func(ctx context.Context, j incr) error {
	for range j.N {
		if err := j.V.Update(ctx, func(v *int64) error { *v++; return nil }); err != nil {
			return err
		}
		err := j.W.Update(ctx, func(w *wide) error { w.A++; w.B += 2; w.C += 3; return nil })
		if err != nil {
			return err
		}
		j.C.Add(1)
		mp.AtomicAdd(j.A, 0, 1)
		mp.AtomicAdd(j.A, 1, 2)
	}
	return nil
}, mp.Named("increment"))

type incr struct {
	N int
	V *mp.Value[int64]
	W *mp.Value[wide]
	C *mp.Counter
	A *mp.Array[uint8]
}

func TestUpdatesExclude(t *testing.T) {
	const n, procs = 2000, 3
	j := incr{n, value[int64](t, 0), value(t, wide{}), counter(t, 0), closing(t, get(mp.NewArray[uint8](3))(t))}
	var running []mp.Child
	for range procs {
		running = append(running, start(t, Increment, j))
	}
	for j.C.Load() < n*procs {
		if w := get(j.W.Load(t.Context()))(t); w.B != 2*w.A || w.C != 3*w.A {
			t.Fatalf("a torn value: %+v", w)
		}
		running[0].State() // a dead child would keep us here for ever
		if s := running[0].State(); !s.Running && s.ExitCode != 0 {
			break
		}
	}
	for _, p := range running {
		finish(t, p)
	}
	if v, w := get(j.V.Load(t.Context()))(t), get(j.W.Load(t.Context()))(t); v != n*procs || w.A != n*procs || j.C.Load() != n*procs {
		t.Errorf("value %d, wide %+v, counter %d, want %d", v, w, j.C.Load(), n*procs)
	}
	total := n * procs
	if a, b, c := j.A.Load(0), j.A.Load(1), j.A.Load(2); a != uint8(total) || b != uint8(2*total) || c != 0 {
		t.Errorf("bytes %d, %d, %d", a, b, c)
	}
}

// codes stores and loads one value of each type code of the seeds.
func codes[T comparable](t *testing.T, v, w T) {
	t.Helper()
	far := value(t, v, mp.In(drivertest.Memory()))
	if must(t, far.Store(t.Context(), w)); get(far.Load(t.Context()))(t) != w {
		t.Errorf("%T: in a place %v became %v", v, w, get(far.Load(t.Context()))(t))
	}
	x, r, a := value(t, v), closing(t, get(mp.NewRawValue(v))(t)), closing(t, get(mp.ArrayOf(v, w))(t))
	if get(x.Load(t.Context()))(t) != v || r.Load() != v || a.Load(0) != v || a.Load(1) != w || a.Len() != 2 {
		t.Errorf("%T: made of %v: %v, %v, %v", v, v, get(x.Load(t.Context()))(t), r.Load(), a.Load(0))
	}
	must(t, x.Store(t.Context(), w))
	r.Store(w)
	a.Store(0, w)
	if get(x.Load(t.Context()))(t) != w || r.Load() != w || a.Load(0) != w {
		t.Errorf("%T: set to %v: %v, %v, %v", v, w, get(x.Load(t.Context()))(t), r.Load(), a.Load(0))
	}
	must(t, x.Update(t.Context(), func(p *T) error { *p = v; return nil }))
	if get(x.Load(t.Context()))(t) != v {
		t.Errorf("%T: updated to %v: %v", v, v, get(x.Load(t.Context()))(t))
	}
}

func TestTypeCodes(t *testing.T) {
	codes[byte](t, 'x', 'y')
	codes(t, 'ä', '世')
	codes[int8](t, -128, 127)
	codes[uint8](t, 0, 255)
	codes[int16](t, -1<<15, 1<<15-1)
	codes[uint16](t, 0, 1<<16-1)
	codes[int32](t, -1<<31, 1<<31-1)
	codes[uint32](t, 0, 1<<32-1)
	codes[int64](t, -1<<63, 1<<63-1)
	codes[uint64](t, 0, 1<<64-1)
	codes(t, -1, 1)
	codes[float32](t, 1.5, -2.25)
	codes(t, 3.14, -1e300)
	codes(t, true, false)
	codes(t, struct{}{}, struct{}{})
	codes(t, [3]byte{1, 2, 3}, [3]byte{4, 5, 6})
	codes(t, point{1, 2}, point{3, 4})
	codes(t, wide{1, 2, 3, [4]float32{4}}, wide{})
	codes(t, complex(1, 2), 0)
}

func TestUpdateThatFails(t *testing.T) {
	everywhere(t, func(t *testing.T, in ...mp.Option) {
		x := value(t, [3]int64{1, 2, 3}, in...)
		err := x.Update(t.Context(), func(p *[3]int64) error { p[1] = 9; return errMine })
		wantErr(t, "Update", err, errMine)
		func() {
			defer func() { _ = recover() }()
			_ = x.Update(t.Context(), func(p *[3]int64) error { p[2] = 9; panic("over") })
		}()
		if get(x.Load(t.Context()))(t) != [3]int64{1, 2, 3} {
			t.Errorf("a failed update changed the value to %v", get(x.Load(t.Context()))(t))
		}
		must(t, x.Update(t.Context(), func(p *[3]int64) error { p[0]++; return nil }))
		if get(x.Load(t.Context()))(t) != [3]int64{2, 2, 3} {
			t.Errorf("got %v", get(x.Load(t.Context()))(t))
		}
	})
}

// A function that takes long keeps nobody waiting, and is called again.
func TestUpdateKeepsNobodyWaiting(t *testing.T) {
	t.Run("word", func(t *testing.T) { keepsNobodyWaiting(t, value(t, 1), func(p *int) *int { return p }) })
	t.Run("wide", func(t *testing.T) {
		keepsNobodyWaiting(t, value(t, [9]int{1}), func(p *[9]int) *int { return &p[0] })
	})
}

func keepsNobodyWaiting[T any](t *testing.T, v *mp.Value[T], first func(*T) *int) {
	inside, leave, ended := make(chan int), make(chan int), make(chan error)
	calls := 0
	go func() {
		ended <- v.Update(context.Background(), func(p *T) error {
			if calls++; calls == 1 {
				close(inside)
				<-leave
			}
			*first(p) *= 10
			return nil
		})
	}()
	<-inside
	must(t, v.Update(t.Context(), func(p *T) error { *first(p)++; return nil }))
	x := get(v.Load(t.Context()))(t)
	*first(&x)++
	must(t, v.Store(t.Context(), x))
	if x = get(v.Load(t.Context()))(t); *first(&x) != 3 {
		t.Errorf("got %d", *first(&x))
	}
	close(leave)
	must(t, <-ended)
	if x = get(v.Load(t.Context()))(t); *first(&x) != 30 || calls != 2 {
		t.Errorf("got %d after %d calls", *first(&x), calls)
	}
}

// An Update that loses every race gets the turn, and others hold back until
// their time is up: also behind one that has died with the turn.
func TestUpdateTakesTheTurn(t *testing.T) {
	v := value(t, 0)
	calls := 0
	turns := map[uint64]bool{}
	must(t, v.Update(t.Context(), func(p *int) error {
		if calls++; calls < 67 {
			must(t, v.Store(t.Context(), 1000*calls))
		}
		turns[*v.Turn()] = true
		*p++
		return nil
	}))
	// 64 without a turn; after each of the others Store had waited, and had taken
	// the turn away.
	if get(v.Load(t.Context()))(t) != 66_001 || calls != 67 || *v.Turn() != 0 {
		t.Errorf("got %d after %d calls, turn %#x", get(v.Load(t.Context()))(t), calls, *v.Turn())
	}
	func() {
		defer func() { _ = recover() }()
		calls = 0
		_ = v.Update(t.Context(), func(*int) error {
			if calls++; calls < 65 {
				must(t, v.Store(t.Context(), -calls))
				return nil
			}
			if *v.Turn() == 0 {
				t.Error("no turn")
			}
			panic("over")
		})
	}()
	if *v.Turn() != 0 {
		t.Error("a panic keeps the turn")
	}
	*v.Turn() = 1<<32 | 0x1234_ff00 // of a process that is not there
	must(t, v.Update(t.Context(), func(p *int) error { *p = 5; return nil }))
	if get(v.Load(t.Context()))(t) != 5 || *v.Turn() != 0 {
		t.Errorf("got %d, turn %#x", get(v.Load(t.Context()))(t), *v.Turn())
	}
	for bit := range 64 { // damaged: nobody waits for it
		*v.Turn() = 1 << bit
		must(t, v.Store(t.Context(), bit))
	}
}

// A handle that is closed ends an Update that is called again, or holds back.
func TestCloseEndsUpdate(t *testing.T) {
	v := get(mp.NewValue(1))(t)
	other := &mp.Value[int]{}
	must(t, mp.Arrive(other, mp.FD(v), 0))
	wantErr(t, "Update", v.Update(t.Context(), func(*int) error {
		must(t, other.Store(t.Context(), get(other.Load(t.Context()))(t)+1))
		return v.Close()
	}), mp.ErrClosed)
	*other.Turn() = 1<<32 | 0x1234_f50a // 10 s
	ended := make(chan error)
	go func() { ended <- other.Update(context.Background(), func(*int) error { return nil }) }()
	must(t, other.Close())
	wantErr(t, "Update", <-ended, mp.ErrClosed)
}

// The memory stays until an Update that closes its own handle is over.
func TestCloseInsideUpdate(t *testing.T) {
	for range 20 {
		v := get(mp.NewValue(wide{}))(t)
		err := v.Update(t.Context(), func(*wide) error {
			must(t, v.Close())
			for range 3 {
				runtime.GC()
			}
			return errMine
		})
		wantErr(t, "Update", err, errMine)
	}
}

func TestClosedValues(t *testing.T) { everywhere(t, testClosedValues) }

func testClosedValues(t *testing.T, in ...mp.Option) {
	v, c := get(mp.NewValue(1, in...))(t), get(mp.NewCounter(1))(t)
	must(t, v.Close())
	must(t, c.Close())
	wantErr(t, "Close", v.Close(), mp.ErrClosed)
	wantErr(t, "Update", v.Update(t.Context(), func(*int) error { return nil }), mp.ErrClosed)
	wantErr(t, "Get", get2(v.Load(t.Context())), mp.ErrClosed)
	wantErr(t, "Set", v.Store(t.Context(), 1), mp.ErrClosed)
	wantErr(t, "Add", get2(v.Add(t.Context(), 1)), mp.ErrClosed)
	wantErr(t, "CompareAndSwap", get2(v.CompareAndSwap(t.Context(), 1, 2)), mp.ErrClosed)
	wantPanic(t, "closed", func() { c.Add(1) })
	wantPanic(t, "closed", func() { new(mp.Counter).Load() })
}

func TestCounter(t *testing.T) {
	c := counter(t, 5)
	if c.Add(-7) != -2 || c.CompareAndSwap(5, 1) || !c.CompareAndSwap(-2, 3) || c.Load() != 3 {
		t.Errorf("got %d", c.Load())
	}
	c.Store(9)
	if c.Load() != 9 {
		t.Errorf("got %d", c.Load())
	}
}

func TestTypesThatCannotBeShared(t *testing.T) {
	for name, err := range map[string]error{
		"string": get2(mp.NewValue("x")), "slice": get2(mp.NewValue([]int{})), "pointer": get2(mp.NewArray[*int](1)),
		"map": get2(mp.NewRawValue(map[int]int{})), "any": get2(mp.NewRawArray[any](1)), "func": get2(mp.NewQueue[func()](1)),
		"channel": get2(mp.NewQueue[chan int](0)), "negative": get2(mp.NewArray[int](-1)), "huge": get2(mp.NewArray[int](1 << 60)),
	} {
		if err == nil {
			t.Errorf("%s: made", name)
		}
	}
	_, _, err := mp.Pipe[int, context.Context]()
	if err == nil || errors.Is(err, mp.ErrClosed) {
		t.Errorf("a pipe of contexts: %v", err)
	}
}
