package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"multiproc/internal/codec"
	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
	"multiproc/mp"
	"multiproc/mp/driver"
)

// Object is a handle to an object of any type: one that the server registered,
// or one of Python's that has no typed face in package mp, such as "Pool". Its
// methods are called by name, with Call. It is made by New, and by Call where
// the result is an object; it can be an argument of Call, too.
//
// All methods are safe for concurrent use. Close it when it is no longer
// needed. The zero Object is good for nothing.
type Object struct{ *handle }

var _ driver.Object = (*Object)(nil)

// MultiprocHandle marks the type as one that values may contain.
func (o *Object) MultiprocHandle() {}

// Type returns the type id of the object: the one that it was made by.
func (o *Object) Type() string { return o.typ }

// Adopt makes o, a zero Object, a handle to what another one is a handle to,
// and takes that over. It is for package mp, where Objects arrive from other
// processes.
func (o *Object) Adopt(other driver.Object) error {
	h, ok := other.(interface{ base() *handle })
	if !ok || o.handle != nil {
		return fmt.Errorf("%v cannot become a manager.Object: %w", other, mperr.ErrType)
	}
	o.handle = h.base()
	return nil
}

// New makes an object of a type that the server knows: one of manager.Register
// there, or one of Python's SyncManager. It calls the constructor with args,
// which may be all that package mp can put into a shared dict. An error of the
// constructor is an *Error.
func New(ctx context.Context, m *Manager, typeid string, args ...any) (*Object, error) {
	r := m.request(storeCreate)
	r.undo = undoOpen
	r.text(typeid).begin(len(args))
	if err := r.any(ctx, args); err != nil {
		return nil, fmt.Errorf("new %s: %w", typeid, err)
	}
	r.n = 2
	it, on, err := r.opening(ctx)
	if err != nil {
		return nil, fmt.Errorf("new %s: %w", typeid, err)
	}
	id, idOK := frames.Uint(it.Next())
	typ, typOK := frames.Text(it.Next())
	if !idOK || !typOK {
		return nil, fmt.Errorf("new %s: %w", typeid, errStrange)
	}
	return &Object{m.newHandle(on, id, string(typ), "", 0, nil)}, nil
}

// Call calls a method of an object and returns its result as an R: a Go type
// that the result fits, any for whatever it is, mp.None if it does not matter,
// *Object for a result that is an object. Several results of a Go method come
// as a struct of as many fields, or a slice. An error that the method returned,
// or a Python exception, is an *Error.
func Call[R any](ctx context.Context, o *Object, method string, args ...any) (R, error) {
	var result R
	if o == nil || o.handle == nil {
		return result, fmt.Errorf("call %s: an Object that New did not make: %w", method, mperr.ErrNoHandle)
	}
	r := o.request(method)
	if err := r.any(ctx, args); err != nil {
		return result, fmt.Errorf("%s.%s: %w", o, method, err)
	}
	b, err := r.value(ctx)
	if err != nil {
		return result, err
	}
	if _, nothing := any(result).(mp.None); nothing {
		return result, nil
	}
	t, err := portable.For[R]()
	if err != nil {
		return result, fmt.Errorf("%s.%s: %w", o, method, err)
	}
	s := crossing{ctx: ctx, m: o.m}
	if err := t.Decode(portable.Joined(b), &result, &s); err != nil {
		s.drop()
		return *new(R), fmt.Errorf("%s.%s was called, but its result is another: %w", o, method, err)
	}
	return result, nil
}

// Iterate draws from an iterator: an object that a method or a constructor
// returned which makes an iter.Seq, or a Python iterator. An error is the last
// pair. It does not close the object.
func Iterate[T any](ctx context.Context, o *Object) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := Call[T](ctx, o, "__next__")
			var e *Error
			if errors.As(err, &e) && e.Class == "builtins.StopIteration" {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// any adds the user's arguments. The request is over after an error.
func (r *request) any(ctx context.Context, args []any) error {
	t, err := portable.For[any]()
	s := crossing{ctx: ctx, m: r.m}
	for i := range args {
		if err == nil {
			r.n++
			r.args, err = t.Append(r.args, &args[i], &s)
		}
		if err != nil {
			r.free()
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// crossing carries handles in arguments and results: Objects, and those of
// package mp.
type crossing struct {
	ctx context.Context
	m   *Manager
	got []io.Closer
}

// Export implements codec.Session.
func (c *crossing) Export(h codec.Handle) ([]byte, error) {
	o, ok := h.(*Object)
	switch {
	case !ok:
		return codec.Inside(c.ctx, c.m).Export(h)
	case o.handle == nil:
		return nil, fmt.Errorf("an Object that New did not make: %w", mperr.ErrNoHandle)
	}
	return o.Embed(c.m)
}

// Import implements codec.Session.
func (c *crossing) Import(h codec.Handle, ref []byte) error {
	o, ok := h.(*Object)
	if !ok {
		err := codec.Inside(c.ctx, c.m).Import(h, ref)
		if got, ok := h.(io.Closer); ok && err == nil {
			c.got = append(c.got, got)
		}
		return err
	}
	got, err := c.m.extract(c.ctx, ref)
	if err != nil {
		return err
	}
	o.handle = got
	c.got = append(c.got, o)
	return nil
}

// drop closes what came with a result that reaches nobody.
func (c *crossing) drop() {
	for _, h := range c.got {
		_ = h.Close()
	}
}
