package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/supervisor"
)

var errSick = errors.New("sick")

// recorder notes what happens.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) observe(e supervisor.Event) {
	e.PID = 0
	if e.Delay > 0 {
		e.Delay = e.Delay.Round(time.Hour) // varied at random
	}
	r.note(e.String())
}

func (r *recorder) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

// take returns what was noted since the last time.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.lines, "\n")
	r.lines = nil
	return s
}

// patient is a function that runs until it is stopped, or told to fail.
type patient struct {
	name string
	fail chan error
	slow time.Duration // to stop
}

func newPatient(name string) *patient { return &patient{name: name, fail: make(chan error)} }

func (p *patient) service() supervisor.Service {
	return supervisor.Func(p.name, func(ctx context.Context) error {
		select {
		case err := <-p.fail:
			return err
		case <-ctx.Done():
			<-time.After(p.slow)
			return context.Cause(ctx)
		}
	})
}

func lines(s ...string) string { return strings.Join(s, "\n") }

func check(t *testing.T, what, got string, want ...string) {
	t.Helper()
	if got != lines(want...) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, lines(want...))
	}
}

// runs starts a supervisor and returns how to stop it; both wait until nothing
// moves any more.
func runs(t *testing.T, s *supervisor.Supervisor) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-done
	}
}

func TestStrategies(t *testing.T) {
	for _, c := range []struct {
		strategy supervisor.Strategy
		want     []string
	}{
		{supervisor.OneForOne, []string{"b ended: sick", "b restarting", "b started"}},
		{supervisor.OneForAll, []string{
			"b ended: sick",
			"d stopped: stopped by its supervisor", "c stopped: stopped by its supervisor", "a stopped: stopped by its supervisor",
			"a restarting", "b restarting", "c restarting", "d finished",
			"a started", "b started", "c started",
		}},
		{supervisor.RestForOne, []string{
			"b ended: sick",
			"d stopped: stopped by its supervisor", "c stopped: stopped by its supervisor",
			"b restarting", "c restarting", "d finished",
			"b started", "c started",
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r recorder
			a, b, x, d := newPatient("a"), newPatient("b"), newPatient("c"), newPatient("d")
			s := supervisor.New(supervisor.Options{Strategy: c.strategy, Observe: r.observe},
				a.service(), b.service(), x.service(), d.service().With(supervisor.Temporary))
			stop := runs(t, s)
			check(t, "start", r.take(), "a started", "b started", "c started", "d started")
			b.fail <- errSick
			synctest.Wait()
			check(t, fmt.Sprint(c.strategy), r.take(), c.want...)
			if err := stop(); err != nil {
				t.Error(err)
			}
			want := []string{"c stopped: stopped by its supervisor", "b stopped: stopped by its supervisor", "a stopped: stopped by its supervisor"}
			if c.strategy == supervisor.OneForOne {
				want = slices.Insert(want, 0, "d stopped: stopped by its supervisor")
			}
			check(t, "stop", r.take(), want...)
		})
	}
}

func TestRestart(t *testing.T) {
	for _, c := range []struct {
		restart supervisor.Restart
		err     error
		want    []string
	}{
		{supervisor.Permanent, errSick, []string{"a ended: sick", "a restarting", "a started"}},
		{supervisor.Permanent, nil, []string{"a ended", "a restarting", "a started"}},
		{supervisor.Transient, errSick, []string{"a ended: sick", "a restarting", "a started"}},
		{supervisor.Transient, nil, []string{"a ended", "a finished"}},
		{supervisor.Temporary, errSick, []string{"a ended: sick", "a finished: sick"}},
		{supervisor.Temporary, nil, []string{"a ended", "a finished"}},
	} {
		t.Run(fmt.Sprint(c.restart, c.err), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r recorder
				a := newPatient("a")
				stop := runs(t, supervisor.New(supervisor.Options{Observe: r.observe}, a.service().With(c.restart)))
				r.take()
				a.fail <- c.err
				synctest.Wait()
				check(t, "then", r.take(), c.want...)
				if err := stop(); err != nil { // where none is left, Run has returned
					t.Error(err)
				}
			})
		})
	}
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b := newPatient("a"), newPatient("b")
		s := supervisor.New(supervisor.Options{Observe: r.observe, MaxRestarts: 2, Within: time.Minute}, a.service(), b.service())
		done := make(chan error, 1)
		go func() { done <- s.Run(t.Context()) }()
		for range 5 { // never three within a minute
			a.fail <- errSick
			<-time.After(31 * time.Second)
		}
		a.fail <- errSick
		synctest.Wait()
		b.fail <- nil // of whichever service
		err := <-done
		var gave *supervisor.GaveUpError
		if !errors.As(err, &gave) || gave.Service != "b" || gave.Err != nil || gave.Restarts != 3 {
			t.Fatalf("%v, %+v", err, gave)
		}
		if want := "supervisor: gave up after 2 restarts within 1m0s; b: returned"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		all := strings.Split(r.take(), "\n")
		check(t, "in the end", lines(all[len(all)-3:]...), "b ended", "a stopped: stopped by its supervisor", "gave up: "+err.Error())

		// A new Run counts anew.
		go func() { done <- s.Run(t.Context()) }()
		a.fail <- errSick
		synctest.Wait()
		for _, x := range s.Status() {
			if x.State != "running" {
				t.Errorf("%+v", x)
			}
		}
		if err := s.Run(t.Context()); !errors.Is(err, supervisor.ErrRunning) {
			t.Errorf("a second Run: %v", err)
		}
		a.fail <- errSick
		a.fail <- errSick
		if err := <-done; !errors.Is(err, errSick) {
			t.Error(err)
		}
	})
}

func TestNoBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{MaxRestarts: -1}, a.service())
		stop := runs(t, s)
		for range 100 {
			a.fail <- errSick
		}
		synctest.Wait()
		if x := s.Status()[0]; x.Restarts != 100 || x.State != "running" || !errors.Is(x.Err, errSick) {
			t.Errorf("%+v", x)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// The last is stopped first, and is gone before the next is told.
func TestStopsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stoppedAt []time.Duration
		begin := time.Now()
		var services []supervisor.Service
		for i := range 3 {
			p := newPatient(fmt.Sprint("s", i))
			p.slow = time.Duration(i+1) * time.Second
			services = append(services, p.service())
		}
		s := supervisor.New(supervisor.Options{Observe: func(e supervisor.Event) {
			if e.Kind == supervisor.Stopped {
				stoppedAt = append(stoppedAt, time.Since(begin))
			}
		}}, services...)
		if err := runs(t, s)(); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{3 * time.Second, 5 * time.Second, 6 * time.Second}; !slices.Equal(stoppedAt, want) {
			t.Errorf("stopped after %v, want %v", stoppedAt, want)
		}
	})
}

func TestAbandons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		let := make(chan struct{})
		stuck := supervisor.Func("stuck", func(context.Context) error { <-let; return nil })
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{Observe: r.observe}, a.service(), stuck.Grace(time.Second))
		begin := time.Now()
		if err := runs(t, s)(); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != time.Second {
			t.Errorf("stopped after %v", d)
		}
		check(t, "stop", r.take(), "a started", "stuck started", "stuck stopped: "+supervisor.ErrAbandoned.Error(), "a stopped: stopped by its supervisor")
		close(let)
	})
}

func TestNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b := newPatient("a"), newPatient("b")
		inner := supervisor.New(supervisor.Options{MaxRestarts: 1}, a.service())
		outer := supervisor.New(supervisor.Options{Observe: r.observe}, b.service(), supervisor.Func("inner", inner.Run))
		stop := runs(t, outer)
		for range 2 {
			a.fail <- errSick
		}
		synctest.Wait()
		check(t, "the inner one gives up", r.take(), "b started", "inner started",
			"inner ended: supervisor: gave up after 1 restarts within 5s; a: sick", "inner restarting", "inner started")
		if x := inner.Status()[0]; x.State != "running" {
			t.Errorf("%+v", x)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if x := inner.Status()[0]; x.State != "stopped" {
			t.Errorf("%+v", x)
		}
		check(t, "stop", r.take(), "inner stopped", "b stopped: stopped by its supervisor")
	})
}

// A service that can never be started keeps nobody from being started again, and
// nobody from stopping all.
func TestNeverStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newPatient("a")
		tries := 0
		never := newPatient("never").service().Ready(func(context.Context) error {
			if tries++; tries%100 == 0 {
				<-time.After(time.Second) // time stands still otherwise
			}
			return errSick
		})
		s := supervisor.New(supervisor.Options{MaxRestarts: -1}, a.service(), never)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for range 10 {
			a.fail <- errSick
		}
		<-time.After(time.Minute)
		if x := s.Status()[0]; x.Restarts != 10 || x.State != "running" {
			t.Errorf("%+v", x)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNoneIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.Options{}, supervisor.Func("once", func(context.Context) error { return nil }).With(supervisor.Transient))
		if err := s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if err := supervisor.New(supervisor.Options{}).Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		f := supervisor.Func("f", func(context.Context) error { t.SkipNow(); return nil }) // calls runtime.Goexit
		s := supervisor.New(supervisor.Options{Observe: r.observe, MaxRestarts: 1}, f.With(supervisor.Temporary))
		if err := s.Run(t.Context()); err != nil {
			t.Error(err)
		}
		check(t, "it", r.take(), "f started", "f ended: runtime.Goexit was called", "f finished: runtime.Goexit was called")
	})
}

func TestMisuse(t *testing.T) {
	for want, services := range map[string][]supervisor.Service{
		`two services are called "a"`: {newPatient("a").service(), newPatient("a").service()},
		"without a name":              {newPatient("").service()},
		"make it with Task":           {{}},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}()
			supervisor.New(supervisor.Options{}, services...)
		}()
	}
}
