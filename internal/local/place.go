package local

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Place is this machine's memory, for one family of processes: the place of
// objects that are made without mp.In. It implements driver.Place.
type Place struct {
	// Family is the id of the family, which may have to be founded first.
	Family func() (shm.ID, error)
}

var _ driver.Place = (*Place)(nil)

// Object is an object of a Place. It travels by its descriptor.
type Object interface {
	driver.Object
	// Borrow keeps the segment open until release is called.
	Borrow() (seg *shm.Segment, release func(), err error)
}

// kinds are the kinds of objects that memory offers: what their segments hold,
// and what makes a handle to one. No other place of the program lists them.
var kinds = []struct {
	kind driver.Kind
	seg  shm.Kind
	make func(p *Place, seg *shm.Segment) (driver.Object, error)
}{
	{driver.KindMutex, shm.KindMutex, asObject(newMutex)},
}

// asObject keeps the nil of an error from becoming an object.
func asObject[O driver.Object](make func(*Place, *shm.Segment) (O, error)) func(*Place, *shm.Segment) (driver.Object, error) {
	return func(p *Place, seg *shm.Segment) (driver.Object, error) {
		o, err := make(p, seg)
		if err != nil {
			return nil, err
		}
		return o, nil
	}
}

// KindOf is what the segment of an object holds; 0 if memory does not offer
// objects of that kind.
func KindOf(kind driver.Kind) shm.Kind {
	for _, k := range kinds {
		if k.kind == kind {
			return k.seg
		}
	}
	return 0
}

// Open makes an object. Objects in memory have no names.
func (p *Place) Open(_ context.Context, spec driver.Spec) (driver.Object, error) {
	kind := KindOf(spec.Kind)
	if kind == 0 {
		return nil, fmt.Errorf("memory has no %s so far: make it in a place, with mp.In(m), where m is what manager.Start or manager.Dial returned: %w", spec.Kind, errors.ErrUnsupported)
	}
	family, err := p.Family()
	if err != nil {
		return nil, err
	}
	seg, err := Create(family, kind, [16]byte{}, shm.PageSize(), [4]uint64{})
	if err != nil {
		return nil, err
	}
	return p.Attach(seg)
}

// Attach makes a handle to the object in seg, which it takes over.
func (p *Place) Attach(seg *shm.Segment) (driver.Object, error) {
	for _, k := range kinds {
		if k.seg == seg.Kind {
			return k.make(p, seg)
		}
	}
	err := fmt.Errorf("%s %s: memory has no object of that kind: %w", seg.Kind, seg.ID, mperr.ErrType)
	_ = seg.Close()
	return nil, err
}

// Extract fails: no value refers to an object in memory by bytes alone.
func (p *Place) Extract(context.Context, []byte) (driver.Object, error) {
	return nil, fmt.Errorf("a reference to an object in memory: %w", errors.ErrUnsupported)
}

func (p *Place) String() string { return "memory" }

// object is what the objects of a Place have in common.
type object struct {
	Memory
	place *Place
}

// Reference fails: the object travels by its descriptor, see Object.
func (o *object) Reference(context.Context) (string, []byte, error) {
	return "", nil, fmt.Errorf("%s: it travels by its descriptor: %w", o, errors.ErrUnsupported)
}

// Embed fails: what is kept elsewhere cannot keep memory of this machine.
func (o *object) Embed(into driver.Place) ([]byte, error) {
	return nil, fmt.Errorf("%s is in memory and cannot be kept in %v: make it with mp.In the same place: %w", o, into, mperr.ErrForeign)
}

func (o *object) Place() driver.Place { return o.place }
