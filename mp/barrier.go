package mp

import (
	"context"
	"fmt"

	"multiproc/mp/driver"
)

// Barrier lets a number of parties, processes or goroutines, wait for each
// other, again and again: Python's Barrier, without its action, which is for
// the party whose index is 0. It lives in shared memory or in a place.
//
// One who stops waiting breaks the barrier for all, since they would wait in
// vain: its context ends, it closes its handle, its process ends or loses its
// connection to the place. Then Wait returns ErrBroken until Reset.
//
// What the parties did before Wait happens before what any of them does after
// it.
//
// Cost: in memory some 100 ns for Wait where nobody has to be waited for, a system
// call to wake those who sleep, and 64 KiB of addresses, of which two or three pages
// are used; in a place a round trip.
type Barrier struct {
	travels
	h handle[driver.Barrier]
}

// NewBarrier makes a barrier for that many parties; see In and WithName.
func NewBarrier(parties int, opts ...Option) (*Barrier, error) {
	if parties < 1 {
		return nil, fmt.Errorf("new %s: %d parties cannot meet, it takes one at least: %w", driver.KindBarrier, parties, ErrValue)
	}
	b := &Barrier{}
	return made(b, newOf(&b.h, driver.Spec{Kind: driver.KindBarrier, Size: parties}, opts))
}

// Wait returns when all parties have called it; index is how many came before
// this one. An error that wraps ErrBroken says that it is in vain; ctx's own
// error that this call has broken the barrier, unless ctx had ended before.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	return ask(ctx, &b.h, driver.Barrier.Wait)
}

// Abort breaks the barrier: all who wait, and who will, get ErrBroken.
func (b *Barrier) Abort(ctx context.Context) error { return b.h.do(ctx, driver.Barrier.Abort) }

// Reset makes the barrier as good as new. Those who wait get ErrBroken.
func (b *Barrier) Reset(ctx context.Context) error { return b.h.do(ctx, driver.Barrier.Reset) }

// Parties is how many have to come.
func (b *Barrier) Parties(ctx context.Context) (int, error) {
	return ask(ctx, &b.h, driver.Barrier.Parties)
}

// Waiting is how many have come and wait.
func (b *Barrier) Waiting(ctx context.Context) (int, error) {
	return ask(ctx, &b.h, driver.Barrier.Waiting)
}

// Broken reports whether the barrier is broken.
func (b *Barrier) Broken(ctx context.Context) (bool, error) {
	return ask(ctx, &b.h, driver.Barrier.Broken)
}

// Close gives the handle back.
func (b *Barrier) Close() error { return b.h.Close() }

// String names the object.
func (b *Barrier) String() string { return b.h.String() }

func (b *Barrier) travel() traveller { return &b.h }
