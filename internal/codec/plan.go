package codec

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"unicode/utf8"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
)

// Kind says how the values of a type become bytes.
type Kind uint8

// The kinds; the package comment describes them. A dialect without memory has
// items only.
const (
	Raw Kind = iota + 1
	Bytes
	String
	Item
)

var kindNames = [...]string{Raw: "Raw", Bytes: "Bytes", String: "String", Item: "Item"}

// String returns the name of the constant.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Plan knows how values of one type travel in one dialect. It is immutable, and
// any number of goroutines may use it at once. There is no use for the zero
// value.
type Plan struct {
	dialect *Dialect
	root    *Node
	kind    Kind
	key     bool // values are written as keys
	traits
	fingerprint func() [16]byte
}

// Of returns the plan for t, or an error that names the part of t that cannot
// travel and says what to do about it.
//
// The first call for a type takes some microseconds, later ones 10 to 20 ns.
// Refusals are not kept, for they end the program or at least the attempt.
func (d *Dialect) Of(t reflect.Type) (*Plan, error) {
	if p, ok := d.plans.Load(t); ok {
		return p.(*Plan), nil
	}
	if t == nil {
		return nil, errors.New(d.Name + ": no type given")
	}
	root, err := d.compile(t)
	if err != nil {
		return nil, Rooted(t, err)
	}
	p := &Plan{dialect: d, root: root, kind: Item, traits: traitsOf(root)}
	p.fingerprint = sync.OnceValue(func() [16]byte { return fingerprint(root) })
	if d.Memory {
		switch {
		case root.Shape <= ShapeMemory:
			p.kind = Raw
		case root.Shape == ShapeBytes:
			p.kind = Bytes
		case root.Shape == ShapeString:
			p.kind = String
		}
	}
	won, _ := d.plans.LoadOrStore(t, p)
	return won.(*Plan), nil
}

// OfKey is Of for types whose values are keys: structs and arrays become tuples.
// Types that hold pointers are refused, and those without ==.
func (d *Dialect) OfKey(t reflect.Type) (*Plan, error) {
	if p, ok := d.keyPlans.Load(t); ok {
		return p.(*Plan), nil
	}
	p, err := d.Of(t)
	if err != nil {
		return nil, err
	}
	if err := d.checkKey(t); err != nil {
		return nil, Rooted(t, err)
	}
	k := *p
	k.key = true
	won, _ := d.keyPlans.LoadOrStore(t, &k)
	return won.(*Plan), nil
}

// Of is Of of the native dialect.
func Of(t reflect.Type) (*Plan, error) { return native.Of(t) }

// Type returns the type that the plan is for.
func (p *Plan) Type() reflect.Type { return p.root.Type }

// Root returns the type as an Encoder takes it.
func (p *Plan) Root() *Node { return p.root }

// Kind returns the way in which values travel.
func (p *Plan) Kind() Kind { return p.kind }

// Raw reports whether values travel as their memory, Size bytes of it. Such a
// type may also live in shared memory, for it holds no pointer.
func (p *Plan) Raw() bool { return p.kind == Raw }

// Size returns the size of a value in memory.
func (p *Plan) Size() uintptr { return p.root.Size }

// HasHandles reports whether the type mentions handles. Decoding and encoding
// then need an Importer and an Exporter.
func (p *Plan) HasHandles() bool { return p.handles }

// HasAny reports whether the type mentions any, in which a handle may hide, or
// types of the dialect in which there may be one.
func (p *Plan) HasAny() bool { return p.dynamic }

// Fingerprint returns a hash of everything on which the bytes depend: kinds,
// sizes, field names and offsets, types of handles. Two processes whose
// fingerprints agree read each other's bytes. It is computed when first asked
// for.
func (p *Plan) Fingerprint() [16]byte { return p.fingerprint() }

// Append encodes the value at from, which must be of the plan's type, and
// appends the bytes to dst. After an error dst is as it was.
func (p *Plan) Append(dst []byte, from unsafe.Pointer, s Exporter) ([]byte, error) {
	switch p.kind {
	case Raw:
		return append(dst, unsafe.Slice((*byte)(from), p.Size())...), nil
	case Bytes:
		return appendBytes(dst, *(*[]byte)(from)), nil
	case String:
		return append(dst, *(*string)(from)...), nil
	}
	return p.append(dst, from, s)
}

func (p *Plan) append(dst []byte, from unsafe.Pointer, s Exporter) ([]byte, error) {
	if err := p.needs(s != nil); err != nil {
		return dst, err
	}
	e := p.dialect.Encoder(dst, s)
	e.Key = p.key
	err := e.Value(p.root, from)
	out := e.B
	e.Free()
	if err != nil {
		return dst, Rooted(p.Type(), err)
	}
	return out, nil
}

