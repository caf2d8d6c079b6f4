//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"multiproc/mp"
)

const (
	accounts = 24
	riches   = 100 * accounts // of all accounts
	seats    = 6              // permits
	tickets  = 1 << 20        // items that a round may put
)

// town is what the players of a storm share. What is true of it at every moment is what
// they, and the parent in the end, look for.
type town struct {
	Accounts *mp.Dict[int, int] // their sum is always riches
	Members  *mp.Set[int]       // of each pair, n and -n, both or none
	Book     *mp.List[int]      // its sum is always 0
	Rows     *mp.Array[int]     // under its own lock all are equal
	Jobs     *mp.Queue[int]     // what was put is done, at least once
	Seats    *mp.Semaphore
	Work     *mp.WaitGroup
	Mutex    *mp.Mutex   // over the accounts, and Pair[0:3]
	RW       *mp.RWMutex // over Pair[3:6]

	// What is written down, in memory and by nobody but the players: nothing of it waits.
	Pair *mp.RawArray[int] // twice: a number, the same number, who has the lock
	Put  *mp.RawArray[byte]
	Done *mp.RawArray[byte]
	Next *mp.Counter // of the items
	Ops  *mp.Counter
	Over *mp.Counter // 1: no more calls

	Refused *mp.Counter // calls for want of descriptors or memory
}

// role is one player.
type role struct {
	Town    town
	Seed    uint64
	Number  int
	Files   int   // how many more descriptors it may open than it has; 0: no limit
	Address int64 // how much more address space it may map; 0: no limit
}

// tight says that an error is what a process short of something may get: then nothing
// has happened.
func (r *role) tight(err error) bool {
	return r.Files > 0 && (errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)) ||
		r.Address > 0 && errors.Is(err, unix.ENOMEM)
}

func act(ctx context.Context, r role) error {
	if err := r.limit(); err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(r.Seed, uint64(r.Number)))
	deeds := []struct {
		name string
		do   func(ctx context.Context, rnd *rand.Rand) error
	}{
		{"move", r.move},
		{"look at the sum", r.look},
		{"write", r.write},
		{"read", r.read},
		{"members", r.members},
		{"book", r.book},
		{"rows", r.rows},
		{"put", r.put},
		{"work", r.work},
		{"work", r.work},
		{"sit", r.sit},
		{"add and done", r.addAndDone},
		{"make", r.make},
	}
	for r.Town.Over.Load() == 0 {
		d := deeds[rnd.IntN(len(deeds))]
		if err := d.do(ctx, rnd); err != nil {
			if !r.tight(err) {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			r.Town.Refused.Add(1)
		}
		r.Town.Ops.Add(1)
	}
	return nil
}

var Act = mp.Proc(act)

// limit takes from this process what it may not have.
func (r *role) limit() error {
	if r.Files > 0 {
		n, free := uint64(0), 0
		for ; free < r.Files; n++ { // the descriptors that are open may have larger numbers
			if _, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err != nil {
				free++
			}
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return err
		}
	}
	if r.Address > 0 {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return err
		}
		pages, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return err
		}
		n := uint64(pages*int64(os.Getpagesize()) + r.Address)
		return unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: n, Max: n})
	}
	return nil
}

// locked calls f under a lock, whoever has died of it before: repair makes good then.
func locked(ctx context.Context, l interface {
	Lock(ctx context.Context) error
	Unlock()
	Repair(ctx context.Context, f func() error) error
}, repair func() error, f func() error,
) error {
	var died *mp.OwnerDiedError
	for {
		err := l.Lock(ctx)
		if err == nil {
			break
		}
		if !errors.As(err, &died) {
			return err
		}
		if err := l.Repair(ctx, repair); err != nil {
			return err
		}
	}
	defer l.Unlock()
	return f()
}

// linger is a while within which to be killed: without it nobody would be killed between
// two stores of its own, or with what it holds.
func linger(rnd *rand.Rand) {
	for began, n := now(), rnd.Int64N(100_000); now()-began < n; {
	}
}

