package mp

import (
	"context"
	"fmt"
	"iter"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

// Namespace is a shared bag of named values of any types: what Python's
// manager.Namespace() is, where ns.name = v is Set. It lives in shared memory or in a
// place, with the promises of a Dict; in memory it has four locks.
//
// Get and Set are for values whose type the program does not care about. Attr,
// SetAttr and UpdateAttr have the type of what they deal with, and are the only
// way to structs and to handles of objects in the same place:
//
//	err := mp.SetAttr(ctx, ns, "config", config)
//	limits, err := mp.Attr[map[string]int](ctx, ns, "limits")
type Namespace struct {
	travels
	h handle[complete.Dict]
}

// NewNamespace makes an empty namespace, in memory or In a place.
func NewNamespace(opts ...Option) (*Namespace, error) {
	ns := &Namespace{}
	return made(ns, newObject(ns.travel(), driver.KindNamespace, opts))
}

// attr is the dict that a namespace is, with values of one type.
func attr[T any](ns *Namespace) (*Dict[string, T], error) {
	o, err := ns.h.access()
	if err != nil {
		return nil, err
	}
	d := &Dict[string, T]{h: handle[complete.Dict]{obj: o}}
	return d, d.plan()
}

// named adds to an error which name it is about.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%q: %w", name, err)
}

// Attr returns the value of a name, or an error that wraps ErrNoKey. The error
// says so if the value is no T. Handles in it are the caller's to close.
func Attr[T any](ctx context.Context, ns *Namespace, name string) (v T, err error) {
	d, err := attr[T](ns)
	if err == nil {
		v, err = d.Get(ctx, name)
	}
	return v, named(name, err)
}

// SetAttr sets the value of a name.
func SetAttr[T any](ctx context.Context, ns *Namespace, name string, v T) error {
	d, err := attr[T](ns)
	if err == nil {
		err = d.Set(ctx, name, v)
	}
	return named(name, err)
}

// UpdateAttr changes the value of a name by f; see Dict.Update.
func UpdateAttr[T any](ctx context.Context, ns *Namespace, name string, f func(*T) error) error {
	d, err := attr[T](ns)
	if err != nil {
		return named(name, err)
	}
	return d.Update(ctx, name, f)
}

// Get returns the value of a name, or an error that wraps ErrNoKey. Integers
// are int or *big.Int, maps map[string]any where all keys are strings; see Attr
// for more exact types.
func (ns *Namespace) Get(ctx context.Context, name string) (any, error) {
	return Attr[any](ctx, ns, name)
}

// Set sets the value of a name.
func (ns *Namespace) Set(ctx context.Context, name string, v any) error {
	return SetAttr(ctx, ns, name, v)
}

// Add adds delta to the value of a name, which counts as 0 if there is none,
// and returns the sum. Strings and lists are appended to. The error wraps
// ErrType if there is no such sum.
func (ns *Namespace) Add(ctx context.Context, name string, delta any) (sum any, err error) {
	d, err := attr[any](ns)
	if err == nil {
		sum, err = d.Add(ctx, name, delta)
	}
	return sum, named(name, err)
}

// Delete takes a name out, and reports whether it was there.
func (ns *Namespace) Delete(ctx context.Context, name string) (bool, error) {
	d, err := attr[any](ns)
	if err != nil {
		return false, err
	}
	return d.Delete(ctx, name)
}

// Has reports whether there is a value of that name.
func (ns *Namespace) Has(ctx context.Context, name string) (bool, error) {
	d, err := attr[any](ns)
	if err != nil {
		return false, err
	}
	return d.Has(ctx, name)
}

// Len is the number of names.
func (ns *Namespace) Len(ctx context.Context) (int, error) {
	return ask(ctx, &ns.h, complete.Dict.Len)
}

// Copy returns all names and values as they are at one moment.
func (ns *Namespace) Copy(ctx context.Context) (map[string]any, error) {
	d, err := attr[any](ns)
	if err != nil {
		return nil, err
	}
	return d.Copy(ctx)
}

// All iterates over names and values; see Dict.All.
func (ns *Namespace) All(ctx context.Context) iter.Seq2[Entry[string, any], error] {
	d, err := attr[any](ns)
	if err != nil {
		return failing[Entry[string, any]](err)
	}
	return d.All(ctx)
}

// Watch yields every change that is made after it has returned; see
// Dict.Watch.
func (ns *Namespace) Watch(ctx context.Context) iter.Seq2[Change[string, any], error] {
	d, err := attr[any](ns)
	if err != nil {
		return failing[Change[string, any]](err)
	}
	return d.Watch(ctx)
}

// Close gives the handle back.
func (ns *Namespace) Close() error { return ns.h.Close() }

// String names the object.
func (ns *Namespace) String() string { return ns.h.String() }

func (ns *Namespace) travel() traveller { return &ns.h }
