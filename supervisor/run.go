package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// run is one Run of a supervisor: a goroutine, which does one thing at a time.
type run struct {
	*Supervisor
	ctx      context.Context
	ended    chan ending
	readied  chan readiness
	over     chan struct{} // closed when nobody reads them any more
	restarts []time.Time   // of late
}

// ending says that an instance of a service has ended.
type ending struct {
	sv  *service
	run int
}

// readiness is what the function of Service.Ready has returned for an instance.
type readiness struct {
	ending
	err error
}

// loop keeps the services alive until the context ends (nil), none is left (nil)
// or there were too many restarts.
func (r *run) loop() error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if r.ctx.Err() != nil {
			return nil
		}
		next, left, err := r.startDue()
		if err != nil || !left {
			return err
		}
		timer.Stop()
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-r.ctx.Done():
			return nil
		case <-due:
		case e := <-r.ended:
			if !e.current() {
				continue // stopped meanwhile, and heard of then
			}
			kind, why := Ended, e.sv.now.err()
			if e.sv.state == starting {
				if kind = StartFailed; why == nil {
					why = errors.New("it returned")
				}
				why = fmt.Errorf("ended before it was ready: %w", why)
			}
			if err := r.settle(e.sv, kind, why); err != nil {
				return err
			}
		case e := <-r.readied:
			if !e.current() || e.sv.state != starting {
				continue
			}
			if e.err == nil {
				r.set(e.sv, func(sv *service) { sv.state = running })
				r.event(Event{Kind: Ready, Service: e.sv.name, PID: e.sv.now.pid()})
				continue
			}
			if r.ctx.Err() != nil {
				return nil
			}
			r.stopOne(e.sv, StartFailed)
			if err := r.settle(e.sv, StartFailed, fmt.Errorf("not ready: %w", e.err)); err != nil {
				return err
			}
		}
	}
}

// current reports whether that instance is still the one that runs.
func (e ending) current() bool { return e.run == e.sv.run && e.sv.now != nil }

// startDue starts the services whose time has come, in their order, and returns
// when the next one's will. left reports whether any service runs or will.
func (r *run) startDue() (next time.Time, left bool, err error) {
	for i := 0; i < len(r.services); i++ {
		sv := r.services[i]
		left = left || sv.now != nil || sv.state == waiting
		if sv.state == starting {
			return next, true, nil // those behind it wait for it
		}
		if sv.state != waiting {
			continue
		}
		if time.Until(sv.until) > 0 {
			if next.IsZero() || sv.until.Before(next) {
				next = sv.until
			}
			continue
		}
		if why := r.startOne(sv); why != nil {
			if r.ctx.Err() != nil {
				return next, true, nil
			}
			// Others may have ended: the loop hears of them before this is tried again.
			return time.Now(), true, r.settle(sv, StartFailed, why)
		}
		i, next, left = -1, time.Time{}, false // look again: it may not be ready yet
	}
	return next, left, nil
}

// startOne starts a service. What becomes of it, and whether it is ready, comes
// over the channels: the loop must hear of others meanwhile, for which the
// function of Ready may be waiting.
func (r *run) startOne(sv *service) error {
	now, err := sv.start(r.ctx, sv.grace)
	if err != nil {
		return err
	}
	first := sv.since.IsZero()
	r.set(sv, func(sv *service) {
		sv.now, sv.run, sv.state, sv.since = now, sv.run+1, running, time.Now()
		if !first {
			sv.restarts++
		}
		if sv.ready != nil {
			sv.state = starting
		}
	})
	r.event(Event{Kind: Started, Service: sv.name, PID: now.pid(), Restart: sv.restarts})
	this := ending{sv, sv.run}
	if sv.ready != nil {
		ctx, cancel := context.WithCancelCause(r.ctx)
		sv.unready = cancel
		go func() {
			answer := readiness{this, sv.ready(ctx)}
			select {
			case r.readied <- answer:
			case <-r.over:
			}
		}()
	}
	go func() {
		select {
		case <-now.done():
		case <-r.over:
			return
		}
		select {
		case r.ended <- this:
		case <-r.over:
		}
	}()
	return nil
}

