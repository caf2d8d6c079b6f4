package mp

import (
	"context"
	"fmt"
	"iter"
	"unsafe"

	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// Array is an array of fixed length in shared memory. T has no pointers in it,
// as for Value.
//
// There are two ways to use it, and they do not exclude each other:
//
//   - Load, Store, All and AtomicAdd work on one element at a time. Each is
//     atomic, and none waits for the lock of View and Update.
//   - View, Update, Values, Slice and SetSlice work on any part of the array
//     under its lock: many may view, one may update.
//
// A process that is killed inside Update, or panics there, leaves the array half
// changed. The others then get an *OwnerDiedError from every call that needs the lock,
// until Repair succeeds.
type Array[T any] struct {
	travels
	memoryOnly
	mem    local.Memory
	lock   robust.RW
	health *local.Health
	elems  elements[T]
}

// The memory of an array:
//
//	 0  lock      robust.RW
//	256 health
//	264 element lock and journal, see elements
//	    then the elements, from arrayData on
const (
	arrayHealthOff  = robust.RWSize
	arrayElementOff = arrayHealthOff + 8
)

// NewArray makes a shared array of n zero elements.
//
// Cost: some 20 µs; the memory is sparse, used as it is touched.
func NewArray[T any](n int) (*Array[T], error) {
	a := &Array[T]{}
	f, seg, err := newArraySegment[T](shm.KindArray, n)
	if err != nil {
		return nil, err
	}
	if err := a.attach(f, seg, 0); err != nil {
		return nil, err
	}
	return a, nil
}

// ArrayOf makes a shared array of these values.
func ArrayOf[T any](values ...T) (*Array[T], error) {
	a, err := NewArray[T](len(values))
	if err != nil {
		return nil, err
	}
	copy(a.elems.slice(), values)
	return a, nil
}

func newArraySegment[T any](kind shm.Kind, n int) (*family, *shm.Segment, error) {
	finger, err := fixedFinger[T]()
	if err != nil {
		return nil, nil, fmt.Errorf("new array: %w", err)
	}
	size := int64(unsafe.Sizeof(*new(T)))
	if n < 0 || n > 1<<46 || (size > 0 && int64(n) > (1<<46)/size) {
		return nil, nil, fmt.Errorf("new array: a length of %d", n)
	}
	return newSegment(kind, finger, arrayData[T]()+int64(n)*size, [4]uint64{uint64(n), uint64(size)})
}

// arrayData is where the elements begin: behind the control words for an array
// that fits beside them, but aligned to 64 bytes in any case.
func arrayData[T any]() int64 {
	control := shm.HeaderSize + arrayElementOff + journalSize(unsafe.Sizeof(*new(T)))
	return int64((control + 63) &^ 63)
}

func (a *Array[T]) kind() shm.Kind                { return shm.KindArray }
func (a *Array[T]) finger(byte) ([16]byte, error) { return fixedFinger[T]() }

func (a *Array[T]) attach(_ *family, seg *shm.Segment, _ byte) error {
	n, err := arrayLen[T](seg)
	if err != nil {
		return err
	}
	if err := a.mem.Adopt(seg, seg.Size, func() { a.lock.Abort(); a.elems.lock.Abort() }, nil); err != nil {
		return err
	}
	a.lock.Init(a.mem.Body())
	a.health = (*local.Health)(unsafe.Add(a.mem.Body(), arrayHealthOff))
	a.elems.init(unsafe.Add(a.mem.Body(), arrayElementOff), unsafe.Add(a.mem.Mem, arrayData[T]()), n)
	a.mem.Rest.Detach = a.elems.lock.Detach
	return nil
}

// arrayLen checks the length that a segment's header claims; on error it
// closes the segment.
func arrayLen[T any](seg *shm.Segment) (int, error) {
	n, size := seg.Params[0], uint64(unsafe.Sizeof(*new(T)))
	if seg.Params[1] != size || n > 1<<46 || (size > 0 && n > (1<<46)/size) || arrayData[T]()+int64(n*size) > seg.Size {
		_ = seg.Close()
		return 0, fmt.Errorf("%s %s: %d elements of %d bytes in %d: %w", seg.Kind, seg.ID, n, seg.Params[1], seg.Size, ErrCorrupt)
	}
	return int(n), nil
}

// Len is the number of elements.
func (a *Array[T]) Len() int { return a.elems.n }

// Load returns element i. It panics if i is out of range, as a slice does, or
// if the handle was closed. Cost: a few nanoseconds for elements of 1, 2, 4 or
// 8 bytes; others take a short lock.
func (a *Array[T]) Load(i int) T {
	a.mustEnter()
	defer a.mem.Exit()
	return a.elems.load(i)
}

// Store sets element i; see Load.
func (a *Array[T]) Store(i int, v T) {
	a.mustEnter()
	defer a.mem.Exit()
	a.elems.store(i, v)
}

func (a *Array[T]) mustEnter() {
	if !a.mem.Enter() {
		panic(a.mem.ErrClosed())
	}
}

// All iterates over indexes and elements, each as Load returns it.
func (a *Array[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := range a.Len() {
			if !yield(i, a.Load(i)) {
				return
			}
		}
	}
}

// View calls f with the array's own memory while nobody updates it. Any
// number of processes view at once. f must not change the elements, must not
// keep the slice, and must not use the array's other methods except those for
// one element: a View in a View waits for ever once somebody wants to update.
func (a *Array[T]) View(ctx context.Context, f func([]T) error) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !a.mem.Enter() {
		return a.mem.ErrClosed()
	}
	defer a.mem.Exit()
	for {
		died, err := a.lock.RLock(ctx)
		if err != nil {
			return err
		}
		if !died {
			break
		}
		if err := a.inherit(ctx); err != nil {
			return err
		}
		// Somebody was faster and has repaired it.
	}
	defer a.lock.RUnlock()
	if err := a.sound(); err != nil {
		return err
	}
	a.elems.settle()
	return f(a.elems.slice())
}

