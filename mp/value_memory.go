package mp

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// memoryValue is a value in this machine's memory.
type memoryValue[T any] struct {
	local.Small
	lock    *robust.Lock
	version *uint64 // nil if T fits a word
	turn    *uint64 // see turn
	slot    [2]unsafe.Pointer
	scratch atomic.Pointer[T] // what a function of Update works on; nil while one does
}

// The memory of a value. A value of at most 8 bytes is one word, slot 0, and
// needs no lock. A larger one has two slots, and the low bit of version says
// which is the value; the other is where the next is prepared.
//
//	 0  lock     robust; held for the time of a copy
//	16  version  uint64, written under the lock
//	24  turn     uint64, who has been overtaken often, see turn
//	64  slot 0   size of T, rounded up to 64
//	    slot 1   the same
//
// Whoever dies before the store of the word or of the version has changed
// nothing; what the slot that is not the value holds does not matter.
const (
	valueVersion = robust.LockSize
	valueTurn    = robust.LockSize + 8
	valueSlots   = 64
)

func valueStride(size uintptr) uintptr { return (size + 63) &^ 63 }

func newMemoryValue[T any](x T) (*memoryValue[T], error) {
	finger, err := fixedFinger[T]()
	if err != nil {
		return nil, err
	}
	size := unsafe.Sizeof(x)
	_, seg, err := newSegment(shm.KindValue, finger, int64(shm.HeaderSize+valueSlots+2*valueStride(size)), [4]uint64{uint64(size)})
	if err != nil {
		return nil, err
	}
	v := &memoryValue[T]{}
	if err := v.attach(seg); err != nil {
		return nil, err
	}
	return v, v.store(context.Background(), x)
}

// fixedType is the plan for a type that can live in shared memory.
func fixedType[T any]() (*codec.Typed[T], error) {
	if err := codec.InMemory(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	return codec.For[T]()
}

func fixedFinger[T any]() (sum [16]byte, err error) {
	c, err := fixedType[T]()
	if err != nil {
		return sum, err
	}
	return c.Fingerprint(), nil
}

func (v *memoryValue[T]) attach(seg *shm.Segment) error {
	size := unsafe.Sizeof(*new(T))
	need := int64(shm.HeaderSize + valueSlots + 2*valueStride(size))
	if seg.Params[0] != uint64(size) || seg.Size < need {
		_ = seg.Close()
		return fmt.Errorf("%s %s: %d bytes for a value of %d: %w", seg.Kind, seg.ID, seg.Size, size, ErrCorrupt)
	}
	v.lock = &robust.Lock{}
	c, err := local.NewCell(seg, need, v.lock.Detach)
	if err != nil {
		return err
	}
	v.lock.Init(c.Body(0))
	if size > 8 {
		v.lock.AllowResident()
		v.version = (*uint64)(c.Body(valueVersion))
	}
	v.turn = (*uint64)(c.Body(valueTurn))
	v.slot[0] = c.Body(valueSlots)
	v.slot[1] = c.Body(valueSlots + valueStride(size))
	v.P.Store(c)
	return nil
}

// read copies the value to x and returns what tells whether it has changed
// since: the word itself, or the version.
func (v *memoryValue[T]) read(x *T) (seen uint64) {
	if v.version == nil {
		w := atomic.LoadUint64((*uint64)(v.slot[0]))
		*x = *(*T)(unsafe.Pointer(&w))
		return w
	}
	for {
		n := atomic.LoadUint64(v.version)
		*x = *(*T)(v.slot[n&1])
		fence.LoadLoad()
		// A writer touches this slot only after the version has moved on.
		if atomic.LoadUint64(v.version) == n {
			return n
		}
	}
}

func (v *memoryValue[T]) load(ctx context.Context) (x T, err error) {
	if ctx.Err() != nil {
		return x, mperr.Ended(ctx)
	}
	c := v.P.Load()
	if c == nil {
		return x, v.ErrGone()
	}
	v.read(&x)
	runtime.KeepAlive(c)
	return x, nil
}

func (v *memoryValue[T]) store(ctx context.Context, x T) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	c := v.P.Load()
	if c == nil {
		return v.ErrGone()
	}
	t := turn{word: v.turn, owner: &v.Small, cell: c}
	err := t.await(ctx)
	if err == nil {
		_, err = v.write(ctx, &x, 0, true)
	}
	runtime.KeepAlive(c)
	return err
}

