package local

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"multiproc/internal/ledger"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Cond implements driver.Cond. Its lock is a mutex, whose memory stands at the
// beginning of its own, or another one, of which it keeps a handle: the numbers in the
// header of its segment are that one's id, or 0.
//
// Who waits has taken the lock through some handle of the process, of the Cond or of
// the mutex: that one gives it up and takes it again.
type Cond struct {
	object
	lock *mutex
	line *ledger.Cond
	lost atomic.Int64 // locks that Wait did not get back, and Unlock has not been called for
}

var _ interface {
	driver.Cond
	driver.MutexOwner
} = (*Cond)(nil)

// newCond makes a handle to a Cond that has a lock of its own.
func newCond(p *Place, seg *shm.Segment) (*Cond, error) {
	if seg.Params != [4]uint64{} {
		err := fmt.Errorf("%s %s: its lock is another's, and did not come with it: %w", seg.Kind, seg.ID, mperr.ErrCorrupt)
		_ = seg.Close()
		return nil, err
	}
	own, err := reopen(seg)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	return newCondWith(p, seg, own)
}

// reopen is the same segment once more.
func reopen(seg *shm.Segment) (*shm.Segment, error) {
	fd, err := seg.Dup()
	if err != nil {
		return nil, err
	}
	return shm.Open(fd, shm.Want{Kind: seg.Kind, Family: seg.Family})
}

// newCondWith makes a handle to a Cond whose lock is in another segment. It takes both
// over.
func newCondWith(p *Place, seg, lock *shm.Segment) (*Cond, error) {
	if err := wants(seg, ledger.CondSize); err != nil {
		_ = lock.Close()
		return nil, err
	}
	m, err := newMutex(p, lock)
	if err != nil {
		_ = seg.Close()
		return nil, err
	}
	c := &Cond{object: object{place: p}, lock: m, line: &ledger.Cond{}}
	if err := c.Adopt(seg, seg.Size, c.line.Abort, nil); err != nil {
		_ = m.Close()
		return nil, err
	}
	members := p.Members()
	members.Owe()
	c.line.Attach(c.Body(), members)
	return c, nil
}

// newCondOf makes a Cond of a mutex.
func (p *Place) newCondOf(lock driver.Object) (*Cond, error) {
	m, ok := lock.(*mutex)
	switch {
	case lock.Place() != driver.Place(p):
		return nil, fmt.Errorf("a Cond in memory of %v, which is elsewhere: %w", lock, mperr.ErrForeign)
	case !ok:
		return nil, fmt.Errorf("%v is no lock for a Cond: %w", lock, mperr.ErrType)
	case !m.Enter():
		return nil, m.ErrClosed()
	}
	defer m.Exit()
	other, err := reopen(m.Seg)
	if err != nil {
		return nil, err
	}
	id := other.ID
	params := [4]uint64{binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])}
	seg, err := Create(other.Family, shm.KindCond, [16]byte{}, shm.RoundPage(shm.HeaderSize+ledger.CondSize), params)
	if err != nil {
		_ = other.Close()
		return nil, err
	}
	return newCondWith(p, seg, other)
}

// AttachCond makes a handle to the Cond in seg, whose lock is the mutex in lock. It
// takes both over.
func (p *Place) AttachCond(seg, lock *shm.Segment) (driver.Object, error) {
	id := lock.ID
	if seg.Params != [4]uint64{binary.LittleEndian.Uint64(id[:]), binary.LittleEndian.Uint64(id[8:])} {
		err := fmt.Errorf("%s %s: %s %s is not its lock: %w", seg.Kind, seg.ID, lock.Kind, lock.ID, mperr.ErrCorrupt)
		_, _ = seg.Close(), lock.Close()
		return nil, err
	}
	return asObject(func(p *Place, seg *shm.Segment) (*Cond, error) { return newCondWith(p, seg, lock) })(p, seg)
}

// Lender is the object whose segment travels beside that of the Cond: its lock, nil if
// that is its own.
func (c *Cond) Lender() Object {
	if c.lock.Seg.Kind == shm.KindCond {
		return nil
	}
	return c.lock
}