// change is what a holder does with its half of Pair. Who meets another there has the
// lock at the same time.
func (t *town) change(half, who int, rnd *rand.Rand) error {
	p := t.Pair.Elements()[3*half : 3*half+3]
	if p[0] != p[1] || p[2] != 0 {
		return fmt.Errorf("under the lock there are %d and %d, and %d is there too", p[0], p[1], p[2])
	}
	p[2] = who
	p[0]++
	n := p[0]
	linger(rnd)
	p[1]++
	if p[0] != n || p[1] != n || p[2] != who {
		return fmt.Errorf("under the lock somebody has made %d of %d, %d, %d", n, p[0], p[1], p[2])
	}
	p[2] = 0
	return nil
}

func (t *town) repair(half int) error {
	p := t.Pair.Elements()[3*half : 3*half+3]
	p[1], p[2] = p[0], 0
	return nil
}

// move moves money from one account to another, at one moment. Who is killed under the
// lock leaves nothing to mend in the dict.
func (r *role) move(ctx context.Context, rnd *rand.Rand) error {
	t, a, b, n := &r.Town, rnd.IntN(accounts), rnd.IntN(accounts), rnd.IntN(50)
	if a == b {
		return nil
	}
	return locked(ctx, t.Mutex, func() error { return t.repair(0) }, func() error {
		if err := t.change(0, r.Number, rnd); err != nil {
			return err
		}
		x, err := t.Accounts.Get(ctx, a)
		if err != nil {
			return err
		}
		y, err := t.Accounts.Get(ctx, b)
		if err != nil {
			return err
		}
		return t.Accounts.SetBatch(ctx, map[int]int{a: x - n, b: y + n})
	})
}

func (r *role) look(ctx context.Context, _ *rand.Rand) error { return r.Town.sum(ctx) }

func (t *town) sum(ctx context.Context) error {
	m, err := t.Accounts.Copy(ctx)
	if err != nil {
		return err
	}
	n := 0
	for _, x := range m {
		n += x
	}
	if n != riches || len(m) != accounts {
		return fmt.Errorf("%d accounts have %d, want %d", len(m), n, riches)
	}
	return nil
}

func (r *role) write(ctx context.Context, rnd *rand.Rand) error {
	t := &r.Town
	return locked(ctx, t.RW, func() error { return t.repair(1) }, func() error { return t.change(1, r.Number, rnd) })
}

func (r *role) read(ctx context.Context, _ *rand.Rand) error {
	t := &r.Town
	var died *mp.OwnerDiedError
	for {
		err := t.RW.RLock(ctx)
		if err == nil {
			break
		}
		if !errors.As(err, &died) {
			return err
		}
		if err := t.RW.Repair(ctx, func() error { return t.repair(1) }); err != nil {
			return err
		}
	}
	defer t.RW.RUnlock()
	if p := t.Pair.Elements()[3:6]; p[0] != p[1] || p[2] != 0 {
		return fmt.Errorf("a reader sees %d and %d, and %d writes", p[0], p[1], p[2])
	}
	return nil
}

func (r *role) members(ctx context.Context, rnd *rand.Rand) error {
	s, n := r.Town.Members, 1+rnd.IntN(50)
	switch rnd.IntN(3) {
	case 0:
		_, err := s.InsertBatch(ctx, []int{n, -n})
		return err
	case 1:
		_, err := s.RemoveBatch(ctx, []int{n, -n})
		return err
	}
	return r.Town.pairs(ctx)
}

func (t *town) pairs(ctx context.Context) error {
	m, err := t.Members.Copy(ctx)
	if err != nil {
		return err
	}
	for n := range m {
		if _, ok := m[-n]; !ok {
			return fmt.Errorf("%d is a member without %d", n, -n)
		}
	}
	return nil
}

// book changes many elements of a list, at one moment each time.
func (r *role) book(ctx context.Context, rnd *rand.Rand) error {
	b, n := r.Town.Book, 1+rnd.IntN(1000)
	switch rnd.IntN(10) {
	default:
		return b.AppendBatch(ctx, []int{n, -n})
	case 0:
		return b.SetSlice(ctx, 0, 0, 1, []int{n, n, -2 * n})
	case 1:
		return b.Reverse(ctx)
	case 2:
		return b.Sort(ctx, n%2 == 0)
	case 3:
		if k, err := b.Len(ctx); k < 300 || err != nil {
			return err
		}
		return b.Clear(ctx)
	case 4, 5:
		return r.Town.balance(ctx)
	}
}

