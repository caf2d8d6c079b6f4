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

// meeting is what those do who die with semaphores, events and barriers.
type meeting struct {
	Point string
	N     int
	Do    string
	S     *mp.Semaphore
	W     int // permits at a time
	E     *mp.Event
	B     *mp.Barrier
}

var Attend = mp.Proc(func(ctx context.Context, m meeting) error {
	mptest.Arm(m.Point, m.N)
	for range enough {
		var err error
		switch m.Do {
		case "acquire":
			err = m.S.Acquire(ctx, m.W)
		case "acquire and release":
			err = errors.Join(m.S.Acquire(ctx, m.W), m.S.Release(ctx, m.W))
		case "give up":
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			if err = m.S.Acquire(short, 1); errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			cancel()
		case "release":
			err = m.S.Release(ctx, 1)
		case "look":
			_, err = m.S.TryAcquire(ctx, 1)
		case "meet":
			_, err = m.B.Wait(ctx)
		case "look at the barrier":
			_, err = m.B.Waiting(ctx)
		case "break":
			err = m.B.Abort(ctx)
		case "reset":
			err = m.B.Reset(ctx)
		case "set and clear":
			err = errors.Join(m.E.Set(ctx), m.E.Clear(ctx))
		}
		if err != nil {
			return err
		}
	}
	return errAlive
}, mp.Named("attend"))

func newMeeting(t *testing.T, permits int) meeting {
	t.Helper()
	s, err := mp.NewSemaphore(permits)
	m := meeting{S: closing(t, s, err), W: 1}
	e, err := mp.NewEvent()
	m.E = closing(t, e, err)
	b, err := mp.NewBarrier(2)
	m.B = closing(t, b, err)
	return m
}

// at says what a victim does, and where it dies.
func (m meeting) at(do, point string, n int) meeting {
	m.Do, m.Point, m.N = do, point, n
	return m
}

// permits checks that there are so many, and no more.
func (m meeting) permits(t *testing.T, n int) {
	t.Helper()
	begin := time.Now()
	for range n {
		must(t, m.S.Acquire(t.Context(), 1))
	}
	stalled(t, time.Since(begin))
	if ok, err := m.S.TryAcquire(t.Context(), 1); ok || err != nil {
		t.Errorf("one more than %d permits: %v", n, err)
	}
	for range n {
		must(t, m.S.Release(t.Context(), 1))
	}
}

// acquirer dies with a permit, or about to have one.
func acquirer(t *testing.T, point string) {
	n := 5
	if point == "semaphore.opened" || point == "semaphore.high" {
		n = 1 // once in the life of a process
	}
	for weight := 1; weight <= 3; weight++ {
		m := newMeeting(t, 3)
		m.W = weight
		die(t, Attend, m.at("acquire and release", point, n))
		m.permits(t, 3)
	}
}

// liner dies in the line.
func liner(t *testing.T, point string) {
	m := newMeeting(t, 1)
	must(t, m.S.Acquire(t.Context(), 1))
	die(t, Attend, m.at("give up", point, 2))
	must(t, m.S.Release(t.Context(), 1))
	m.permits(t, 1)
}

// signaller dies when it gives what nobody owes: the signal is there.
func signaller(t *testing.T, point string) {
	m := newMeeting(t, 0)
	die(t, Attend, m.at("release", point, 3))
	for range 3 {
		must(t, m.S.Acquire(t.Context(), 1))
	}
	if ok, err := m.S.TryAcquire(t.Context(), 1); ok || err != nil {
		t.Errorf("a fourth of three signals: %v", err)
	}
}

// debtor dies when it takes a permit for which another is no more in debt: this
// process has taken one and given two.
func debtor(t *testing.T, point string) {
	m := newMeeting(t, 1)
	must(t, m.S.Release(t.Context(), 1)) // two, of one at first
	must(t, m.S.Acquire(t.Context(), 1)) // and this process owes one
	die(t, Attend, m.at("acquire", point, 1))
	// What the dead had is back, at whichever store it died: it owed that permit, or
	// had not taken it.
	must(t, m.S.Release(t.Context(), 1))
	for range 2 {
		must(t, m.S.Acquire(t.Context(), 1))
	}
	if ok, err := m.S.TryAcquire(t.Context(), 1); ok || err != nil {
		t.Errorf("a third of two permits: %v", err)
	}
	must(t, errors.Join(m.S.Release(t.Context(), 1), m.S.Release(t.Context(), 1)))
}

// undertaker dies when it closes the account of a dead process.
func undertaker(t *testing.T, point string) {
	m := newMeeting(t, 2)
	die(t, Attend, m.at("acquire", "semaphore.counted", 2))
	die(t, Attend, m.at("look", point, 1))
	m.permits(t, 2)
}

