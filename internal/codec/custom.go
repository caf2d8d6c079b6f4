package codec

import (
	"encoding"
	"reflect"
)

// Form is a pair of methods by which a type becomes bytes and is made of them.
type Form struct {
	name      string
	methods   func() [2]reflect.Type
	marshal   func(v any) ([]byte, error)
	unmarshal func(v any, b []byte) error
}

// The methods of encoding/gob, without linking it. They are wanted for
// math/big, which has no MarshalBinary, and whose MarshalText drops the
// precision of a Float.
type (
	gobEncoder interface{ GobEncode() ([]byte, error) }
	gobDecoder interface{ GobDecode([]byte) error }
)

// The forms that a type can define.
var (
	BinaryForm = &Form{
		"binary",
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()}
		},
		func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() },
		func(v any, b []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(b) },
	}
	GobForm = &Form{
		"gob",
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[gobEncoder](), reflect.TypeFor[gobDecoder]()}
		},
		func(v any) ([]byte, error) { return v.(gobEncoder).GobEncode() },
		func(v any, b []byte) error { return v.(gobDecoder).GobDecode(b) },
	}
	TextForm = &Form{
		"text",
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}
		},
		func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() },
		func(v any, b []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(b) },
	}
)

// FormOf returns the form in which structs of type t travel, or nil if they
// travel field by field.
//
// Types other than structs are never asked for a form. Their content is in
// plain view, and what net.IP makes of itself for a text is of no use here.
func (d *Dialect) FormOf(t reflect.Type) *Form {
	open := true
	for i := range t.NumField() {
		open = open && !hidden(t.Field(i))
	}
	return d.Form(t, open)
}

// FirstForm returns the first of some forms that t has, or nil.
func FirstForm(t reflect.Type, forms ...*Form) *Form {
	for _, f := range forms {
		if f.Has(t) {
			return f
		}
	}
	return nil
}

// Has reports whether t itself brings both methods. If an embedded field has
// one of them, t may have it only by promotion, and the form would consist of
// that field alone: struct{ time.Time; Name string } would lose its Name.
func (f *Form) Has(t reflect.Type) bool {
	for _, method := range f.methods() {
		if !reflect.PointerTo(t).Implements(method) {
			return false
		}
		for i := range t.NumField() {
			e := t.Field(i)
			if e.Anonymous && (e.Type.Implements(method) || reflect.PointerTo(e.Type).Implements(method)) {
				return false
			}
		}
	}
	return true
}
