package pool

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"time"

	"multiproc/internal/machine"
	"multiproc/mp"
	"multiproc/mp/executor"
)

// hand is a worker as the pool sees it.
type hand struct {
	p       *Pool
	name    string
	proc    *mp.Process[mp.None]
	lane    *mp.Conn[order, note]
	control *mp.Conn[command, report]
	stderr  tail
	lines   []*prefixer
	cpus    int                  // which of Options.CPUs; -1: none
	group   *machine.MemoryGroup // nil: none

	// Under the pool's lock:
	started  bool // there is a process
	ready    bool // it is set up
	spare    bool // it is not given items yet
	leaving  bool // it is not given any more
	gone     bool // its process has ended
	dead     bool
	orders   []*issued // that it has not finished, the first one first
	left     int       // items until it is replaced, -1: no bound
	stats    WorkerStats
	segments map[uint32]bool
	tasks    map[uint32]bool
	since    time.Time // idle
	filling  bool      // it gets orders until it has as many as it may have
	counted  counted   // what it is counted as in Pool.idle and open
	why      error     // it is killed by the pool
	kills    int64     // how many processes the kernel has killed of its group, for want of memory
	peak     int64     // and the most memory that the group had; both known when it is dead
	setupErr error

	values values
	outbox outbox

	receiver receiver      // who takes notes, under the pool's lock
	wake     chan struct{} // the follower, which is to
}

type counted struct{ idle, open bool }

func (p *Pool) newHand() *hand {
	p.numbers++
	base := "worker"
	if p.o.Start.Name != "" {
		base = p.o.Start.Name
	}
	h := &hand{
		p: p, name: fmt.Sprintf("%s-%d", base, p.numbers),
		segments: map[uint32]bool{}, tasks: map[uint32]bool{}, left: -1,
	}
	h.cpus = p.rarestCPUs()
	h.receiver, h.wake = follower, make(chan struct{}, 1)
	h.values.m = map[valueKey]chan any{}
	h.values.over = make(chan struct{})
	if p.o.MaxItems > 0 {
		h.left = max(1, p.o.MaxItems-p.o.MaxItems/10+rand.IntN(p.o.MaxItems/5+1))
	}
	if p.o.Fresh {
		h.left = 1
	}
	h.since = time.Now()
	return h
}

// rarestCPUs is the one of Options.CPUs that the fewest workers have. mu is held.
func (p *Pool) rarestCPUs() int {
	best, least := -1, 0
	for i := range p.o.CPUs {
		n := 0
		for _, h := range p.hands {
			if h.cpus == i && !h.leaving {
				n++
			}
		}
		if best < 0 || n < least {
			best, least = i, n
		}
	}
	return best
}

// begun notes that there is a process. mu is held.
func (h *hand) begun() {
	h.started = true
	h.p.event(nil, Event{Kind: WorkerStarted, Worker: h.name, PID: h.proc.PID()})
}

// laneBytes is what a lane holds: more orders and notes than a worker ever has.
const laneBytes = 64 << 10

// start starts the process.
func (h *hand) start() error {
	lane, theirLane, err := mp.Pipe[order, note](mp.MaxBytes(laneBytes))
	if err != nil {
		return err
	}
	control, theirControl, err := mp.Pipe[command, report]()
	if err != nil {
		_, _ = lane.Close(), theirLane.Close()
		return err
	}
	o := h.p.o.Start
	o.Name = h.name
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if h.p.o.Prefix {
		if o.Stdout == nil {
			o.Stdout = os.Stdout
		}
		h.lines = []*prefixer{
			{mu: &h.p.printing, to: o.Stdout, prefix: h.name + ": "},
			{mu: &h.p.printing, to: o.Stderr, prefix: h.name + ": "},
		}
		o.Stdout, o.Stderr = h.lines[0], h.lines[1]
	}
	h.stderr.to = o.Stderr
	o.Stderr = &h.stderr
	if h.cpus >= 0 {
		o.Affinity = h.p.o.CPUs[h.cpus]
	}
	h.lane, h.control = lane, control
	h.proc, err = worker.With(o).Start(context.Background(), equipment{theirLane, theirControl})
	if err != nil {
		_, _, _, _ = lane.Close(), theirLane.Close(), control.Close(), theirControl.Close()
		return err
	}
	if err = h.join(); err != nil {
		_ = h.proc.Kill()
		<-h.proc.Done()
		_, _ = lane.Close(), control.Close()
	}
	return err
}

