package codec

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
)

// AdviceOnHidden says what to do about the unexported field f of t, which has
// no form of its own: who wrote t can export the field, or give t the methods.
// Others can send what such a value is made of.
func AdviceOnHidden(t reflect.Type, f reflect.StructField, methods string) string {
	if foreign(t.PkgPath()) {
		return fmt.Sprintf("%v is of another package and has no methods %s; "+
			"send what the receiver can make it of, such as a name or an address", t, methods)
	}
	return fmt.Sprintf("export the field %s, or give %v the methods %s", f.Name, t, methods)
}

// module is the path of the program's own module, "" if it is not known.
var module = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})

// foreign reports whether a package belongs to the standard library or to
// another module than the program.
func foreign(pkg string) bool {
	own := module()
	switch {
	case pkg == "" || pkg == "main" || pkg == "command-line-arguments":
		return false
	case own == "" || own == "command-line-arguments":
		first, _, _ := strings.Cut(pkg, "/")
		return !strings.Contains(first, ".") // the standard library, at least
	}
	pkg = strings.TrimSuffix(pkg, "_test")
	return pkg != own && !strings.HasPrefix(pkg, own+"/")
}

// InMemory says why values of t cannot live in shared memory: what is there is
// the value itself, and an address in it would mean nothing to others.
func InMemory(t reflect.Type) error {
	if err := inMemory(t); err != nil {
		return Rooted(t, err)
	}
	return nil
}

func inMemory(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Array:
		if err := inMemory(t.Elem()); err != nil {
			return At(err, "[]")
		}
		return nil
	case reflect.Struct:
		if t.PkgPath() == "sync" || t.PkgPath() == "sync/atomic" {
			return fmt.Errorf("%v cannot live in shared memory; use a *mp.Mutex or a *mp.Counter beside the value", t)
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if err := inMemory(f.Type); err != nil {
				return At(err, "."+f.Name)
			}
			if !hidden(f) {
				continue
			}
			if foreign(t.PkgPath()) {
				return At(fmt.Errorf("an unexported field of %v, which is of another package; use a number that stands for it, as UnixNano does for a time", t), "."+f.Name)
			}
			return At(fmt.Errorf("an unexported field cannot live in shared memory; export it"), "."+f.Name)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Uintptr, reflect.UnsafePointer:
		return fmt.Errorf("%v is an address, which means nothing to another process; for a mere number use uint64", t)
	}
	if !isRaw(t) {
		return fmt.Errorf("%v holds a pointer; only numbers, bools, and arrays and structs of them can live in shared memory; "+
			"put others through a queue or a pipe, or into a manager", t)
	}
	return nil
}
