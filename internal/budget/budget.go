// Package budget is the account of the memory that the clients of one server
// make it use: what they keep there, and what the work for them takes.
//
// Whoever allocates what a client's message decides about charges it first, to
// a [Share] of that client, and gives it back when the memory is no longer
// referred to. What is charged is meant to be what Go's heap then holds,
// calibrated in the tests of those who charge, so that the process stays near
// the limit, and not only the sum.
//
// # Who gets what
//
// There are two kinds of charges. What is kept, in objects and by calls that
// wait, may be three quarters of the limit; the rest is for work, so that
// requests are answered and values deleted also when nothing more can be kept.
// Of each kind a client may use as much as it likes up to seven eighths. Beyond
// that it may hold a 64th of what is left, so that one who takes all he can get
// leaves the others something, and a hundred of them do, too.
//
// # Garbage
//
// What was given back is garbage until the next collection, and takes as much
// memory as before. So an account remembers how much that may be, and has it
// collected before the sum of both exceeds the limit by an eighth, or by 8 MiB.
package budget

import (
	"fmt"
	"sync/atomic"

	"multiproc/internal/mperr"
)

// Account is what all clients together use. Its methods may be called by any
// number of goroutines. A nil Account has no limit and counts nothing.
type Account struct {
	limit int64 // 0: none
	used  atomic.Int64
	kept  atomic.Int64 // of used
	waste garbage
}

// New returns an account with a limit in bytes, 0 for none.
func New(limit int64) *Account {
	a := &Account{limit: max(limit, 0)}
	if a.limit > 0 {
		a.waste.watch()
	}
	return a
}

// Close ends the account's look at the garbage collector.
func (a *Account) Close() { a.waste.ended.Store(true) }

// Limit is the limit, 0 if there is none.
func (a *Account) Limit() int64 { return a.limit }

// Used is how much is charged, and Kept how much of that is kept.
func (a *Account) Used() int64 { return a.used.Load() }

// Kept is how much of what is charged is kept in objects and by calls that wait.
func (a *Account) Kept() int64 { return a.kept.Load() }

// Keeping returns a new share for what is kept.
func (a *Account) Keeping() *Share { return &Share{account: a, keeps: true} }

// Working returns a new share for what work takes.
func (a *Account) Working() *Share { return &Share{account: a} }

// Share is what one holder, a client mostly, has charged. Its methods may be
// called by any number of goroutines, and cost some ten nanoseconds. A nil
// Share takes everything and counts nothing.
type Share struct {
	account *Account
	keeps   bool
	held    atomic.Int64
}

// Held is how much is charged to the share.
func (s *Share) Held() int64 { return s.held.Load() }

// Take charges n bytes, before they are allocated. An error wraps
// mperr.ErrLimit, names the limit and how it is raised, and nothing is charged
// then. A negative n is given back.
func (s *Share) Take(n int) error {
	if n <= 0 {
		s.Give(-n)
		return nil
	}
	if s == nil {
		return nil
	}
	a, d := s.account, int64(n)
	for {
		used := a.used.Load()
		if a.limit > 0 && !s.mayTake(d, used) {
			return &Error{Want: d, Used: used, Limit: a.limit, Keep: s.keeps}
		}
		if a.used.CompareAndSwap(used, used+d) { // a charge that is refused disturbs no other
			break
		}
	}
	s.held.Add(d)
	if s.keeps {
		a.kept.Add(d)
	}
	if a.limit > 0 {
		a.waste.room(a.used.Load(), a.limit+max(a.limit/slack, leastSlack))
	}
	return nil
}

// mayTake reports whether there is room for d bytes more beside what is used.
func (s *Share) mayTake(d, used int64) bool {
	limit, left := s.account.limit, s.account.limit-used-d
	if s.keeps {
		limit -= limit / keepNot
		left = min(left, limit-s.account.kept.Load()-d)
	}
	return left >= limit/reserved || left >= 0 && s.held.Load()+d <= left/fraction
}

const (
	keepNot  = 4  // the part of the limit that only work may use
	reserved = 8  // the part that is not for those who hold much
	fraction = 64 // who holds more than this part of what is left of it gets no more
	slack    = 8  // the part by which used memory and garbage may exceed the limit

	leastSlack = 8 << 20 // or a small server would do nothing but collect
)

// Force charges n bytes although there may be no room, for what is there
// already.
func (s *Share) Force(n int) {
	if s == nil {
		return
	}
	d := int64(n)
	if d < 0 {
		s.Give(n * -1)
		return
	}
	s.account.used.Add(d)
	s.held.Add(d)
	if s.keeps {
		s.account.kept.Add(d)
	}
}

// Give gives n bytes back.
func (s *Share) Give(n int) {
	if s == nil || n <= 0 {
		return
	}
	s.cancel(int64(n))
	if s.account.limit > 0 {
		s.account.waste.released.Add(int64(n))
	}
}

// cancel takes a charge back for which nothing was allocated.
func (s *Share) cancel(d int64) {
	s.account.used.Add(-d)
	s.held.Add(-d)
	if s.keeps {
		s.account.kept.Add(-d)
	}
}

// GiveAll gives back what the share holds: for the end of its holder.
func (s *Share) GiveAll() {
	if s != nil {
		s.Give(int(s.held.Load()))
	}
}

// Error is the refusal of a charge. It wraps mperr.ErrLimit.
type Error struct {
	Want, Used, Limit int64
	Keep              bool
}

func (e *Error) Error() string {
	do := "work with"
	if e.Keep {
		do = "keep"
	}
	return fmt.Sprintf("%v: no memory to %s %s more for this client, %s of %s are in use by all; "+
		"use less at once, delete what is not needed, or raise the limit (mp serve --max-memory, manager.Limits.Bytes)",
		mperr.ErrLimit, do, Size(e.Want), Size(e.Used), Size(e.Limit))
}

// Unwrap returns mperr.ErrLimit.
func (e *Error) Unwrap() error { return mperr.ErrLimit }

// Size prints a number of bytes for people.
func Size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
