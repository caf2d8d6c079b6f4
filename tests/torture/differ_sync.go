//go:build linux

package main

import (
	"context"
	"errors"
	"os"

	"multiproc/mp"
)

// ended is a context that has.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// lock is what locks and conditions have in common.
type lock interface {
	TryLock(ctx context.Context) (bool, error)
	Unlock()
	Close() error
}

// held is the model of a lock: how often this process writes, and how often it reads.
type held struct{ write, read int }

// taking are the methods of a lock. Who holds it does so through this handle, and gives it
// back only if the model of the same calls would.
func taking[O lock](has func(o O) *held, again bool) []method[O, *held] {
	may := func(m *held) bool { return m.read == 0 && (m.write == 0 || again) }
	return []method[O, *held]{
		{"TryLock", 3, func(ctx context.Context, o O, _ draw) (any, error) {
			ok, err := o.TryLock(ctx)
			if ok {
				has(o).write++
			}
			return ok, err
		}, func(m *held, _ draw) (any, error) {
			if !may(m) {
				return false, nil
			}
			m.write++
			return true, nil
		}},
		{"Unlock", 2, func(_ context.Context, o O, _ draw) (any, error) {
			if has(o).write > 0 {
				has(o).write--
				o.Unlock()
			}
			return nil, nil
		}, func(m *held, _ draw) (any, error) { m.write = max(0, m.write-1); return nil, nil }},
	}
}

// owned are those of one that knows who holds it, and that can be repaired.
func owned[O interface {
	lock
	Owner(ctx context.Context) (int, error)
	Repair(ctx context.Context, f func() error) error
	Lock(ctx context.Context) error
}](has func(o O) *held) []method[O, *held] {
	return []method[O, *held]{
		{"Owner", 1, func(ctx context.Context, o O, _ draw) (any, error) {
			pid, err := o.Owner(ctx)
			return pid == os.Getpid(), err
		}, func(m *held, _ draw) (any, error) { return m.write > 0, nil }},
		{"Lock", 1, func(ctx context.Context, o O, _ draw) (any, error) {
			if h := has(o); h.write > 0 || h.read > 0 { // this would last
				return nil, o.Lock(ended)
			}
			err := o.Lock(ctx)
			if err == nil {
				has(o).write++
			}
			return nil, err
		}, func(m *held, _ draw) (any, error) {
			if m.write > 0 || m.read > 0 {
				return nil, context.Canceled
			}
			m.write++
			return nil, nil
		}},
		{"Repair", 1, func(ctx context.Context, o O, d draw) (any, error) {
			if h := has(o); h.write > 0 || h.read > 0 {
				return false, nil
			}
			called := false
			err := o.Repair(ctx, func() error {
				if called = true; d.a%3 == 0 {
					return mp.ErrNotHeld
				}
				return nil
			})
			return called, err
		}, func(m *held, d draw) (any, error) {
			if m.write > 0 || m.read > 0 {
				return false, nil
			}
			if d.a%3 == 0 {
				return nil, mp.ErrNotHeld
			}
			return true, nil
		}},
	}
}

type (
	mutex struct {
		*mp.Mutex
		held
	}
	recursive struct {
		*mp.RecursiveMutex
		held
	}
	rwmutex struct {
		*mp.RWMutex
		held
	}
	cond struct {
		*mp.Cond
		held
	}
)

// close gives back what is held: a place would call it poisoned.
func (h *held) close(unlock, runlock func(), closed func() error) error {
	for ; h.write > 0; h.write-- {
		unlock()
	}
	for ; h.read > 0; h.read-- {
		runlock()
	}
	return closed()
}

func (m *mutex) Close() error     { return m.held.close(m.Unlock, nil, m.Mutex.Close) }
func (m *recursive) Close() error { return m.held.close(m.Unlock, nil, m.RecursiveMutex.Close) }
func (m *rwmutex) Close() error   { return m.held.close(m.Unlock, m.RUnlock, m.RWMutex.Close) }
func (c *cond) Close() error      { return c.held.close(c.Unlock, nil, c.Cond.Close) }

