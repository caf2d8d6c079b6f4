//go:build linux

package mp_test

import (
	"errors"
	"testing"

	"multiproc/internal/shm"
	"multiproc/mp"
	"multiproc/mptest"
)

func TestHandlesThatCannotArrive(t *testing.T) {
	q := queue[int](t, 0)
	a, _ := pipe[int, string](t)
	foreign := mp.HeaderOf(q)
	foreign.Family[0]++
	stranger := get(shm.Create(foreign))(t)
	defer func() { must(t, stranger.Close()) }()
	odd := mp.HeaderOf(q)
	odd.Params[0] = 1 << 62 // bytes
	oversize := get(shm.Create(odd))(t)
	defer func() { must(t, oversize.Close()) }()
	small := mp.HeaderOf(q)
	small.Size = 4096
	truncated := get(shm.Create(small))(t)
	defer func() { must(t, truncated.Close()) }()
	null := func() int {
		r, w := osPipe(t)
		_ = w.Close()
		defer func() { _ = r.Close() }()
		return get(shm.DupFD(int(r.Fd())))(t)
	}

	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"another element type", mp.Arrive(&mp.Queue[string]{}, mp.FD(q), 0), mp.ErrType},
		{"another kind", mp.Arrive(&mp.Mutex{}, mp.FD(q), 0), mp.ErrType},
		{"a pipe the wrong way round", mp.Arrive(&mp.Conn[string, int]{}, mp.FD(a), 0), mp.ErrType},
		{"a side that no pipe has", mp.Arrive(&mp.Conn[int, string]{}, mp.FD(a), 8), mp.ErrCorrupt},
		{"another family", mp.Arrive(&mp.Queue[int]{}, get(stranger.Dup())(t), 0), mp.ErrForeign},
		{"parameters that cannot be", mp.Arrive(&mp.Queue[int]{}, get(oversize.Dup())(t), 0), mp.ErrCorrupt},
		{"a segment cut short", mp.Arrive(&mp.Queue[int]{}, get(truncated.Dup())(t), 0), mp.ErrCorrupt},
		{"no segment at all", mp.Arrive(&mp.Queue[int]{}, null(), 0), mp.ErrCorrupt},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	// Another object than the reference names, of the same kind and type.
	if err := mp.ArriveAs(&mp.Queue[int]{}, mp.FD(queue[int](t, 0)), mp.HeaderOf(q).ID); !errors.Is(err, mp.ErrCorrupt) {
		t.Errorf("another object: %v, want ErrCorrupt", err)
	}
}

func TestSpoiltQueue(t *testing.T) {
	q := queue[string](t, 0)
	must(t, q.Put(t.Context(), "x"))
	for i := range mp.BodyOf(q, 640) {
		if i < 16 || (i >= 128 && i < 144) {
			continue // a lock word that names a live thread of somebody is another matter
		}
		mp.BodyOf(q, 640)[i] = 0xa5
	}
	if err := mp.Arrive(&mp.Queue[string]{}, mp.FD(q), 0); !errors.Is(err, mp.ErrCorrupt) {
		t.Errorf("attach to a spoilt queue: %v", err)
	}
	if _, err := q.TryGet(t.Context()); err == nil {
		t.Error("Get from a spoilt queue succeeds")
	}
	if err := q.TryPut(t.Context(), "y"); err == nil {
		t.Error("Put into a spoilt queue succeeds")
	}
}

// Closed handles are refused when they are sent, with the message whole.
func TestClosedHandleCannotTravel(t *testing.T) {
	q, err := mp.NewQueue[int](0)
	must(t, err)
	must(t, q.Close())
	carrier := queue[*mp.Queue[int]](t, 0)
	wantErr(t, "Put", carrier.Put(t.Context(), q), mp.ErrClosed)
	c := get(mp.NewCounter(0))(t)
	must(t, c.Close())
	_, err = Sum.Start(t.Context(), []*mp.Counter{counter(t, 1), c})
	wantErr(t, "Start", err, mp.ErrClosed)
	wantErr(t, "Start with the zero handle", get2(Sum.Start(t.Context(), []*mp.Counter{{}})), mp.ErrClosed)
	if get(carrier.Len(t.Context()))(t) != 0 || len(mp.Children()) != 0 {
		t.Error("something was put or started all the same")
	}
}

// get2 is the error of a call with a result.
func get2[T any](_ T, err error) error { return err }

// A child can pass on what it was given, and its starter need not live.
func TestPassOn(t *testing.T) {
	q := queue[string](t, 0)
	p := start(t, Middle, q)
	if s := get(q.Get(t.Context()))(t); s != "waiting" {
		t.Errorf("the grandchild says %q", s)
	}
	must(t, p.Kill())
	if s := get(q.Get(t.Context()))(t); s == "" {
		t.Errorf("the orphan says %q", s)
	}
	mptest.Eventually(t, func() bool { return processes(t) == 0 }, "all have ended")
}

func TestCrashReason(t *testing.T) {
	for report, want := range map[string]string{
		"panic: over there\n\ngoroutine 7": "panic: over there",
		"runtime stack:\nruntime.throw({0x6afd7a?, 0x2377?})\n\t/x/panic.go:1\nruntime.sysMapOS(0xc0)\n": "fatal error: out of memory",
		"goroutine 9 [running]:\nruntime.fatal({0x1?})\n\t/x\nmain.f(1)\n":                               "fatal error in main.f",
		"goroutine 9 [running]:\ninternal/runtime/maps.fatal({0x1?})\n\t/x\nmain.f(1)\n":                 "fatal error: concurrent map read, write or iteration",
		"goroutine 9 [running]:\nmain.f(1)\n":                                                            "fatal error",
		"[signal SIGBUS: bus error]\n\ngoroutine 1":                                                      "fatal error: signal SIGBUS: bus error",
	} {
		if got := mp.CrashReason(report); got != want {
			t.Errorf("%q: %q, want %q", report, got, want)
		}
	}
}
