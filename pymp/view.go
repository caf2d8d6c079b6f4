package pymp

import (
	"fmt"
	"reflect"
	"unsafe"

	"multiproc/internal/mperr"
)

// View is n elements of shared memory from the byte at offset on, as a slice of
// Go, without a copy: []float64 is what memoryview(m.buf).cast("d") is in Python,
// or numpy.ndarray(n, numpy.float64, m.buf).
//
// T is a number, a bool, or an array or struct of these: memory that means the
// same in every process. Its bytes are in the order of the machine. A struct has
// Go's padding, which is C's; Python's struct module has it by default too, numpy
// with align=True. A byte of a bool must be 0 or 1. int and uint have the size of
// the machine's words: prefer those that say theirs.
//
// offset is a multiple of T's alignment, and all elements are inside of m; else the
// error wraps mp.ErrValue. Of a T with pointers, or of no size, it wraps mp.ErrType,
// of closed memory mp.ErrClosed.
//
// The slice must not be used after m.Close. For concurrent use see SharedMemory.
// It costs some 0.1 µs.
func View[T any](m *SharedMemory, offset, n int) ([]T, error) {
	t := reflect.TypeFor[T]()
	if !plain(t) || t.Size() == 0 {
		return nil, fmt.Errorf("pymp.View: %v: %v cannot be in shared memory: want numbers, bools, and arrays and structs of these: %w", m, t, mperr.ErrType)
	}
	mem := m.Bytes()
	size := int(t.Size())
	switch {
	case mem == nil:
		return nil, fmt.Errorf("pymp.View: %v: %w", m, mperr.ErrClosed)
	case offset < 0 || n < 0 || offset > len(mem) || n > (len(mem)-offset)/size:
		return nil, fmt.Errorf("pymp.View: %v: %d elements of %d bytes at offset %d, of %d bytes: %w", m, n, size, offset, len(mem), mperr.ErrValue)
	case offset%t.Align() != 0:
		return nil, fmt.Errorf("pymp.View: %v: offset %d: %v wants a multiple of %d: %w", m, offset, t, t.Align(), mperr.ErrValue)
	case n == 0:
		return []T{}, nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[offset])), n), nil
}

// plain reports whether values of a type are all in their own memory.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !plain(f.Type) {
				return false
			}
		}
		return true
	}
	return false // pointers of all kinds, and uintptr, which means nothing elsewhere
}
