package mp

import (
	"fmt"
	"reflect"
	"unsafe"
)

// summer returns a function that adds *b to *a, for a type of numbers.
func summer[T any]() (func(a, b *T), error) {
	t := reflect.TypeFor[T]()
	var add func(a, b unsafe.Pointer)
	switch t.Kind() {
	case reflect.Int, reflect.Int64:
		add = plus[int64]
	case reflect.Int8:
		add = plus[int8]
	case reflect.Int16:
		add = plus[int16]
	case reflect.Int32:
		add = plus[int32]
	case reflect.Uint, reflect.Uint64:
		add = plus[uint64]
	case reflect.Uint8:
		add = plus[uint8]
	case reflect.Uint16:
		add = plus[uint16]
	case reflect.Uint32:
		add = plus[uint32]
	case reflect.Float32:
		add = plus[float32]
	case reflect.Float64:
		add = plus[float64]
	case reflect.Complex64:
		add = plus[complex64]
	case reflect.Complex128:
		add = plus[complex128]
	default:
		return nil, fmt.Errorf("add: a %v is no number; use Update: %w", t, ErrType)
	}
	return func(a, b *T) { add(unsafe.Pointer(a), unsafe.Pointer(b)) }, nil
}

type number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64 | complex64 | complex128
}

func plus[N number](a, b unsafe.Pointer) { *(*N)(a) += *(*N)(b) }
