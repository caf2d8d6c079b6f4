package pymp

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
)

// message is one message under way, and the proxies in it.
type message struct {
	ctx context.Context
	m   *Manager // whose server the peer is; nil for a Conn

	out map[uint64]*Proxy // sent: by the id of the reference that stands for it
	in  []reference       // received, of which some become proxies
	got []*Proxy          // those that did, to be taken back after an error

	attach func(p *Proxy, r reference) error // by a test, without a server
}

// origin is what a reply answers, for errors.
type origin struct {
	typeid, method string
	ident          string
}

// String says what was wanted: by the name of the method, or what a request to
// the server itself is for, whose name in CPython's protocol tells nobody.
func (o origin) String() string {
	if o.typeid != "" {
		return o.typeid + "." + o.method
	}
	if purpose, ok := purposes[o.method]; ok {
		return purpose
	}
	return o.method
}

var purposes = map[string]string{
	"dummy": "ask the manager whether it is there", "accept_connection": "open a channel for calls",
	"number_of_objects": "count the manager's objects", "debug_info": "ask the manager for its debug info",
	"shutdown": "end the manager", "incref": "take a reference to an object", "decref": "give back a reference to an object",
	"get_methods": "ask for an object's methods",
}

// request is the frame of a request, with room for its header in front.
func (s *message) request(ident pyvalue.Value, method string, args pyvalue.Tuple, kwds *pyvalue.Dict) ([]byte, error) {
	return s.encode(pyvalue.Tuple{ident, method, args, kwds})
}

func (s *message) encode(v pyvalue.Value) ([]byte, error) {
	frame := make([]byte, pyconn.HeaderSize, 256)
	return pickle.Encode(frame, v, pickle.EncodeOptions{Ref: s.rebuildProxy})
}

func (s *message) decode(b []byte) (pyvalue.Value, error) {
	v, err := pickle.Decode(b, pickle.Options{Object: s.object})
	if err != nil {
		return nil, fmt.Errorf("a message of %d bytes: %w", len(b), err)
	}
	return v, nil
}

func (s *message) value(v any) (pyvalue.Value, error) { return interchange.ToValue(v, s) }

// arguments turns the arguments of a call into Python's.
func (s *message) arguments(args []any) (pyvalue.Tuple, *pyvalue.Dict, error) {
	kwds := &pyvalue.Dict{}
	if n := len(args); n > 0 {
		if named, ok := args[n-1].(Kwargs); ok {
			args = args[:n-1]
			for _, name := range slices.Sorted(maps.Keys(named)) {
				v, err := s.value(named[name])
				if err != nil {
					return nil, nil, fmt.Errorf("argument %s: %w", name, err)
				}
				kwds.Entries = append(kwds.Entries, pyvalue.Entry{Key: name, Value: v})
			}
		}
	}
	list := make(pyvalue.Tuple, len(args))
	for i, a := range args {
		v, err := s.value(a)
		if err != nil {
			return nil, nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		list[i] = v
	}
	return list, kwds, nil
}

// answer is what a request was answered with: a value, or a new shared object.
type answer struct {
	s     *message
	value pyvalue.Value
	proxy *Proxy
}

// answer takes a reply apart.
func (s *message) answer(reply []byte, o origin) (*answer, error) {
	v, err := s.decode(reply)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o, err)
	}
	pair, ok := v.(pyvalue.Tuple)
	if !ok || len(pair) != 2 {
		return nil, fmt.Errorf("%s: the reply is %s and no pair: %w", o, pyvalue.TypeName(v), mperr.ErrCorrupt)
	}
	switch pair[0] {
	case "#RETURN":
		return &answer{s: s, value: pair[1]}, nil
	case "#PROXY":
		p, err := s.newObject(pair[1])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		return &answer{s: s, proxy: p}, nil
	case "#ERROR":
		return nil, newError(pair[1], o)
	case "#TRACEBACK", "#UNSERIALIZABLE":
		if text, ok := pair[1].(string); ok {
			return nil, newRemoteError(text, pair[0] == "#UNSERIALIZABLE", o)
		}
	}
	return nil, fmt.Errorf("%s: a reply of the kind %.100v: %w", o, pair[0], mperr.ErrCorrupt)
}

// newObject is the proxy that '#PROXY' asks for: (exposed names, token). The
// server has counted the reference already.
func (s *message) newObject(v pyvalue.Value) (*Proxy, error) {
	if pair, ok := v.(pyvalue.Tuple); ok && len(pair) == 2 && s.m != nil {
		exposed, err1 := names(pair[0])
		t, err2 := token(pair[1])
		if err1 == nil && err2 == nil {
			s.m.learn(t.addr)
			return s.m.adopt(t.typeid, t.ident, exposed, pyvalue.Global{}), nil
		}
	}
	return nil, fmt.Errorf("the reply names a new object in a form that is not known: %w", mperr.ErrCorrupt)
}

// into fills at, a pointer, from the answer.
func (a *answer) into(at any, o origin) error {
	if a.proxy != nil {
		switch at := at.(type) {
		case **Proxy:
			*at = a.proxy
			return nil
		case *any:
			*at = a.proxy
			return nil
		}
		_ = a.proxy.Close()
		return fmt.Errorf("%s returns a shared object of type %s: receive it as a *pymp.Proxy: %w", o, a.proxy.o.typeid, mperr.ErrType)
	}
	if err := a.s.into(a.value, at); err != nil {
		return fmt.Errorf("result of %s: %w", o, err)
	}
	return nil
}

// into fills at from a value that came in this message.
func (s *message) into(v pyvalue.Value, at any) error {
	err := interchange.FromValue(v, at, s)
	if err == nil && len(s.in) > 0 {
		err = s.attachAll(at)
	}
	if err != nil {
		for _, p := range s.got {
			_ = p.Close()
		}
	}
	return err
}

// names is a list of method names.
func names(v pyvalue.Value) ([]string, error) {
	var items []pyvalue.Value
	switch v := v.(type) {
	case pyvalue.Tuple:
		items = v
	case *pyvalue.List:
		items = v.Items
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		name, ok := item.(string)
		if !ok {
			return nil, mperr.ErrCorrupt
		}
		if !slices.Contains(list, name) { // a dict's __iter__ is listed twice
			list = append(list, name)
		}
	}
	return list, nil
}
