//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"multiproc/mp"
)

// weather is a storm: what befalls the players beside SIGKILL, SIGSTOP and SIGCONT.
type weather struct {
	name    string
	files   int
	address int64
	hungry  bool // another process takes memory, and gives it back
	one     bool // processor for all
}

var weathers = []weather{
	{name: "signals"},
	{name: "few descriptors", files: 2},
	{name: "memory pressure", address: 48 << 20, hungry: true},
	{name: "one core", one: true},
}

const (
	crowd     = 5
	lasting   = 1500 * time.Millisecond // a storm
	atMost    = 40                      // deaths in it
	surviving = 20 * time.Second        // the rest ends by then
)

// storms is a check for each weather in each place.
func storms(e *env) (list []*check, err error) {
	where, err := e.places()
	if err != nil {
		return nil, err
	}
	for _, w := range weathers {
		for _, at := range where {
			list = append(list, &check{object: w.name + " in " + at.name, round: func(ctx context.Context, seed uint64, sum *tally) error {
				return w.storm(ctx, at, seed, sum)
			}})
		}
	}
	return list, nil
}

// found makes a town whose objects are in a place.
func found(ctx context.Context, where ...mp.Option) (t town, end func() error, err error) {
	var closing []func() error
	end = func() (err error) {
		for _, f := range closing {
			err = errors.Join(err, f())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, end())
		}
	}()
	leased := append([]mp.Option{mp.WithLease(time.Hour)}, where...)
	for _, f := range []func() error{
		func() error { return opening(&t.Accounts, &closing)(mp.NewDict[int, int](where...)) },
		func() error { return opening(&t.Members, &closing)(mp.NewSet[int](where...)) },
		func() error { return opening(&t.Book, &closing)(mp.NewList[int](where...)) },
		func() error { return opening(&t.Rows, &closing)(mp.NewArray[int](200)) },
		func() error { return opening(&t.Jobs, &closing)(mp.NewQueue[int](200, leased...)) },
		func() error { return opening(&t.Seats, &closing)(mp.NewSemaphore(seats, where...)) },
		func() error { return opening(&t.Work, &closing)(mp.NewWaitGroup(where...)) },
		func() error { return opening(&t.Mutex, &closing)(mp.NewMutex(where...)) },
		func() error { return opening(&t.RW, &closing)(mp.NewRWMutex(where...)) },
		func() error { return opening(&t.Pair, &closing)(mp.NewRawArray[int](6)) },
		func() error { return opening(&t.Put, &closing)(mp.NewRawArray[byte](tickets)) },
		func() error { return opening(&t.Done, &closing)(mp.NewRawArray[byte](tickets)) },
		func() error { return opening(&t.Next, &closing)(mp.NewCounter(0)) },
		func() error { return opening(&t.Ops, &closing)(mp.NewCounter(0)) },
		func() error { return opening(&t.Over, &closing)(mp.NewCounter(0)) },
		func() error { return opening(&t.Refused, &closing)(mp.NewCounter(0)) },
	} {
		if err := f(); err != nil {
			return t, end, err
		}
	}
	m := map[int]int{}
	for i := range accounts {
		m[i] = riches / accounts
	}
	return t, end, t.Accounts.SetBatch(ctx, m)
}

// opening takes a new handle, and notes that it is to be closed.
func opening[H interface{ Close() error }](to *H, closing *[]func() error) func(h H, err error) error {
	return func(h H, err error) error {
		if err == nil {
			*to, *closing = h, append(*closing, h.Close)
		}
		return err
	}
}

// actor is a player, with a descriptor that no other process gets when it is gone.
type actor struct {
	p       *mp.Process[mp.None]
	fd      int
	stopped bool
	killed  bool
}

func (a *actor) signal(s unix.Signal) { _ = unix.PidfdSendSignal(a.fd, s, nil, 0) } // it may be gone

// company are all players of a storm.
type company struct {
	weather
	town   town
	seed   uint64
	actors []*actor // that play
	count  int
	sum    *tally
	failed error
}

func (c *company) enlist(ctx context.Context) error {
	c.count++
	o := mp.StartOptions{Quiet: true}
	if c.address > 0 {
		o.Stderr = io.Discard // the runtime's report of a process that had no memory
	}
	if c.one {
		o.Affinity = []int{firstCore()}
	}
	p, err := Act.With(o).Start(ctx, role{c.town, c.seed, c.count, c.files, c.address})
	if err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(p.PID(), 0)
	if err != nil {
		return errors.Join(err, p.Kill())
	}
	c.actors = append(c.actors, &actor{p: p, fd: fd})
	return nil
}

// firstCore is one that this process may run on.
func firstCore() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err == nil {
		for i := range 1024 {
			if set.IsSet(i) {
				return i
			}
		}
	}
	return 0
}

// bury waits for the end of one, and notes why it was, unless we have killed it.
func (c *company) bury(ctx context.Context, a *actor) {
	ctx, cancel := context.WithTimeout(ctx, surviving)
	defer cancel()
	err := a.p.Wait(ctx)
	var exit *mp.ExitError
	switch {
	case err == nil:
	case errors.Is(err, mp.ErrRunning):
		c.failed = errors.Join(c.failed, fmt.Errorf("a player that nobody stops does not end within %v", surviving))
		_ = a.p.Kill()
		<-a.p.Done()
	case errors.As(err, &exit) && a.killed:
	case errors.As(err, &exit) && c.address > 0 && exit.State.ExitCode == 2:
		c.sum.kills++ // the runtime had no memory
	default:
		c.failed = errors.Join(c.failed, err)
		if errors.As(err, &exit) && exit.Crash != "" {
			c.failed = fmt.Errorf("%w\n%s", c.failed, exit.Crash)
		}
	}
	_ = unix.Close(a.fd)
}

