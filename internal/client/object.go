package client

import (
	"context"
	"fmt"
	"io"

	"multiproc/internal/codec"
	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// Object is a handle to an object of any type, see package manager.
type Object struct{ *handle }

var _ driver.Object = (*Object)(nil)

// MultiprocHandle marks the type as one that values may contain.
func (o *Object) MultiprocHandle() codec.Carrier { return nil }

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

// New makes an object of a type that the server knows.
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

// Call calls a method of an object and returns its result as an R.
func Call[R any](ctx context.Context, o *Object, method string, args ...any) (R, error) {
	var result R
	r, err := o.callTo(ctx, method, args)
	if err != nil {
		return result, err
	}
	b, err := r.value(ctx)
	if err != nil {
		return result, err
	}
	t, err := interchange.For[R]()
	if err != nil {
		return result, fmt.Errorf("%s.%s: %w", o, method, err)
	}
	s := crossing{ctx: ctx, m: o.m}
	if err := t.Decode(interchange.Joined(b), &result, &s); err != nil {
		s.drop()
		return *new(R), fmt.Errorf("%s.%s was called, but its result is another: %w", o, method, err)
	}
	return result, nil
}

// Do calls a method of an object whose result does not matter.
func Do(ctx context.Context, o *Object, method string, args ...any) error {
	r, err := o.callTo(ctx, method, args)
	if err != nil {
		return err
	}
	return r.void(ctx)
}

func (o *Object) callTo(ctx context.Context, method string, args []any) (*request, error) {
	if o == nil || o.handle == nil {
		return nil, fmt.Errorf("call %s: an Object that New did not make: %w", method, mperr.ErrNoHandle)
	}
	r := o.request(method)
	if err := r.any(ctx, args); err != nil {
		return nil, fmt.Errorf("%s.%s: %w", o, method, err)
	}
	return r, nil
}

// any adds the user's arguments. The request is over after an error.
func (r *request) any(ctx context.Context, args []any) error {
	t, err := interchange.For[any]()
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

// Export implements codec.Exporter.
func (c *crossing) Export(h codec.Handle) ([]byte, error) {
	o, ok := h.(*Object)
	switch {
	case !ok:
		s, err := c.inside(h)
		if err != nil {
			return nil, err
		}
		return s.Export(h)
	case o.handle == nil:
		return nil, fmt.Errorf("an Object that New did not make: %w", mperr.ErrNoHandle)
	}
	return o.Embed(c.m)
}

// Import implements codec.Importer.
func (c *crossing) Import(h codec.Handle, ref []byte) error {
	o, ok := h.(*Object)
	if !ok {
		s, err := c.inside(h)
		if err == nil {
			err = s.Import(h, ref)
		}
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

// inside is the session for a handle of another package.
func (c *crossing) inside(h codec.Handle) (codec.Session, error) {
	if of := h.MultiprocHandle(); of != nil {
		return of.Inside(c.ctx, c.m), nil
	}
	return nil, fmt.Errorf("a %T cannot be kept in %v: %w", h, c.m, mperr.ErrForeign)
}

// drop closes what came with a result that reaches nobody.
func (c *crossing) drop() {
	for _, h := range c.got {
		_ = h.Close()
	}
}
