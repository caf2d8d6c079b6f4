package mp

import (
	"reflect"

	"multiproc/internal/codec"
)

// RegisterType lets values of type T travel inside an `any`. Basic types, and
// slices, arrays, maps and pointers of them, need no registration. Call it in
// package initialization, before Init, so that every process knows the same
// types. The name on the wire is the type's own, "main.Point", unless one is
// given. It panics if the name is taken by another type, or if values of T
// cannot travel.
func RegisterType[T any](name ...string) {
	t := reflect.TypeFor[T]()
	n := t.String()
	if len(name) > 0 {
		n = name[0]
	}
	codec.RegisterType(t, n)
}
