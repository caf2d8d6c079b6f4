package codec

import (
	"context"
	"errors"
	"reflect"
)

// Handle marks a shared object (a queue, a value, an end of a pipe) that a
// message may mention. Pointer types such as *mp.Queue[int] implement it.
type Handle interface {
	// MultiprocHandle returns what carries handles of this kind within a
	// place, or nil if nothing does but their own package.
	MultiprocHandle() Carrier
}

// Mark is embedded by handles that C carries, and makes them a Handle. Embedded
// under an unexported alias it is not on the page of a handle's documentation.
type Mark[C Carrier] struct{}

// MultiprocHandle implements Handle.
func (*Mark[C]) MultiprocHandle() Carrier { return *new(C) }

// Carrier makes the sessions of values that are kept in a place, a
// multiproc/mp/driver.Place: handles in them stand for objects of the same place.
type Carrier interface {
	Inside(ctx context.Context, place any) Session
}

// Exporter carries the handles of one message out. A nil Exporter stands for a
// message that cannot carry any: to encode a type that mentions handles is then
// an error, and so is a handle met inside an any.
//
// If Append fails, some handles may have been exported already; whoever made
// the Exporter takes them back.
type Exporter interface {
	// Export returns the bytes by which the receiver finds h, which is not
	// nil. The bytes may be part of the message as soon as it returns.
	Export(h Handle) (ref []byte, err error)
}

// Importer carries the handles of one message in; what holds for an Exporter
// holds for it.
type Importer interface {
	// Import fills h, a fresh zero object of the type that was exported, from
	// the bytes that Export returned.
	Import(h Handle, ref []byte) error
}

// isHandle reports whether t is a pointer type that implements Handle itself.
// A struct that embeds a handle has the method, too, but by promotion; then
// the struct already has it, and not only its pointer.
func isHandle(t reflect.Type) bool {
	handle := reflect.TypeFor[Handle]()
	return t.Kind() == reflect.Pointer && t.Implements(handle) && !t.Elem().Implements(handle)
}

// Session carries the handles of values both ways.
type Session interface {
	Exporter
	Importer
}

// ErrNoSession is the error of a handle that is met without a session.
var ErrNoSession = errors.New("this message cannot carry shared objects")