func (v *memoryValue[T]) add(ctx context.Context, delta T) (sum T, err error) {
	add, err := summer[T]()
	if err != nil {
		return sum, err
	}
	err = v.update(ctx, func(p *T) error {
		add(p, &delta)
		sum = *p
		return nil
	})
	return sum, err
}

func (v *memoryValue[T]) compareAndSwap(ctx context.Context, old, x T) (swapped bool, err error) {
	err = v.update(ctx, func(p *T) error {
		if swapped = any(*p) == any(old); swapped {
			*p = x
		}
		return nil
	})
	return swapped && err == nil, err
}

func (v *memoryValue[T]) Close() error {
	err := v.Small.Close()
	if err == nil {
		v.lock.Abort()
	}
	return err
}

func (v *memoryValue[T]) update(ctx context.Context, f func(*T) error) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	c := v.P.Load()
	if c == nil {
		return v.ErrGone()
	}
	x := v.scratch.Swap(nil)
	if x == nil {
		x = new(T) // the first, or another goroutine is at it
	}
	var done, lost bool
	var err error
	if atomic.LoadUint64(v.turn) == 0 {
		seen := v.read(x)
		failpoint.Hit("value.copied")
		if err = f(x); err == nil {
			done, err = v.write(ctx, x, seen, false)
			lost = !done
		}
	}
	if err == nil && !done {
		err = v.contend(ctx, x, f, c, lost)
	}
	v.scratch.Store(x)
	runtime.KeepAlive(c)
	return err
}

// contend is Update while others change the value too, and may have done so when
// it was tried for the first time.
func (v *memoryValue[T]) contend(ctx context.Context, x *T, f func(*T) error, c *local.Cell, lost bool) (err error) {
	t := turn{word: v.turn, owner: &v.Small, cell: c}
	for done := false; err == nil && !done; {
		if lost {
			err = t.lost(ctx)
		}
		if err == nil {
			done, err = v.tryUpdate(ctx, x, f, &t)
			lost = !done
		}
	}
	if t.mine != 0 {
		t.end()
	}
	return err
}

func (v *memoryValue[T]) tryUpdate(ctx context.Context, x *T, f func(*T) error, t *turn) (done bool, err error) {
	if err := t.await(ctx); err != nil {
		return false, err
	}
	seen := v.read(x)
	failpoint.Hit("value.copied")
	returned := false
	if t.mine != 0 {
		defer t.endUnless(&returned)
	}
	err = f(x)
	returned = true
	if err != nil {
		return false, err
	}
	return v.write(ctx, x, seen, false)
}

// write makes x the value, by one store: if it is what was seen, or anyway.
func (v *memoryValue[T]) write(ctx context.Context, x *T, seen uint64, anyway bool) (done bool, err error) {
	if v.version == nil {
		var w uint64
		*(*T)(unsafe.Pointer(&w)) = *x
		failpoint.Hit("value.prepared")
		if done = anyway; anyway {
			atomic.StoreUint64((*uint64)(v.slot[0]), w)
		} else {
			done = atomic.CompareAndSwapUint64((*uint64)(v.slot[0]), seen, w)
		}
		failpoint.Hit("value.published")
		return done, nil
	}
	// A dead owner leaves nothing to mend.
	if _, err := v.lock.Hold(ctx); err != nil {
		return false, err
	}
	n := *v.version
	if done = anyway || n == seen; done {
		*(*T)(v.slot[1-n&1]) = *x
		failpoint.Hit("value.prepared")
		fence.StoreRelease64(v.version, n+1)
		failpoint.Hit("value.published")
	}
	v.lock.Free().Do()
	return done, nil
}