// Update calls f with the array's own memory while nobody else views or
// updates it. f changes the elements in place; if it returns an error, what it
// changed stays changed. If it does not return, because it panics or calls
// runtime.Goexit, the array is as after the death of a process: half changed,
// until Repair. f must not keep the slice, and must not use the array's other
// methods except those for one element.
//
// Everybody else waits while f runs, and while its goroutine waits for a
// processor behind others of its process: the lock is held by the program and
// not by the library, so keep f short.
func (a *Array[T]) Update(ctx context.Context, f func([]T) error) error {
	return a.update(ctx, f, false)
}

// Repair is Update for an array whose holder died: f puts it in order, and if
// it returns nil the array works again for everybody. On an array in good
// order f is called all the same.
func (a *Array[T]) Repair(ctx context.Context, f func([]T) error) error {
	return a.update(ctx, f, true)
}

func (a *Array[T]) update(ctx context.Context, f func([]T) error, repair bool) error {
	if ctx.Err() != nil {
		return mperr.Ended(ctx)
	}
	if !a.mem.Enter() {
		return a.mem.ErrClosed()
	}
	defer a.mem.Exit()
	died, err := a.lock.Lock(ctx)
	if err != nil {
		return err
	}
	whole := true
	defer func() {
		if !whole { // f did not return: the array is as after a death
			a.health.Poison(Self().PID)
		}
		a.lock.Unlock()
	}()
	if died {
		a.health.Poison(a.lock.Deceased())
	}
	if !repair {
		if err := a.sound(); err != nil {
			return err
		}
	}
	a.elems.settle()
	whole = false
	err = f(a.elems.slice())
	whole = true
	if repair && err == nil {
		a.health.Heal()
	}
	return err
}

// inherit turns the news of a death, heard while locking for a view, into the
// health that everybody sees.
func (a *Array[T]) inherit(ctx context.Context) error {
	died, err := a.lock.Lock(ctx)
	if err != nil {
		return err
	}
	defer a.lock.Unlock()
	if died {
		a.health.Poison(a.lock.Deceased())
	}
	return a.sound()
}

func (a *Array[T]) sound() error { return a.health.Sound("array") }

// Copy returns a copy of the whole array, taken under its lock.
func (a *Array[T]) Copy(ctx context.Context) ([]T, error) { return a.Slice(ctx, 0, a.Len()) }

// Slice returns a copy of elements i to j-1, taken under the array's lock. It
// panics if the range is out of bounds, as a slice expression does.
func (a *Array[T]) Slice(ctx context.Context, i, j int) ([]T, error) {
	_ = a.elems.bounds(i, j)
	var out []T
	err := a.View(ctx, func(s []T) error {
		out = append(make([]T, 0, j-i), s[i:j]...)
		return nil
	})
	return out, err
}

// SetSlice sets the elements from i on to values, under the array's lock. It
// panics if they reach beyond the end.
func (a *Array[T]) SetSlice(ctx context.Context, i int, values []T) error {
	_ = a.elems.bounds(i, i+len(values))
	return a.Update(ctx, func(s []T) error {
		copy(s[i:], values)
		return nil
	})
}

// Integer is what AtomicAdd adds.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// AtomicAdd adds d to element i of an array and returns the sum. It excludes
// other AtomicAdds and Stores to that element.
func AtomicAdd[T Integer](a *Array[T], i int, d T) T {
	a.mustEnter()
	defer a.mem.Exit()
	return addElement(&a.elems, i, d)
}

// Close gives the handle back. Calls that wait in it return ErrClosed; later
// ones return ErrClosed or, where they return no error, panic with it.
func (a *Array[T]) Close() error { return a.mem.Close() }

// String names the object.
func (a *Array[T]) String() string { return a.mem.String() }

func (a *Array[T]) travel() traveller { return a }

func (a *Array[T]) borrow() (*shm.Segment, func(), error) { return a.mem.Borrow() }
