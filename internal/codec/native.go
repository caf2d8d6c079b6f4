package codec

import (
	"fmt"
	"reflect"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
)

// Tags of the native dialect. They need not be registered anywhere, since the
// bytes stay within one program; below 24 a tag takes one byte.
const (
	tagTyped = 7 // [type expression, value]: an any of a type that must be named
	tagError = 8 // [text, names]: an error of a type that has no name
)

// maxDepth is how many arrays, maps and tags may stand inside each other in a
// message. A value deeper than that is taken for one that leads back to itself.
const maxDepth = 10_000

// native is the dialect between the processes of one program.
var native = Dialect{
	Name:   "codec",
	Far:    "another process",
	Chan:   "share a *mp.Queue or a *mp.Conn instead",
	Func:   "make it a task with mp.Func, or send what it needs to know",
	Lock:   "*mp.Mutex or *mp.Counter",
	Hidden: "MarshalBinary and UnmarshalBinary",
	Memory: true,
	Depth:  maxDepth,
	Deep:   Corrupt("a value that is nested deeper than %d levels", maxDepth),
	Wrong:  mperr.ErrCorrupt,
	NoKey:  Corrupt("a key that has no =="),
	Tag:    func(n uint64) (string, bool) { return fmt.Sprintf("tag %d", n), false },
	Own:    ownNative,
	Form:   formNative,
}

func init() { // they use native themselves
	native.NewEncoder = func() *Encoder { e := new(writer); e.Hooks = e; return &e.Encoder }
	native.NewDecoder = func() *Decoder { d := new(reader); d.Hooks = d; return &d.Decoder }
}

// shapeInterface is an interface with methods: what is in it, as in an any.
const shapeInterface = ShapeOwn

func ownNative(n *Node) (bool, error) {
	if n.Type.Kind() != reflect.Interface || n.Type.NumMethod() == 0 || n.Type == contextType {
		return false, nil
	}
	n.Shape, n.Null, n.Loose = shapeInterface, true, true
	return true, nil
}

// formNative: a struct without secrets and with a form that is not binary goes
// field by field: that cannot lose anything, a text can.
func formNative(t reflect.Type, open bool) *Form {
	if open {
		return FirstForm(t, BinaryForm)
	}
	return FirstForm(t, BinaryForm, GobForm, TextForm)
}

// writer is the encoder of the native dialect.
type writer struct{ Encoder }

// Reset implements Writer.
func (e *writer) Reset() {}

// Keyable implements Writer: keys keep their types.
func (e *writer) Keyable(*Node, unsafe.Pointer) error { return nil }

// Ref implements Writer.
func (e *writer) Ref(ref []byte) error {
	e.B = cbor.AppendBytes(cbor.AppendHead(e.B, cbor.MajorTag, TagRef), ref)
	return nil
}

// Other implements Writer.
func (e *writer) Other(n *Node, p unsafe.Pointer) error { // shapeInterface
	return e.Any(reflect.NewAt(n.Type, p).Elem().Interface())
}

// reader is the decoder of the native dialect.
type reader struct{ Decoder }

// Open implements Reader: the message is looked at as it is read.
func (d *reader) Open() error { return nil }

// Reset implements Reader.
func (d *reader) Reset() {}

// Other implements Reader.
func (d *reader) Other(n *Node, p unsafe.Pointer, i int) (next int, err error) {
	if n.Shape != shapeInterface {
		return 0, d.Mismatch(n, i)
	}
	v, next, err := d.Any(i)
	if err != nil {
		return 0, err
	}
	if t := reflect.TypeOf(v); t == nil || !t.AssignableTo(n.Type) {
		return 0, Corrupt("a %v for %v", t, n.Type)
	}
	reflect.NewAt(n.Type, p).Elem().Set(reflect.ValueOf(v))
	return next, nil
}