// blow does what a moment brings.
func (c *company) blow(ctx context.Context, rnd *rand.Rand) error {
	i := rnd.IntN(len(c.actors))
	a := c.actors[i]
	gone := false
	select {
	case <-a.p.Done():
		gone = true
	default:
	}
	switch n := rnd.IntN(4); {
	case gone || n == 0 && c.sum.kills < atMost*(1+c.sum.rounds):
		if !gone {
			a.killed = true
			c.sum.kills++
			a.signal(unix.SIGKILL)
		}
		c.bury(ctx, a)
		c.actors = append(c.actors[:i:i], c.actors[i+1:]...)
		return c.enlist(ctx)
	case a.stopped:
		a.signal(unix.SIGCONT)
		a.stopped = false
	case n < 3:
		a.signal(unix.SIGSTOP)
		a.stopped = true
	}
	return nil
}

// end continues all, kills every other one, and tells the rest to go.
func (c *company) end(ctx context.Context) {
	for i, a := range c.actors {
		if i%2 == 0 {
			a.killed = true
			c.sum.kills++
			a.signal(unix.SIGKILL)
		}
		a.signal(unix.SIGCONT)
	}
	c.town.Over.Store(1)
	for _, a := range c.actors {
		c.bury(ctx, a)
	}
	c.actors = nil
}

// storm is a round.
func (w *weather) storm(ctx context.Context, at place, seed uint64, sum *tally) (err error) {
	t, end, err := found(ctx, at.options...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	c := &company{weather: *w, town: t, seed: seed, sum: sum}
	defer func() { c.end(ctx) }() // if it has not ended before
	if w.hungry {
		hog, err := Hog.With(mp.StartOptions{Nice: 5}).Start(ctx, hogging)
		if err != nil {
			return err
		}
		defer func() {
			_ = hog.Kill()
			<-hog.Done()
		}()
	}
	for range crowd {
		if err := c.enlist(ctx); err != nil {
			return err
		}
	}
	rnd := rand.New(rand.NewPCG(seed, 2))
	for began := time.Now(); time.Since(began) < lasting && c.failed == nil; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(rnd.Int64N(int64(20 * time.Millisecond)))):
		}
		if err := c.blow(ctx, rnd); err != nil {
			return err
		}
	}
	c.end(ctx)
	sum.calls += int(t.Ops.Load())
	sum.refused += int(t.Refused.Load())
	if c.failed != nil {
		return c.failed
	}
	return t.audit(ctx, sum)
}

// audit looks at what is left. All that the dead had must be there within a moment.
func (t *town) audit(ctx context.Context, sum *tally) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rnd := rand.New(rand.NewPCG(0, 0))
	for _, l := range []struct {
		name string
		ask  func() error
	}{
		{"mutex", func() error {
			return locked(ctx, t.Mutex, func() error { return t.repair(0) }, func() error { return t.change(0, -1, rnd) })
		}},
		{"accounts", func() error { return t.sum(ctx) }},
		{"rwmutex", func() error {
			return locked(ctx, t.RW, func() error { return t.repair(1) }, func() error { return t.change(1, -1, rnd) })
		}},
		{"members", func() error { return t.pairs(ctx) }},
		{"book", func() error { return t.balance(ctx) }},
		{"rows", func() error { return errors.Join(t.rowsAre(ctx), t.rowsAre(ctx)) }},
		{"semaphore", func() error { return errors.Join(t.Seats.Acquire(ctx, seats), t.Seats.Release(ctx, seats)) }},
		{"waitgroup", func() error {
			err := t.Work.Wait(ctx)
			if died := new(*mp.OwnerDiedError); errors.As(err, died) {
				return nil
			}
			return err
		}},
		{"leases", func() error {
			return until(ctx, func() (bool, error) {
				n, err := t.Jobs.Leased(ctx)
				return n == 0, err
			})
		}},
		{"queue", func() error { return t.lost(ctx) }},
	} {
		began := time.Now()
		if err := l.ask(); err != nil {
			return fmt.Errorf("afterwards: %s: %w", l.name, err)
		}
		if l.name != "queue" {
			sum.longest = max(sum.longest, time.Since(began))
		}
	}
	return nil
}

// lost takes what is left in the queue, and looks for items that were put, and nobody has
// done.
func (t *town) lost(ctx context.Context) error {
	for {
		n, err := t.Jobs.TryGet(ctx)
		if errors.Is(err, mp.ErrEmpty) {
			break
		}
		if err != nil {
			return err
		}
		t.Done.Store(n, 1)
	}
	lost := 0
	for n := range min(tickets, int(t.Next.Load())) {
		if t.Put.Load(n) == 1 && t.Done.Load(n) == 0 {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d items are lost that were put", lost)
	}
	return nil
}

const hogging = 384 << 20 // bytes, at most

// hog takes memory and gives it back until it is killed.
func hog(_ context.Context, most int) error {
	for {
		b, err := unix.Mmap(-1, 0, most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		if err := unix.Munmap(b); err != nil {
			return err
		}
	}
}

var Hog = mp.Proc(hog)
