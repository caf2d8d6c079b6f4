package supervisor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/supervisor"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delays []time.Duration
		var started []time.Time
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{
			Backoff: supervisor.Backoff{First: time.Second, Most: 5 * time.Second},
			Observe: func(e supervisor.Event) {
				switch e.Kind {
				case supervisor.Restarting:
					delays = append(delays, e.Delay)
				case supervisor.Started:
					started = append(started, time.Now())
				}
			},
		}, a.service())
		stop := runs(t, s)
		var failed []time.Time
		fail := func() {
			failed = append(failed, time.Now())
			a.fail <- errSick
		}
		for range 5 {
			fail() // as soon as it runs again
		}
		<-time.After(20 * time.Second) // it runs for longer than Most
		fail()
		synctest.Wait()
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second, time.Second} {
			if d := delays[i]; d < want*4/5 || d > want*6/5 {
				t.Errorf("pause %d: %v, want about %v", i, d, want)
			}
			if i+1 < len(started) && i < 4 && started[i+1].Sub(started[i]) != delays[i] {
				t.Errorf("pause %d: %v, announced %v", i, started[i+1].Sub(started[i]), delays[i])
			}
		}
		if slices.Compact(slices.Clone(delays[3:5]))[0] == delays[2] {
			t.Error("no variation")
		}
		if x := s.Status()[0]; x.State != "waiting" {
			t.Errorf("%+v", x)
		}
		if err := stop(); err != nil { // it does not wait for the pause
			t.Error(err)
		}
		if x := s.Status()[0]; x.State != "stopped" {
			t.Errorf("%+v", x)
		}
	})
}

// A bound may be given beside a backoff.
func TestGivesUpWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{MaxRestarts: 2, Within: time.Hour, Backoff: supervisor.Backoff{First: time.Second}}, a.service())
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		for range 3 {
			a.fail <- errSick
		}
		if err := <-done; !errors.Is(err, errSick) {
			t.Error(err)
		}
	})
}

// However often a service fails, no pause is longer than Most.
func TestPausesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var longest, last time.Duration
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{
			Backoff: supervisor.Backoff{First: time.Second},
			Observe: func(e supervisor.Event) { longest, last = max(longest, e.Delay), e.Delay },
		}, a.service())
		stop := runs(t, s)
		for range 100 {
			a.fail <- errSick
		}
		synctest.Wait()
		if longest > 36*time.Second || last < 24*time.Second {
			t.Errorf("the longest %v, the last %v", longest, last)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The pause of a service in front does not shorten that of one behind.
func TestLongerPauseStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPatient("a"), newPatient("b")
		s := supervisor.New(supervisor.Options{Strategy: supervisor.RestForOne, Backoff: supervisor.Backoff{First: 10 * time.Second}}, a.service(), b.service())
		stop := runs(t, s)
		b.fail <- errSick
		b.fail <- errSick // when it runs again; now it waits for 16 s at least
		synctest.Wait()
		a.fail <- errSick // 12 s at most
		<-time.After(14 * time.Second)
		if all := s.Status(); all[0].State != "running" || all[1].State != "waiting" {
			t.Error(all)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// Under OneForAll all wait, also those in front; what is finished stays so, and
// one that ends while others are stopped is told as that.
func TestPauseOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b, c, d := newPatient("a"), newPatient("b"), newPatient("c"), newPatient("d")
		d.slow = 10 * time.Second
		s := supervisor.New(supervisor.Options{
			Strategy: supervisor.OneForAll, Backoff: supervisor.Backoff{First: 25 * time.Second}, Observe: r.observe,
		}, a.service(), b.service(), c.service().With(supervisor.Transient), d.service())
		stop := runs(t, s)
		c.fail <- nil
		synctest.Wait()
		r.take()
		b.fail <- errSick
		synctest.Wait()
		a.fail <- errSick // while d is being stopped
		<-time.After(15 * time.Second)
		check(t, "then", r.take(), "b ended: sick", "d stopped: stopped by its supervisor", "a ended: sick",
			"a restarting", "b restarting", "d restarting")
		<-time.After(time.Hour)
		check(t, "and then", r.take(), "a started", "b started", "d started")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// What stands behind a service that waits to be started again waits with it, and
// in front of it does not.
func TestPauseOfARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b, c := newPatient("a"), newPatient("b"), newPatient("c")
		s := supervisor.New(supervisor.Options{
			Strategy: supervisor.RestForOne, Backoff: supervisor.Backoff{First: 10 * time.Second}, Observe: r.observe,
		}, a.service(), b.service(), c.service())
		stop := runs(t, s)
		b.fail <- errSick
		synctest.Wait()
		states := func() (all []string) {
			for _, x := range s.Status() {
				all = append(all, x.State)
			}
			return all
		}
		if got := states(); !slices.Equal(got, []string{"running", "waiting", "waiting"}) {
			t.Error(got)
		}
		<-time.After(5 * time.Second)
		a.fail <- errSick // b's time comes before a's
		r.take()
		<-time.After(time.Minute)
		if got := r.take(); !strings.HasSuffix(got, lines("a started", "b started", "c started")) {
			t.Error(got)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
