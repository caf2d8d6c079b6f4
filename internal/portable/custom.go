package portable

import (
	"encoding"
	"math/big"
	"reflect"
)

// form is a pair of methods by which a type becomes bytes and is made of them.
type form struct {
	text      bool
	methods   func() [2]reflect.Type
	marshal   func(v any) ([]byte, error)
	unmarshal func(v any, b []byte) error
}

// The methods of encoding/gob, without linking it. They are wanted for
// math/big, which has no MarshalBinary.
type (
	gobEncoder interface{ GobEncode() ([]byte, error) }
	gobDecoder interface{ GobDecode([]byte) error }
)

// forms are the ways in which a type can define its form.
var (
	textForm = &form{
		true,
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()}
		},
		func(v any) ([]byte, error) { return v.(encoding.TextMarshaler).MarshalText() },
		func(v any, b []byte) error { return v.(encoding.TextUnmarshaler).UnmarshalText(b) },
	}
	binaryForm = &form{
		false,
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()}
		},
		func(v any) ([]byte, error) { return v.(encoding.BinaryMarshaler).MarshalBinary() },
		func(v any, b []byte) error { return v.(encoding.BinaryUnmarshaler).UnmarshalBinary(b) },
	}
	gobForm = &form{
		false,
		func() [2]reflect.Type {
			return [2]reflect.Type{reflect.TypeFor[gobEncoder](), reflect.TypeFor[gobDecoder]()}
		},
		func(v any) ([]byte, error) { return v.(gobEncoder).GobEncode() },
		func(v any, b []byte) error { return v.(gobDecoder).GobDecode(b) },
	}
)

// customForm returns the form in which structs of type t travel, or nil if
// they travel field by field. A text is what programs in other languages can
// read, so it goes before bytes, except for big.Float, which loses its
// precision in a text. A struct without secrets goes field by field unless it
// has MarshalBinary: that cannot lose anything, a text can.
//
// Types other than structs are never asked for a form. Their content is in
// plain view.
func customForm(t reflect.Type) *form {
	open := true
	for i := range t.NumField() {
		open = open && !hidden(t.Field(i))
	}
	if open && !binaryForm.has(t) {
		return nil
	}
	order := []*form{textForm, binaryForm, gobForm}
	if t == reflect.TypeFor[big.Float]() {
		order = []*form{gobForm}
	}
	for _, f := range order {
		if f.has(t) {
			return f
		}
	}
	return nil
}

// has reports whether t itself brings both methods. If an embedded field has
// one of them, t may have it only by promotion, and the form would consist of
// that field alone: struct{ time.Time; Name string } would lose its Name.
func (f *form) has(t reflect.Type) bool {
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
