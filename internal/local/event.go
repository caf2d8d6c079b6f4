package local

import (
	"context"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// event implements driver.Event. Its memory:
//
//	0  event  of those who wait
//	8  flag   uint64: bit 0 says that it is set, the rest how often it was
//
// Each change is one store. Who ends between setting the flag and waking the others
// wakes them by his end.
type event struct {
	object
	e    *robust.Event
	wait *robust.Crowd
	flag *uint64
}

var _ driver.Event = (*event)(nil)

const (
	eventSize = robust.EventSize + 8

	flagSet  = 1
	setsOnce = 2
)

func newEvent(p *Place, seg *shm.Segment) (*event, error) {
	if err := wants(seg, eventSize); err != nil {
		return nil, err
	}
	e := &event{object: object{place: p}, e: &robust.Event{}}
	if err := e.Adopt(seg, seg.Size, e.e.Abort, nil); err != nil {
		return nil, err
	}
	p.Members().Owe() // or who ends in order between the two says nothing
	e.e.Init(e.Body())
	e.wait = &robust.Crowd{}
	e.wait.Init(e.e)
	e.flag = (*uint64)(unsafe.Add(e.Body(), robust.EventSize))
	return e, nil
}

func (e *event) Set(ctx context.Context) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.Exit()
	for {
		old := atomic.LoadUint64(e.flag)
		if old&flagSet != 0 {
			return nil
		}
		if atomic.CompareAndSwapUint64(e.flag, old, old+setsOnce|flagSet) {
			failpoint.Hit("flag.set")
			e.e.NotifyAll()
			return nil
		}
	}
}

func (e *event) Clear(ctx context.Context) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.Exit()
	atomic.AndUint64(e.flag, ^uint64(flagSet))
	failpoint.Hit("flag.cleared")
	return nil
}

func (e *event) IsSet(ctx context.Context) (bool, error) {
	if err := e.enter(ctx); err != nil {
		return false, err
	}
	defer e.Exit()
	return atomic.LoadUint64(e.flag)&flagSet != 0, nil
}

func (e *event) Wait(ctx context.Context) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.Exit()
	begin := atomic.LoadUint64(e.flag)
	// Also if it was cleared at once.
	set := func() bool {
		now := atomic.LoadUint64(e.flag)
		return now&flagSet != 0 || now >= begin+setsOnce
	}
	const spins, pauses = 64, 4 // some microseconds
	for range spins {
		if set() {
			return nil
		}
		fence.Pause(pauses)
	}
	return e.named(e.wait.Wait(ctx, set))
}