// groupPrefix is how the names of workers' control groups begin: this process's
// number follows, and the worker's.
const groupPrefix = "multiproc-"

// join moves a worker that has just begun into a control group of its own.
func (h *hand) join() error {
	in, pid := h.p.o.Cgroup, h.proc.PID()
	if in == "" {
		return nil
	}
	g, err := machine.NewMemoryGroup(in, fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), pid))
	if err != nil {
		return err
	}
	if err = g.Add(pid); err != nil {
		_ = g.Remove()
		return err
	}
	h.group = g
	return nil
}

// bound has the kernel bound the memory of a worker that is given an item of s. mu is
// held.
func (h *hand) bound(s *stream) {
	limit := s.c.MemoryLimit
	if limit > 0 {
		limit += h.p.memory.size()
	}
	// If it has more already it is ended as if there were no group.
	_ = h.group.Limit(limit)
}

// part takes the group of a dead worker away.
func (h *hand) part() {
	kills, peak := h.group.Kills(), h.group.Peak()
	_ = h.group.Remove()
	h.p.mu.Lock()
	h.kills, h.peak = kills, peak
	h.p.unlock()
}

// follow is the life of a worker.
func (h *hand) follow() {
	p := h.p
	go h.values.listen(h.control)
	for h.receive() {
		select {
		case <-h.wake:
			continue
		case <-h.proc.Done():
		}
		p.mu.Lock()
		h.gone = true
		if h.receiver == nobody {
			h.receiver = follower
		}
		wait := h.receiver != follower
		p.unlock()
		if wait { // somebody else receives, and finds that there is no more
			<-h.wake
		}
	}
	// It has closed its end, or is dead. One that lives on is ended.
	select {
	case <-h.proc.Done():
	case <-time.After(h.grace()):
		_ = h.proc.Kill()
		<-h.proc.Done()
	}
	for _, l := range h.lines {
		l.flush()
	}
	if h.group != nil {
		h.part()
	}
	p.mu.Lock()
	h.bury()
	p.unlock()
	_, _ = h.lane.Close(), h.control.Close()
}

func (h *hand) grace() time.Duration {
	switch g := h.p.o.Start.Grace; {
	case g == 0:
		return 2 * time.Second
	case g < 0:
		return 0
	default:
		return g
	}
}

// setUp makes a worker ready.
func (h *hand) setUp() {
	var err error
	for _, s := range h.p.o.Setup {
		if err = s.run(context.Background(), bound{h}); err != nil {
			err = fmt.Errorf("set up %s: %w", h.name, err)
			break
		}
	}
	p := h.p
	p.mu.Lock()
	defer p.unlock()
	switch {
	case h.leaving || h.dead:
		return
	case err != nil:
		h.setupErr = err
		h.leave()
		return
	default:
		now := time.Now()
		h.stats.SettingUp = now.Sub(h.since)
		h.ready, h.since = true, now
		p.event(nil, Event{Kind: WorkerReady, Worker: h.name, PID: h.proc.PID()})
		p.failures, p.startErr = 0, nil
	}
	p.staff()
	p.fill()
}

// bound is the executor of one worker.
type bound struct{ h *hand }

// Open implements executor.Executor.
func (b bound) Open(ctx context.Context, job executor.Job) (executor.Stream, error) {
	return b.h.p.open1(ctx, job, Call{Chunk: 1}, b.h)
}

