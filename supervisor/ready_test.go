package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"multiproc/supervisor"
)

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		attempts := 0
		a, b := newPatient("a"), newPatient("b")
		ready := func(ctx context.Context) error {
			switch attempts++; attempts {
			case 1:
				return errSick
			case 2:
				a.fail <- errSick
				<-ctx.Done() // it ends with the service
				return nil
			case 3:
				a.fail <- nil
				<-ctx.Done()
				return context.Cause(ctx)
			}
			<-time.After(time.Second)
			return nil
		}
		s := supervisor.New(supervisor.Options{Observe: r.observe}, a.service().Ready(ready), b.service())
		stop := runs(t, s)
		check(t, "before it is ready", r.take(),
			"a started", "a start failed: not ready: sick", "a restarting",
			"a started", "a start failed: ended before it was ready: sick", "a restarting",
			"a started", "a start failed: ended before it was ready: it returned", "a restarting",
			"a started")
		<-time.After(2 * time.Second)
		check(t, "then", r.take(), "a ready", "b started")
		a.fail <- errSick
		if err := <-asyncStop(stop); err == nil {
			t.Error("four restarts within five seconds")
		}
	})
}

func asyncStop(stop func() error) <-chan error {
	synctest.Wait()
	done := make(chan error, 1)
	done <- stop()
	return done
}

// A stop does not wait for a service to become ready.
func TestStopBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b := newPatient("a"), newPatient("b")
		ready := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		s := supervisor.New(supervisor.Options{Observe: r.observe}, a.service(), b.service().Ready(ready))
		if err := runs(t, s)(); err != nil {
			t.Error(err)
		}
		check(t, "all", r.take(), "a started", "b started", "b stopped: stopped by its supervisor", "a stopped: stopped by its supervisor")
	})
}

// A service that others wait for is kept alive while they wait.
func TestReadyWaitsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		a, b, c := newPatient("a"), newPatient("b"), newPatient("c")
		again := make(chan struct{})
		first := true
		needed := supervisor.Func("a", func(ctx context.Context) error {
			if !first {
				close(again)
			}
			first = false
			select {
			case err := <-a.fail:
				return err
			case <-ctx.Done():
				return nil
			}
		})
		ready := func(ctx context.Context) error {
			select {
			case <-again:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s := supervisor.New(supervisor.Options{Observe: r.observe}, needed, b.service().Ready(ready), c.service())
		stop := runs(t, s)
		if x := s.Status()[1]; x.State != "starting" {
			t.Errorf("%+v", x)
		}
		check(t, "before", r.take(), "a started", "b started")
		a.fail <- errSick
		synctest.Wait()
		check(t, "then", r.take(), "a ended: sick", "a restarting", "a started", "b ready", "c started")
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