// locks are the locks, and conditions, of which one is held to signal.
func locks() []*kindred {
	fresh := func() *held { return &held{} }
	ofMutex := func(m *mutex) *held { return &m.held }
	ofRW := func(m *rwmutex) *held { return &m.held }
	ofCond := func(c *cond) *held { return &c.held }
	signalled := func(m *held) error {
		if m.write == 0 {
			return mp.ErrNotHeld
		}
		return nil
	}
	return []*kindred{
		with("mutex", func(where ...mp.Option) (*mutex, error) {
			m, err := mp.NewMutex(where...)
			return &mutex{Mutex: m}, err
		}, func(o *mutex) *mp.Mutex { return o.Mutex }, func(h *mp.Mutex) *mutex { return &mutex{Mutex: h} },
			fresh, append(taking(ofMutex, false), owned(ofMutex)...)),
		with("recursive mutex", func(where ...mp.Option) (*recursive, error) {
			m, err := mp.NewRecursiveMutex(where...)
			return &recursive{RecursiveMutex: m}, err
		}, func(o *recursive) *mp.RecursiveMutex { return o.RecursiveMutex }, func(h *mp.RecursiveMutex) *recursive { return &recursive{RecursiveMutex: h} },
			fresh, taking(func(m *recursive) *held { return &m.held }, true)),
		with("rwmutex", func(where ...mp.Option) (*rwmutex, error) {
			m, err := mp.NewRWMutex(where...)
			return &rwmutex{RWMutex: m}, err
		}, func(o *rwmutex) *mp.RWMutex { return o.RWMutex }, func(h *mp.RWMutex) *rwmutex { return &rwmutex{RWMutex: h} },
			fresh, append(append(taking(ofRW, false), owned(ofRW)...), []method[*rwmutex, *held]{
				{"TryRLock", 3, func(ctx context.Context, o *rwmutex, _ draw) (any, error) {
					ok, err := o.TryRLock(ctx)
					if ok {
						o.read++
					}
					return ok, err
				}, func(m *held, _ draw) (any, error) {
					if m.write > 0 {
						return false, nil
					}
					m.read++
					return true, nil
				}},
				{"RUnlock", 3, func(_ context.Context, o *rwmutex, _ draw) (any, error) {
					if o.read > 0 {
						o.read--
						o.RUnlock()
					}
					return nil, nil
				}, func(m *held, _ draw) (any, error) { m.read = max(0, m.read-1); return nil, nil }},
			}...)),
		with("cond", func(where ...mp.Option) (*cond, error) {
			c, err := mp.NewCond(nil, where...)
			return &cond{Cond: c}, err
		}, func(o *cond) *mp.Cond { return o.Cond }, func(h *mp.Cond) *cond { return &cond{Cond: h} },
			fresh, append(append(taking(ofCond, false), owned(ofCond)...), []method[*cond, *held]{
				{
					"Signal", 1, func(ctx context.Context, o *cond, _ draw) (any, error) { return nil, o.Signal(ctx) },
					func(m *held, _ draw) (any, error) { return nil, signalled(m) },
				},
				{
					"Broadcast", 1, func(ctx context.Context, o *cond, _ draw) (any, error) { return nil, o.Broadcast(ctx) },
					func(m *held, _ draw) (any, error) { return nil, signalled(m) },
				},
			}...)),
	}
}

// met is the model of what is counted: permits, parties, what is to be done.
type met struct {
	n, most   int
	set, over bool
}

