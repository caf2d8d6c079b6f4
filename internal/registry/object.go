package registry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"sync"

	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// Program is what a server offers of the program's types and functions.
type Program struct {
	ctx     context.Context // the server's life
	store   *store.Store
	handles codec.Exporter // by which handles to its objects leave it; nil: they cannot
	log     *slog.Logger

	slow       map[string]bool // types whose constructors run the program's code
	singletons singletons
}

// goObject is an object of a type that the program registered.
type goObject struct {
	p     *Program
	r     *registration
	value reflect.Value
}

// Offer offers the types and functions of the program in a store, until ctx ends.
// handles carries what they return of handles to the store's objects, nil if they
// may return none. Panics in them are logged.
func Offer(ctx context.Context, s *store.Store, handles codec.Exporter, log *slog.Logger) *Program {
	p := &Program{ctx: ctx, store: s, handles: handles, log: log, slow: map[string]bool{}}
	registry.Lock()
	defer registry.Unlock()
	for _, r := range registry.types {
		s.Add(&store.Type{
			ID:      r.typeid,
			Exposed: r.exposed,
			New: func(_ *store.Store, args store.Args) (store.Object, error) {
				return p.construct(r, args)
			},
		})
		p.slow[r.typeid] = true
	}
	for name, f := range registry.funcs {
		s.AddFunc(name, func(ctx context.Context, args store.Args) (it store.Item, err error) {
			err = apart(name, func() error {
				out, err := f.call(ctx, reflect.Value{}, args)
				if err == nil {
					it, err = result(name, out, nil)
				}
				return err
			})
			if err != nil {
				return store.Item{}, p.Told(err)
			}
			return it, nil
		})
	}
	return p
}

// Slow reports whether the constructor of a type runs the program's code.
func (p *Program) Slow(typeid string) bool { return p.slow[typeid] }

// construct calls the constructor of a type.
func (p *Program) construct(r *registration, args store.Args) (store.Object, error) {
	var out []reflect.Value
	err := apart(r.typeid, func() (err error) {
		out, err = r.ctor.call(p.ctx, reflect.Value{}, args)
		return err
	})
	if err != nil {
		return nil, p.Told(err)
	}
	v := out[0]
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Func:
		if v.IsNil() {
			return nil, pyvalue.RuntimeError(fmt.Sprintf("the constructor of %s returned nil", r.typeid))
		}
	}
	if isSeq(r.made) {
		return newGoIterator(p, v), nil
	}
	if isHandle(r.made) {
		o, err := p.shared(r.typeid, v.Interface().(codec.Handle))
		if err == nil || len(r.methods) == 0 {
			return o, err
		}
	}
	o := &goObject{p, r, v}
	return p.singletons.keep(o), nil
}

// Told makes an error of the program's code into what its caller is told, and
// logs a panic.
func (p *Program) Told(err error) error {
	var e *panicked
	if errors.As(err, &e) {
		p.log.Error("a registered type, a function or the encoding of an answer panicked", "name", e.name, "panic", e.value, "stack", string(e.stack))
		return pyvalue.RuntimeError(e.Error())
	}
	return err
}

// Call carries out a method, on a goroutine of its own.
func (o *goObject) Call(c *store.Call) {
	m := o.r.methods[c.Method]
	if m == nil {
		c.Fail(pyvalue.AttributeError(o.r.typeid, c.Method))
		return
	}
	o.p.run(c, func(ctx context.Context) {
		out, err := m.call(ctx, o.value, c.Args)
		if err != nil {
			c.Fail(o.p.Told(err))
			return
		}
		if len(out) == 1 && isSeq(out[0].Type()) {
			c.ReturnNew("Iterator", newGoIterator(o.p, out[0]))
			return
		}
		o.p.answer(c, out)
	})
}

