//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

type wide struct{ A, B, C int64 }

func (w wide) whole() bool { return w.B == 2*w.A && w.C == 3*w.A }

// job is what a victim works on.
type job struct {
	Point   string
	N       int
	V       *mp.Value[wide]
	A       *mp.Array[wide]
	Acked   *mp.Counter
	Carrier *mp.Queue[*mp.Conn[int, mp.None]]
	Conn    *mp.Conn[int, mp.None]
}

var (
	Update = mp.Proc(func(ctx context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		for range enough {
			err := j.V.Update(ctx, func(w *wide) error { w.A++; w.B += 2; w.C += 3; return nil })
			if err != nil {
				return err
			}
			j.Acked.Add(1)
		}
		return errAlive
	}, mp.Named("update"))

	// Overtake loses every race of its Update against itself, so it gets the turn.
	Overtake = mp.Proc(func(ctx context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		for range enough {
			calls := 0
			err := j.V.Update(ctx, func(w *wide) error {
				if calls++; calls <= 64 {
					if err := j.V.Store(ctx, *w); err != nil {
						return err
					}
				}
				w.A++
				w.B += 2
				w.C += 3
				return nil
			})
			if err != nil {
				return err
			}
		}
		return errAlive
	}, mp.Named("overtake"))

	Store = mp.Proc(func(_ context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		for i := range int64(enough) {
			j.A.Store(0, wide{i, 2 * i, 3 * i})
			j.Acked.Add(1)
		}
		return errAlive
	}, mp.Named("store"))

	Write = mp.Proc(func(ctx context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		for range enough {
			err := j.A.Update(ctx, func(s []wide) error { s[0].A++; s[0].B += 2; s[0].C += 3; return nil })
			if err != nil {
				return err
			}
		}
		return errAlive
	}, mp.Named("write"))

	View = mp.Proc(func(ctx context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		for range enough {
			if err := j.A.View(ctx, func([]wide) error { return nil }); err != nil {
				return err
			}
		}
		return errAlive
	}, mp.Named("view"))
)

func newJob(t *testing.T, point string, n int) job {
	t.Helper()
	v, err := mp.NewValue(wide{})
	j := job{Point: point, N: n, V: closing(t, v, err)}
	a, err := mp.NewArray[wide](2)
	j.A = closing(t, a, err)
	c, err := mp.NewCounter(0)
	j.Acked = closing(t, c, err)
	q, err := mp.NewQueue[*mp.Conn[int, mp.None]](0)
	j.Carrier = closing(t, q, err)
	return j
}

func updater(t *testing.T, point string) {
	j := newJob(t, point, 5)
	if point == "resident.noded" {
		j.N = 1 // once in the life of a lock and a process
	}
	die(t, Update, j)
	begin := time.Now()
	var before wide
	must(t, j.V.Update(t.Context(), func(w *wide) error { before = *w; return nil }))
	stalled(t, time.Since(begin))
	acked := j.Acked.Load()
	if !before.whole() || before.A < acked || before.A > acked+1 {
		t.Errorf("%+v after %d acknowledged updates", before, acked)
	}
}

func overtaken(t *testing.T, point string) {
	j := newJob(t, point, 2)
	die(t, Overtake, j)
	begin := time.Now()
	var w wide
	must(t, j.V.Update(t.Context(), func(p *wide) error { w = *p; return nil }))
	stalled(t, time.Since(begin))
	if !w.whole() {
		t.Errorf("%+v", w)
	}
}

func storer(t *testing.T, point string) {
	j := newJob(t, point, 5)
	die(t, Store, j)
	begin := time.Now()
	w := j.A.Load(0)
	stalled(t, time.Since(begin))
	if !w.whole() || w.A < j.Acked.Load()-1 || w.A > j.Acked.Load() {
		t.Errorf("%+v after %d acknowledged stores", w, j.Acked.Load())
	}
}

func storeHeir(t *testing.T, point string) {
	j := newJob(t, "element.journal", 5)
	die(t, Store, j)
	acked := j.Acked.Load()
	j.Point, j.N = point, 1
	die(t, Store, j)
	if w := j.A.Load(0); !w.whole() || w.A != acked {
		t.Errorf("%+v, want the store that the first victim had noted, %d", w, acked)
	}
}

func arrayWriter(t *testing.T, point string) {
	j := newJob(t, point, 3)
	pid, _ := die(t, Write, j)
	begin := time.Now()
	err := j.A.View(t.Context(), func([]wide) error { return nil })
	stalled(t, time.Since(begin))
	var died *mp.OwnerDiedError
	switch point {
	case "rw.writing": // it had the lock, and may have changed anything
		if !errors.As(err, &died) || died.PID != pid {
			t.Fatalf("got %v, want the death of %d", err, pid)
		}
		must(t, j.A.Repair(t.Context(), func([]wide) error { return nil }))
	default:
		must(t, err)
	}
	var w wide
	must(t, j.A.Update(t.Context(), func(s []wide) error { w = s[0]; return nil }))
	if !w.whole() {
		t.Errorf("torn: %+v", w)
	}
}

