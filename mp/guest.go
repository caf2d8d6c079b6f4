package mp

import (
	"reflect"

	"multiproc/internal/codec"
	"multiproc/mp/driver"
)

// ownHandle is a handle of a driver's own type, such as *manager.Object: it is
// its object itself, and a zero one becomes another object by Adopt.
type ownHandle interface {
	codec.Handle
	driver.Object
	Adopt(obj driver.Object) error
}

// guest shows an ownHandle as the handles of this package show themselves.
type guest struct{ ownHandle }

// placeOf is the face of h, if it may belong to a place.
func placeOf(h codec.Handle) (placeable, bool) {
	switch h := h.(type) {
	case placeable:
		return h, true
	case ownHandle:
		return guest{h}, true
	}
	return nil, false
}

// inPlace implements placeable. A zero handle has no methods that can be called.
func (g guest) inPlace() driver.Object {
	if v := reflect.ValueOf(g.ownHandle); v.Kind() == reflect.Pointer && (v.IsNil() || v.Elem().IsZero()) {
		return nil
	}
	return g.ownHandle
}

// open implements placeable.
func (g guest) open(obj driver.Object) error {
	err := g.Adopt(obj)
	if err != nil {
		_ = obj.Close()
	}
	return err
}