// Lock implements driver.Mutex.
func (c *Cond) Lock(ctx context.Context) error { return c.lock.Lock(ctx) }

// TryLock implements driver.Mutex.
func (c *Cond) TryLock(ctx context.Context) (bool, error) { return c.lock.TryLock(ctx) }

// LockBroken implements driver.Mutex.
func (c *Cond) LockBroken(ctx context.Context) error { return c.lock.LockBroken(ctx) }

// Owner implements driver.MutexOwner.
func (c *Cond) Owner(ctx context.Context) (int, error) { return c.lock.Owner(ctx) }

// Heal implements driver.Mutex.
func (c *Cond) Heal(ctx context.Context) error {
	if m := c.holder(); m != nil {
		return m.Heal(ctx)
	}
	return c.lock.Heal(ctx)
}

// UnlockOwn is Unlock of what was taken through this handle. It reports false if
// nothing is.
func (c *Cond) UnlockOwn() bool {
	return drop(&c.lost, 1) > 0 || c.lock.Unlock(context.Background()) == nil
}

// Unlock implements driver.Mutex: it gives back what any handle of this process has
// taken.
func (c *Cond) Unlock(ctx context.Context) error {
	if c.UnlockOwn() {
		return nil
	}
	if m := c.holder(); m != nil && !c.Closed() {
		return m.Unlock(ctx)
	}
	return c.lock.notHeld()
}

// holder is the handle of this process that has the lock, or nil.
func (c *Cond) holder() *mutex {
	switch {
	case c.lock == nil:
		return nil
	case atomic.LoadUint32(&c.lock.held) == 1:
		return c.lock
	}
	return mutexes.holder(c.lock.Seg.ID)
}

// Close implements driver.Object.
func (c *Cond) Close() error {
	err := c.object.Close()
	if err == nil {
		_ = c.lock.Close()
	}
	return err
}

// Wait implements driver.Cond.
func (c *Cond) Wait(ctx context.Context) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.Exit()
	m := c.holder()
	if m == nil {
		return c.named(mperr.ErrNotHeld)
	}
	w, err := c.line.Join()
	if err != nil {
		return c.named(err)
	}
	if !m.release() { // another goroutine has, at this moment: a mistake of the program
		c.line.Abandon(w)
		return c.named(mperr.ErrNotHeld)
	}
	err = c.line.Wait(ctx, w)
	died, ok := c.retake(&m)
	if ok {
		if c.line.Leave(w) {
			err = nil // the signal came first
		}
		if died != nil {
			err = died
		}
		return c.named(err)
	}
	// The lock is gone, and Unlock will have nothing to give back.
	c.line.Abandon(w)
	if m == c.lock {
		c.lost.Add(1)
	} else {
		m.lost.Add(1)
	}
	m.Exit()
	return c.ErrClosed()
}

// retake takes the lock again, for the handle that has given it up, or for this one if
// that was closed meanwhile. It reports false if this one was.
func (c *Cond) retake(m **mutex) (died error, ok bool) {
	for !c.Closed() {
		err := c.until(context.Background(), func(ctx context.Context) (err error) {
			died, err = (*m).retake(ctx)
			return err
		})
		switch {
		case err == nil:
			return died, true
		case *m == c.lock || !c.lock.Enter():
			return nil, false
		}
		(*m).Exit()
		*m = c.lock
	}
	return nil, false
}

// Signal implements driver.Cond.
func (c *Cond) Signal(ctx context.Context) error { return c.tell(ctx, (*ledger.Cond).Signal) }

// Broadcast implements driver.Cond.
func (c *Cond) Broadcast(ctx context.Context) error { return c.tell(ctx, (*ledger.Cond).Broadcast) }

func (c *Cond) tell(ctx context.Context, f func(*ledger.Cond)) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.Exit()
	if c.holder() == nil {
		return c.named(mperr.ErrNotHeld)
	}
	f(c.line)
	return nil
}

// Waiting is how many goroutines stand in the line, in all processes.
func (c *Cond) Waiting() int {
	if !c.Enter() {
		return 0
	}
	defer c.Exit()
	return c.line.Waiting()
}
