package server

import (
	"fmt"
	"net"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// A proxy in a Python program refers to a shared object by a token: its type,
// the server's address and the object's ident. A proxy in a message is a call
//
//	RebuildProxy(class, Token, "pickle", {…})
//
// with the token as an object whose state is the tuple of the three. A value
// that we keep has a data.Ref in its place.

var (
	rebuildProxy = data.Global{Module: managersModule, Name: "RebuildProxy"}
	tokenClass   = data.Global{Module: managersModule, Name: "Token"}
	autoProxy    = data.Global{Module: managersModule, Name: "AutoProxy"}
)

// parseIdent is the object of an ident in a message.
func parseIdent(v data.Value) (uint64, bool) {
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	return store.ParseIdent(s)
}

// newToken makes a token as it is pickled.
func newToken(typeid string, address data.Value, id uint64) *data.Object {
	return &data.Object{
		Func: tokenClass, Args: data.Tuple{}, New: true,
		State: data.Tuple{typeid, address, store.Ident(id)}, HasState: true,
	}
}

// parseToken takes a token apart.
func parseToken(v data.Value) (typeid string, address data.Value, id uint64, ok bool) {
	o, ok := v.(*data.Object)
	if !ok || o.Func != data.Value(tokenClass) {
		return "", nil, 0, false
	}
	state, ok := o.State.(data.Tuple)
	if !ok || len(state) != 3 {
		return "", nil, 0, false
	}
	typeid, isText := state[0].(string)
	id, isIdent := parseIdent(state[2])
	return typeid, state[1], id, isText && isIdent
}

// parseProxy makes a reference of a pickled proxy. ok is false if the object
// is none.
func (p *pyCodec) parseProxy(o *data.Object) (ref data.Ref, address data.Value, ok bool, err error) {
	if o.Func != data.Value(rebuildProxy) {
		return data.Ref{}, nil, false, nil
	}
	args, _ := o.Args.(data.Tuple)
	if len(args) != 4 {
		return data.Ref{}, nil, true, data.TypeError(fmt.Sprintf("a pickled proxy has 4 parts, this one has %d", len(args)))
	}
	class, isClass := args[0].(data.Global)
	typeid, address, id, isToken := parseToken(args[1])
	if !isClass || !isToken {
		return data.Ref{}, nil, true, data.TypeError("a pickled proxy without class or token")
	}
	ref = data.Ref{ID: id, Type: typeid, Proxy: class}
	if named, ok := args[3].(*data.Dict); ok {
		for _, e := range named.Entries {
			if e.Key == data.Value("exposed") {
				ref.Exposed = p.texts(e.Value)
			}
		}
	}
	return ref, address, true, nil
}

// texts are the strings in a tuple or list. A message may hold many proxies with
// the same one, which stays one.
func (p *pyCodec) texts(v data.Value) (out []string) {
	id, ok := data.Identity(v)
	if !ok {
		return nil
	}
	if out, ok := p.exposed[id]; ok {
		return out
	}
	defer func() {
		if p.exposed == nil {
			p.exposed = map[data.ID][]string{}
		}
		p.exposed[id] = out
	}()
	items, _ := v.(data.Tuple)
	if l, ok := v.(*data.List); ok {
		items = l.Items
	}
	for _, it := range items {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// newProxy makes a reference into a pickled proxy. What Python never said of
// it is taken from its type.
func (p *pyCodec) newProxy(ref data.Ref, class string, exposed []string, address data.Value) *data.Object {
	proxy := ref.Proxy
	if proxy == (data.Global{}) {
		proxy = autoProxy
		if class != "" {
			proxy = data.Global{Module: managersModule, Name: class}
		}
	}
	named := &data.Dict{}
	if proxy == autoProxy {
		if ref.Exposed != nil {
			exposed = ref.Exposed
		}
		named.Entries = []data.Entry{{Key: "exposed", Value: p.names(exposed)}}
	}
	return &data.Object{Func: rebuildProxy, Args: data.Tuple{proxy, newToken(ref.Type, address, ref.ID), "pickle", named}}
}

// names is stringTuple for one message: the same list is written once.
func (p *pyCodec) names(list []string) data.Tuple {
	if len(list) == 0 {
		return data.Tuple{}
	}
	if t, ok := p.named[&list[0]]; ok && len(t) == len(list) {
		return t
	}
	if p.named == nil {
		p.named = map[*string]data.Tuple{}
	}
	t := stringTuple(list)
	p.named[&list[0]] = t
	return t
}

// stringTuple is a tuple of strings.
func stringTuple(list []string) data.Tuple {
	t := make(data.Tuple, len(list))
	for i, s := range list {
		t[i] = s
	}
	return t
}

// pythonAddress is an address as it stands in tokens: that of this server as
// the peer of c reached it, as far as that can be seen from here.
func pythonAddress(c net.Conn) data.Value {
	switch a := c.LocalAddr().(type) {
	case *net.TCPAddr:
		return data.Tuple{a.IP.String(), int64(a.Port)}
	case *net.UnixAddr:
		if len(a.Name) > 0 && a.Name[0] == '@' {
			return append([]byte{0}, a.Name[1:]...)
		}
		return a.Name
	}
	return c.LocalAddr().String()
}

// isAddress reports whether v can be a server's address in a token.
func isAddress(v data.Value) bool {
	switch a := v.(type) {
	case string:
		return a != ""
	case []byte:
		return len(a) > 1
	case data.Tuple:
		if len(a) != 2 {
			return false
		}
		_, host := a[0].(string)
		_, port := a[1].(int64)
		return host && port
	}
	return false
}
