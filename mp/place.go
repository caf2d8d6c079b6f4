package mp

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// In makes an object live in a place, and not in this machine's memory: in a
// manager, say, that programs on other machines and in other languages reach
// as well. Type and methods are the same. What is different there:
//
//   - Each call is a round trip. If the connection breaks for good while one is
//     under way, it returns an error that wraps ErrUnknownFate.
//   - Values are kept as data that every language understands: a struct is a
//     map of its fields, an int is an integer of any size. Handles in them must
//     be of objects in the same place; others are refused with ErrForeign.
//   - The place forgets an object without a name when the last handle to it is
//     gone, and one with a name when it ends itself.
//   - Methods without a context take as long as the place says that it is there. A New
//     function waits half a minute at most.
func In(place driver.Place) Option {
	return func(o *objectOptions) { o.place, o.in = place, true }
}

// WithName gives an object in a place a name. If the place has one of that
// name, the New function returns a handle to it, and heeds neither the size nor
// the first value that it was given; if that is an object of another kind the
// error wraps ErrType. Types of elements are not compared: a value that is none
// of the handle's type is an ErrType of the call that reads it. A name has 4096
// bytes at most. Objects in memory have no names.
func WithName(name string) Option {
	return func(o *objectOptions) { o.name, o.named = name, true }
}

// patience bounds what has no context: opening an object, and making and
// opening the references by which handles travel.
const patience = 30 * time.Second

func patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// placeable is the face that a handle which may belong to a place shows to a
// session.
type placeable interface {
	codec.Handle
	// inPlace is the object in its place; nil for a handle to memory, and for
	// one that was never made.
	inPlace() driver.Object
	// open makes a fresh handle one to obj, which it takes over.
	open(obj driver.Object) error
	Close() error
}

// remote is what handles to objects in a place have in common. O is one of
// the driver's interfaces.
type remote[O driver.Object] struct {
	obj    O
	forget runtime.Cleanup // reports a leak; zero unless leaks are looked for
}

// MultiprocHandle marks the type as one that may travel between processes.
func (r *remote[O]) MultiprocHandle() {}

// Close gives back this process's handle. Calls that wait in it return
// ErrClosed, and so do later ones, and a second Close. The object lives on for
// as long as it has a name, a place in another object, or another handle. A lock
// or permit that is held through the handle stays held; Unlock, RUnlock and
// Release give it back all the same.
func (r *remote[O]) Close() error {
	o, err := r.access()
	if err != nil {
		return err
	}
	r.forget.Stop()
	return o.Close()
}

// String names the object as messages do.
func (r *remote[O]) String() string {
	o, err := r.access()
	if err != nil {
		return "a handle that no New function made"
	}
	return o.String()
}

func (r *remote[O]) inPlace() driver.Object {
	if any(r.obj) == nil {
		return nil // and not an interface that holds the nil of another
	}
	return r.obj
}

// access is the object, or the error of a handle that was never made.
func (r *remote[O]) access() (O, error) {
	if any(r.obj) == nil {
		return r.obj, errNoObject
	}
	return r.obj, nil
}

// open takes obj over, unless it is of another kind.
func (r *remote[O]) open(obj driver.Object) error {
	o, ok := obj.(O)
	if !ok {
		err := fmt.Errorf("%v is no %T: %w", obj, new(O), mperr.ErrType)
		_ = obj.Close()
		return err
	}
	r.obj = o
	if reportLeaks {
		r.watch()
	}
	return nil
}

// watch arranges for a report if the handle is collected without Close. To
// give the object back then is the driver's own affair.
func (r *remote[O]) watch() {
	name := r.obj.String()
	r.forget = runtime.AddCleanup(r, func(made []byte) {
		fmt.Fprintf(os.Stderr, "multiproc: %s was forgotten without Close; it was made by:\n%s\n", name, made)
	}, madeBy())
}

// planner is a handle whose types may be such that no place can keep them.
type planner interface{ plan() error }

// newInPlace opens an object of a kind that lives in places only.
func newInPlace(h placeable, kind driver.Kind, opts []Option) error {
	return newOf(h, driver.Spec{Kind: kind}, opts)
}

// newOf is newInPlace for objects of which the spec says more.
func newOf(h placeable, spec driver.Spec, opts []Option) error {
	o, err := unbounded(opts)
	switch {
	case err != nil:
		return fmt.Errorf("new %s: %w", spec.Kind, err)
	case !o.in:
		return fmt.Errorf("new %s: it lives in a place, and none is given: add mp.In(m), where m is what manager.Start or manager.Dial returned", spec.Kind)
	}
	return openIn(h, o, spec)
}

// openIn opens the object that the options and the spec describe. The types are
// looked at first: after an error nothing was made.
func openIn(h placeable, o objectOptions, spec driver.Spec) error {
	if p, ok := h.(planner); ok {
		if err := p.plan(); err != nil {
			return fmt.Errorf("new %s: %w", spec.Kind, err)
		}
	}
	ctx, cancel := patient()
	defer cancel()
	spec.Name, spec.Bytes = o.name, o.bytes
	obj, err := o.place.Open(ctx, spec)
	if err != nil {
		return fmt.Errorf("new %s in %v: %w", spec.Kind, o.place, err)
	}
	return h.open(obj)
}

// made is what a New function returns.
func made[H any](h *H, err error) (*H, error) {
	if err != nil {
		return nil, err
	}
	return h, nil
}
