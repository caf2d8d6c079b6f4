package mp

import (
	"fmt"
	"runtime"
	"unsafe"

	"multiproc/internal/local"
	"multiproc/internal/shm"
)

// RawValue is a value in shared memory without a lock: Load and Store of at
// most 8 bytes are atomic, those of larger types may be torn. For everything
// that several processes change at once use Value.
type RawValue[T any] struct {
	travels
	memoryOnly
	cell local.Small
	e    elements[T]
}

// NewRawValue makes a shared value without a lock that is v at first.
func NewRawValue[T any](v T) (*RawValue[T], error) {
	x := &RawValue[T]{}
	finger, err := x.finger(0)
	if err != nil {
		return nil, fmt.Errorf("new raw value: %w", err)
	}
	size := int64(unsafe.Sizeof(v))
	f, seg, err := newSegment(shm.KindRawValue, finger, shm.HeaderSize+size, [4]uint64{uint64(size)})
	if err != nil {
		return nil, err
	}
	if err := x.attach(f, seg, 0); err != nil {
		return nil, err
	}
	x.Store(v)
	return x, nil
}

func (v *RawValue[T]) kind() shm.Kind                { return shm.KindRawValue }
func (v *RawValue[T]) finger(byte) ([16]byte, error) { return fixedFinger[T]() }

func (v *RawValue[T]) attach(_ *family, seg *shm.Segment, _ byte) error {
	size := int64(unsafe.Sizeof(*new(T)))
	if seg.Params[0] != uint64(size) || seg.Size < shm.HeaderSize+size {
		_ = seg.Close()
		return fmt.Errorf("%s %s: %d bytes for a value of %d: %w", seg.Kind, seg.ID, seg.Size, size, ErrCorrupt)
	}
	c, err := local.NewCell(seg, shm.HeaderSize+size, nil)
	if err != nil {
		return err
	}
	v.e = elements[T]{base: c.Body(0), n: 1}
	v.cell.P.Store(c)
	return nil
}

// Load returns the value. It panics if the handle was closed.
func (v *RawValue[T]) Load() T {
	c := v.cell.Cell()
	x := v.e.loadRaw(0)
	runtime.KeepAlive(c)
	return x
}

// Store sets the value. It panics if the handle was closed.
func (v *RawValue[T]) Store(x T) {
	c := v.cell.Cell()
	v.e.storeRaw(0, x)
	runtime.KeepAlive(c)
}

// Close gives the handle back; later calls panic.
func (v *RawValue[T]) Close() error { return v.cell.Close() }

// String names the object.
func (v *RawValue[T]) String() string { return v.cell.String() }

func (v *RawValue[T]) travel() traveller { return v }

func (v *RawValue[T]) borrow() (*shm.Segment, func(), error) { return v.cell.Borrow() }

// RawArray is an array in shared memory without a lock: what Python calls
// RawArray. Load and Store of elements of at most 8 bytes are atomic; Slice is
// the memory itself, for the processor's full speed.
type RawArray[T any] struct {
	travels
	memoryOnly
	mem local.Memory
	e   elements[T]
}

// NewRawArray makes a shared array of n zero elements without a lock.
func NewRawArray[T any](n int) (*RawArray[T], error) {
	a := &RawArray[T]{}
	f, seg, err := newArraySegment[T](shm.KindRawArray, n)
	if err != nil {
		return nil, err
	}
	if err := a.attach(f, seg, 0); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *RawArray[T]) kind() shm.Kind                { return shm.KindRawArray }
func (a *RawArray[T]) finger(byte) ([16]byte, error) { return fixedFinger[T]() }

func (a *RawArray[T]) attach(_ *family, seg *shm.Segment, _ byte) error {
	n, err := arrayLen[T](seg)
	if err != nil {
		return err
	}
	if err := a.mem.Adopt(seg, seg.Size, func() {}, nil); err != nil {
		return err
	}
	a.e = elements[T]{base: unsafe.Add(a.mem.Mem, arrayData[T]()), n: n}
	return nil
}

// Len is the number of elements.
func (a *RawArray[T]) Len() int { return a.e.n }

// Load returns element i. It panics if i is out of range or the handle was
// closed.
func (a *RawArray[T]) Load(i int) T {
	a.mustEnter()
	defer a.mem.Exit()
	return a.e.loadRaw(i)
}

// Store sets element i; see Load.
func (a *RawArray[T]) Store(i int, v T) {
	a.mustEnter()
	defer a.mem.Exit()
	a.e.storeRaw(i, v)
}

func (a *RawArray[T]) mustEnter() {
	if !a.mem.Enter() {
		panic(a.mem.ErrClosed())
	}
}

// Elements is the array's memory itself, in every process the same. It must not
// be used after Close: the memory is unmapped then, and to touch it is a fault
// that ends the process. If the handle is forgotten without Close the memory
// stays mapped. It panics if the handle was closed.
func (a *RawArray[T]) Elements() []T {
	a.mustEnter()
	defer a.mem.Exit()
	a.mem.Rest.Lend()
	return a.e.slice()
}

// Close gives the handle back; later calls panic. The slices that Elements
// returned must not be used any more.
func (a *RawArray[T]) Close() error { return a.mem.Close() }

// String names the object.
func (a *RawArray[T]) String() string { return a.mem.String() }

func (a *RawArray[T]) travel() traveller { return a }

func (a *RawArray[T]) borrow() (*shm.Segment, func(), error) { return a.mem.Borrow() }
