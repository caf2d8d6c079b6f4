//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"multiproc/mp"
)

const (
	keys    = 3
	permits = 5
	clients = 1 + players // the parent is 0

	patience = 10 * time.Second // what the dead had must be back by then
)

// things are the objects of a round, of which a subject uses one.
type things struct {
	Numbers *mp.Dict[int, int]
	Texts   *mp.Dict[string, string]
	Members *mp.Set[int]
	Value   *mp.Value[int]
	Queue   *mp.Queue[int]
	Permits *mp.Semaphore
	List    *mp.List[int]
	Mutex   *mp.Mutex
	RW      *mp.RWMutex
}

// subject is a kind of object under test.
type subject struct {
	name  string
	model porcupine.Model
	// open makes the object.
	open func(t *things, where ...mp.Option) (err error)
	// next is a random call of somebody who has such items or permits.
	next func(rnd *rand.Rand, has []int) op
	// call makes it.
	call func(ctx context.Context, p *player, o op) (answer, error)
	// settled waits until the dead have given back what they had; nil: they have nothing.
	settled func(ctx context.Context, t *things) error
	// putBack says that a place puts back what it gave to one who has not heard of it.
	putBack bool
	// last are calls that show all that is there, until one is told no.
	last []op
}

// player makes the calls of one process.
type player struct {
	*things
	has   []int // items that were received, or one for each permit
	loans map[int]*mp.Delivery[int]
}

// told is what a call that may not find a key is told.
func told(out int, err error) (answer, error) {
	if errors.Is(err, mp.ErrNoKey) || errors.Is(err, mp.ErrEmpty) {
		return answer{}, nil
	}
	return answer{ok: err == nil, out: out}, err
}

func yesOrNo(ok bool, err error) (answer, error) { return answer{ok: ok}, err }

func done(err error) (answer, error) { return answer{ok: err == nil}, err }

// any of these calls, of one key or item that nobody else has put.
func anyOf(codes ...code) func(*rand.Rand, []int) op {
	return func(rnd *rand.Rand, _ []int) op {
		return op{code: codes[rnd.IntN(len(codes))], key: rnd.IntN(keys), arg: rnd.IntN(4), more: rnd.IntN(4)}
	}
}

func everyKey(c code) (list []op) {
	for k := range keys {
		list = append(list, op{code: c, key: k})
	}
	return list
}

