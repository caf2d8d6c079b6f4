package registry

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// What the program returns may be a handle to an object that the server has
// already: the program is a client of its own server. The client that called gets
// a reference to that object, and not one to the handle.

var handleType = reflect.TypeFor[codec.Handle]()

// isHandle reports whether t is a type of handles: a pointer that has the mark
// itself, and not by a handle that it embeds.
func isHandle(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Implements(handleType) && !t.Elem().Implements(handleType)
}

// keepHandle is how long a handle that a constructor returned is kept from the
// collector: until the client has its own reference, at the latest.
const keepHandle = 10 * time.Second

// shared finds the object that a constructor's handle is a handle to.
func (p *Program) shared(typeid string, h codec.Handle) (store.Object, error) {
	time.AfterFunc(keepHandle, func() { runtime.KeepAlive(h) })
	id, err := p.export(h)
	if err != nil {
		return nil, pyvalue.TypeError(fmt.Sprintf("the constructor of %s returned what cannot be handed out: %v", typeid, err))
	}
	o, ok := p.store.Object(id)
	if !ok {
		return nil, pyvalue.RuntimeError(fmt.Sprintf("the constructor of %s returned a handle to an object that the server has forgotten", typeid))
	}
	return o, nil
}

// export is the id of the object that a handle is a handle to.
func (p *Program) export(h codec.Handle) (uint64, error) {
	if p.handles == nil {
		return 0, errors.New("this server hands out no handles")
	}
	ref, err := p.handles.Export(h)
	if err != nil {
		return 0, err
	}
	id, _, err := interchange.ParseRef(ref)
	return id, err
}

// answer returns what a method returned. A handle to an object of the store is
// answered by that object, to which the caller then refers, and not by a value that
// mentions it: Python makes a proxy of it with the manager that it has, as it does
// for method_to_typeid, and needs no key for that.
func (p *Program) answer(c *store.Call, out []reflect.Value) {
	defer runtime.KeepAlive(out) // a handle that is collected gives its object back
	it, err := result(c.Method, out, p.handles)
	var e *panicked
	switch {
	case errors.As(err, &e):
		c.Fail(p.Told(err))
	case err != nil:
		c.Fail(pyvalue.TypeError(fmt.Sprintf("%s() returned what cannot travel: %v", c.Method, err)))
	default:
		if ref, ok := it.Value().(pyvalue.Ref); ok && isHandle(reflect.TypeOf(out[0].Interface())) {
			c.ReturnShared(ref.ID)
			return
		}
		c.Return(it)
	}
}

// refuseHandles refuses a function that returns handles: its results go to a
// Pool, which keeps values.
func (c *callable) refuseHandles() error {
	for i, r := range c.out {
		if plan, err := interchange.OfType(r); err == nil && plan.HasHandles() {
			return fmt.Errorf("result %d: a function cannot return a %v; return the object's name, or offer a method that returns it by manager.Register", i+1, r)
		}
	}
	return nil
}
