package mp

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/codec"
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
// between. In memory nobody waits for anybody's function, and Load for nobody.
//
// Load and Store are for values in memory, where they cannot fail. In a place
// they panic with its error when the connection is lost: use Get and Set there.
type Value[T any] struct {
	small
	lock    *robust.Lock
	version *uint64 // nil if T fits a word
	turn    *uint64 // see turn
	slot    [2]unsafe.Pointer
	scratch atomic.Pointer[T] // what a function of Update works on; nil while one does
	far     *placeValue[T]    // of a value in a place, which has no cell
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
	if size > 8 {
		v.lock.AllowResident()
		v.version = (*uint64)(c.body(valueVersion))
	}
	v.turn = (*uint64)(c.body(valueTurn))
	v.slot[0] = c.body(valueSlots)
	v.slot[1] = c.body(valueSlots + valueStride(size))
	v.p.Store(c)
	return nil
}
