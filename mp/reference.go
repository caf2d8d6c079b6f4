package mp

import (
	"fmt"
	"math"

	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// refer makes the reference by which a handle to an object in a place travels.
// The place keeps the object for the one who opens it. The reference lets its
// reader into the place: it goes to processes of this family only, through
// memory and sockets that nobody else has.
func (e *export) refer(obj driver.Object) ([]byte, error) {
	ctx, cancel := openContext()
	defer cancel()
	name, body, err := obj.Reference(ctx)
	if err != nil {
		return nil, err
	}
	if len(name) > math.MaxUint8 {
		return nil, fmt.Errorf("%v: the name of its driver has %d bytes, %d are allowed: %w", obj, len(name), math.MaxUint8, mperr.ErrValue)
	}
	ref := append([]byte{refPlace, byte(len(name))}, name...)
	ref = append(ref, body...)
	e.places = append(e.places, ref)
	return ref, nil
}

// openReference opens what refer made.
func openReference(ref []byte) (driver.Object, error) {
	if len(ref) < 2 || len(ref) < 2+int(ref[1]) {
		return nil, fmt.Errorf("reference of %d bytes to an object in a place: %w", len(ref), mperr.ErrCorrupt)
	}
	name, body := ref[2:2+int(ref[1])], ref[2+int(ref[1]):]
	ctx, cancel := openContext()
	defer cancel()
	return driver.Open(ctx, string(name), body)
}

// visit fills in a handle to an object in a place.
func (a *arrival) visit(h traveller, ref []byte) error {
	obj, err := openReference(ref)
	if err != nil {
		return err
	}
	if err := h.open(obj); err != nil {
		return err
	}
	a.got = append(a.got, h)
	return nil
}
