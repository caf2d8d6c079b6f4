package codec

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"multiproc/internal/mperr"
)

// Kind says how the values of a type become bytes.
type Kind uint8

// The kinds; the package comment describes them.
const (
	Raw Kind = iota + 1
	Bytes
	String
	CBOR
	Tree
)

var kindNames = [...]string{Raw: "Raw", Bytes: "Bytes", String: "String", CBOR: "CBOR", Tree: "Tree"}

// String returns the name of the constant.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Plan knows how values of one type travel. It is immutable, and any number of
// goroutines may use it at once.
type Plan struct {
	root        *node
	kind        Kind
	traits      traits
	fingerprint func() [16]byte
}

// plans caches what Of found: reflect.Type to *Plan. Refusals are not kept,
// for they end the program or at least the attempt.
var plans sync.Map

// Of returns the plan for t, or an error that names the part of t that cannot
// travel and says what to do about it.
//
// The first call for a type takes some microseconds, later ones 10 to 20 ns.
func Of(t reflect.Type) (*Plan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*Plan), nil
	}
	if t == nil {
		return nil, errors.New("codec: no type given")
	}
	root, err := compile(t)
	if err != nil {
		return nil, rooted(t, err)
	}
	p := &Plan{root: root, traits: traitsOf(root)}
	p.fingerprint = sync.OnceValue(func() [16]byte { return fingerprint(root) })
	switch {
	case root.raw():
		p.kind = Raw
	case root.shape == shapeBytes:
		p.kind = Bytes
	case root.shape == shapeString:
		p.kind = String
	case p.traits.plain:
		p.kind = CBOR
	default:
		p.kind = Tree
	}
	won, _ := plans.LoadOrStore(t, p)
	return won.(*Plan), nil
}

// Type returns the type that the plan is for.
func (p *Plan) Type() reflect.Type { return p.root.typ }

// Kind returns the way in which values travel.
func (p *Plan) Kind() Kind { return p.kind }

// Raw reports whether values travel as their memory, Size bytes of it. Such a
// type may also live in shared memory, for it holds no pointer.
func (p *Plan) Raw() bool { return p.kind == Raw }

// Size returns the size of a value in memory.
func (p *Plan) Size() uintptr { return p.root.typ.Size() }

// HasHandles reports whether the type mentions handles. Decoding and encoding
// then need a Session.
func (p *Plan) HasHandles() bool { return p.traits.handles }

// HasAny reports whether the type mentions any, in which a handle may hide.
func (p *Plan) HasAny() bool { return p.traits.dynamic }

// Fingerprint returns a hash of everything on which the bytes depend: kinds,
// sizes, field names and offsets, types of handles. Two processes whose
// fingerprints agree read each other's bytes. It is computed when first asked
// for.
func (p *Plan) Fingerprint() [16]byte { return p.fingerprint() }

// Append encodes the value at from, which must be of the plan's type, and
// appends the bytes to dst. After an error dst is as it was.
func (p *Plan) Append(dst []byte, from unsafe.Pointer, s Session) ([]byte, error) {
	switch p.kind {
	case Raw:
		return append(dst, unsafe.Slice((*byte)(from), p.Size())...), nil
	case Bytes:
		return appendBytes(dst, *(*[]byte)(from)), nil
	case String:
		return append(dst, *(*string)(from)...), nil
	}
	v := reflect.NewAt(p.Type(), from)
	var item any
	if p.kind == CBOR {
		item = v.Interface()
	} else {
		if err := p.needs(s); err != nil {
			return dst, err
		}
		e := encoder{session: s}
		tree, err := e.value(p.root, v.Elem())
		if err != nil {
			return dst, rooted(p.Type(), err)
		}
		item = tree
	}
	out, err := appendItem(dst, item)
	if err != nil {
		return dst, fmt.Errorf("%v: %w", p.Type(), err)
	}
	return out, nil
}

// Decode decodes all of src into the value at into, which must be of the
// plan's type. Nothing of the result shares memory with src. After an error
// the value is as it was.
//
// Memory is taken as it comes: a bool that is neither 0 nor 1 stays so.
func (p *Plan) Decode(src []byte, into unsafe.Pointer, s Session) error {
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
	if err := p.decodeItem(src, fresh, s); err != nil {
		return err
	}
	reflect.NewAt(p.Type(), into).Elem().Set(fresh.Elem())
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

// decodeItem decodes the kinds CBOR and Tree into a zero value, and may leave
// it half filled. The caller must not let anybody see that: with a value in
// use, fxamacker/cbor would even write into its slices and maps.
func (p *Plan) decodeItem(src []byte, fresh reflect.Value, s Session) error {
	if p.kind == CBOR {
		if err := modes().plain.Unmarshal(src, fresh.Interface()); err != nil {
			return fmt.Errorf("%v: %w: %w", p.Type(), mperr.ErrCorrupt, err)
		}
		return nil
	}
	if err := p.needs(s); err != nil {
		return err
	}
	var tree any
	if err := modes().tree.Unmarshal(src, &tree); err != nil {
		return fmt.Errorf("%v: %w: %w", p.Type(), mperr.ErrCorrupt, err)
	}
	d := decoder{session: s}
	if err := d.value(p.root, fresh.Elem(), tree); err != nil {
		return rooted(p.Type(), err)
	}
	return nil
}

func (p *Plan) needs(s Session) error {
	if p.traits.handles && s == nil {
		return fmt.Errorf("%v: mentions shared objects, which this message cannot carry", p.Type())
	}
	return nil
}

func (p *Plan) wrongSize(n int) error {
	return fmt.Errorf("%v: %w: %d bytes instead of %d", p.Type(), mperr.ErrCorrupt, n, p.Size())
}
