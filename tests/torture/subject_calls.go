//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"multiproc/mp"
)

func callNumbers(ctx context.Context, p *player, o op) (answer, error) {
	d := p.Numbers
	switch o.code {
	case get:
		return told(d.Get(ctx, o.key))
	case set:
		return done(d.Set(ctx, o.key, o.arg))
	case remove:
		return yesOrNo(d.Delete(ctx, o.key))
	case add:
		return told(d.Add(ctx, o.key, o.arg))
	case swap:
		return yesOrNo(d.CompareAndSwap(ctx, o.key, o.arg, o.more))
	case pop:
		return told(d.Pop(ctx, o.key))
	case setDefault:
		return told(d.SetDefault(ctx, o.key, o.arg))
	case setAll:
		m := map[int]int{}
		for k := range keys {
			m[k] = o.arg
		}
		return done(d.SetBatch(ctx, m))
	case copyAll:
		m, err := d.Copy(ctx)
		if err == nil && (len(m) != keys || m[0] != m[1] || m[0] != m[2]) {
			err = fmt.Errorf("a copy is %v", m)
		}
		return answer{ok: err == nil, out: m[0]}, err
	}
	panic(describe(o))
}

// text is a number as a text of some length, and number the same back.
func text(n int) string { return strings.Repeat(strconv.Itoa(n), 1+n*n*300) }

func number(s string, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(s[:min(1, len(s))])
	if err != nil || s != text(n) {
		return 0, fmt.Errorf("a text of %d bytes that nobody has set", len(s))
	}
	return n, nil
}

func callTexts(ctx context.Context, p *player, o op) (answer, error) {
	d, key := p.Texts, text(o.key)
	switch o.code {
	case get:
		return told(number(d.Get(ctx, key)))
	case set:
		return done(d.Set(ctx, key, text(o.arg)))
	case remove:
		return yesOrNo(d.Delete(ctx, key))
	case swap:
		return yesOrNo(d.CompareAndSwap(ctx, key, text(o.arg), text(o.more)))
	case pop:
		return told(number(d.Pop(ctx, key)))
	case setDefault:
		return told(number(d.SetDefault(ctx, key, text(o.arg))))
	}
	panic(describe(o))
}

func callMembers(ctx context.Context, p *player, o op) (answer, error) {
	switch o.code {
	case get:
		return yesOrNo(p.Members.Has(ctx, o.key))
	case insert:
		return yesOrNo(p.Members.Insert(ctx, o.key))
	case remove:
		return yesOrNo(p.Members.Remove(ctx, o.key))
	}
	panic(describe(o))
}

func callValue(ctx context.Context, p *player, o op) (answer, error) {
	switch o.code {
	case get:
		return told(p.Value.Load(ctx))
	case set:
		return done(p.Value.Store(ctx, o.arg))
	case add:
		return told(p.Value.Add(ctx, o.arg))
	case swap:
		return yesOrNo(p.Value.CompareAndSwap(ctx, o.arg, o.more))
	}
	panic(describe(o))
}

func callQueue(ctx context.Context, p *player, o op) (answer, error) {
	switch o.code {
	case putItem:
		return done(p.Queue.Put(ctx, o.arg))
	case take:
		return told(p.Queue.TryGet(ctx))
	case receive:
		d, err := p.Queue.TryReceive(ctx)
		if err != nil {
			return told(0, err)
		}
		p.has, p.loans[d.Value] = append(p.has, d.Value), d
		return answer{ok: true, out: d.Value}, nil
	}
	d := p.loans[o.arg]
	p.has = slices.DeleteFunc(p.has, func(n int) bool { return n == o.arg })
	delete(p.loans, o.arg)
	settle := d.Ack
	if o.code == nack {
		settle = func(ctx context.Context) error { return d.Nack(ctx, 0) }
	}
	err := settle(ctx)
	if errors.Is(err, mp.ErrLeaseLost) {
		return answer{}, nil
	}
	return done(err)
}

func callPermits(ctx context.Context, p *player, o op) (answer, error) {
	if o.code == release {
		p.has = p.has[o.arg:]
		return done(p.Permits.Release(ctx, o.arg))
	}
	ok, err := p.Permits.TryAcquire(ctx, o.arg)
	if ok {
		p.has = append(p.has, make([]int, o.arg)...)
	}
	return yesOrNo(ok, err)
}

func callList(ctx context.Context, p *player, o op) (answer, error) {
	l, at := p.List, -o.key // the first, or the last
	told := func(out int, err error) (answer, error) {
		if errors.Is(err, mp.ErrIndex) {
			return answer{}, nil
		}
		return answer{ok: err == nil, out: out}, err
	}
	switch o.code {
	case putItem:
		return done(l.Append(ctx, o.arg))
	case insert:
		return done(l.Insert(ctx, 0, o.arg))
	case get:
		return told(l.Get(ctx, at))
	case set:
		return told(0, l.Set(ctx, at, o.arg))
	case add:
		return told(l.Add(ctx, at, o.arg))
	case take:
		return told(l.Pop(ctx, at))
	case swap:
		ok, err := l.CompareAndSwap(ctx, at, o.arg, o.more)
		if errors.Is(err, mp.ErrIndex) {
			err = nil
		}
		return answer{ok: ok}, err
	}
	panic(describe(o))
}

// lockable is what callLock needs of a lock.
type lockable interface {
	TryLock(ctx context.Context) (bool, error)
	Unlock()
	Repair(ctx context.Context, f func() error) error
}

// holding notes that the player has a lock, and how to give it back.
func (p *player) holding(ok bool, err error, back code) (answer, error) {
	if died := new(*mp.OwnerDiedError); errors.As(err, died) {
		return broken, nil
	}
	if ok {
		p.has = []int{int(back)}
	}
	return yesOrNo(ok, err)
}

func callLock(ctx context.Context, p *player, l lockable, o op) (answer, error) {
	switch o.code {
	case acquire:
		ok, err := l.TryLock(ctx)
		return p.holding(ok, err, release)
	case release:
		if len(p.has) > 0 { // the parent has nothing if the lock is broken
			p.has = nil
			l.Unlock()
		}
		return answer{ok: true}, nil
	case repair:
		return done(l.Repair(ctx, func() error { return nil }))
	}
	panic(describe(o))
}

// settledLock reports whether nobody has a lock any more.
func settledLock(ctx context.Context, l lockable) (bool, error) {
	ok, err := l.TryLock(ctx)
	if ok {
		l.Unlock()
	}
	if died := new(*mp.OwnerDiedError); errors.As(err, died) {
		return true, nil
	}
	return ok, err
}
