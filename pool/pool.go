package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"multiproc/internal/machine"
	"multiproc/mp"
	"multiproc/mp/executor"
)

// ErrClosed is the error of a pool that takes no more items.
var ErrClosed = errors.New("the pool is closed")

// ErrStopped is why items have no result that were under way at Stop.
var ErrStopped = errors.New("the pool was stopped")

// ErrGivenUp is why a call has ended whose loop was left.
var ErrGivenUp = errors.New("given up")

// Options say how a pool is made. The zero value is one worker for each processor
// that this process may use.
type Options struct {
	// Workers is the number of worker processes; 0 is runtime.GOMAXPROCS(0).
	Workers int

	// Start is how a worker is started. Its name is "worker" and a number unless
	// one is given here; then it is that, and a number.
	Start mp.StartOptions

	// Prefix puts the worker's name in front of each line that it writes to its
	// standard output and error.
	Prefix bool

	// CPUs are sets of processors for the workers: each has the set that the
	// fewest others have. nil leaves them where Start.Affinity says.
	CPUs [][]int

	// Setup is called in each worker before its first item, in this order; see
	// State.
	Setup []Setup

	// MaxItems replaces a worker after so many items, some sooner and some later
	// by a tenth, so that not all are replaced at once. 0 is no bound.
	MaxItems int
	// MaxRSS replaces a worker whose resident memory, without what it shares with
	// others, exceeds so many bytes. It is
	// looked at ten times a second, between items. 0 is no bound.
	MaxRSS int64
	// Fresh gives each item a process of its own. The next ones are started
	// ahead: Spares, or as many as there are workers.
	Fresh bool
	// Spares are workers that are started and set up, but not given items, until
	// they take the place of one that has ended.
	Spares int

	// Idle ends a worker that had nothing to do for so long, down to Min workers.
	// When there is work they are started again. 0 keeps all.
	Idle time.Duration
	Min  int

	// Cgroup is the directory of a control group of the kernel that this process
	// may write to: of version 2, delegated to it (systemd: Delegate=yes), or of the
	// memory controller of version 1. Each worker gets a group of its own in it,
	// with the processes that its tasks start. Then Call.MemoryLimit is the
	// kernel's to enforce, at once and exactly, and the processes that a task
	// leaves behind end with the worker. In version 2 the processes that are in the
	// directory itself move to a group "main" in it. "" is none.
	Cgroup string

	// MinFree is how much memory must be available, in bytes, for an item to begin
	// beside others: with less, one runs at a time. 0 does not ask.
	MinFree int64

	// Observe hears of everything that happens, one event after the other, in
	// goroutines of the pool and of those who call it, which wait for it; nil:
	// nobody does. The first events come before New returns. It must not wait for
	// items or for the end of the pool. See Log, and package multiproc/progress.
	Observe func(Event)
}

// Pool is a number of processes that carry out items of tasks. There is no use
// for the zero value; New makes one. Any number of goroutines may use it at once.
//
// It is an executor.Executor: mp.Task's Map, Each, Reduce and Submit take it.
type Pool struct {
	o      Options
	memory *memory

	mu         sync.Mutex
	target     int // workers that there are to be
	hands      []*hand
	streams    map[*stream]struct{} // that are not done
	calls      int                  // how many of those are calls of users
	called     int                  // and how many there were
	queue      queue                // those that have items to take, or may have
	paces      map[string]*pace     // of tasks
	orders     uint64               // the last one's number
	numbers    int                  // of the last worker
	closed     bool                 // it takes no more calls
	ending     bool                 // and starts no more workers
	changed    chan struct{}        // closed, and made anew, when a stream or a hand is gone
	failures   int                  // to start a worker, since one was ready
	startErr   error                // of the last
	retry      *time.Timer          // of a start
	ticking    bool
	weighs     bool      // a call has a weight other than 1
	short      bool      // of memory
	looked     time.Time // whether it is
	kills      int64     // for want of memory that the kernel has made, as far as we have taken note of them
	busy       time.Time // when there was an order, last
	tasks      map[string]uint32
	deliveries []delivery
	old        []*issued // orders to be used again
	events     []observed
	total      Stats      // of all but workers that there are
	telling    bool       // somebody tells the observers
	noted      int        // events in all
	told       int        // and those that observers have heard
	printing   sync.Mutex // lines with Prefix

	idle  atomic.Int32 // workers that have no order
	open  atomic.Int32 // and that would take another one
	kicks chan struct{}
	over  chan struct{} // closed when the pool is gone
}

