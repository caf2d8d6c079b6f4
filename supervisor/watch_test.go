package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"multiproc/mp"
	"multiproc/supervisor"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newPatient("a")
		s := supervisor.New(supervisor.Options{MaxRestarts: -1}, a.service())
		ctx, cancel := context.WithCancel(t.Context())
		events, slow, early := s.Watch(ctx), s.Watch(ctx), s.Watch(ctx)
		stop := runs(t, s)
		for range early { // a loop that is left does no harm
			break
		}
		for _, err := range early {
			if !errors.Is(err, mp.ErrClosed) {
				t.Errorf("a second loop: %v", err)
			}
		}
		a.fail <- errSick
		synctest.Wait()
		if err := stop(); err != nil {
			t.Error(err)
		}
		cancel()
		var got []string
		for e, err := range events {
			if err != nil {
				got = append(got, err.Error())
				break
			}
			if e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
			got = append(got, e.String())
		}
		check(t, "events", lines(got...), "a started", "a ended: sick", "a restarting", "a started", "a stopped: stopped by its supervisor", "context canceled")

		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		late := s.Watch(ctx)
		stop = runs(t, s)
		for range 1000 { // three events each
			a.fail <- errSick
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		n, last := 0, error(nil)
		for _, err := range late {
			n, last = n+1, err
		}
		if n != 1025 || !errors.Is(last, mp.ErrOverrun) {
			t.Errorf("%d events, then %v", n, last)
		}
		for _, err := range slow {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Error(last)
		}
	})
}
