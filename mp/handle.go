package mp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/complete"
	"multiproc/internal/local"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/mp/driver"
)

// In makes an object live in a place other than this machine's memory: in a
// manager, say, that programs on other machines and in other languages reach as
// well. Type and methods are the same. What is different there:
//
//   - Each call is a round trip. If the connection breaks for good while one is
//     under way, it returns an error that wraps ErrUnknownFate.
//   - Values are kept as data that every language understands: a struct is a
//     map of its fields, an int is an integer of any size. Handles in them must
//     be of objects in the same place; others are refused with ErrForeign.
//   - The place forgets an object without a name when the last handle to it is
//     gone, and one with a name when it ends itself.
//   - A New function waits half a minute at most, and so does Unlock.
func In(place driver.Place) Option {
	return func(o *objectOptions) { o.place, o.in = place, true }
}

// WithName gives an object in a place a name. If the place has one of that
// name, the New function returns a handle to it, and ignores the size and the
// first value that it was given; if that is an object of another kind the
// error wraps ErrType. Types of elements are not compared: a value that is not
// of the handle's type is an ErrType of the call that reads it. A name has 4096
// bytes at most. Objects in memory have no names.
func WithName(name string) Option {
	return func(o *objectOptions) { o.name, o.named = name, true }
}

// openTimeout bounds what has no context: opening an object, making and opening
// the references by which handles travel, and Unlock.
const openTimeout = 30 * time.Second

func openContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), openTimeout)
}

// memory is the place of objects that are made without In.
var memory = &local.Place{Family: func() (shm.ID, error) {
	f, err := theFamily()
	if err != nil {
		return shm.ID{}, err
	}
	return f.table.Family(), nil
}, Members: func() local.Members {
	f, _ := theFamily() // which there is: it was asked for its id, or has received the object
	return f.table
}}

// traveller is what a session needs of a handle, to send it to another process
// or to fill it in there. What lives in memory travels by its descriptor, what
// lives elsewhere by a reference.
type traveller interface {
	Close() error
	inMemory
	inPlace
}

// inMemory is a traveller in this machine's memory.
type inMemory interface {
	// borrow keeps the segment open until release is called.
	borrow() (seg *shm.Segment, release func(), err error)
	// kind is what the handle's segment holds; finger is the fingerprint of
	// its element type.
	kind() shm.Kind
	finger(side byte) ([16]byte, error)
	// attach makes a fresh handle one to seg, which it takes over. side is
	// what the sender's side returned.
	attach(f *family, seg *shm.Segment, side byte) error
	side() byte
}

// inPlace is a traveller that lives elsewhere.
type inPlace interface {
	// remote is the object in its place; nil for a handle to memory, and for
	// one that was never made.
	remote() driver.Object
	// open makes a fresh handle one to obj, which it takes over.
	open(obj driver.Object) error
}

// travels is embedded by the handles of this package.
type travels = codec.Mark[carrier]

// travellerOf is what a session needs of h; false if h is no handle.
func travellerOf(h codec.Handle) (traveller, bool) {
	switch h := h.(type) {
	case interface{ travel() traveller }:
		return h.travel(), true
	case foreignHandle:
		return &foreign{h: h}, true
	}
	return nil, false
}

// memoryOnly is embedded by handles whose objects live in memory only.
type memoryOnly struct{}

func (memoryOnly) onlyMemory() {}

func (memoryOnly) remote() driver.Object { return nil }

func (memoryOnly) open(obj driver.Object) error {
	err := fmt.Errorf("%v: the handle is to memory: %w", obj, mperr.ErrType)
	_ = obj.Close()
	return err
}

func (memoryOnly) side() byte { return 0 }

// handle is a handle to an object behind a driver's interface, in memory or
// elsewhere. O is an interface of package complete: what the place does not offer
// is built, or refused, by what open makes of its object. The zero handle is one that was never made.
type handle[O driver.Object] struct {
	obj    O
	near   bool            // obj is in this machine's memory
	forget runtime.Cleanup // reports a leak; zero unless leaks are looked for
}

// Close gives the object back.
func (h *handle[O]) Close() error {
	o, err := h.access()
	if err != nil {
		return err
	}
	h.forget.Stop()
	return o.Close()
}

// String names the object as messages do.
func (h *handle[O]) String() string {
	o, err := h.access()
	if err != nil {
		return "a handle that no New function made"
	}
	return o.String()
}

// access is the object, or the error of a handle that was never made.
func (h *handle[O]) access() (O, error) {
	if any(h.obj) == nil {
		return h.obj, local.ErrNoObject
	}
	return h.obj, nil
}

// do calls a method of the object that returns an error.
func (h *handle[O]) do(ctx context.Context, method func(O, context.Context) error) error {
	o, err := h.access()
	if err != nil {
		return err
	}
	return method(o, ctx)
}

// ask calls a method of the object that returns a result.
func ask[O driver.Object, R any](ctx context.Context, h *handle[O], method func(O, context.Context) (R, error)) (R, error) {
	o, err := h.access()
	if err != nil {
		return *new(R), err
	}
	return method(o, ctx)
}

func (h *handle[O]) remote() driver.Object {
	if any(h.obj) == nil || h.near {
		return nil // and not an interface that holds the nil of another
	}
	return complete.Bare(h.obj)
}

