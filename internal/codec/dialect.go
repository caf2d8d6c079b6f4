package codec

import (
	"reflect"
	"sync"
	"unsafe"
)

// Dialect is one of the ways in which values become items of CBOR. What is
// common to all of them, the walk over types and values, is in this package;
// a dialect decides about the forms between which that walk can choose, and
// brings what only it has. It is filled in before its first use.
type Dialect struct {
	Name string // of the package, for messages
	Far  string // where values travel to: "another process"

	// What to use instead of a channel, a function and a lock; and the methods
	// with which structs with unexported fields can travel.
	Chan, Func, Lock, Hidden string

	// Memory says that the reader is this very program, to which memory means
	// the same and a field is known by its place. So types without pointers
	// travel as their memory, structs as arrays, nil and empty values are told
	// apart behind pointers, too, and no map needs an order.
	//
	// Otherwise structs are maps of names, and the pairs of a map are sorted.
	Memory bool

	Depth int   // arrays, maps and tags that may stand inside each other
	Deep  error // what to say of an item that is deeper; of a value: see errDeep
	Wrong error // what an item is that does not fit the type
	NoKey error // what to say of a key that has no == in Go

	// Tag says for messages what a tag stands for, empty if for nothing by itself,
	// and whether that has a length.
	Tag func(n uint64) (name string, counted bool)

	// Own gives n a shape from ShapeOwn on, if n's type has one in this dialect.
	Own func(n *Node) (done bool, err error)

	// Form chooses the methods by which structs of type t travel, if any; open
	// says that all fields are exported.
	Form func(t reflect.Type, open bool) *Form

	// NewEncoder and NewDecoder return fresh ones, with their Hooks.
	NewEncoder func() *Encoder
	NewDecoder func() *Decoder

	plans, keyPlans    sync.Map // reflect.Type to *Plan
	encoders, decoders sync.Pool
}

// Writer is the part of an encoder that its dialect brings.
type Writer interface {
	Any(v any) error                         // writes what an any holds
	Other(n *Node, p unsafe.Pointer) error   // writes a shape of the dialect's own, or a text that is not UTF-8
	Ref(ref []byte) error                    // writes what an Exporter returned
	Keyable(n *Node, p unsafe.Pointer) error // says why a key that is or holds an any cannot be read as one
	Reset()                                  // forgets the message
}

// Reader is the part of a decoder that its dialect brings.
type Reader interface {
	Open() error                                                  // looks at the message before anything is made of it
	Any(i int) (v any, next int, err error)                       // reads what an any holds from the item at i
	Other(n *Node, p unsafe.Pointer, i int) (next int, err error) // reads what is not in the form that the engine writes
	Reset()                                                       // forgets the message
}

// Encoder returns an encoder that appends to dst. Free gives it back; after a
// panic, in a type's own methods, it is left to the collector.
func (d *Dialect) Encoder(dst []byte, to Exporter) *Encoder {
	e, _ := d.encoders.Get().(*Encoder)
	if e == nil {
		e = d.NewEncoder()
		e.dialect = d
	}
	e.B, e.to, e.room = dst, to, d.Depth
	return e
}

// Free gives e back. What it wrote is no longer in it.
func (e *Encoder) Free() {
	e.Hooks.Reset()
	e.B, e.to, e.Key, e.Marks, e.spans = nil, nil, false, 0, e.spans[:0]
	if cap(e.spans) > maxRoom/16 {
		e.spans = nil
	}
	e.dialect.encoders.Put(e)
}

// decoder returns a decoder of src.
func (d *Dialect) decoder(src []byte, from Importer) *Decoder {
	r, _ := d.decoders.Get().(*Decoder)
	if r == nil {
		r = d.NewDecoder()
		r.dialect = d
	}
	r.Src, r.from, r.room = src, from, d.Depth
	return r
}

func (d *Decoder) free() {
	d.Hooks.Reset()
	d.Src, d.from, d.texts = nil, nil, ""
	d.dialect.decoders.Put(d)
}
