package local

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/dict"
	"multiproc/internal/ledger"
	"multiproc/internal/list"
	"multiproc/internal/mperr"
	"multiproc/internal/robust"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// Place is this machine's memory, for one family of processes: the place of
// objects that are made without mp.In. It implements driver.Place.
type Place struct {
	// Family is the id of the family, which may have to be founded first.
	Family func() (shm.ID, error)
	// Members are its processes. It is called when there is a family.
	Members func() Members
}

// Members are the processes of a family; a *table.Table is.
type Members interface {
	ledger.Family
	// Owe says that this process has accounts, which are closed when it has ended.
	Owe()
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
	size int64 // of the object's memory
	make func(p *Place, seg *shm.Segment) (driver.Object, error)
}{
	{driver.KindMutex, shm.KindMutex, mutexSize, asObject(newMutex)},
	{driver.KindRecursiveMutex, shm.KindRecursiveMutex, robust.LockSize, asObject(newRecursive)},
	{driver.KindSemaphore, shm.KindSemaphore, ledger.SemaphoreSize, asObject(newSemaphore)},
	{driver.KindBoundedSemaphore, shm.KindSemaphore, ledger.SemaphoreSize, asObject(newSemaphore)},
	{driver.KindEvent, shm.KindEvent, eventSize, asObject(newEvent)},
	{driver.KindBarrier, shm.KindBarrier, ledger.BarrierSize, asObject(newBarrier)},
	{driver.KindRWMutex, shm.KindRWMutex, ledger.RWMutexSize, asObject(newRWMutex)},
	{driver.KindWaitGroup, shm.KindWaitGroup, ledger.WaitGroupSize, asObject(newWaitGroup)},
	{driver.KindOnce, shm.KindOnce, onceSize, asObject(newOnce)},
	{driver.KindCond, shm.KindCond, ledger.CondSize, asObject(newCond)},
	{driver.KindDict, shm.KindDict, dict.Size() - shm.HeaderSize, asObject(newDict)},
	{driver.KindSet, shm.KindSet, dict.Size() - shm.HeaderSize, asObject(newSet)},
	{driver.KindList, shm.KindList, list.Size() - shm.HeaderSize, asObject(newList)},
	{driver.KindNamespace, shm.KindDict, dict.Size() - shm.HeaderSize, asObject(newDict)},
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
	seg, _ := kindOf(kind)
	return seg
}

func kindOf(kind driver.Kind) (seg shm.Kind, size int64) {
	for _, k := range kinds {
		if k.kind == kind {
			return k.seg, k.size
		}
	}
	return 0, 0
}

// Open makes an object. Objects in memory have no names.
func (p *Place) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	switch {
	case ctx.Err() != nil:
		return nil, mperr.Ended(ctx)
	case spec.Name != "":
		return nil, fmt.Errorf("objects in memory have no names: %w", errors.ErrUnsupported)
	}
	kind, size := kindOf(spec.Kind)
	if kind == 0 {
		return nil, fmt.Errorf("memory has no %s: make it in a place, with mp.In(m), where m is what manager.Start or manager.Dial returned: %w", spec.Kind, errors.ErrUnsupported)
	}
	if spec.Lock != nil {
		return p.newCondOf(spec.Lock)
	}
	family, err := p.Family()
	if err != nil {
		return nil, err
	}
	params := [4]uint64{uint64(spec.Size)}
	switch spec.Kind {
	case driver.KindBoundedSemaphore:
		params[1] = 1
	case driver.KindDict:
		params = dict.Config{Bits: dictBits, Timed: spec.TTL > 0, TTL: spec.TTL}.Params()
	case driver.KindSet:
		params = dict.Config{Bits: dictBits, NoValues: true}.Params()
	case driver.KindNamespace:
		params = dict.Config{Bits: namespaceBits}.Params()
		params[textsParam] = 1
	}
	seg, err := Create(family, kind, [16]byte{}, shm.RoundPage(shm.HeaderSize+size), params)
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

// here tells a Place from others, also where it is a part of one.
func (p *Place) here() *Place { return p }

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
	here, ok := into.(interface{ here() *Place })
	switch {
	case o.Closed():
		return nil, o.ErrClosed()
	case ok && here.here() == o.place:
		return nil, fmt.Errorf("%s: no value in memory refers to it by bytes alone: %w", o, errors.ErrUnsupported)
	}
	return nil, fmt.Errorf("%s is in memory and cannot be kept in %v: make it with mp.In the same place: %w", o, into, mperr.ErrForeign)
}

func (o *object) Place() driver.Place { return o.place }

// until calls f with a context that ends when the handle is closed, too.
func (o *object) until(ctx context.Context, f func(context.Context) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	defer o.OnClose(cancel)()
	if o.Closed() {
		cancel()
	}
	err := f(inner)
	if err != nil && ctx.Err() == nil && o.Closed() {
		return o.ErrClosed()
	}
	return err
}
