package ledger

import (
	"context"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/table"
)

// Barrier is this process's handle to a barrier. Its memory:
//
//	   0  lock     robust
//	  16  event    of those who wait
//	  24  round    uint64, the number of the round, twice, and 1 if it is broken
//	  32  here     uint32, how many have come in this round: a total of the accounts
//	  36  high     uint32, a slot beyond all that were ever used
//	  40  resets   the numbers, and 1, of rounds that Reset has ended, each where its
//	               round has its place in a ring
//	3968  arrivals  of each process: in which round how many of its goroutines came
//
// The one store that adds 2 to round lets everybody pass, and makes all arrivals
// those of an earlier round. Who has come and dies before that breaks the round.
type Barrier struct {
	family  Family
	lock    robust.Lock
	event   robust.Event
	crowd   robust.Crowd
	m       *barrier
	parties int
	sweeps
}

type barrier struct {
	_        [robust.LockSize + robust.EventSize]byte
	round    uint64
	here     uint32
	high     uint32
	resets   [maxResets]uint64
	_        [accountsAt - 40 - 8*maxResets]byte
	arrivals [slots]arrivals
}

// maxResets is the size of that ring. One who has slept through so many rounds, of
// which the last was reset as well as his own, takes his for a meeting.
const maxResets = 256

type arrivals struct {
	round uint64 // as in barrier, without broken, and 1: 0 is none
	gen   uint32
	count uint32
}

// BarrierSize is how many bytes a barrier takes, most of which are never touched.
const BarrierSize = int64(unsafe.Sizeof(barrier{}))

const broken = 1

// Attach makes b a handle to the memory of a barrier for so many parties. All zero
// memory is one where nobody has come.
func (b *Barrier) Attach(p unsafe.Pointer, parties int, f Family) {
	b.family, b.m, b.parties = f, (*barrier)(p), parties
	b.lock.Init(p)
	b.lock.AllowResident()
	b.event.Init(unsafe.Add(p, robust.LockSize))
	b.crowd.Init(&b.event)
	b.begin()
}

// Detach is called before the memory is unmapped.
func (b *Barrier) Detach() { b.lock.Detach() }

// Abort makes those who wait through this handle give up with ErrClosed, now and
// later.
func (b *Barrier) Abort() { b.event.Abort() }

// Wait waits for the other parties, and returns how many came before the caller.
func (b *Barrier) Wait(ctx context.Context) (index int, err error) {
	var round uint64
	last := false
	err = b.step(ctx, func() (wake bool) {
		if round = b.m.round; round&broken != 0 {
			return false
		}
		index = int(b.m.here)
		b.arrive()
		if last = int(b.m.here) >= b.parties; last {
			b.next()
		}
		return last
	})
	switch {
	case err != nil:
		return 0, err
	case round&broken != 0:
		return 0, mperr.ErrBroken
	case last:
		return index, nil
	}
	over := func() bool { return b.over(ctx, round) }
	for i := 0; i < spins && !over(); i++ {
		fence.Pause(spinPauses)
	}
	if err = b.crowd.Wait(ctx, over); err == nil {
		return b.ended(round, index)
	}
	// Who gives up breaks the round, unless it has just ended.
	gaveUp := false
	failed := b.step(context.Background(), func() (wake bool) {
		if gaveUp = b.m.round == round; gaveUp {
			b.spoil()
		}
		return gaveUp
	})
	if gaveUp || failed != nil {
		return 0, err
	}
	return b.ended(round, index)
}

// over reports whether a round has ended, or is broken. If somebody has died it
// looks whether that was a party.
func (b *Barrier) over(ctx context.Context, round uint64) bool {
	if atomic.LoadUint64(&b.m.round) != round {
		return true
	}
	if !b.refresh() && b.fresh() {
		return false
	}
	_ = b.step(ctx, func() bool { return false })
	return atomic.LoadUint64(&b.m.round) != round
}

// ended says how a round has ended.
func (b *Barrier) ended(round uint64, index int) (int, error) {
	if atomic.LoadUint64(&b.m.round) == round|broken {
		return 0, mperr.ErrBroken
	}
	if atomic.LoadUint64(b.reset(round)) == round+1 {
		return 0, mperr.ErrBroken
	}
	return index, nil
}