// open takes obj over, unless it is of another kind.
func (h *handle[O]) open(obj driver.Object) error {
	o, ok := complete.As[O](obj)
	if !ok {
		err := fmt.Errorf("%v is no %s: %w", obj, reflect.TypeFor[O]().Name(), mperr.ErrType)
		_ = obj.Close()
		return err
	}
	h.obj = o
	_, h.near = obj.(local.Object)
	if local.ReportLeaks && !h.near { // memory reports itself
		h.watch()
	}
	return nil
}

// watch arranges for a report if the handle is collected without Close. To
// give the object back then is the driver's own affair.
func (h *handle[O]) watch() {
	name := h.obj.String()
	h.forget = runtime.AddCleanup(h, func(made []byte) {
		fmt.Fprintf(os.Stderr, "multiproc: %s was forgotten without Close; it was made by:\n%s\n", name, made)
	}, local.MadeBy())
}

func (h *handle[O]) borrow() (*shm.Segment, func(), error) {
	if any(h.obj) == nil {
		return nil, nil, local.ErrNoObject
	}
	o, ok := complete.Bare(h.obj).(local.Object)
	if !ok {
		return nil, nil, local.ErrNoObject
	}
	return o.Borrow()
}

func (h *handle[O]) kind() shm.Kind { return local.KindOf(complete.Kind[O]()) }

func (h *handle[O]) finger(byte) ([16]byte, error) { return [16]byte{}, nil }

func (h *handle[O]) attach(_ *family, seg *shm.Segment, _ byte) error {
	obj, err := memory.Attach(seg)
	if err != nil {
		return err
	}
	return h.open(obj)
}

// lender implements borrower.
func (h *handle[O]) lender() local.Object {
	if c, ok := any(h.obj).(*local.Cond); ok {
		return c.Lender()
	}
	return nil
}

func (h *handle[O]) attachBeside(seg, lender *shm.Segment) error {
	obj, err := memory.AttachCond(seg, lender)
	if err != nil {
		return err
	}
	return h.open(obj)
}

func (h *handle[O]) side() byte { return 0 }

// planned is a handle whose elements may be of types that no place can keep:
// plan says so before anything is made.
type planned[O driver.Object] struct {
	*handle[O]
	types  func() error
	opened func(obj driver.Object) // is called when the handle has its object; may be nil
}

func (p planned[O]) plan() error { return p.types() }

func (p planned[O]) open(obj driver.Object) error {
	if err := p.types(); err != nil {
		_ = obj.Close()
		return err
	}
	if err := p.handle.open(obj); err != nil {
		return err
	}
	if p.opened != nil {
		p.opened(obj)
	}
	return nil
}

func (p planned[O]) attach(_ *family, seg *shm.Segment, _ byte) error {
	obj, err := memory.Attach(seg)
	if err != nil {
		return err
	}
	return p.open(obj)
}

// newObject opens an object of a kind, where the options say.
func newObject(h inPlace, kind driver.Kind, opts []Option) error {
	return newOf(h, driver.Spec{Kind: kind}, opts)
}

// newOf is newObject for objects of which the spec says more.
func newOf(h inPlace, spec driver.Spec, opts []Option) error {
	o, err := unbounded(opts)
	if err != nil {
		return fmt.Errorf("new %s: %w", spec.Kind, err)
	}
	return openIn(h, o, spec)
}

// openIn opens the object that the options and the spec describe. The types are
// looked at first: after an error nothing was made.
func openIn(h inPlace, o objectOptions, spec driver.Spec) error {
	if t, ok := h.(interface{ plan() error }); ok {
		if err := t.plan(); err != nil {
			return fmt.Errorf("new %s: %w", spec.Kind, err)
		}
	}
	if !o.in {
		o.place = memory
	}
	ctx, cancel := openContext()
	defer cancel()
	spec.Name, spec.Bytes = o.name, o.bytes
	obj, err := o.place.Open(ctx, spec)
	switch {
	case err != nil && o.in:
		return fmt.Errorf("new %s in %v: %w", spec.Kind, o.place, err)
	case err != nil:
		return fmt.Errorf("new %s: %w", spec.Kind, err)
	}
	if _, method, ok := complete.Of(spec.Kind, obj); !ok && method != "" {
		_ = obj.Close()
		return fmt.Errorf("new %s in %v: the place's %T has no method %s, which every %s must have: %w", spec.Kind, o.place, obj, method, spec.Kind, errors.ErrUnsupported)
	}
	if _, ok := complete.Bare(obj).(driver.DictExpirer); spec.TTL > 0 && !ok {
		_ = obj.Close()
		return fmt.Errorf("new %s in %v: WithTTL: the entries of its dicts have no time to live; those of memory and of managers do: %w", spec.Kind, o.place, errors.ErrUnsupported)
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

// foreignHandle is a handle of a driver's own type, such as *manager.Object: it
// is its object itself, and a zero one becomes another object by Adopt.
type foreignHandle interface {
	codec.Handle
	driver.Object
	Adopt(obj driver.Object) error
}

// foreign shows a foreignHandle as the handles of this package show themselves.
type foreign struct {
	handle[driver.Object] // of no object: what is in memory is not asked for
	h                     foreignHandle
}

func (f *foreign) Close() error { return f.h.Close() }

// remote: a zero handle has no methods that can be called.
func (f *foreign) remote() driver.Object {
	if v := reflect.ValueOf(f.h); v.Kind() == reflect.Pointer && (v.IsNil() || v.Elem().IsZero()) {
		return nil
	}
	return f.h
}

func (f *foreign) open(obj driver.Object) error {
	err := f.h.Adopt(obj)
	if err != nil {
		_ = obj.Close()
	}
	return err
}
