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
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Value is one value, in shared memory or in a place. A pointer to a Value may
// travel to other processes; all handles share the value. The zero Value is
// not usable.
//
// In memory T has no pointers in it: numbers, bools, and structs and arrays of
// them. In a place it is any type whose values can travel.
//
// Every change is atomic, also against the death of the process that makes
// it: Load sees the value before or after a Store or Update and nothing in
// between. Changes in memory exclude each other; Load waits for nobody.
//
// Load and Store are for values in memory, where they cannot fail. In a place
// they panic with its error when the connection is lost: use Get and Set there.
type Value[T any] struct {
	small
	lock    *robust.Lock
	version *uint64 // nil if T fits a word
	slot    [2]unsafe.Pointer
	far     *placeValue[T] // of a value in a place, which has no cell
}

// The memory of a value. A value of at most 8 bytes is one word: slot 0 is
// the value, slot 1 the place where it is prepared. A larger one has two
// slots, and the low bit of version says which is the value; the other is
// where the next is prepared.
//
//	 0  lock     robust
//	16  version  uint64
//	64  slot 0   size of T, rounded up to 64
//	    slot 1   the same
//
// Whoever dies before the store of the word or of the version has changed
// nothing; what the slot that is not the value holds does not matter.
const (
	valueVersion = robust.LockSize
	valueSlots   = 64
)

func valueStride(size uintptr) uintptr { return (size + 63) &^ 63 }

// NewValue makes a shared value that is v at first; in a place with In.
//
// Cost: some 20 µs and a page of memory. In a place: a round trip, as each call
// is.
func NewValue[T any](v T, opts ...Option) (*Value[T], error) {
	o, err := unbounded(opts)
	if err != nil {
		return nil, fmt.Errorf("new value: %w", err)
	}
	x := &Value[T]{}
	if o.in {
		return x.openIn(v, o)
	}
	finger, err := x.finger(0)
	if err != nil {
		return nil, fmt.Errorf("new value: %w", err)
	}
	size := unsafe.Sizeof(v)
	f, seg, err := newSegment(shm.KindValue, finger, int64(shm.HeaderSize+valueSlots+2*valueStride(size)), [4]uint64{uint64(size)})
	if err != nil {
		return nil, err
	}
	if err := x.attach(f, seg, 0); err != nil {
		return nil, err
	}
	x.Store(v)
	return x, nil
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

func (v *Value[T]) kind() shm.Kind                { return shm.KindValue }
func (v *Value[T]) finger(byte) ([16]byte, error) { return fixedFinger[T]() }

func (v *Value[T]) attach(_ *family, seg *shm.Segment, _ byte) error {
	size := unsafe.Sizeof(*new(T))
	need := int64(shm.HeaderSize + valueSlots + 2*valueStride(size))
	if seg.Params[0] != uint64(size) || seg.Size < need {
		_ = seg.Close()
		return fmt.Errorf("%s %s: %d bytes for a value of %d: %w", seg.Kind, seg.ID, seg.Size, size, ErrCorrupt)
	}
	v.lock = &robust.Lock{}
	c, err := newCell(seg, need, v.lock.Detach)
	if err != nil {
		return err
	}
	v.lock.Init(c.body(0))
	v.lock.AllowResident()
	if size > 8 {
		v.version = (*uint64)(c.body(valueVersion))
	}
	v.slot[0] = c.body(valueSlots)
	v.slot[1] = c.body(valueSlots + valueStride(size))
	v.p.Store(c)
	return nil
}

// Load returns the value. In memory it never waits. It panics if the handle
// was closed, and in a place if that does not answer; see Get.
func (v *Value[T]) Load() (x T) {
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			return v.far.load()
		}
		panic(v.errGone())
	}
	v.load(&x)
	runtime.KeepAlive(c)
	return x
}

func (v *Value[T]) load(x *T) {
	if v.version == nil {
		w := atomic.LoadUint64((*uint64)(v.slot[0]))
		*x = *(*T)(unsafe.Pointer(&w))
		return
	}
	for {
		n := atomic.LoadUint64(v.version)
		*x = *(*T)(v.slot[n&1])
		fence.LoadLoad()
		// A writer touches this slot only after the version has moved on.
		if atomic.LoadUint64(v.version) == n {
			return
		}
	}
}

// Store sets the value, after an Update that is under way. It panics if the
// handle was closed, and in a place if that does not answer; see Set.
func (v *Value[T]) Store(x T) {
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			v.far.store(x)
			return
		}
		panic(v.errGone())
	}
	if err := v.take(context.Background()); err != nil {
		panic(err)
	}
	*v.shadow() = x
	v.publish()
	v.lock.Unlock()
	runtime.KeepAlive(c)
}

// Update changes the value by f, with no other change in between:
// v.Update(ctx, func(x *int) error { *x++; return nil }). If f returns an error
// or panics, nothing is changed. If the process is killed inside f, nothing is
// changed and others go on. f must not use the value's other methods except
// Load and Get, and must not keep its argument.
//
// In memory f is called once, while others wait; ctx bounds the wait for them.
// In a place nobody waits: f is called again, on what the value is by then, if
// somebody has changed it meanwhile, until ctx ends. So f should have no other
// effect than on its argument. Handles in it that came from the place are
// closed when f's change is made.
//
// Cost: 13 to 30 ns, and f. In a place: two round trips, and again as many for
// each change of somebody else that came between.
func (v *Value[T]) Update(ctx context.Context, f func(*T) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := v.p.Load()
	if c == nil {
		if v.far != nil {
			return v.far.update(ctx, f)
		}
		return v.errGone()
	}
	if err := v.take(ctx); err != nil {
		return err
	}
	// Also when f panics. f may have closed the handle: the memory stays
	// until the lock in it is given back.
	defer func() {
		v.lock.Unlock()
		runtime.KeepAlive(c)
	}()
	x := v.shadow()
	v.load(x)
	failpoint.Hit("value.copied")
	if err := f(x); err != nil {
		return err
	}
	v.publish()
	return nil
}

// take takes the lock. A dead owner leaves nothing to mend.
func (v *Value[T]) take(ctx context.Context) error {
	_, err := v.lock.Lock(ctx)
	return err
}

// shadow is where the next value is prepared.
func (v *Value[T]) shadow() *T {
	if v.version == nil {
		return (*T)(v.slot[1])
	}
	return (*T)(v.slot[1-*v.version&1])
}

// publish makes what the shadow holds the value, by one store.
func (v *Value[T]) publish() {
	failpoint.Hit("value.prepared")
	if v.version == nil {
		fence.StoreRelease64((*uint64)(v.slot[0]), *(*uint64)(v.slot[1]))
	} else {
		fence.StoreRelease64(v.version, *v.version+1)
	}
	failpoint.Hit("value.published")
}