var subjects = []subject{
	{
		name: "dict", model: cellModel(cell{}),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Numbers, err = mp.NewDict[int, int](where...)
			return err
		},
		next: anyOf(get, get, set, set, remove, add, swap, swap, pop, setDefault),
		call: callNumbers,
		last: everyKey(get),
	},
	{
		name: "dict of texts", model: cellModel(cell{}),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Texts, err = mp.NewDict[string, string](where...)
			return err
		},
		next: anyOf(get, get, set, set, remove, swap, pop, setDefault),
		call: callTexts,
		last: everyKey(get),
	},
	{
		name: "dict at one moment", model: model(0, same[int], allStep),
		open: func(t *things, where ...mp.Option) (err error) {
			if t.Numbers, err = mp.NewDict[int, int](where...); err == nil {
				_, err = callNumbers(context.Background(), &player{things: t}, op{code: setAll})
			}
			return err
		},
		next: anyOf(setAll, copyAll),
		call: callNumbers,
		last: []op{{code: copyAll}},
	},
	{
		name: "set", model: cellModel(cell{}),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Members, err = mp.NewSet[int](where...)
			return err
		},
		next: func(rnd *rand.Rand, _ []int) op {
			return op{code: []code{get, insert, remove}[rnd.IntN(3)], key: rnd.IntN(keys)}
		},
		call: callMembers,
		last: everyKey(get),
	},
	{
		name: "value", model: cellModel(cell{there: true}),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Value, err = mp.NewValue(0, where...)
			return err
		},
		next: func(rnd *rand.Rand, _ []int) op {
			return op{code: []code{get, set, add, swap}[rnd.IntN(4)], arg: rnd.IntN(3), more: rnd.IntN(3)}
		},
		call: callValue,
		last: []op{{code: get}},
	},
	{
		name: "queue", model: model([]loan{}, slices.Equal[[]loan], queueStep),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Queue, err = mp.NewQueue[int](1000, where...)
			return err
		},
		next: func(rnd *rand.Rand, _ []int) op {
			return op{code: []code{putItem, take}[rnd.IntN(2)], arg: rnd.IntN(1 << 30)}
		},
		call:    callQueue,
		putBack: true,
		last:    []op{{code: take}},
	},
	{
		name: "queue with leases", model: model([]loan{}, slices.Equal[[]loan], queueStep),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Queue, err = mp.NewQueue[int](1000, where...)
			return err
		},
		next: func(rnd *rand.Rand, has []int) op {
			o := op{code: []code{putItem, receive, ack, nack}[rnd.IntN(4)], arg: rnd.IntN(1 << 30)}
			if o.code != ack && o.code != nack {
				return o
			}
			if len(has) == 0 {
				o.code = receive
				return o
			}
			o.arg = has[rnd.IntN(len(has))]
			return o
		},
		call: callQueue,
		settled: func(ctx context.Context, t *things) error {
			return until(ctx, func() (bool, error) {
				n, err := t.Queue.Leased(ctx)
				return n == 0, err
			})
		},
		last: []op{{code: take}},
	},
	{
		name: "semaphore", model: model([clients]int{}, same[[clients]int], permitStep),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Permits, err = mp.NewSemaphore(permits, where...)
			return err
		},
		next: func(rnd *rand.Rand, has []int) op {
			if n := len(has); n > 0 && rnd.IntN(2) == 0 {
				return op{code: release, arg: 1 + rnd.IntN(n)}
			}
			return op{code: acquire, arg: 1 + rnd.IntN(3)}
		},
		call: callPermits,
		settled: func(ctx context.Context, t *things) error {
			return until(ctx, func() (bool, error) {
				ok, err := t.Permits.TryAcquire(ctx, permits)
				if ok {
					err = t.Permits.Release(ctx, permits)
				}
				return ok, err
			})
		},
		last: []op{{code: acquire, arg: permits}},
	},
	{
		name: "list", model: model([]int{}, slices.Equal[[]int], sequenceStep),
		open: func(t *things, where ...mp.Option) (err error) {
			t.List, err = mp.NewList[int](where...)
			return err
		},
		next: func(rnd *rand.Rand, _ []int) op {
			c := []code{putItem, putItem, insert, get, set, swap, add, take, take, take}[rnd.IntN(10)]
			return op{code: c, key: rnd.IntN(2), arg: rnd.IntN(4), more: rnd.IntN(4)}
		},
		call: callList,
		last: []op{{code: take}},
	},
	{
		name: "mutex", model: lockModel(),
		open: func(t *things, where ...mp.Option) (err error) {
			t.Mutex, err = mp.NewMutex(where...)
			return err
		},
		next: func(rnd *rand.Rand, has []int) op {
			switch {
			case len(has) > 0:
				return op{code: release}
			case rnd.IntN(8) == 0:
				return op{code: repair}
			}
			return op{code: acquire}
		},
		call: func(ctx context.Context, p *player, o op) (answer, error) { return callLock(ctx, p, p.Mutex, o) },
		settled: func(ctx context.Context, t *things) error {
			return until(ctx, func() (bool, error) { return settledLock(ctx, t.Mutex) })
		},
		last: []op{{code: acquire}, {code: release}},
	},
	{
		name: "rwmutex", model: lockModel(),
		open: func(t *things, where ...mp.Option) (err error) {
			t.RW, err = mp.NewRWMutex(where...)
			return err
		},
		next: func(rnd *rand.Rand, has []int) op {
			switch {
			case len(has) > 0:
				return op{code: code(has[0])}
			case rnd.IntN(8) == 0:
				return op{code: repair}
			case rnd.IntN(3) == 0:
				return op{code: acquire}
			}
			return op{code: acquireRead}
		},
		call: func(ctx context.Context, p *player, o op) (answer, error) {
			switch o.code {
			case acquireRead:
				ok, err := p.RW.TryRLock(ctx)
				return p.holding(ok, err, releaseRead)
			case releaseRead:
				p.has = nil
				p.RW.RUnlock()
				return answer{ok: true}, nil
			}
			return callLock(ctx, p, p.RW, o)
		},
		settled: func(ctx context.Context, t *things) error {
			return until(ctx, func() (bool, error) { return settledLock(ctx, t.RW) })
		},
		last: []op{{code: acquire}, {code: release}},
	},
}

// until asks again and again.
func until(ctx context.Context, f func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the dead have not given back what they had within %v", patience)
		case <-time.After(time.Millisecond):
		}
	}
}

// place is where the objects of a round are.
type place struct {
	name    string
	options []mp.Option
	within  time.Duration // a call takes about so long
	calls   int           // of each process in a round
}

func (t *things) close() error {
	return errors.Join(closed(t.Numbers), closed(t.Texts), closed(t.Members), closed(t.Value), closed(t.Queue), closed(t.Permits),
		closed(t.List), closed(t.Mutex), closed(t.RW))
}

func closed[C interface {
	comparable
	Close() error
}](c C) error {
	var none C
	if c == none {
		return nil
	}
	return c.Close()
}
