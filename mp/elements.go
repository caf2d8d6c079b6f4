package mp

import (
	"context"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/failpoint"
	"multiproc/internal/fence"
	"multiproc/internal/robust"
)

// elements are the elements of an array, each of which is loaded and stored
// as a whole. Elements with the size and alignment of a word are read and
// written by one machine instruction. Others take a short lock, and a store leaves a journal
// first, so that a death in the middle of it is made good by the next one who
// takes the lock:
//
//	 0  lock   robust
//	16  index  uint64, element to be written + 1; 0 while none is
//	24  value  one element, padded to 8 bytes
type elements[T any] struct {
	lock  *robust.Lock // apart: a resident lock is kept, the handle must not be
	index *uint64
	value *T
	base  unsafe.Pointer
	n     int
}

const journalValue = robust.LockSize + 8

func journalSize(size uintptr) uintptr { return journalValue + (size+7)&^7 }

func (e *elements[T]) init(control, base unsafe.Pointer, n int) {
	e.lock = &robust.Lock{}
	e.lock.Init(control)
	e.lock.AllowResident()
	e.index = (*uint64)(unsafe.Add(control, robust.LockSize))
	e.value = (*T)(unsafe.Add(control, journalValue))
	e.base, e.n = base, n
}

// slice is the memory itself.
func (e *elements[T]) slice() []T { return unsafe.Slice((*T)(e.base), e.n) }

func (e *elements[T]) at(i int) unsafe.Pointer { return unsafe.Pointer(&e.slice()[i]) }

func (e *elements[T]) bounds(i, j int) []T { return e.slice()[i:j] }

// whole reports whether a T is loaded and stored by one instruction: it has
// the size of a word, and is aligned like one.
func whole[T any]() bool {
	var v T
	switch unsafe.Sizeof(v) {
	case 0, 1:
		return true
	case 2, 4, 8:
		return unsafe.Alignof(v) == unsafe.Sizeof(v)
	}
	return false
}

// loadRaw loads without the lock: torn if T is not whole.
func (e *elements[T]) loadRaw(i int) (v T) {
	p := e.at(i)
	if whole[T]() {
		switch unsafe.Sizeof(v) {
		case 8:
			w := atomic.LoadUint64((*uint64)(p))
			return *(*T)(unsafe.Pointer(&w))
		case 4:
			w := atomic.LoadUint32((*uint32)(p))
			return *(*T)(unsafe.Pointer(&w))
		}
	}
	return *(*T)(p)
}

// storeRaw stores without the lock: torn if T is not whole.
func (e *elements[T]) storeRaw(i int, v T) {
	p := e.at(i)
	if whole[T]() {
		switch unsafe.Sizeof(v) {
		case 8:
			atomic.StoreUint64((*uint64)(p), *(*uint64)(unsafe.Pointer(&v)))
			return
		case 4:
			atomic.StoreUint32((*uint32)(p), *(*uint32)(unsafe.Pointer(&v)))
			return
		}
	}
	*(*T)(p) = v
}

func (e *elements[T]) load(i int) (v T) {
	if whole[T]() {
		return e.loadRaw(i)
	}
	p := e.at(i)
	e.take()
	v = *(*T)(p)
	e.lock.Free().Do()
	return v
}

func (e *elements[T]) store(i int, v T) {
	if whole[T]() {
		e.storeRaw(i, v)
		return
	}
	p := e.at(i)
	e.take()
	*e.value = v
	failpoint.Hit("element.value")
	fence.StoreRelease64(e.index, uint64(i)+1)
	failpoint.Hit("element.journal")
	*(*T)(p) = v
	failpoint.Hit("element.stored")
	fence.StoreRelease64(e.index, 0)
	failpoint.Hit("element.done")
	e.lock.Free().Do()
}

// take takes the lock and finishes a store whose process died. The caller is
// pinned then.
func (e *elements[T]) take() {
	died, err := e.lock.Hold(context.Background())
	if err != nil {
		panic(err) // closed under our hands
	}
	if i := *e.index; died && i != 0 && i <= uint64(e.n) {
		*(*T)(e.at(int(i - 1))) = *e.value
		failpoint.Hit("element.mended")
		fence.StoreRelease64(e.index, 0)
		failpoint.Hit("element.done")
	}
}

// settle finishes a store whose process died, for those who look at the elements
// without their lock.
func (e *elements[T]) settle() {
	if !whole[T]() && atomic.LoadUint64(e.index) != 0 {
		e.take()
		e.lock.Free().Do()
	}
}

// addElement adds without a lock. Elements of one and two bytes are added to
// within the aligned word around them.
func addElement[T Integer](e *elements[T], i int, d T) T {
	p := e.at(i)
	switch unsafe.Sizeof(d) {
	case 8:
		return T(atomic.AddUint64((*uint64)(p), uint64(d)))
	case 4:
		return T(atomic.AddUint32((*uint32)(p), uint32(d)))
	}
	shift := uintptr(p) % 4 * 8 // little-endian, as shm demands
	word := (*uint32)(unsafe.Add(p, -int(shift/8)))
	mask := uint32(1)<<(8*unsafe.Sizeof(d)) - 1
	for {
		old := atomic.LoadUint32(word)
		sum := T(old>>shift) + d
		if atomic.CompareAndSwapUint32(word, old, old&^(mask<<shift)|(uint32(sum)&mask)<<shift) {
			return sum
		}
	}
}