// meetings are semaphores, events, barriers, wait groups and what is done once.
func meetings() []*kindred {
	type S = *mp.Semaphore
	type E = *mp.Event
	type B = *mp.Barrier
	type W = *mp.WaitGroup
	type O = *mp.Once
	type M = *met
	permit := []method[S, M]{
		{
			"TryAcquire", 3, func(ctx context.Context, o S, d draw) (any, error) { return o.TryAcquire(ctx, d.a%7) },
			func(m M, d draw) (any, error) {
				n := d.a % 7
				if n < 1 || m.most > 0 && n > m.most {
					return nil, mp.ErrValue
				}
				if n > m.n {
					return false, nil
				}
				m.n -= n
				return true, nil
			},
		},
		{
			"Release", 3, func(ctx context.Context, o S, d draw) (any, error) { return nil, o.Release(ctx, d.a%4) },
			func(m M, d draw) (any, error) {
				n := d.a % 4
				if n < 1 || m.most > 0 && m.n+n > m.most {
					return nil, mp.ErrValue
				}
				m.n += n
				return nil, nil
			},
		},
	}
	wait := func(m M) error {
		if m.over {
			return mp.ErrBroken
		}
		return nil
	}
	return []*kindred{
		alike("semaphore", func(where ...mp.Option) (S, error) { return mp.NewSemaphore(permits, where...) },
			func() M { return &met{n: permits} }, permit),
		alike("bounded semaphore", func(where ...mp.Option) (S, error) { return mp.NewBoundedSemaphore(permits, where...) },
			func() M { return &met{n: permits, most: permits} }, permit),
		alike("event", func(where ...mp.Option) (E, error) { return mp.NewEvent(where...) }, func() M { return &met{} }, []method[E, M]{
			{
				"IsSet", 1, func(ctx context.Context, o E, _ draw) (any, error) { return o.IsSet(ctx) },
				func(m M, _ draw) (any, error) { return m.set, nil },
			},
			{
				"Set", 1, func(ctx context.Context, o E, _ draw) (any, error) { return nil, o.Set(ctx) },
				func(m M, _ draw) (any, error) { m.set = true; return nil, nil },
			},
			{
				"Clear", 1, func(ctx context.Context, o E, _ draw) (any, error) { return nil, o.Clear(ctx) },
				func(m M, _ draw) (any, error) { m.set = false; return nil, nil },
			},
			{"Wait", 1, func(ctx context.Context, o E, _ draw) (any, error) {
				if set, err := o.IsSet(ctx); !set || err != nil {
					return nil, errors.Join(err, o.Wait(ended))
				}
				return nil, o.Wait(ctx)
			}, func(m M, _ draw) (any, error) {
				if !m.set {
					return nil, context.Canceled
				}
				return nil, nil
			}},
		}),
		alike("barrier of one", func(where ...mp.Option) (B, error) { return mp.NewBarrier(1, where...) }, func() M { return &met{} },
			[]method[B, M]{
				{
					"Broken", 1, func(ctx context.Context, o B, _ draw) (any, error) { return o.Broken(ctx) },
					func(m M, _ draw) (any, error) { return m.over, nil },
				},
				{
					"Wait", 3, func(ctx context.Context, o B, _ draw) (any, error) { return o.Wait(ctx) },
					func(m M, _ draw) (any, error) { return 0, wait(m) },
				},
				{
					"Abort", 1, func(ctx context.Context, o B, _ draw) (any, error) { return nil, o.Abort(ctx) },
					func(m M, _ draw) (any, error) { m.over = true; return nil, nil },
				},
				{
					"Reset", 1, func(ctx context.Context, o B, _ draw) (any, error) { return nil, o.Reset(ctx) },
					func(m M, _ draw) (any, error) { m.over = false; return nil, nil },
				},
				{
					"Parties", 1, func(ctx context.Context, o B, _ draw) (any, error) { return o.Parties(ctx) },
					func(M, draw) (any, error) { return 1, nil },
				},
				{
					"Waiting", 1, func(ctx context.Context, o B, _ draw) (any, error) { return o.Waiting(ctx) },
					func(M, draw) (any, error) { return 0, nil },
				},
			}),
		alike("waitgroup", func(where ...mp.Option) (W, error) { return mp.NewWaitGroup(where...) }, func() M { return &met{} },
			[]method[W, M]{
				{
					"Count", 1, func(ctx context.Context, o W, _ draw) (any, error) { return o.Count(ctx) },
					func(m M, _ draw) (any, error) { return m.n, nil },
				},
				{
					"Add", 2, func(ctx context.Context, o W, d draw) (any, error) { return nil, o.Add(ctx, d.a%8-3) },
					func(m M, d draw) (any, error) {
						if m.n+d.a%8-3 < 0 {
							return nil, mp.ErrValue
						}
						m.n += d.a%8 - 3
						return nil, nil
					},
				},
				{
					"Done", 2, func(ctx context.Context, o W, _ draw) (any, error) { return nil, o.Done(ctx) },
					func(m M, _ draw) (any, error) {
						if m.n == 0 {
							return nil, mp.ErrValue
						}
						m.n--
						return nil, nil
					},
				},
				{
					"Take", 1, func(ctx context.Context, o W, _ draw) (any, error) { return nil, o.Take(ctx) },
					func(m M, _ draw) (any, error) {
						if m.n == 0 {
							return nil, mp.ErrValue
						}
						return nil, nil
					},
				},
				{"Wait", 1, func(ctx context.Context, o W, _ draw) (any, error) {
					if n, err := o.Count(ctx); n > 0 || err != nil {
						return nil, errors.Join(err, o.Wait(ended))
					}
					return nil, o.Wait(ctx)
				}, func(m M, _ draw) (any, error) {
					if m.n > 0 {
						return nil, context.Canceled
					}
					return nil, nil
				}},
			}),
		alike("once", func(where ...mp.Option) (O, error) { return mp.NewOnce(where...) }, func() M { return &met{} }, []method[O, M]{
			{"Do", 1, func(ctx context.Context, o O, d draw) (any, error) {
				called := false
				err := o.Do(ctx, func() error {
					if called = true; d.a < 56 {
						return mp.ErrNotHeld
					}
					return nil
				})
				return called, err
			}, func(m M, d draw) (any, error) {
				if m.set {
					return false, nil
				}
				if d.a < 56 && d.method >= 0 {
					return nil, mp.ErrNotHeld
				}
				m.set = true
				return true, nil
			}},
		}),
	}
}