// lineSweeper dies when it takes a dead process out of the line.
func lineSweeper(t *testing.T, point string) {
	m := newMeeting(t, 1)
	must(t, m.S.Acquire(t.Context(), 1))
	die(t, Attend, m.at("give up", "semaphore.place", 1))
	die(t, Attend, m.at("look", point, 1))
	must(t, m.S.Release(t.Context(), 1))
	m.permits(t, 1)
}

// counter dies when it counts again what the last holder of the lock left.
func counter(t *testing.T, point string) {
	m := newMeeting(t, 2)
	die(t, Attend, m.at("acquire", "semaphore.taken", 1))
	die(t, Attend, m.at("look", point, 1))
	m.permits(t, 2)
}

// met waits twice at the barrier, and reports whether that was a meeting. Otherwise
// the barrier is broken, and is as good as new after Reset.
func (m meeting) met(t *testing.T) bool {
	t.Helper()
	wait := func() (error, error) {
		other := make(chan error, 1)
		go func() { _, err := m.B.Wait(t.Context()); other <- err }()
		_, err := m.B.Wait(t.Context())
		return err, <-other
	}
	begin := time.Now()
	one, two := wait()
	stalled(t, time.Since(begin))
	if one == nil && two == nil {
		return true
	}
	if !errors.Is(one, mp.ErrBroken) || !errors.Is(two, mp.ErrBroken) {
		t.Errorf("%v, %v", one, two)
	}
	must(t, m.B.Reset(t.Context()))
	if one, two = wait(); one != nil || two != nil {
		t.Errorf("after Reset: %v, %v", one, two)
	}
	return false
}

// arriver dies on its way into the barrier.
func arriver(t *testing.T, point string) {
	m := newMeeting(t, 0)
	die(t, Attend, m.at("meet", point, 1))
	arrived := point == "barrier.arrived" || point == "barrier.counted"
	if met := m.met(t); met == arrived {
		t.Errorf("the others have met: %v", met)
	}
}

// lastArriver dies when it lets the others go on: they do.
func lastArriver(t *testing.T, point string) {
	m, first := newMeeting(t, 0), make(chan error, 1)
	go func() { _, err := m.B.Wait(t.Context()); first <- err }()
	mptest.Eventually(t, func() bool { n, err := m.B.Waiting(t.Context()); return n == 1 && err == nil }, "nobody waits")
	_, death := die(t, Attend, m.at("meet", point, 1))
	if err := <-first; err != nil {
		t.Error(err)
	}
	stalled(t, time.Since(death))
	if !m.met(t) {
		t.Error("the next round is broken")
	}
}

// breaker dies when it has broken the barrier.
func breaker(t *testing.T, point string) {
	m := newMeeting(t, 0)
	die(t, Attend, m.at("break", point, 1))
	if m.met(t) {
		t.Error("a meeting at a broken barrier")
	}
}

// resetter dies when it makes the barrier new: who waits finds it broken.
func resetter(t *testing.T, point string) {
	m, first := newMeeting(t, 0), make(chan error, 1)
	go func() { _, err := m.B.Wait(t.Context()); first <- err }()
	mptest.Eventually(t, func() bool { n, err := m.B.Waiting(t.Context()); return n == 1 && err == nil }, "nobody waits")
	die(t, Attend, m.at("reset", point, 1))
	if err := <-first; !errors.Is(err, mp.ErrBroken) {
		t.Errorf("it was reset: %v", err)
	}
	if !m.met(t) {
		t.Error("it is broken after Reset")
	}
}

// barrierHeir dies when it counts again who has come.
func barrierHeir(t *testing.T, point string) {
	m := newMeeting(t, 0)
	die(t, Attend, m.at("meet", "barrier.arrived", 1))
	die(t, Attend, m.at("look at the barrier", point, 1))
	if m.met(t) {
		t.Error("a meeting with the dead")
	}
}

// flagger dies when it has changed an event.
func flagger(t *testing.T, point string) {
	m, waits := newMeeting(t, 0), make(chan error, 1)
	go func() { waits <- m.E.Wait(t.Context()) }()
	_, death := die(t, Attend, m.at("set and clear", point, 1))
	set, err := m.E.IsSet(t.Context())
	if want := point == "flag.set"; err != nil || set != want {
		t.Errorf("it is set: %v, %v, want %v", set, err, want)
	}
	if point == "flag.set" { // otherwise the wait may have begun after it was cleared
		must(t, <-waits)
		stalled(t, time.Since(death))
		return
	}
	must(t, m.E.Set(t.Context()))
	must(t, <-waits)
}