// appendAny is append for an any.
func (p *Plan) appendAny(dst []byte, x any, s Exporter) ([]byte, error) {
	e := p.dialect.Encoder(dst, s)
	e.Key = p.key
	err := e.Hooks.Any(x)
	out := e.B
	e.Free()
	if err != nil {
		return dst, Rooted(p.Type(), err)
	}
	return out, nil
}

// Decode decodes all of src into the value at into, which must be of the
// plan's type. Nothing of the result shares memory with src. After an error
// the value is as it was; the error wraps mperr.ErrCorrupt if the bytes are bad,
// and the dialect's Wrong if they are well but do not fit the type.
//
// Memory is taken as it comes: a bool that is neither 0 nor 1 stays so.
func (p *Plan) Decode(src []byte, into unsafe.Pointer, s Importer) error {
	switch p.kind {
	case Raw:
		if uintptr(len(src)) != p.Size() {
			return p.wrongSize(len(src))
		}
		copy(unsafe.Slice((*byte)(into), len(src)), src)
		return nil
	case Bytes:
		b, err := p.bytes(src)
		if err == nil {
			*(*[]byte)(into) = b
		}
		return err
	case String:
		*(*string)(into) = string(src)
		return nil
	}
	fresh := reflect.New(p.Type())
	if err := p.decode(src, fresh.UnsafePointer(), s); err != nil {
		return err
	}
	reflect.NewAt(p.Type(), into).Elem().Set(fresh.Elem())
	return nil
}

// decode decodes an item into a zero value, and may leave it half filled.
func (p *Plan) decode(src []byte, fresh unsafe.Pointer, s Importer) error {
	if err := p.needs(s != nil); err != nil {
		return err
	}
	d := p.dialect.decoder(src, s)
	err := d.Hooks.Open()
	if err == nil {
		var end int
		if end, err = d.Value(p.root, fresh, 0); err == nil && end != len(src) {
			err = Corrupt("%d bytes after the end of a value", len(src)-end)
		}
	}
	d.free()
	if err != nil {
		return Rooted(p.Type(), err)
	}
	return nil
}

// present stands before the bytes of a slice that is not nil.
const present = 1

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return dst
	}
	return append(append(dst, present), b...)
}

func (p *Plan) bytes(src []byte) ([]byte, error) {
	switch {
	case len(src) == 0:
		return nil, nil
	case src[0] != present:
		return nil, fmt.Errorf("%v: %w: bytes that begin with %#x", p.Type(), mperr.ErrCorrupt, src[0])
	}
	return append([]byte{}, src[1:]...), nil
}

func (p *Plan) needs(has bool) error {
	if p.handles && !has {
		return fmt.Errorf("%v: mentions shared objects, which this message cannot carry", p.Type())
	}
	return nil
}

func (p *Plan) wrongSize(n int) error {
	return fmt.Errorf("%v: %w: %d bytes instead of %d", p.Type(), mperr.ErrCorrupt, n, p.Size())
}

// decodeQuick decodes an item of a simple type that is as it should be. It asks
// no dialect: all that have items agree about these.
func decodeQuick(src []byte, n *Node, p unsafe.Pointer) bool {
	if n.Shape > ShapeBytes || len(src) == 0 {
		return false
	}
	major, arg, next := cbor.Head(src, 0)
	whole := next == len(src)
	rest := next > 0 && arg == uint64(len(src)-next)
	switch n.Shape {
	case ShapeBool:
		if whole && (src[0] == cbor.True || src[0] == cbor.False) {
			*(*bool)(p) = src[0] == cbor.True
			return true
		}
	case ShapeInt:
		i := int64(arg)
		if major == cbor.MajorNegative {
			i = ^i
		}
		return whole && major <= cbor.MajorNegative && arg>>63 == 0 && storeInt(p, n.Size, i)
	case ShapeUint:
		return whole && major == cbor.MajorUint && storeUint(p, n.Size, arg)
	case ShapeFloat:
		if whole && src[0] == cbor.Float64 && n.Size == 8 {
			*(*float64)(p) = math.Float64frombits(arg)
			return true
		}
	case ShapeText:
		if major == cbor.MajorText && rest && utf8.Valid(src[next:]) {
			*(*string)(p) = string(src[next:])
			return true
		}
	case ShapeBytes:
		if major == cbor.MajorBytes && rest {
			*(*[]byte)(p) = append([]byte{}, src[next:]...)
			return true
		}
	}
	return false
}
