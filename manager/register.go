package manager

import (
	"fmt"
	"runtime"

	"multiproc/internal/registry"
)

// RegisterOption changes how Register offers a type.
type RegisterOption = registry.Option

// Expose offers only the methods that are named here, and under these names:
// it maps the names by which clients call them to those in Go, "_h" to "H".
func Expose(names map[string]string) RegisterOption { return registry.Expose(names) }

// Register offers a type of the program to the clients of every server of
// this process: they create objects of it under the name typeid. Call it
// while the program starts, so that the process of Start has it as well.
//
// ctor makes an object: a function that takes what create's caller gives and
// returns a pointer (or another value with exported methods), alone or with an
// error. If it returns the same pointer again, clients share one object. A ctor
// that returns an iter.Seq makes an iterator.
//
// The exported methods of the object can be called from Go, by manager.Call,
// and from Python, after BaseManager.register(typeid), under their own names
// and under those in Python's style (GetItem is get_item as well). Arguments
// and results are what can travel through a queue. A first argument of type
// context.Context ends when the client cancels the call or is gone. A last
// result of type error becomes an exception of the nearest class, see
// NewException; several other results are a tuple, an iter.Seq an iterator.
//
// A result that is a handle to an object of this manager, which the program has
// from a Manager that it dialled, is that object: the caller gets a handle in Go,
// and a proxy in Python as with method_to_typeid. The same goes for ctor: Python's
// register('get_queue', callable=lambda: queue) is Register("get_queue", func()
// *mp.Queue[any] { return queue }). The handle stays the program's; one that it does
// not keep is given back when it is collected, and the callers keep the object. A
// handle to anything else is an error of the call, but for a ctor's whose own methods
// can all be called from afar. Arguments cannot be handles.
//
// Names that are Python's keywords are left out: None is only none in Python.
//
// Every call runs on a goroutine of its own: the methods are called
// concurrently, and synchronize themselves. A panic reaches the caller as a
// RuntimeError and Options.Log with its stack; the server goes on.
//
// Register panics if typeid is taken or if ctor or a method cannot be called
// from afar, and says why.
func Register(typeid string, ctor any, opts ...RegisterOption) {
	registry.Register(callSite(), typeid, ctor, opts...)
}

// RegisterFunc offers a function of the program under the name that a Python
// function has, "module.name": where Python passes a function to the server,
// as to a Pool, it passes its name, and the server calls this one. f has the
// form of a method that Register offers, but returns no handles. params are the
// names of its parameters, without a context, for callers who name their
// arguments; without params they cannot. RegisterFunc panics as Register does.
func RegisterFunc(name string, f any, params ...string) {
	registry.RegisterFunc(callSite(), name, f, params...)
}

// NewException is an error that arrives in Python as an exception of this
// class, "builtins.ValueError" or "queue.Empty", made from args. In Go clients
// errors.Is finds the sentinel that the class stands for, if there is one. It
// panics if args are not plain values.
func NewException(class string, args ...any) error { return registry.NewException(class, args...) }

// callSite is where the program called a function of this package.
func callSite() string {
	if _, file, line, ok := runtime.Caller(2); ok {
		return fmt.Sprintf("%s:%d", file, line)
	}
	return "an unknown place"
}