// New makes a pool and starts its workers, without waiting for them.
//
// Cost: a process for each worker, some 2 ms and the memory of an idle Go
// program.
func New(o Options) (*Pool, error) {
	switch {
	case o.Workers < 0 || o.Spares < 0 || o.MaxItems < 0 || o.MaxRSS < 0 || o.Min < 0 || o.Idle < 0 || o.MinFree < 0:
		return nil, errors.New("new pool: a negative number in the options")
	case o.Min > 0 && o.Idle == 0:
		return nil, errors.New("new pool: Min without Idle: workers end only if they are idle for long enough")
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Fresh && o.Spares == 0 {
		o.Spares = o.Workers
	}
	p := &Pool{
		o: o, target: o.Workers, changed: make(chan struct{}), tasks: map[string]uint32{}, streams: map[*stream]struct{}{}, paces: map[string]*pace{},
		kicks: make(chan struct{}, 1), over: make(chan struct{}),
	}
	p.memory = newMemory(p.drop)
	if o.Cgroup != "" {
		machine.SweepMemoryGroups(o.Cgroup, groupPrefix)
	}
	p.kills = machine.OutOfMemoryKills()
	p.lookAtMemory(time.Now())
	// The first worker shows whether there can be any.
	h := p.newHand()
	if err := h.start(); err != nil {
		return nil, fmt.Errorf("new pool: %w", err)
	}
	p.mu.Lock()
	h.begun()
	p.hands = append(p.hands, h)
	p.staff()
	if o.Idle > 0 {
		p.tick(time.Now())
	}
	p.unlock()
	go h.follow()
	go p.dispatcher()
	return p, nil
}

// With returns the pool with other settings for calls. It is the same pool:
// workers, Close and all else are shared.
//
//	for r, err := range Fetch.Map(ctx, p.With(pool.Call{Timeout: time.Second}), urls) { … }
func (p *Pool) With(c Call) executor.Executor { return &caller{p, c} }

// caller is a pool with settings.
type caller struct {
	p *Pool
	c Call
}

// Open implements executor.Executor.
func (c *caller) Open(ctx context.Context, job executor.Job) (executor.Stream, error) {
	return c.p.open1(ctx, job, c.c, nil)
}

// Open implements executor.Executor.
func (p *Pool) Open(ctx context.Context, job executor.Job) (executor.Stream, error) {
	return p.open1(ctx, job, Call{}, nil)
}

func (p *Pool) open1(ctx context.Context, job executor.Job, c Call, pinned *hand) (executor.Stream, error) {
	if p == nil {
		return nil, errNoPool
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s := newStream(p, job, c, pinned)
	p.mu.Lock()
	if s.pace = p.paces[job.Task]; s.pace == nil {
		s.pace = &pace{}
		p.paces[job.Task] = s.pace
	}
	s.widen()
	if p.closed && pinned == nil || pinned != nil && (pinned.leaving || pinned.dead) {
		p.unlock()
		return nil, ErrClosed
	}
	p.streams[s] = struct{}{}
	p.queue.add(s)
	p.weighs = p.weighs || c.Weight > 1
	if pinned == nil {
		p.calls++
		p.called++
		s.number = p.called
		p.event(s, Event{Kind: CallBegan})
	}
	if ctx.Done() != nil {
		s.unhook = context.AfterFunc(ctx, func() { s.Close(context.Cause(ctx)) }) // in a goroutine of its own
	}
	p.unlock()
	return s, nil
}

// Resize changes the number of workers. More are started; those that are too many
// end when they have done what they were given.
func (p *Pool) Resize(workers int) error {
	if workers < 1 {
		return fmt.Errorf("resize a pool to %d workers", workers)
	}
	p.mu.Lock()
	defer p.unlock()
	if p.closed {
		return ErrClosed
	}
	p.target = workers
	p.staff()
	return nil
}

// Close waits until all that was begun is done, and ends the workers. Further
// calls of Map and Submit get ErrClosed. It does nothing more than wait if the
// pool was closed before.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.unlock()
	_ = p.await(context.Background(), func() bool { return p.calls == 0 })
	p.mu.Lock()
	p.dismiss()
	p.unlock()
	_ = p.await(context.Background(), p.empty)
	p.finish()
	return nil
}

// Stop gives up all that is under way: its error is ErrStopped. Workers that run
// an item have their grace, and then SIGKILL. If ctx ends before they are gone
// they are killed at once, and Stop returns the error of ctx.
func (p *Pool) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	for s := range maps.Clone(p.streams) {
		s.close(ErrStopped)
	}
	p.dismiss()
	p.unlock()
	err := p.await(ctx, p.empty)
	if err != nil {
		p.mu.Lock()
		for _, h := range p.hands {
			h.kill(ErrStopped)
		}
		p.unlock()
	}
	if err == nil {
		p.finish()
	} else {
		go func() {
			_ = p.await(context.Background(), p.empty)
			p.finish()
		}()
	}
	return err
}

func (p *Pool) empty() bool { return len(p.hands) == 0 }

// finish gives back what a pool without workers has.
func (p *Pool) finish() {
	p.mu.Lock()
	defer p.unlock()
	select {
	case <-p.over:
		return
	default:
	}
	close(p.over)
	if p.retry != nil {
		p.retry.Stop()
	}
	p.memory.close()
}

// await waits until a condition holds; holds is called with mu held.
func (p *Pool) await(ctx context.Context, holds func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := holds(), p.changed
		p.unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tell wakes those who await. mu is held.
func (p *Pool) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// drop tells the workers that a segment is not used any more.
func (p *Pool) drop(no uint32) {
	go func() { // mu may be held
		p.mu.Lock()
		defer p.unlock()
		for _, h := range p.hands {
			if h.segments[no] {
				delete(h.segments, no)
				h.tell(command{Kind: commandDrop, No: no})
			}
		}
	}()
}

// dispatcher gives orders when a feeder says that a worker waits for items.
func (p *Pool) dispatcher() {
	for {
		select {
		case <-p.kicks:
			p.dispatch()
		case <-p.over:
			return
		}
	}
}

func (p *Pool) kick() {
	select {
	case p.kicks <- struct{}{}:
	default:
	}
}

func (p *Pool) dispatch() {
	p.mu.Lock()
	p.fill()
	p.unlock()
}
