package supervisor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// Strategy says which services are started again when one has to be.
type Strategy int

const (
	// OneForOne: that one.
	OneForOne Strategy = iota
	// OneForAll: all. The others are stopped first.
	OneForAll
	// RestForOne: that one and those behind it in the order, which are stopped
	// first: what it is based on stands before a service.
	RestForOne
)

// Backoff is how long the supervisor waits before it starts a service again: not
// at all, if First is 0; else First after the first failure, and with each
// further one twice as long, up to Most. A service that has run for longer than
// Most begins anew. Each pause is varied at random by up to a fifth, so that
// services that failed together do not come back together.
type Backoff struct {
	First time.Duration
	Most  time.Duration // 0: half a minute
}

// Options are a supervisor's. The zero value is useful.
type Options struct {
	Strategy Strategy

	// With more than MaxRestarts restarts within Within the supervisor gives up.
	// Zero means 3 and 5 s, or no bound where a Backoff makes restarts rare by
	// itself. A negative MaxRestarts is no bound.
	MaxRestarts int
	Within      time.Duration

	Backoff Backoff

	// Observe is called with each event, one at a time; it must not block, and
	// must not call the supervisor. See Log, and Watch.
	Observe func(Event)
}

const (
	defaultRestarts = 3
	defaultWithin   = 5 * time.Second
	defaultMost     = 30 * time.Second
)

// Supervisor keeps services alive while its Run runs. New makes one; its methods
// may be called by several goroutines.
type Supervisor struct {
	o      Options
	stream stream

	mu       sync.Mutex
	running  bool
	services []*service
}

// New makes a supervisor of these services, which are started in their order. It
// panics if two have one name, or one has none.
func New(o Options, services ...Service) *Supervisor {
	switch {
	case o.MaxRestarts == 0 && o.Backoff.First > 0:
		o.MaxRestarts = -1
	case o.MaxRestarts == 0:
		o.MaxRestarts = defaultRestarts
	}
	if o.Within <= 0 {
		o.Within = defaultWithin
	}
	if o.Backoff.Most <= 0 {
		o.Backoff.Most = defaultMost
	}
	s := &Supervisor{o: o}
	for _, sv := range services {
		if sv.start == nil || sv.name == "" {
			panic("supervisor: a service without a name; make it with Task, TaskFunc or Func")
		}
		if slices.ContainsFunc(s.services, func(x *service) bool { return x.name == sv.name }) {
			panic(fmt.Sprintf("supervisor: two services are called %q", sv.name))
		}
		s.services = append(s.services, &service{Service: sv})
	}
	return s
}

// service is a Service of one supervisor. The goroutine of Run writes it, under
// the supervisor's mutex; the goroutine of Run reads it without.
type service struct {
	Service
	state    state
	now      instance // while it runs
	since    time.Time
	until    time.Time // waiting: when it is to be started
	restarts int
	failures int                     // in a row, for the backoff
	last     error                   // why it ended last
	unready  context.CancelCauseFunc // ends the context of Ready; nil without
	run      int                     // counts instances: what is told of an older one is of no interest
}

type state int

const (
	stopped  state = iota // not started, or stopped
	starting              // it runs, and is not ready
	running               // and ready
	waiting               // to be started again
	finished              // not to be started again
)

var states = [...]string{"stopped", "starting", "running", "waiting", "finished"}

// GaveUpError says that services failed too often.
type GaveUpError struct {
	Service  string // the last one that did
	Restarts int    // how many there would have been
	Within   time.Duration
	Err      error // why that one ended; nil if it returned nil
}

// Error implements error.
func (e *GaveUpError) Error() string {
	why := "returned"
	if e.Err != nil {
		why = e.Err.Error()
	}
	return fmt.Sprintf("supervisor: gave up after %d restarts within %v; %s: %s", e.Restarts-1, e.Within, e.Service, why)
}

// Unwrap returns why the last service ended.
func (e *GaveUpError) Unwrap() error { return e.Err }

var (
	// ErrStopped is the cause of the contexts of services that the supervisor
	// stops.
	ErrStopped = errors.New("stopped by its supervisor")
	// ErrRunning: Run was called while another Run of the supervisor runs.
	ErrRunning = errors.New("the supervisor is running")
)

// Run starts the services and keeps them alive. It returns nil when ctx has
// ended and all services were stopped, the last first, each before the next; or
// when no service is left that runs or will. It returns a *GaveUpError, with all
// services stopped, if they had to be started again too often. It may be called
// again afterwards.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return ErrRunning
	}
	s.running = true
	for _, sv := range s.services {
		*sv = service{Service: sv.Service, state: waiting, run: sv.run}
	}
	s.mu.Unlock()
	r := &run{Supervisor: s, ctx: ctx, ended: make(chan ending), readied: make(chan readiness), over: make(chan struct{})}
	err := r.loop()
	r.stopFrom(0, func(*service) bool { return true })
	close(r.over)
	if err != nil {
		s.event(Event{Kind: GaveUp, Err: err})
	}
	s.mu.Lock()
	s.running = false
	s.mu.Unlock()
	return err
}

// Watch yields what happens from now on; the loop over it may begin later. It
// ends with ctx, whose error is the last pair, and with the loop; a second loop
// gets mp.ErrClosed. A loop that is more than a thousand events behind gets
// mp.ErrOverrun as its last pair.
func (s *Supervisor) Watch(ctx context.Context) iter.Seq2[Event, error] { return s.stream.watch(ctx) }

// Status tells what a service is doing.
type Status struct {
	Name     string
	State    string // "starting" until it is ready, "running", "waiting" to be started again, "stopped" or "finished"
	PID      int    // while it runs in a process of its own
	Since    time.Time
	Restarts int
	Err      error // why it ended last
}

// Statuses are those of all services, in their order. Its String is a table.
type Statuses []Status

// String is a table for people.
func (all Statuses) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "service\tstate\tpid\trestarts\tlast end")
	for _, x := range all {
		pid, last := "", ""
		if x.PID != 0 {
			pid = fmt.Sprint(x.PID)
		}
		if x.Err != nil {
			last, _, _ = strings.Cut(x.Err.Error(), "\n")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", x.Name, x.State, pid, x.Restarts, last)
	}
	_ = w.Flush()
	return b.String()
}

// Status tells what the services are doing.
func (s *Supervisor) Status() Statuses {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all Statuses
	for _, sv := range s.services {
		x := Status{Name: sv.name, State: states[sv.state], Since: sv.since, Restarts: sv.restarts, Err: sv.last}
		if sv.now != nil {
			x.PID = sv.now.pid()
		}
		all = append(all, x)
	}
	return all
}

func (s *Supervisor) event(e Event) {
	e.Time = time.Now()
	if s.o.Observe != nil {
		s.o.Observe(e)
	}
	s.stream.send(e)
}

// set changes a service.
func (s *Supervisor) set(sv *service, change func(*service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(sv)
}

// pause is how long to wait after so many failures in a row.
func (b Backoff) pause(failures int) time.Duration {
	if b.First <= 0 {
		return 0
	}
	d := b.First
	for ; failures > 1 && d < b.Most; failures-- {
		d *= 2
	}
	d = min(d, b.Most)
	return d - d/5 + rand.N(2*(d/5)+1)
}