// run runs the program's code for a call. It answers for code that ends its
// goroutine.
func (p *Program) run(c *store.Call, f func(context.Context)) {
	c.Go(func(ctx context.Context) {
		returned := false
		defer func() {
			if !returned {
				c.Fail(pyvalue.RuntimeError(c.Method + " called runtime.Goexit"))
			}
		}()
		f(ctx)
		returned = true
	})
}

// Refs yields nothing: a Go value refers to no shared objects.
func (o *goObject) Refs(func(id uint64) bool) {}

// Repr is in the style of Python's objects. It runs no code of the program.
func (o *goObject) Repr() string { return fmt.Sprintf("<%v object>", o.r.made) }

// Snapshot has nothing to give: the object is not a plain value.
func (o *goObject) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose forgets the object.
func (o *goObject) Dispose() { o.p.singletons.forget(o) }

// singletons are the objects whose constructors may return them again, by
// their pointers.
type singletons struct {
	mu sync.Mutex
	m  map[uintptr]*goObject
}

// keep returns the object that stands for o's pointer.
func (s *singletons) keep(o *goObject) *goObject {
	p, ok := o.pointer()
	if !ok {
		return o
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[uintptr]*goObject{}
	}
	if old := s.m[p]; old != nil && old.r == o.r {
		return old
	}
	s.m[p] = o
	return o
}

func (s *singletons) forget(o *goObject) {
	p, ok := o.pointer()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && s.m[p] == o {
		delete(s.m, p)
	}
}

// pointer identifies the object. Values that take no memory share an address
// and have no identity.
func (o *goObject) pointer() (uintptr, bool) {
	v := o.value
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Pointer || v.Type().Elem().Size() == 0 {
		return 0, false
	}
	return v.Pointer(), true
}

// iteratorMethods are those of Python's generators that the IteratorProxy
// knows.
var iteratorMethods = []string{"__next__", "send", "throw", "close"}

// goIterator is an iter.Seq that clients draw from.
type goIterator struct {
	p    *Program
	mu   sync.Mutex // held while the program's code runs
	next func() (reflect.Value, bool)
	stop func()
}

func newGoIterator(p *Program, seq reflect.Value) *goIterator {
	it := &goIterator{p: p}
	it.next, it.stop = iter.Pull(seq.Seq())
	return it
}

// Call draws the next value, for "__next__".
func (it *goIterator) Call(c *store.Call) {
	switch c.Method {
	case "__next__":
		it.p.run(c, func(context.Context) { it.draw(c) })
	case "close":
		it.p.run(c, func(context.Context) {
			it.end()
			c.Return(store.Of(nil))
		})
	default:
		c.Fail(pyvalue.AttributeError("generator", c.Method))
	}
}

func (it *goIterator) draw(c *store.Call) {
	it.mu.Lock()
	defer it.mu.Unlock()
	draw := &callable{name: "iterator", f: reflect.ValueOf(it.next)}
	out, err := draw.call(context.Background(), reflect.Value{}, store.Args{})
	switch {
	case err != nil:
		c.Fail(it.p.Told(err))
	case !out[1].Bool():
		c.Fail(pyvalue.StopIteration())
	default:
		it.p.answer(c, []reflect.Value{out[0].Interface().(reflect.Value)})
	}
}

// end lets the sequence clean up. Its code runs, and may panic.
func (it *goIterator) end() {
	it.mu.Lock()
	defer it.mu.Unlock()
	end := &callable{name: "iterator", f: reflect.ValueOf(it.stop)}
	if _, err := end.call(context.Background(), reflect.Value{}, store.Args{}); err != nil {
		_ = it.p.Told(err)
	}
}

// Refs yields nothing.
func (it *goIterator) Refs(func(id uint64) bool) {}

// Repr is that of a Python generator.
func (it *goIterator) Repr() string { return "<generator object>" }

// Snapshot has nothing to give.
func (it *goIterator) Snapshot() (store.Item, bool) { return store.Item{}, false }

// Dispose ends the sequence, when the program's code lets it.
func (it *goIterator) Dispose() { go it.end() }
