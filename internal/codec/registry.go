package codec

import (
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"
)

// names ties types to the names that stand for them in type expressions. The
// basic types have their names from the start, and so have some of the
// standard library that are often put into an any.
type names struct {
	mu     sync.RWMutex
	byName map[string]reflect.Type
	byType map[reflect.Type]string
}

var registry = sync.OnceValue(func() *names {
	r := &names{byName: map[string]reflect.Type{}, byType: map[reflect.Type]string{}}
	for _, v := range []any{
		false, 0, int8(0), int16(0), int32(0), int64(0),
		uint(0), uint8(0), uint16(0), uint32(0), uint64(0),
		float32(0), float64(0), complex64(0), complex128(0), "",
		time.Time{},
		time.Duration(0), time.Month(0),
		big.Int{},
	} {
		r.add(reflect.TypeOf(v), reflect.TypeOf(v).String())
	}
	r.add(reflect.TypeFor[any](), "any")
	r.add(reflect.TypeFor[error](), "error")
	r.add(reflect.TypeFor[struct{}](), "struct{}")
	return r
})

// RegisterType gives t a name under which it may travel inside an any; the
// empty name stands for the name that t has in Go, with its package. For a
// pointer type, it is the type that it points to that is named: handles are
// registered by their pointers.
//
// It is called before anything travels, alike in all processes, as package
// variables are initialized. It panics if t cannot travel, if t has no name in
// Go, and if the name or the type is taken; to say the same thing twice does
// no harm.
func RegisterType(t reflect.Type, name string) {
	if t == nil {
		panic("mp.RegisterType: no type given")
	}
	if _, err := Of(t); err != nil {
		panic("mp.RegisterType: " + err.Error())
	}
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	if t.Name() == "" {
		panic(fmt.Sprintf("mp.RegisterType: %v has no name in Go, and needs none here", t))
	}
	if name == "" {
		name = t.String()
	}
	if len(name) > maxExpression/2 || nameLength(name) != len(name) {
		panic(fmt.Sprintf("mp.RegisterType: %q cannot name %v; give a name of letters, digits, dots and slashes", name, t))
	}
	if err := registry().add(t, name); err != nil {
		panic("mp.RegisterType: " + err.Error())
	}
}

func (r *names) add(t reflect.Type, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldType, nameTaken := r.byName[name]
	oldName, typeTaken := r.byType[t]
	switch {
	case nameTaken && oldType == t:
		return nil
	case nameTaken:
		return fmt.Errorf("%q cannot name %s, it already names %s", name, full(t), full(oldType))
	case typeTaken:
		return fmt.Errorf("%s cannot be named %q, it is already named %q", full(t), name, oldName)
	}
	r.byName[name] = t
	r.byType[t] = name
	return nil
}

// full returns the name of t with the whole path of its package: two packages
// may have the same last element, and then it is the path that explains.
func full(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

func (r *names) typeOf(name string) (reflect.Type, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	t, ok := r.byName[name]
	return t, ok
}

func (r *names) nameOf(t reflect.Type) (string, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	name, ok := r.byType[t]
	return name, ok
}
