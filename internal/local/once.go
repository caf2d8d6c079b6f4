package local

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// once implements driver.Once. Its memory:
//
//	 0  lock  robust, held by who does it
//	16  done  uint32, 1: it is done; written under the lock
//
// The store to done is the one that counts: who dies before it leaves the lock to the
// next one, who does it anew, and who dies behind it has done it.
type once struct {
	object
	lock *robust.Lock // apart: a resident lock is kept, the handle must not be
	done *uint32
	does atomic.Bool // this handle has the lock, and is in use for it
}

var _ driver.Once = (*once)(nil)

const onceSize = robust.LockSize + 8

func newOnce(p *Place, seg *shm.Segment) (*once, error) {
	if err := wants(seg, onceSize); err != nil {
		return nil, err
	}
	o := &once{object: object{place: p}, lock: &robust.Lock{}}
	if err := o.Adopt(seg, seg.Size, o.lock.Abort, nil); err != nil {
		return nil, err
	}
	o.lock.Init(o.Body())
	o.lock.AllowResident()
	o.Rest.Detach, o.Rest.Held = o.lock.Detach, o.lock.Held
	o.done = (*uint32)(unsafe.Add(o.Body(), robust.LockSize))
	return o, nil
}

// Identity is the same for all handles to one object in this process.
func (o *once) Identity() any { return o.Seg.ID }

func (o *once) Begin(ctx context.Context) (run bool, err error) {
	if err := o.enter(ctx); err != nil {
		return false, err
	}
	if atomic.LoadUint32(o.done) == 0 {
		// That the last holder died makes no difference: it has not done it.
		if _, err = o.lock.Lock(ctx); err != nil {
			o.Exit()
			return false, o.named(err)
		}
		if atomic.LoadUint32(o.done) == 0 {
			o.does.Store(true)
			return true, nil
		}
		o.lock.Unlock()
	}
	o.Exit()
	return false, nil
}

func (o *once) End(_ context.Context, done bool) error {
	if !o.does.CompareAndSwap(true, false) {
		if o.Closed() {
			return o.ErrClosed()
		}
		return fmt.Errorf("%s: %w", o, mperr.ErrNotHeld)
	}
	if done {
		atomic.StoreUint32(o.done, 1)
		failpoint.Hit("once.done")
	}
	o.lock.Unlock()
	o.Exit()
	return nil
}

func (o *once) Done(ctx context.Context) (bool, error) {
	if err := o.enter(ctx); err != nil {
		return false, err
	}
	defer o.Exit()
	return atomic.LoadUint32(o.done) != 0, nil
}
