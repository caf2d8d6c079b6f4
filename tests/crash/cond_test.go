//go:build mpcrash

package crash

import (
	"context"
	"errors"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

// station is where one waits for a signal, or gives one, and dies.
type station struct {
	Point string
	N     int
	Do    string
	C     *mp.Cond
	Waits *mp.Counter
}

var Stand = mp.Proc(func(ctx context.Context, s station) error {
	mptest.Arm(s.Point, s.N)
	for range enough {
		if err := s.C.Lock(ctx); err != nil {
			return err
		}
		var err error
		switch s.Do {
		case "wait":
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			if err = s.C.Wait(short); errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			cancel()
		case "wait for a signal":
			s.Waits.Add(1)
			err = s.C.Wait(ctx)
		case "signal":
			err = s.C.Signal(ctx)
		case "signal all":
			err = s.C.Broadcast(ctx)
		}
		s.C.Unlock()
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("stand"))

func newStation(t *testing.T) station {
	t.Helper()
	c, err := mp.NewCond(nil)
	s := station{C: closing(t, c, err)}
	n, err := mp.NewCounter(0)
	s.Waits = closing(t, n, err)
	return s
}

// at says what a victim does, and where it dies.
func (s station) at(do, point string, n int) station {
	s.Do, s.Point, s.N = do, point, n
	return s
}

// repair puts the lock in order, which who died may have had.
func (s station) repair(t *testing.T) {
	t.Helper()
	must(t, s.C.Repair(t.Context(), func() error { return nil }))
}

// wait waits once, in this process, and returns when it does.
func (s station) wait(t *testing.T) chan error {
	t.Helper()
	got := make(chan error, 1)
	must(t, s.C.Lock(t.Context()))
	go func() {
		err := s.C.Wait(t.Context())
		s.C.Unlock()
		got <- err
	}()
	must(t, s.C.Lock(t.Context()))
	s.C.Unlock()
	return got
}

// signalled checks that a signal comes to the one who waits.
func (s station) signalled(t *testing.T, got chan error) {
	t.Helper()
	begin := time.Now()
	must(t, s.C.Lock(t.Context()))
	must(t, s.C.Signal(t.Context()))
	s.C.Unlock()
	must(t, <-got)
	stalled(t, time.Since(begin))
}

// standing dies in the line, or on its way there or out: a signal goes to the living.
func standing(t *testing.T, point string) {
	s := newStation(t)
	die(t, Stand, s.at("wait", point, 1))
	s.repair(t)
	s.signalled(t, s.wait(t))
}

// signaller dies when it has signalled the one who waits, and not told it yet.
func condSignaller(t *testing.T, point string) {
	s := newStation(t)
	do := "signal"
	if point == "cond.all" {
		do = "signal all"
	}
	got := s.wait(t)
	_, death := die(t, Stand, s.at(do, point, 1))
	var died *mp.OwnerDiedError
	if err := <-got; !errors.As(err, &died) { // which had the lock
		t.Error(err)
	}
	stalled(t, time.Since(death))
	s.repair(t)
	s.signalled(t, s.wait(t))
}

// condSweeper dies when it takes a dead one out of the line.
func condSweeper(t *testing.T, point string) {
	s := newStation(t)
	die(t, Stand, s.at("wait", "cond.joined", 1))
	s.repair(t)
	die(t, Stand, s.at("signal", point, 1))
	s.repair(t)
	s.signalled(t, s.wait(t))
}

// condPasser dies when it passes on the signal of a dead one, which that had and did not
// use: it is there all the same, or once more.
func condPasser(t *testing.T, point string) {
	s := newStation(t)
	dead, err := Stand.Start(context.Background(), s.at("wait for a signal", "cond.waking", 1))
	must(t, err)
	mptest.Eventually(t, func() bool { return s.Waits.Load() == 1 }, "it does not wait")
	must(t, s.C.Lock(t.Context())) // which it has given up, then
	must(t, s.C.Signal(t.Context()))
	s.C.Unlock()
	killed(t, dead)
	die(t, Stand, s.at("signal", point, 1))
	s.repair(t)
	s.signalled(t, s.wait(t))
}
