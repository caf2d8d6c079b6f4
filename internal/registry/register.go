package registry

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"multiproc/internal/objects"
	"multiproc/internal/store"
)

// Option changes how Register offers a type.
type Option func(*registration)

// Expose offers only the methods that are named here: see manager.Expose.
func Expose(names map[string]string) Option {
	return func(r *registration) { r.expose = names }
}

// Register offers a type of the program to the clients of every server of this
// process: see manager.Register. where is the place of the call.
func Register(where, typeid string, ctor any, opts ...Option) {
	r := &registration{typeid: typeid, where: where}
	for _, opt := range opts {
		opt(r)
	}
	if err := r.examine(ctor); err != nil {
		panic(fmt.Sprintf("manager: type %q, registered at %s: %v", typeid, r.where, err))
	}
	registry.Lock()
	defer registry.Unlock()
	if old := registry.types[typeid]; old != nil {
		panic(fmt.Sprintf("manager: the type %q is registered twice: at %s and at %s", typeid, old.where, r.where))
	}
	registry.types[typeid] = r
}

// RegisterFunc offers a function of the program: see manager.RegisterFunc. where
// is the place of the call.
func RegisterFunc(where, name string, f any, params ...string) {
	c, err := newCallable(name, reflect.ValueOf(f))
	if err == nil {
		err = c.setParams(params)
	}
	if err == nil {
		err = c.refuseHandles()
	}
	if err == nil && !strings.Contains(name, ".") {
		err = fmt.Errorf("want the name of a Python function, with its module: %q", "module.name")
	}
	if err != nil {
		panic(fmt.Sprintf("manager: function %q, registered at %s: %v", name, where, err))
	}
	registry.Lock()
	defer registry.Unlock()
	if old, ok := registry.funcs[name]; ok {
		panic(fmt.Sprintf("manager: the function %q is registered twice: at %s and at %s", name, old.where, where))
	}
	registry.funcs[name] = function{c, where}
}

var registry = struct {
	sync.Mutex
	types map[string]*registration
	funcs map[string]function
}{types: map[string]*registration{}, funcs: map[string]function{}}

// function is one that RegisterFunc was given.
type function struct {
	*callable
	where string
}

// registration is a type that Register was given.
type registration struct {
	typeid string
	where  string
	expose map[string]string

	ctor    *callable
	made    reflect.Type // what ctor makes
	methods map[string]*callable
	exposed []string // what Python may call, in order
}

func (r *registration) examine(ctor any) (err error) {
	if r.typeid == "" {
		return errors.New("it has no name")
	}
	if builtin().Type(r.typeid) != nil {
		return fmt.Errorf("the type %q is the server's own", r.typeid)
	}
	if r.ctor, err = newCallable("constructor", reflect.ValueOf(ctor)); err != nil {
		return err
	}
	if len(r.ctor.out) != 1 {
		return fmt.Errorf("the constructor returns %d values: want the object, and an error if it can fail", len(r.ctor.out))
	}
	r.made = r.ctor.out[0]
	if isSeq(r.made) {
		r.exposed = iteratorMethods
		return nil
	}
	err = r.findMethods()
	if isHandle(r.made) && err != nil {
		// What it makes is an object of the server already, which has methods.
		r.methods, r.exposed, err = nil, nil, nil
	}
	return err
}

// builtin is a store that has the types of every server, and no others.
var builtin = sync.OnceValue(func() *store.Store {
	s := store.New(store.Limits{})
	objects.Register(s)
	return s
})

// findMethods examines the methods that clients may call.
func (r *registration) findMethods() error {
	r.methods = map[string]*callable{}
	names := r.expose
	if names == nil {
		if names = exportedMethods(r.made); len(names) == 0 {
			return fmt.Errorf("%v has no exported methods", r.made)
		}
	}
	for name, method := range names {
		m, ok := r.made.MethodByName(method)
		if !ok {
			return fmt.Errorf("%v has no exported method %s", r.made, method)
		}
		c, err := newMethod(r.made, m)
		if err != nil {
			return err
		}
		r.methods[name], r.methods[method] = c, c
		r.exposed = append(r.exposed, name)
	}
	slices.Sort(r.exposed)
	return nil
}

// keywords are Python's. A class cannot have methods of these names, and AutoProxy
// makes no class at all if one is among them. None is called none, and import Import.
var keywords = strings.Fields(`False None True and as assert async await break class continue def del elif else except
	finally for from global if import in is lambda nonlocal not or pass raise return try while with yield`)

// exportedMethods maps the names of a type's methods, and those in Python's
// style, to the methods.
func exportedMethods(t reflect.Type) map[string]string {
	names := map[string]string{}
	const mark = "MultiprocHandle" // of handles, for the library
	for m := range t.Methods() {
		if m.IsExported() && m.Name != mark && !slices.Contains(keywords, m.Name) {
			names[m.Name] = m.Name
		}
	}
	for m := range t.Methods() {
		if s := snake(m.Name); m.IsExported() && m.Name != mark && names[s] == "" && !slices.Contains(keywords, s) {
			names[s] = m.Name
		}
	}
	return names
}

// snake is a name in Python's style: HTTPGet becomes http_get.
func snake(name string) string {
	upper := func(i int) bool { return i < len(name) && 'A' <= name[i] && name[i] <= 'Z' }
	var b strings.Builder
	for i := range len(name) {
		if upper(i) && i > 0 && name[i-1] != '_' && (!upper(i-1) || i+1 < len(name) && !upper(i+1)) {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(name[i : i+1]))
	}
	return b.String()
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// isSeq reports whether t is an iter.Seq of any type.
func isSeq(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumOut() == 0 && t.NumIn() == 1 && t.CanSeq()
}