func arrayReader(t *testing.T, point string) {
	j := newJob(t, point, 3)
	die(t, View, j)
	begin := time.Now()
	must(t, j.A.Update(t.Context(), func([]wide) error { return nil }))
	stalled(t, time.Since(begin))
	must(t, j.A.View(t.Context(), func([]wide) error { return nil }))
}

// The one who notes that a holder died dies of it: the news is not lost.
func poisoner(t *testing.T, point string) {
	j := newJob(t, "rw.writing", 1)
	first, _ := die(t, Write, j)
	j.Point = point
	second, _ := die(t, Write, j)
	begin := time.Now()
	err := j.A.View(t.Context(), func([]wide) error { return nil })
	stalled(t, time.Since(begin))
	var died *mp.OwnerDiedError
	if !errors.As(err, &died) || (died.PID != first && died.PID != second) {
		t.Errorf("got %v, want the death of %d or %d", err, first, second)
	}
	must(t, j.A.Repair(t.Context(), func([]wide) error { return nil }))
	must(t, j.A.View(t.Context(), func([]wide) error { return nil }))
}

// Mend repairs an array.
var Mend = mp.Proc(func(ctx context.Context, j job) error {
	mptest.Arm(j.Point, j.N)
	if err := j.A.Repair(ctx, func([]wide) error { return nil }); err != nil {
		return err
	}
	return errAlive
}, mp.Named("mend"))

// Who dies in Repair leaves the array to the next one to repair it.
func repairer(t *testing.T, point string) {
	j := newJob(t, "rw.writing", 1)
	die(t, Write, j)
	j.Point = point
	second, _ := die(t, Mend, j)
	begin := time.Now()
	err := j.A.View(t.Context(), func([]wide) error { return nil })
	stalled(t, time.Since(begin))
	var died *mp.OwnerDiedError
	if !errors.As(err, &died) || died.PID != second {
		t.Errorf("got %v, want the death of %d", err, second)
	}
	must(t, j.A.Repair(t.Context(), func([]wide) error { return nil }))
	must(t, j.A.View(t.Context(), func([]wide) error { return nil }))
}

// GiveEnd gives the end of a pipe to a child, or clones it: another process, or
// another handle of this one, becomes a holder then.
var GiveEnd *mp.Task[job, mp.None]

func init() {
	GiveEnd = mp.Proc(func(ctx context.Context, j job) error {
		mptest.Arm(j.Point, j.N)
		if j.Point == "holders.counted" {
			if _, err := j.Conn.Clone(); err != nil {
				return err
			}
			return errAlive
		}
		if _, err := GiveEnd.Start(ctx, job{Point: "none", N: 1, Conn: j.Conn}); err != nil {
			return err
		}
		return errAlive
	}, mp.Named("give-end"))
}

// An end whose holders are all dead is known to be closed; one that somebody
// still holds is not.
func holder(t *testing.T, point string) {
	recv, send, err := mp.PipeOneWay[int]()
	must(t, err)
	closing(t, recv, nil)
	kept, err := send.Clone()
	must(t, err)
	j := newJob(t, point, 1)
	j.Conn = send
	die(t, GiveEnd, j)
	begin := time.Now()
	must(t, kept.Send(t.Context(), 1))
	if v, err := recv.Recv(t.Context()); v != 1 || err != nil {
		t.Fatalf("while an end is held: %d, %v", v, err)
	}
	again, err := kept.Clone() // the table of holders can be changed
	must(t, err)
	must(t, again.Close())
	stalled(t, time.Since(begin))
	must(t, kept.Close())
	if _, err := recv.Recv(t.Context()); err != io.EOF {
		t.Errorf("after the last holder: %v", err)
	}
}

// A child that dies before its task.
func beginner(t *testing.T, point string) {
	p, err := View.With(mptest.KillAt(t, point, 1)).Start(t.Context(), newJob(t, point, 1))
	if err != nil {
		return // it died before it was told what to do
	}
	killed(t, p)
}

// server is a process on which others depend.
func server(t *testing.T, point string) {
	o := mptest.KillAt(t, point, 1)
	o.IgnoreSignals = true
	p, err := View.With(o).Start(t.Context(), newJob(t, point, 1))
	if err != nil {
		return
	}
	killed(t, p)
}

// StartOne starts a child and waits for it.
var StartOne = mp.Proc(func(ctx context.Context, j job) error {
	mptest.Arm(j.Point, j.N)
	for range 3 {
		if _, err := View.Run(ctx, j); errors.Is(err, mp.ErrClosed) {
			return err
		}
	}
	return errAlive
}, mp.Named("start-one"))

func starter(t *testing.T, point string) {
	j := newJob(t, point, 1)
	die(t, StartOne, j)
	begin := time.Now()
	p, err := StartOne.Start(t.Context(), job{Point: "none", N: 1, A: j.A, V: j.V})
	must(t, err)
	var remote *mp.RemoteError
	if err := p.Wait(t.Context()); !errors.As(err, &remote) {
		t.Errorf("afterwards: %v", err)
	}
	stalled(t, time.Since(begin))
}