// Break breaks the round.
func (b *Barrier) Break(ctx context.Context) error {
	return b.step(ctx, func() bool { b.spoil(); return true })
}

// Reset begins a new round. Those who wait find this one broken.
func (b *Barrier) Reset(ctx context.Context) error {
	return b.step(ctx, func() bool {
		round := b.m.round &^ broken
		atomic.StoreUint64(b.reset(round), round+1)
		failpoint.Hit("barrier.reset")
		b.next()
		return true
	})
}

// reset is where it is noted that a round was reset.
func (b *Barrier) reset(round uint64) *uint64 { return &b.m.resets[round/2%maxResets] }

// Waiting is how many have come.
func (b *Barrier) Waiting(ctx context.Context) (n int, err error) {
	err = b.step(ctx, func() bool {
		if b.m.round&broken == 0 {
			n = int(b.m.here)
		}
		return false
	})
	return n, err
}

// Broken reports whether the round is broken.
func (b *Barrier) Broken(ctx context.Context) (is bool, err error) {
	err = b.step(ctx, func() bool { is = b.m.round&broken != 0; return false })
	return is, err
}

// step calls f, which does not allocate, with the lock held and the round broken if a
// party of it is dead. It wakes those who wait if f says so, or if there is news for
// them.
func (b *Barrier) step(ctx context.Context, f func() (wake bool)) error {
	died, err := b.lock.Hold(ctx)
	if err != nil {
		return err
	}
	if died {
		if round := b.m.round &^ broken; *b.reset(round) == round+1 {
			b.next()
		}
		here := uint32(0)
		for i := range min(b.m.high, slots) {
			if a := &b.m.arrivals[i]; a.round == b.m.round|1 {
				here += a.count
			}
		}
		atomic.StoreUint32(&b.m.here, here)
		failpoint.Hit("barrier.mended")
	}
	wake := died
	if b.due(died) {
		wake = b.sweep() || wake
	}
	wake = f() || wake
	b.lock.Free().Do()
	if wake {
		b.event.NotifyAll()
	}
	return nil
}

// sweep breaks the round if one who has come is dead. The lock is held.
func (b *Barrier) sweep() bool {
	round := b.m.round
	if round&broken != 0 {
		return false
	}
	for i := range min(b.m.high, slots) {
		a := &b.m.arrivals[i]
		if a.round == round|1 && a.count > 0 && !b.family.Live(table.Ref{Slot: i, Gen: a.gen}) {
			b.spoil()
			return true
		}
	}
	return false
}

// spoil breaks the round. The lock is held.
func (b *Barrier) spoil() {
	atomic.StoreUint64(&b.m.round, b.m.round|broken)
	failpoint.Hit("barrier.broken")
}

// next begins the next round. The lock is held.
func (b *Barrier) next() {
	atomic.StoreUint64(&b.m.round, b.m.round&^broken+2)
	failpoint.Hit("barrier.next")
	atomic.StoreUint32(&b.m.here, 0)
	failpoint.Hit("barrier.none")
}

// arrive counts one more of this process. The lock is held, and the round is not
// broken.
func (b *Barrier) arrive() {
	self := b.family.Self()
	if b.m.high <= self.Slot {
		atomic.StoreUint32(&b.m.high, self.Slot+1)
		failpoint.Hit("barrier.high")
	}
	a := &b.m.arrivals[self.Slot]
	if a.round != b.m.round|1 {
		// No arrivals until count is stored, of whatever round and process.
		atomic.StoreUint32(&a.count, 0)
		failpoint.Hit("barrier.cleared")
		atomic.StoreUint32(&a.gen, self.Gen)
		atomic.StoreUint64(&a.round, b.m.round|1)
		failpoint.Hit("barrier.entered")
	}
	atomic.StoreUint32(&a.count, a.count+1)
	failpoint.Hit("barrier.arrived")
	atomic.StoreUint32(&b.m.here, b.m.here+1)
	failpoint.Hit("barrier.counted")
}
