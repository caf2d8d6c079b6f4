package complete

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"multiproc/mp/driver"
)

// Missing is the error of a method that an object does not have and that cannot
// be built. It wraps errors.ErrUnsupported.
type Missing struct {
	Object driver.Object
	Kind   driver.Kind
	Method string
}

func (e *Missing) Error() string {
	return fmt.Sprintf("%v: %v does not offer %s of a %s: %v", e.Object, e.Object.Place(), e.Method, e.Kind, errors.ErrUnsupported)
}

// Unwrap is errors.ErrUnsupported.
func (e *Missing) Unwrap() error { return errors.ErrUnsupported }

// As is obj with all methods of O, which is one of the interfaces of this
// package, or of package driver for the kinds that have nothing optional. ok is
// false if obj does not have the methods that every object of the kind must
// have, or is of another kind whose methods include them: a Cond is no Mutex.
func As[O driver.Object](obj driver.Object) (o O, ok bool) {
	var full driver.Object
	switch any(&o).(type) {
	case *Dict:
		full = fill(obj, newDict)
	case *List:
		full = fill(obj, newList)
	case *Set:
		full = fill(obj, newSet)
	case *Value:
		full = fill(obj, newValue)
	case *Queue:
		full = fill(obj, newQueue)
	case *Mutex:
		if isMutex(obj) {
			full = fill(obj, newMutex)
		}
	case *Cond:
		full = fill(obj, newCond)
	case *RWMutex:
		full = fill(obj, newRWMutex)
	default:
		full = obj
	}
	o, ok = full.(O)
	return o, ok
}

// fill completes an object that has the core; nil if it has not.
func fill[C, F driver.Object](obj driver.Object, wrap func(C) F) driver.Object {
	if _, ok := obj.(F); ok {
		return obj
	}
	if c, ok := obj.(C); ok {
		return wrap(c)
	}
	return nil
}

// isMutex tells a mutex from what has a mutex's methods, too.
func isMutex(obj driver.Object) bool {
	switch obj.(type) {
	case driver.Cond, driver.RWMutex:
		return false
	}
	return true
}

// or is what the object offers itself, or else built.
func or[I any](obj driver.Object, built I) I {
	if own, ok := obj.(I); ok {
		return own
	}
	return built
}

// Bare is the place's own object that o stands for.
func Bare(o driver.Object) driver.Object {
	if w, ok := o.(interface{ bare() driver.Object }); ok {
		return w.bare()
	}
	return o
}

// Of is As for an object of a kind that is known when the program runs. If obj
// is none, method is one that it should have, "" if that cannot be told.
func Of(kind driver.Kind, obj driver.Object) (o driver.Object, method string, ok bool) {
	switch kind {
	case driver.KindDict, driver.KindNamespace:
		return as[Dict, driver.Dict](obj)
	case driver.KindList:
		return as[List, driver.List](obj)
	case driver.KindSet:
		return as[Set, driver.Set](obj)
	case driver.KindValue:
		return as[Value, driver.Value](obj)
	case driver.KindQueue:
		return as[Queue, driver.Queue](obj)
	case driver.KindMutex:
		return as[Mutex, driver.Mutex](obj)
	case driver.KindCond:
		return as[Cond, driver.Cond](obj)
	case driver.KindRWMutex:
		return as[RWMutex, driver.RWMutex](obj)
	case driver.KindRecursiveMutex:
		return as[driver.RecursiveMutex, driver.RecursiveMutex](obj)
	case driver.KindSemaphore, driver.KindBoundedSemaphore:
		return as[driver.Semaphore, driver.Semaphore](obj)
	case driver.KindEvent:
		return as[driver.Event, driver.Event](obj)
	case driver.KindBarrier:
		return as[driver.Barrier, driver.Barrier](obj)
	case driver.KindWaitGroup:
		return as[driver.WaitGroup, driver.WaitGroup](obj)
	case driver.KindOnce:
		return as[driver.Once, driver.Once](obj)
	}
	return obj, "", true
}

func as[F, C driver.Object](obj driver.Object) (driver.Object, string, bool) {
	o, ok := As[F](obj)
	if !ok {
		return nil, missing[C](obj), false
	}
	return o, "", true
}

// missing is a method that obj lacks to be a C. Only the runtime knows its name:
// to look it up by reflection would keep every method of every type in programs.
func missing[C any](obj any) (method string) {
	defer func() {
		if err, ok := recover().(*runtime.TypeAssertionError); ok {
			_, method, _ = strings.Cut(err.Error(), "missing method ")
		}
	}()
	_ = obj.(C)
	return ""
}

// Kind is the kind of which O is the interface; of those that share one, the
// first.
func Kind[O driver.Object]() driver.Kind {
	switch any((*O)(nil)).(type) {
	case *Dict:
		return driver.KindDict
	case *List:
		return driver.KindList
	case *Set:
		return driver.KindSet
	case *Value:
		return driver.KindValue
	case *Queue:
		return driver.KindQueue
	case *Mutex:
		return driver.KindMutex
	case *Cond:
		return driver.KindCond
	case *RWMutex:
		return driver.KindRWMutex
	case *driver.RecursiveMutex:
		return driver.KindRecursiveMutex
	case *driver.Semaphore:
		return driver.KindSemaphore
	case *driver.Event:
		return driver.KindEvent
	case *driver.Barrier:
		return driver.KindBarrier
	case *driver.WaitGroup:
		return driver.KindWaitGroup
	case *driver.Once:
		return driver.KindOnce
	}
	return ""
}