// takes reports whether the worker takes an order of this stream.
func (h *hand) takes(s *stream) bool {
	if h.dead || h.leaving || s.pinned != nil && s.pinned != h || s.pinned == nil && (!h.ready || h.spare) || h.left == 0 {
		return false
	}
	last := len(h.orders) - 1
	if last < 0 {
		return true
	}
	if h.group != nil && h.orders[last].s.c.MemoryLimit != s.c.MemoryLimit {
		return false
	}
	ahead := s.pace.ahead(s.fixed)
	return len(h.orders) <= ahead && (h.filling || len(h.orders) <= ahead/2)
}

func (h *hand) tell(c command) { h.outbox.put(h, c) }

// leave gives the worker no more work; it ends when it has done what it has. mu
// is held.
func (h *hand) leave() {
	h.leaving = true
	for s := range maps.Clone(h.p.streams) {
		if s.pinned == h {
			s.refuseAll(ErrStopped)
		}
	}
	if len(h.orders) == 0 {
		h.dismiss()
	}
	h.p.staff()
}

// dismiss tells a worker without orders to end, now or when it has begun. mu is
// held.
func (h *hand) dismiss() {
	if h.started {
		_ = h.lane.CloseWrite()
		time.AfterFunc(h.grace(), func() {
			h.p.mu.Lock()
			defer h.p.unlock()
			if !h.dead { // stopped, for example
				_ = h.proc.Kill()
			}
		})
	}
}

// kill ends the process now. mu is held.
func (h *hand) kill(why error) {
	if h.why == nil {
		h.why = why
	}
	if h.started {
		_ = h.proc.Kill()
	}
}

// killAt kills the worker if it is at this item of an order, -1 for any, and
// reports whether it was. mu is held.
func (h *hand) killAt(is *issued, item int, why error) bool {
	if !is.region.condemn(item) {
		return false
	}
	h.kill(why)
	return true
}

// bury takes over from a worker that is gone. mu is held.
func (h *hand) bury() {
	p := h.p
	h.dead = true
	p.hands = slices.DeleteFunc(p.hands, func(x *hand) bool { return x == h })
	h.count()
	orders := h.orders
	h.orders = nil
	next := h.ready
	for _, is := range orders {
		h.harvest(is)
		left := is.run
		if is.count > 0 {
			left.cut(is.count, is.s.job.ArgSize)
		}
		died := left.n > 0 && (is.running() >= 0 || is.corrupt)
		if next && left.n > 0 {
			next, died = false, died || is.s.inVain(left.first)
		}
		if died {
			one := left
			if left.n > 1 {
				one = left.cut(1, is.s.job.ArgSize)
			} else {
				left = run{}
			}
			h.lost(is, one)
		}
		if left.n > 0 {
			is.again = true
			is.s.out -= left.n
			is.s.giveBack(left, h.setupErr)
		}
		h.conclude(is)
	}
	p.total.Gone.add(h.stats)
	var ended error
	switch {
	case h.why != nil:
		ended = h.why
	case h.setupErr != nil:
		ended = h.setupErr
	default:
		ended = h.proc.Wait(context.Background())
	}
	if ended == nil {
		p.total.Ended++
	} else {
		p.total.Deaths++
	}
	p.event(nil, Event{Kind: WorkerEnded, Worker: h.name, PID: h.proc.PID(), Err: ended})
	if !h.ready {
		if p.startErr = ended; h.setupErr == nil && h.proc.State().Signal == syscall.SIGKILL {
			p.failures++
		} else {
			p.failures += cannotBegin
		}
	}
	p.staff()
	p.fill()
	p.tell()
}

// lost decides about the item that a worker was at when it died. mu is held.
func (h *hand) lost(is *issued, r run) {
	s := is.s
	s.out--
	err := h.obituary(is, r.first)
	if is.again = !s.closed && s.again(r, err); !is.again {
		if b := r.block; b != nil {
			b.settled++
			s.free(b)
		}
		s.answer(r.first, err, h.name, h.proc.PID())
	}
}
