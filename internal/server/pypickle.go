package server

import (
	"strings"

	"multiproc/internal/pickle"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// pyCodec reads and writes the pickles of one connection.
type pyCodec struct {
	s      *Server
	client *pyClient
	c      *conn

	// What many references in one message expose, each list once: by its tuple or
	// list when it is read, by its first name when it is written.
	exposed map[pyvalue.ID][]string
	named   map[*string]pyvalue.Tuple
}

// decode reads a pickle as data. Proxies become references.
func (p *pyCodec) decode(b []byte) (pyvalue.Value, error) {
	l := p.s.valueLimits()
	v, err := pickle.Decode(b, pickle.Options{MaxDepth: l.Depth, MaxBytes: l.Bytes, Object: p.object, Charge: p.c.loan.Meter()})
	p.exposed = nil
	if err == nil && !p.s.opaque {
		err = refuseOpaque(v)
	}
	return v, err
}

// object looks at what a pickle would have called a function for.
func (p *pyCodec) object(o *pyvalue.Object) (pyvalue.Value, error) {
	ref, address, ok, err := p.parseProxy(o)
	if err != nil {
		return nil, err
	}
	if !ok {
		return o, nil
	}
	_, known := p.s.store.Lookup(ref.ID)
	switch {
	case known:
		p.client.told(address)
		if !p.s.opaque && (ref.Proxy.Module != managersModule || strings.Contains(ref.Proxy.Name, ".")) {
			ref.Proxy = pyvalue.Global{} // the one of its type will do
		}
		return ref, nil
	case pyvalue.Equal(address, p.client.tokens(p.c)), pyvalue.Equal(address, pythonAddress(p.c.socket)):
		return nil, pyvalue.KeyError(store.Ident(ref.ID))
	}
	return o, nil // a proxy of another manager, which is nothing to us
}

// encode appends the pickle of a message.
func (p *pyCodec) encode(dst []byte, kind string, value pyvalue.Value) ([]byte, error) {
	defer func() { p.named = nil }()
	return pickle.Encode(dst, pyvalue.Tuple{kind, value}, pickle.EncodeOptions{Ref: p.ref})
}

// ref makes a reference into a proxy for this client.
func (p *pyCodec) ref(r pyvalue.Ref) (pyvalue.Value, error) {
	typ, ok := p.s.store.Lookup(r.ID)
	if !ok {
		typ = &store.Type{ID: r.Type} // it is gone: the client will be told when it uses it
	}
	if r.Type == "" {
		r.Type = typ.ID
	}
	return p.newProxy(r, typ.Proxy, typ.Exposed, p.client.tokens(p.c)), nil
}

// pyRequest is a request of a Python client.
type pyRequest struct {
	ident  pyvalue.Value
	method string
	args   pyvalue.Tuple
	named  map[string]store.Item
	order  []string // the names of named, as they came
}

// parseRequest takes a request apart.
func parseRequest(v pyvalue.Value) (r pyRequest, err error) {
	t, _ := v.(pyvalue.Tuple)
	if len(t) != 4 {
		return r, pyvalue.ValueError("a request has 4 parts: ident, method, args, kwds")
	}
	r.ident = t[0]
	var isText, isTuple, isDict bool
	r.method, isText = t[1].(string)
	r.args, isTuple = t[2].(pyvalue.Tuple)
	if l, ok := t[2].(*pyvalue.List); ok {
		r.args, isTuple = pyvalue.Tuple(l.Items), true
	}
	d, isDict := t[3].(*pyvalue.Dict)
	if !isText || !isTuple || !isDict {
		return r, pyvalue.TypeError("a request is (ident, method name, args tuple, kwds dict)")
	}
	for _, e := range d.Entries {
		name, ok := e.Key.(string)
		if !ok {
			return r, pyvalue.TypeError("keywords must be strings")
		}
		if r.named == nil {
			r.named = make(map[string]store.Item, len(d.Entries))
		}
		r.named[name] = store.Of(e.Value)
		r.order = append(r.order, name)
	}
	return r, nil
}

// pyArgs are the arguments of a request from number first on.
func (r *pyRequest) pyArgs(first int) store.Args {
	args := store.Args{Named: r.named, Order: r.order}
	for _, v := range r.args[first:] {
		args.Pos = append(args.Pos, store.Of(v))
	}
	return args
}
