package mp

import (
	"reflect"

	"multiproc/internal/codec"
)

// RegisterType lets values of type T, and pointers to them, travel inside an
// `any` or another interface. Basic types, and slices, arrays, maps and pointers
// of them, need no registration, and neither do errors, which arrive as their
// text and the errors of RegisterError that they wrap if their type was not
// registered. Call it in package initialization, before Init, so that every
// process knows the same types. The name on the wire is the type's own,
// "main.Point", unless one is given. It panics if the name is taken by another
// type, or if values of T cannot travel.
func RegisterType[T any](name ...string) {
	n := "" // the type's own
	if len(name) > 0 {
		n = name[0]
	}
	codec.RegisterType(reflect.TypeFor[T](), n)
}
