package client

import (
	"context"
	"errors"
	"fmt"

	"multiproc/internal/frames"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/mp/driver"
)

// A Manager is a place for the objects of package mp.
var _ driver.Place = (*Manager)(nil)

// Open finds an object or makes one, for package mp: see mp.In and
// mp.WithName. It implements driver.Place.
func (m *Manager) Open(ctx context.Context, spec driver.Spec) (driver.Object, error) {
	r := m.request(storeOpen)
	r.undo = undoOpen
	r.text(string(spec.Kind))
	if spec.Name == "" {
		r.null()
	} else {
		r.text(spec.Name)
	}
	switch spec.Kind {
	case driver.KindQueue:
		if err := m.openQueue(r, spec); err != nil {
			r.free()
			return nil, err
		}
	case driver.KindValue:
		r.begin(2).text(spec.Code).raw(orNull(spec.Init))
	case driver.KindDict:
		openDict(r, spec)
	case driver.KindList, driver.KindSet, driver.KindNamespace:
		r.begin(0)
	case driver.KindCond:
		release, err := m.openCond(ctx, r, spec.Lock)
		if err != nil {
			r.free()
			return nil, err
		}
		defer release()
	default:
		if r.constructor(spec) {
			break
		}
		r.free()
		return nil, fmt.Errorf("%s: an object of kind %q cannot be opened: %w", m, spec.Kind, errors.ErrUnsupported)
	}
	r.n = 3
	it, on, err := r.opening(ctx)
	if err != nil {
		return nil, err
	}
	id, idOK := frames.Uint(it.Next())
	typ, typOK := frames.Text(it.Next())
	it.Next() // whether it was made
	capacity, _ := frames.Int(it.Next())
	if !idOK || !typOK {
		return nil, fmt.Errorf("%s: open: %w", m, errStrange)
	}
	o := m.newHandle(on, id, string(typ), spec.Name, int(capacity), nil).object()
	if !implements(o, spec.Kind) {
		_ = o.Close()
		return nil, fmt.Errorf("%s: %s is not a %s: %w", m, o, spec.Kind, mperr.ErrType)
	}
	return o, nil
}

func orNull(item []byte) []byte {
	if item == nil {
		return frames.AppendNull(nil)
	}
	return item
}

// opening makes a call that brings an object.
func (r *request) opening(ctx context.Context) (frames.Items, *link, error) {
	defer r.free()
	if err := r.do(ctx); err != nil {
		return frames.Items{}, nil, err
	}
	it, ok := frames.Array(r.owned())
	if !ok {
		return it, nil, r.want(false, "an object")
	}
	return it, r.on, nil
}

// undoOpen releases what came too late.
func undoOpen(ctx context.Context, m *Manager, _ uint64, answer []byte) error {
	it, _ := frames.Array(answer)
	id, ok := frames.Uint(it.Next())
	if !ok {
		return errStrange
	}
	return m.request(storeRelease).uint(id).void(ctx)
}

// undoAttach is undoOpen where the answer does not say what came.
func undoAttach(id uint64) undo {
	return func(ctx context.Context, m *Manager, _ uint64, _ []byte) error {
		return m.request(storeRelease).uint(id).void(ctx)
	}
}

// Extract opens an object that a value in this place refers to, for package
// mp. It implements driver.Place.
func (m *Manager) Extract(ctx context.Context, ref []byte) (driver.Object, error) {
	h, err := m.extract(ctx, ref)
	if err != nil {
		return nil, err
	}
	return h.object(), nil
}

func (m *Manager) extract(ctx context.Context, ref []byte) (*handle, error) {
	id, _, err := interchange.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	r := m.request(storeAttach).uint(id)
	r.undo = undoAttach(id)
	it, on, err := r.opening(ctx)
	if err != nil {
		return nil, gone(err)
	}
	typ, ok := frames.Text(it.Next())
	capacity, _ := frames.Int(it.Next())
	if !ok {
		return nil, fmt.Errorf("%s: attach: %w", m, errStrange)
	}
	return m.newHandle(on, id, string(typ), "", int(capacity), nil), nil
}

// gone replaces the error of an id that the server does not know.
func gone(err error) error {
	if errors.Is(err, mperr.ErrNoKey) {
		return fmt.Errorf("%w: the server has forgotten it: nobody had a handle to it", mperr.ErrNoHandle)
	}
	return err
}

// redeem opens an object whose reference has arrived.
func (m *Manager) redeem(ctx context.Context, ref *reference, guest *arrivals) (driver.Object, error) {
	r := m.request(storeRedeem).uint(ref.ticket)
	r.undo = undoOpen
	it, on, err := r.opening(ctx)
	if err != nil {
		return nil, gone(err)
	}
	id, idOK := frames.Uint(it.Next())
	typ, typOK := frames.Text(it.Next())
	capacity, _ := frames.Int(it.Next())
	if !idOK || !typOK {
		return nil, fmt.Errorf("%s: redeem: %w", m, errStrange)
	}
	h := m.newHandle(on, id, string(typ), ref.name, int(capacity), guest)
	if on.store != ref.store || id != ref.id {
		h.guest = nil // the caller's to leave, since this fails
		_ = h.Close()
		return nil, fmt.Errorf("%s: the server at %s was started anew since the handle was sent: %w", ref.label(), ref.address, mperr.ErrNoHandle)
	}
	return h.object(), nil
}

// object is the handle with the methods of its type.
func (h *handle) object() driver.Object {
	switch h.typ {
	case string(driver.KindQueue), "JoinableQueue":
		return &queueHandle{h}
	case string(driver.KindDict), string(driver.KindNamespace):
		return &dictHandle{cells[[]byte]{container{h}}}
	case string(driver.KindList):
		return &listHandle{cells[int]{container{h}}}
	case string(driver.KindSet):
		return &setHandle{container{h}}
	case string(driver.KindValue):
		return &valueHandle{h}
	}
	if o := h.sync(); o != nil {
		return o
	}
	return &Object{h}
}

// implements reports whether o has the methods that belong to a kind, and is
// of the kind where two have the same.
func implements(o driver.Object, k driver.Kind) (ok bool) {
	switch k {
	case driver.KindQueue:
		_, ok = o.(driver.Queue)
	case driver.KindDict, driver.KindNamespace:
		var d *dictHandle
		d, ok = o.(*dictHandle)
		ok = ok && d.typ == string(k)
	case driver.KindList:
		_, ok = o.(driver.List)
	case driver.KindSet:
		_, ok = o.(driver.Set)
	case driver.KindValue:
		_, ok = o.(driver.Value)
	default:
		h, ours := o.(interface{ base() *handle })
		ok = ours && h.base().typ == string(k)
	}
	return ok
}
