package pymp

import (
	"fmt"
	"sync/atomic"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// A proxy travels as a call of RebuildProxy, with the class of the proxy, a
// Token and keyword arguments. While a message is a tree of values a pyvalue.Ref
// stands for it, whose id means something in this one message only: the idents
// of Python are any text, and addresses go with them.

const managers = "multiprocessing.managers"

var (
	rebuildProxy = pyvalue.Global{Module: managers, Name: "RebuildProxy"}
	tokenClass   = pyvalue.Global{Module: managers, Name: "Token"}
	autoProxy    = pyvalue.Global{Module: managers, Name: "AutoProxy"}
)

// proxyClasses are the classes that Python gives to the proxies of its own
// types. All others become AutoProxies, which every Python can rebuild.
var proxyClasses = map[string]string{
	"list": "ListProxy", "dict": "DictProxy", "Value": "ValueProxy", "Array": "ArrayProxy",
	"Namespace": "NamespaceProxy", "Event": "EventProxy", "Condition": "ConditionProxy", "Barrier": "BarrierProxy",
	"Lock": "AcquirerProxy", "RLock": "AcquirerProxy", "Semaphore": "AcquirerProxy", "BoundedSemaphore": "AcquirerProxy",
	"Iterator": "IteratorProxy", "Pool": "PoolProxy",
}

// reference is what a message says of a shared object.
type reference struct {
	typeid, ident string
	addr          address
	class         pyvalue.Global
	exposed       []string
}

// lastRef numbers the references of all messages, so that one that was kept
// from another message is not taken for something else.
var lastRef atomic.Uint64

// Export implements codec.Exporter: proxies may be part of arguments.
func (s *message) Export(h codec.Handle) ([]byte, error) {
	p, ok := h.(*Proxy)
	if !ok {
		return nil, fmt.Errorf("%T cannot be sent to Python: a *pymp.Proxy can: %w", h, mperr.ErrType)
	}
	if p.o == nil || p.o.released.Load() {
		return nil, fmt.Errorf("proxy: %w", mperr.ErrClosed)
	}
	id := lastRef.Add(1)
	if s.out == nil {
		s.out = map[uint64]*Proxy{}
	}
	s.out[id] = p
	return interchange.AppendRef(nil, id, p.o.typeid), nil
}

// Import implements codec.Importer.
func (s *message) Import(h codec.Handle, ref []byte) error {
	p, ok := h.(*Proxy)
	if !ok {
		return fmt.Errorf("a proxy arrived where a %T is declared: %w", h, mperr.ErrType)
	}
	id, _, err := interchange.ParseRef(ref)
	if err != nil {
		return err
	}
	return s.fetch(p, id)
}

// fetch makes p a proxy of the object that a reference of this message means.
func (s *message) fetch(p *Proxy, id uint64) error {
	if id == 0 || id > uint64(len(s.in)) {
		return fmt.Errorf("a reference out of another message: %w", mperr.ErrNoHandle)
	}
	r := s.in[id-1]
	attach := s.attach
	if attach == nil {
		attach = s.attachThere
	}
	if err := attach(p, r); err != nil {
		return fmt.Errorf("proxy of a %s: %w", r.typeid, err)
	}
	s.got = append(s.got, p)
	return nil
}

func (s *message) attachThere(p *Proxy, r reference) error {
	m, err := s.managerOf(r.addr)
	if err != nil {
		return err
	}
	return m.attach(s.ctx, p, r)
}

// rebuildProxy writes the proxy that a reference stands for.
func (s *message) rebuildProxy(r pyvalue.Ref) (pyvalue.Value, error) {
	p, ok := s.out[r.ID]
	if !ok {
		return nil, fmt.Errorf("a reference that is no *pymp.Proxy: %w", mperr.ErrNoHandle)
	}
	class, kwds := p.class, &pyvalue.Dict{}
	if class == (pyvalue.Global{}) {
		class = autoProxy
		if name, ok := proxyClasses[p.o.typeid]; ok {
			class = pyvalue.Global{Module: managers, Name: name}
		}
	}
	if class == autoProxy {
		exposed := make(pyvalue.Tuple, len(p.exposed))
		for i, name := range p.exposed {
			exposed[i] = name
		}
		kwds.Entries = []pyvalue.Entry{{Key: "exposed", Value: exposed}}
	}
	t := &pyvalue.Object{
		Func: tokenClass, Args: pyvalue.Tuple{}, New: true,
		State: pyvalue.Tuple{p.o.typeid, p.o.m.self().python(), p.o.ident}, HasState: true,
	}
	return &pyvalue.Object{Func: rebuildProxy, Args: pyvalue.Tuple{class, t, "pickle", kwds}}, nil
}

// object looks at each object of a message that comes in, and puts a reference
// in the place of a proxy.
func (s *message) object(o *pyvalue.Object) (pyvalue.Value, error) {
	args, ok := o.Args.(pyvalue.Tuple)
	if !ok || o.New || o.Func != rebuildProxy || len(args) < 2 {
		return o, nil
	}
	r, err := token(args[1])
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if class, ok := args[0].(pyvalue.Global); ok {
		r.class = class
	}
	if len(args) == 4 {
		if kwds, ok := args[3].(*pyvalue.Dict); ok {
			for _, e := range kwds.Entries {
				if e.Key == "exposed" {
					if r.exposed, err = names(e.Value); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	s.in = append(s.in, r)
	return pyvalue.Ref{ID: uint64(len(s.in)), Type: r.typeid}, nil
}

func token(v pyvalue.Value) (r reference, err error) {
	o, ok := v.(*pyvalue.Object)
	if ok && o.Func == tokenClass && o.HasState {
		if state, ok := o.State.(pyvalue.Tuple); ok && len(state) == 3 {
			typeid, ok1 := state[0].(string)
			ident, ok2 := state[2].(string)
			if r.addr, err = fromPython(state[1]); err != nil {
				return r, fmt.Errorf("%w: %w", err, mperr.ErrCorrupt)
			}
			if ok1 && ok2 {
				r.typeid, r.ident = typeid, ident
				return r, nil
			}
		}
	}
	return r, fmt.Errorf("a token of an unknown form: %w", mperr.ErrCorrupt)
}
