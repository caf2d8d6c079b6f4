package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// A Python client sends one request to the server itself on a connection, and
// hangs up after the answer; or it asks for the connection to become a channel
// for method calls, see channel.

// The kinds of answers.
const (
	kindReturn         = "#RETURN"
	kindError          = "#ERROR"
	kindProxy          = "#PROXY"
	kindTraceback      = "#TRACEBACK"
	kindUnserializable = "#UNSERIALIZABLE"
)

// servePython serves a connection whose first frame is a pickle.
func (c *conn) servePython(first []byte) {
	client := c.s.python(c)
	if client == nil {
		return
	}
	defer c.s.release(client)
	p := &pyCodec{s: c.s, client: client, c: c}
	r, err := p.request(first)
	if err != nil {
		p.answerLast(kindTraceback, traceback(err))
		return
	}
	switch r.method {
	case "accept_connection":
		name := ""
		if len(r.args) > 0 {
			name, _ = r.args[0].(string)
		}
		p.answer(kindReturn, nil)
		newChannel(p, name).serve()
	case "shutdown":
		// CPython's server answers twice, and clients read one.
		p.answer(kindReturn, nil)
		p.answerLast(kindReturn, nil)
		c.s.shutdown()
	default:
		var v pyvalue.Value
		if broken := c.s.store.Safely(r.method, func() {
			p.s.weighty(p.s.store.Size() > manyObjects && (r.method == "number_of_objects" || r.method == "debug_info"), func() {
				v, err = p.serverRequest(&r)
			})
		}); broken != nil {
			err = broken
		}
		if err != nil {
			p.answerLast(kindTraceback, traceback(err))
			return
		}
		p.answerLast(kindReturn, v)
	}
}

// refusePython answers a connection whose first frame was read past.
func (c *conn) refusePython(refusal error) {
	p := &pyCodec{s: c.s, c: c}
	p.answerLast(kindError, exceptionOf(refusal))
}

func (p *pyCodec) request(b []byte) (pyRequest, error) {
	v, err := p.decode(b)
	if err != nil {
		return pyRequest{}, err
	}
	return parseRequest(v)
}

// serverRequest carries out a request to the server itself.
func (p *pyCodec) serverRequest(r *pyRequest) (pyvalue.Value, error) {
	switch r.method {
	case "dummy":
		return nil, nil
	case "create":
		return p.create(r)
	case "incref", "decref":
		return nil, p.count(r)
	case "get_methods":
		return p.methods(r)
	case "number_of_objects":
		return int64(p.s.store.NumberOfObjects()), nil
	case "debug_info":
		if err := p.c.loan.Take(debugCost * p.s.store.Size()); err != nil {
			return nil, err
		}
		return p.s.store.DebugInfo(), nil
	}
	return nil, pyvalue.AssertionError(fmt.Sprintf("%s unrecognized", pyvalue.Repr(r.method)))
}

// create makes an object. A typeid that is the name of an object, which a Go
// client has given it, stands for that object: Python programs see it after
// BaseManager.register(name).
func (p *pyCodec) create(r *pyRequest) (pyvalue.Value, error) {
	if len(r.args) == 0 {
		return nil, pyvalue.TypeError("create() needs a typeid")
	}
	typeid, ok := r.args[0].(string)
	if !ok {
		return nil, pyvalue.KeyError(r.args[0])
	}
	args := r.pyArgs(1)
	args.Loan = &p.c.loan
	id, typ, err := p.client.session.Create(typeid, args)
	if err != nil {
		return nil, err
	}
	p.client.gave(id)
	return pyvalue.Tuple{store.Ident(id), exposedBy(typ)}, nil
}

// exposedBy are the names that go with a new proxy. Like CPython's server it
// repeats those of methods that return proxies.
func exposedBy(typ *store.Type) pyvalue.Tuple {
	t := stringTuple(typ.Exposed)
	var returns []string
	for method := range typ.Returns {
		returns = append(returns, method)
	}
	slices.Sort(returns)
	return append(t, stringTuple(returns)...)
}

// count changes a reference count.
func (p *pyCodec) count(r *pyRequest) error {
	if len(r.args) != 1 {
		return pyvalue.TypeError(r.method + "() takes an ident")
	}
	id, ok := parseIdent(r.args[0])
	if !ok {
		return pyvalue.KeyError(r.args[0])
	}
	if r.method == "incref" {
		_, err := p.client.session.Incref(id)
		return err
	}
	return p.client.decref(id)
}

// methods are the names that the object of a token exposes.
func (p *pyCodec) methods(r *pyRequest) (pyvalue.Value, error) {
	if len(r.args) != 1 {
		return nil, pyvalue.TypeError("get_methods() takes a token")
	}
	_, address, id, ok := parseToken(r.args[0])
	if !ok {
		return nil, pyvalue.TypeError("get_methods() takes a token")
	}
	typ, ok := p.s.store.Lookup(id)
	if !ok {
		return nil, pyvalue.KeyError(store.Ident(id))
	}
	p.client.told(address)
	return stringTuple(typ.Exposed), nil
}

// answer sends an answer. What cannot be pickled is told instead of sent.
func (p *pyCodec) answer(kind string, value pyvalue.Value) (sound bool) {
	return p.answerSized(kind, value, sizeOf(value))
}

// answerSized is answer for a value whose size is known.
func (p *pyCodec) answerSized(kind string, value pyvalue.Value, size int) (sound bool) {
	encode := func(kind string, value pyvalue.Value, size int) (bool, error) {
		return p.c.out.sendSized(size, func(dst []byte) ([]byte, error) {
			return p.encode(dst, kind, value)
		})
	}
	sound, err := encode(kind, value, size+smallAnswer)
	switch {
	case errors.Is(err, errFrameTooLong), errors.Is(err, mperr.ErrLimit):
		sound, _ = encode(kindError, exceptionOf(err), 0)
	case err != nil:
		sound, _ = encode(kindUnserializable, traceback(p.s.program.Told(err)), 0)
	}
	return sound
}

// answerLast is answer for the last one before the connection is closed.
func (p *pyCodec) answerLast(kind string, value pyvalue.Value) {
	p.answer(kind, value)
	p.c.out.wait(0)
}

// exceptionOf is what clients raise for an error of a call. Its type is Value,
// as a message wants it.
func exceptionOf(err error) pyvalue.Value { return pyvalue.ToException(err) }

// traceback is what clients print of an error in the server.
func traceback(err error) string {
	e := pyvalue.ToException(err)
	name := e.Class.Name
	if e.Class.Module != "builtins" {
		name = e.Class.String()
	}
	text := ""
	switch {
	case len(e.Args) == 1 && name == "KeyError":
		text = pyvalue.Repr(e.Args[0])
	case len(e.Args) == 1:
		if s, ok := e.Args[0].(string); ok {
			text = s
		} else {
			text = pyvalue.Repr(e.Args[0])
		}
	case len(e.Args) > 1:
		text = pyvalue.Repr(e.Args)
	}
	var b strings.Builder
	b.WriteString("Traceback (most recent call last):\n  in a manager written in Go\n")
	b.WriteString(name)
	if text != "" {
		b.WriteString(": " + text)
	}
	b.WriteByte('\n')
	return b.String()
}
