package codec

import (
	"reflect"
	"unsafe"
)

// Typed is a plan for T. For the kinds Raw, Bytes and String it works without
// reflection, and without allocating anything but the result.
type Typed[T any] struct {
	*Plan
}

// For returns the plan for T, or an error as Of does.
func For[T any]() (*Typed[T], error) {
	p, err := Of(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return &Typed[T]{p}, nil
}

// The two methods repeat the short kinds of Plan.Append and Plan.Decode, and
// copy the value for the long ones. So v never escapes, which a variable of a
// caller's stack would pay for with an allocation, also as an int.

// Append encodes *v and appends the bytes to dst. After an error dst is as it
// was.
func (t *Typed[T]) Append(dst []byte, v *T, s Session) ([]byte, error) {
	switch t.kind {
	case Raw:
		return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))...), nil
	case Bytes:
		return appendBytes(dst, *(*[]byte)(unsafe.Pointer(v))), nil
	case String:
		return append(dst, *(*string)(unsafe.Pointer(v))...), nil
	}
	c := new(T)
	*c = *v
	return t.Plan.Append(dst, unsafe.Pointer(c), s)
}

// Decode decodes all of src into *v. Nothing of the result shares memory with
// src. After an error *v is as it was.
func (t *Typed[T]) Decode(src []byte, v *T, s Session) error {
	switch t.kind {
	case Raw:
		if uintptr(len(src)) != unsafe.Sizeof(*v) {
			return t.wrongSize(len(src))
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(v)), len(src)), src)
		return nil
	case Bytes:
		b, err := t.bytes(src)
		if err == nil {
			*(*[]byte)(unsafe.Pointer(v)) = b
		}
		return err
	case String:
		*(*string)(unsafe.Pointer(v)) = string(src)
		return nil
	}
	c := new(T)
	if err := t.decodeItem(src, reflect.ValueOf(c), s); err != nil {
		return err
	}
	*v = *c
	return nil
}