// gone notes that a service runs no more.
func (r *run) gone(sv *service, why error) {
	if sv.unready != nil {
		sv.unready(why)
		sv.unready = nil
	}
	r.set(sv, func(sv *service) { sv.now, sv.state, sv.last = nil, stopped, why })
}

// settle is called when a service has failed, or ended: it decides what becomes of
// it and of others. An error says that there were too many restarts.
func (r *run) settle(sv *service, kind EventKind, why error) error {
	e := Event{Kind: kind, Service: sv.name, Err: why}
	if sv.now != nil {
		e.PID = sv.now.pid()
	}
	ran := time.Since(sv.since)
	r.gone(sv, why)
	r.event(e)
	if sv.restart == Temporary || sv.restart == Transient && why == nil {
		r.set(sv, func(sv *service) { sv.state = finished })
		r.event(Event{Kind: Finished, Service: sv.name, Err: why})
		return nil
	}
	if tooMany := r.count(sv, why); tooMany != nil {
		return tooMany
	}
	if kind == Ended && ran > r.o.Backoff.Most {
		sv.failures = 0
	}
	sv.failures++
	delay := r.o.Backoff.pause(sv.failures)
	until := time.Now().Add(delay)
	from := len(r.services)
	switch r.o.Strategy {
	case OneForAll:
		from = 0
	case RestForOne:
		for i, x := range r.services {
			if x == sv {
				from = i
			}
		}
	}
	r.stopFrom(from, func(x *service) bool { return x != sv })
	for i, x := range r.services {
		if x != sv && (i < from || x.state == finished) {
			continue
		}
		if x != sv && x.restart == Temporary {
			r.set(x, func(x *service) { x.state = finished })
			r.event(Event{Kind: Finished, Service: x.name})
			continue
		}
		r.set(x, func(x *service) {
			x.state = waiting
			// One that had to wait for longer does, and those behind it with it.
			if x.until.Before(until) {
				x.until = until
			}
		})
		r.event(Event{Kind: Restarting, Service: x.name, Delay: delay})
	}
	return nil
}

// count notes a restart, and reports whether it would be one too many.
func (r *run) count(sv *service, why error) error {
	if r.o.MaxRestarts < 0 {
		return nil
	}
	now := time.Now()
	r.restarts = append(r.restarts, now)
	for len(r.restarts) > 0 && now.Sub(r.restarts[0]) > r.o.Within {
		r.restarts = r.restarts[1:]
	}
	if n := len(r.restarts); n > r.o.MaxRestarts {
		return &GaveUpError{Service: sv.name, Restarts: n, Within: r.o.Within, Err: why}
	}
	return nil
}

// stopFrom stops the services from an index on for which which is true, the last
// first. Those that wait to be started do so no more.
func (r *run) stopFrom(from int, which func(*service) bool) {
	for i := len(r.services) - 1; i >= from; i-- {
		sv := r.services[i]
		if !which(sv) {
			continue
		}
		if sv.now != nil {
			r.stopOne(sv, Stopped)
		} else if sv.state == waiting {
			r.set(sv, func(sv *service) { sv.state = stopped })
		}
	}
}

// stopOne asks a service to end and waits until it has.
func (r *run) stopOne(sv *service, kind EventKind) {
	now := sv.now
	select {
	case <-now.done(): // by itself: its end is told as that
		kind = Ended
	default:
		if sv.unready != nil {
			sv.unready(ErrStopped)
		}
		now.cancel(ErrStopped)
	}
	var err error
	select {
	case <-now.done():
		err = now.err()
	case <-now.abandoned():
		err = ErrAbandoned
	}
	r.gone(sv, err)
	if kind != StartFailed {
		r.event(Event{Kind: kind, Service: sv.name, PID: now.pid(), Err: err})
	}
}
