package portable

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"multiproc/internal/codec"
)

// Plan knows how values of one Go type travel. It is immutable, and any number
// of goroutines may use it at once. There is no use for the zero value.
type Plan struct {
	root    *node
	key     bool // values are written as keys
	handles bool
	dynamic bool
}

// plans and keyPlans cache what OfType and OfKey found: reflect.Type to *Plan.
var plans, keyPlans sync.Map

// OfType returns the plan for t, or an error that names the part of t that
// cannot travel and says what to do about it.
//
// The first call for a type takes some microseconds, later ones 10 to 20 ns.
func OfType(t reflect.Type) (*Plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*Plan), nil
	}
	if t == nil {
		return nil, errors.New("portable: no type given")
	}
	root, err := compile(t)
	if err != nil {
		return nil, rooted(t, err)
	}
	p := &Plan{root: root}
	p.handles, p.dynamic = mentions(root)
	won, _ := plans.LoadOrStore(t, p)
	return won.(*Plan), nil
}

// OfKey is OfType for types whose values are keys of dicts or members of sets.
// They are written as Python's keys must be: structs and arrays become tuples.
// Equal keys become equal bytes, but for floats that equal integers and what is
// in an any. Types that hold pointers are refused, and those without ==.
func OfKey(t reflect.Type) (*Plan, error) {
	if p, ok := keyPlans.Load(t); ok {
		return p.(*Plan), nil
	}
	p, err := OfType(t)
	if err != nil {
		return nil, err
	}
	if err := checkKey(t); err != nil {
		return nil, rooted(t, err)
	}
	k := *p
	k.key = true
	won, _ := keyPlans.LoadOrStore(t, &k)
	return won.(*Plan), nil
}

// mentions reports whether there are handles, or an any, in the graph below
// root.
func mentions(root *node) (handles, dynamic bool) {
	seen := map[*node]bool{}
	var look func(n *node)
	look = func(n *node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		handles = handles || n.shape == shapeHandle
		dynamic = dynamic || n.shape == shapeAny || n.shape == shapeData
		look(n.key)
		look(n.elem)
		for _, f := range n.fields {
			look(f.node)
		}
	}
	look(root)
	return handles, dynamic
}

// Type returns the type that the plan is for.
func (p *Plan) Type() reflect.Type { return p.root.typ }

// HasHandles reports whether the type mentions handles. Decoding and encoding
// then need a Session.
func (p *Plan) HasHandles() bool { return p.handles }

// HasAny reports whether the type mentions any, or types of package data, in
// which a handle may hide.
func (p *Plan) HasAny() bool { return p.dynamic }

// Append encodes the value at from, which must be of the plan's type, and
// appends the item to dst. After an error dst is as it was.
func (p *Plan) Append(dst []byte, from unsafe.Pointer, s codec.Session) ([]byte, error) {
	if err := p.needs(s); err != nil {
		return dst, err
	}
	e := newEncoder(dst, s, p.key)
	err := e.value(p.root, from)
	out := e.b
	e.free()
	if err != nil {
		return dst, rooted(p.Type(), err)
	}
	return out, nil
}

// Decode decodes src, one item, into the value at into, which must be of the
// plan's type. Nothing of the result shares memory with src. After an error
// the value is as it was; the error wraps mperr.ErrCorrupt if the bytes are
// bad, mperr.ErrType if they are well but do not fit the type.
func (p *Plan) Decode(src []byte, into unsafe.Pointer, s codec.Session) error {
	fresh := reflect.New(p.Type())
	if err := p.decode(src, fresh.UnsafePointer(), s); err != nil {
		return err
	}
	reflect.NewAt(p.Type(), into).Elem().Set(fresh.Elem())
	return nil
}

// decode decodes src into a zero value, and may leave it half filled.
func (p *Plan) decode(src []byte, fresh unsafe.Pointer, s codec.Session) error {
	if err := p.needs(s); err != nil {
		return err
	}
	c := checker{src: src}
	if err := c.all(); err != nil {
		return rooted(p.Type(), err)
	}
	d := decoder{parser: parser{src: src, marks: c.marks, golike: true}, session: s}
	if _, err := d.value(p.root, fresh, 0); err != nil {
		return rooted(p.Type(), err)
	}
	return nil
}

func (p *Plan) needs(s codec.Session) error {
	if p.handles && s == nil {
		return fmt.Errorf("%v: mentions shared objects, which this message cannot carry", p.Type())
	}
	return nil
}
