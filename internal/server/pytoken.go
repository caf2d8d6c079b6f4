package server

import (
	"fmt"
	"net"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// A proxy in a Python program refers to a shared object by a token: its type,
// the server's address and the object's ident. A proxy in a message is a call
//
//	RebuildProxy(class, Token, "pickle", {…})
//
// with the token as an object whose state is the tuple of the three. A value
// that we keep has a pyvalue.Ref in its place.

var (
	rebuildProxy = pyvalue.Global{Module: managersModule, Name: "RebuildProxy"}
	tokenClass   = pyvalue.Global{Module: managersModule, Name: "Token"}
	autoProxy    = pyvalue.Global{Module: managersModule, Name: "AutoProxy"}
)

// parseIdent is the object of an ident in a message.
func parseIdent(v pyvalue.Value) (uint64, bool) {
	s, ok := v.(string)
	if !ok {
		return 0, false
	}
	return store.ParseIdent(s)
}

// newToken makes a token as it is pickled.
func newToken(typeid string, address pyvalue.Value, id uint64) *pyvalue.Object {
	return &pyvalue.Object{
		Func: tokenClass, Args: pyvalue.Tuple{}, New: true,
		State: pyvalue.Tuple{typeid, address, store.Ident(id)}, HasState: true,
	}
}

// parseToken takes a token apart.
func parseToken(v pyvalue.Value) (typeid string, address pyvalue.Value, id uint64, ok bool) {
	o, ok := v.(*pyvalue.Object)
	if !ok || o.Func != pyvalue.Value(tokenClass) {
		return "", nil, 0, false
	}
	state, ok := o.State.(pyvalue.Tuple)
	if !ok || len(state) != 3 {
		return "", nil, 0, false
	}
	typeid, isText := state[0].(string)
	id, isIdent := parseIdent(state[2])
	return typeid, state[1], id, isText && isIdent
}

// parseProxy makes a reference of a pickled proxy. ok is false if the object
// is none.
func (p *pyCodec) parseProxy(o *pyvalue.Object) (ref pyvalue.Ref, address pyvalue.Value, ok bool, err error) {
	if o.Func != pyvalue.Value(rebuildProxy) {
		return pyvalue.Ref{}, nil, false, nil
	}
	args, _ := o.Args.(pyvalue.Tuple)
	if len(args) != 4 {
		return pyvalue.Ref{}, nil, true, pyvalue.TypeError(fmt.Sprintf("a pickled proxy has 4 parts, this one has %d", len(args)))
	}
	class, isClass := args[0].(pyvalue.Global)
	typeid, address, id, isToken := parseToken(args[1])
	if !isClass || !isToken {
		return pyvalue.Ref{}, nil, true, pyvalue.TypeError("a pickled proxy without class or token")
	}
	ref = pyvalue.Ref{ID: id, Type: typeid, Proxy: class}
	if named, ok := args[3].(*pyvalue.Dict); ok {
		for _, e := range named.Entries {
			if e.Key == pyvalue.Value("exposed") {
				ref.Exposed = p.texts(e.Value)
			}
		}
	}
	return ref, address, true, nil
}

// texts are the strings in a tuple or list. A message may hold many proxies with
// the same one, which stays one.
func (p *pyCodec) texts(v pyvalue.Value) (out []string) {
	id, ok := pyvalue.Identity(v)
	if !ok {
		return nil
	}
	if out, ok := p.exposed[id]; ok {
		return out
	}
	defer func() {
		if p.exposed == nil {
			p.exposed = map[pyvalue.ID][]string{}
		}
		p.exposed[id] = out
	}()
	items, _ := v.(pyvalue.Tuple)
	if l, ok := v.(*pyvalue.List); ok {
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
func (p *pyCodec) newProxy(ref pyvalue.Ref, class string, exposed []string, address pyvalue.Value) *pyvalue.Object {
	proxy := ref.Proxy
	if proxy == (pyvalue.Global{}) {
		proxy = autoProxy
		if class != "" {
			proxy = pyvalue.Global{Module: managersModule, Name: class}
		}
	}
	named := &pyvalue.Dict{}
	if proxy == autoProxy {
		if ref.Exposed != nil {
			exposed = ref.Exposed
		}
		named.Entries = []pyvalue.Entry{{Key: "exposed", Value: p.names(exposed)}}
	}
	return &pyvalue.Object{Func: rebuildProxy, Args: pyvalue.Tuple{proxy, newToken(ref.Type, address, ref.ID), "pickle", named}}
}

// names is stringTuple for one message: the same list is written once.
func (p *pyCodec) names(list []string) pyvalue.Tuple {
	if len(list) == 0 {
		return pyvalue.Tuple{}
	}
	if t, ok := p.named[&list[0]]; ok && len(t) == len(list) {
		return t
	}
	if p.named == nil {
		p.named = map[*string]pyvalue.Tuple{}
	}
	t := stringTuple(list)
	p.named[&list[0]] = t
	return t
}

// stringTuple is a tuple of strings.
func stringTuple(list []string) pyvalue.Tuple {
	t := make(pyvalue.Tuple, len(list))
	for i, s := range list {
		t[i] = s
	}
	return t
}

// pythonAddress is an address as it stands in tokens: that of this server as
// the peer of c reached it, as far as that can be seen from here.
func pythonAddress(c net.Conn) pyvalue.Value {
	switch a := c.LocalAddr().(type) {
	case *net.TCPAddr:
		return pyvalue.Tuple{a.IP.String(), int64(a.Port)}
	case *net.UnixAddr:
		if len(a.Name) > 0 && a.Name[0] == '@' {
			return append([]byte{0}, a.Name[1:]...)
		}
		return a.Name
	}
	return c.LocalAddr().String()
}

// isAddress reports whether v can be a server's address in a token.
func isAddress(v pyvalue.Value) bool {
	switch a := v.(type) {
	case string:
		return a != ""
	case []byte:
		return len(a) > 1
	case pyvalue.Tuple:
		if len(a) != 2 {
			return false
		}
		_, host := a[0].(string)
		_, port := a[1].(int64)
		return host && port
	}
	return false
}