func (t *town) balance(ctx context.Context) error {
	all, err := t.Book.Copy(ctx)
	sum := 0
	for _, n := range all {
		sum += n
	}
	if err == nil && sum != 0 {
		return fmt.Errorf("the sum of %d entries of the book is %d", len(all), sum)
	}
	return err
}

func (r *role) rows(ctx context.Context, rnd *rand.Rand) error {
	t := &r.Town
	if rnd.IntN(2) == 0 {
		return t.rowsAre(ctx)
	}
	err := t.Rows.Update(ctx, func(all []int) error {
		for i := range all {
			if all[i]++; i == len(all)/2 {
				linger(rnd)
			}
		}
		return nil
	})
	if died := new(*mp.OwnerDiedError); errors.As(err, died) {
		return t.rowsAre(ctx)
	}
	return err
}

// rowsAre looks whether all rows are equal, and has them be if somebody died of it.
func (t *town) rowsAre(ctx context.Context) error {
	same := func(all []int) error {
		for _, n := range all {
			if n != all[0] {
				return fmt.Errorf("a row is %d beside %d", n, all[0])
			}
		}
		return nil
	}
	err := t.Rows.View(ctx, same)
	if died := new(*mp.OwnerDiedError); errors.As(err, died) {
		err = t.Rows.Repair(ctx, func(all []int) error {
			for i := range all {
				all[i] = all[0]
			}
			return nil
		})
	}
	return err
}

// put puts an item, and then writes down that it is there.
func (r *role) put(ctx context.Context, _ *rand.Rand) error {
	t := &r.Town
	n := int(t.Next.Add(1)) - 1
	if n >= tickets {
		return nil
	}
	if err := t.Jobs.TryPut(ctx, n); err != nil {
		if errors.Is(err, mp.ErrFull) {
			return nil
		}
		return err
	}
	t.Put.Store(n, 1)
	return nil
}

// work does an item: it writes that down, and then acknowledges it.
func (r *role) work(ctx context.Context, rnd *rand.Rand) error {
	t := &r.Town
	l, err := t.Jobs.TryReceive(ctx)
	if errors.Is(err, mp.ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	linger(rnd)
	if rnd.IntN(8) == 0 {
		err = l.Nack(ctx, 0)
	} else {
		t.Done.Store(l.Value, 1)
		err = l.Ack(ctx)
	}
	if errors.Is(err, mp.ErrLeaseLost) {
		return fmt.Errorf("of a process that lives, within an hour: %w", err)
	}
	return err
}

func (r *role) sit(ctx context.Context, rnd *rand.Rand) error {
	n := 1 + rnd.IntN(seats)
	if err := r.Town.Seats.Acquire(ctx, n); err != nil {
		return err
	}
	linger(rnd)
	return r.Town.Seats.Release(ctx, n)
}

func (r *role) addAndDone(ctx context.Context, rnd *rand.Rand) error {
	if err := r.Town.Work.Add(ctx, 1); err != nil {
		return err
	}
	linger(rnd)
	return r.Town.Work.Done(ctx)
}

// make makes some objects, uses one, and forgets them.
func (r *role) make(ctx context.Context, rnd *rand.Rand) (err error) {
	if rnd.IntN(10) > 0 {
		return nil
	}
	d, err := mp.NewDict[int, string]()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for i := range 3 {
		v, err := mp.NewValue(i)
		if err != nil {
			return err
		}
		defer func() { _ = v.Close() }()
	}
	for i := range 40 {
		if err := d.Set(ctx, i, strings.Repeat("x", i*100)); err != nil {
			return err
		}
	}
	if n, err := d.Len(ctx); n != 40 || err != nil {
		return fmt.Errorf("a new dict has %d entries of 40 (%w)", n, err)
	}
	return nil
}
