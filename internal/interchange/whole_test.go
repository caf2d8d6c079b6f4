package interchange_test

import (
	"reflect"
	"testing"

	"multiproc/internal/interchange"
	"multiproc/internal/randtype"
)

// What can be written can be read as the same type: an item that a Put takes
// and no Get can return would be lost.
func TestWhatIsWrittenCanBeRead(t *testing.T) {
	written, refused := 0, 0
	for seed := range uint64(8000) {
		s := randtype.New(seed)
		typ := s.Type(int(seed % 5))
		p, err := interchange.OfType(typ)
		if err != nil {
			continue
		}
		v := s.Value(typ)
		from := reflect.New(typ)
		from.Elem().Set(v)
		b, err := p.Append(nil, from.UnsafePointer(), nil)
		if err != nil {
			refused++
			continue
		}
		written++
		into := reflect.New(typ)
		if err := p.Decode(b, into.UnsafePointer(), nil); err != nil {
			t.Fatalf("seed %d: %v\n%#v\n%v", seed, typ, v, err)
		}
		if same := sizes(v); same != sizes(into.Elem()) {
			t.Fatalf("seed %d: %v\nsent %#v\ngot  %#v", seed, typ, v, into.Elem())
		}
	}
	t.Logf("%d values, %d refused", written, refused)
	if written < 4000 {
		t.Errorf("only %d values could be written, %d were refused", written, refused)
	}
}

// sizes counts the elements of a value's typed parts: those of an any change
// their types on the way.
func sizes(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			n += 1 + sizes(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			n += 1 + sizes(it.Key()) + sizes(it.Value())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				n += sizes(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !nothing(v) {
			n += 1 + sizes(v.Elem())
		}
	}
	return n
}

// nothing reports whether v is nil or points to a nil, which arrives as nil.
func nothing(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return v.IsNil() || nothing(v.Elem())
	case reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}
