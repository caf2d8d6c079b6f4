package codec_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/randtype"
)

// What can be written can be read, and is what it was: an item that a Put takes
// and no Get can return would be lost.
func TestWhatIsWrittenCanBeRead(t *testing.T) {
	written, refused := 0, 0
	for seed := range uint64(8000) {
		s := randtype.New(seed)
		typ := s.Type(int(seed % 5))
		p, err := codec.Of(typ)
		if err != nil {
			continue
		}
		from := reflect.New(typ)
		from.Elem().Set(s.Value(typ))
		b, err := p.Append(nil, from.UnsafePointer(), nil)
		if err != nil {
			refused++
			continue
		}
		written++
		into := reflect.New(typ)
		if err := p.Decode(b, into.UnsafePointer(), nil); err != nil {
			t.Fatalf("seed %d: %v\n%#v\n%v", seed, typ, from.Elem(), err)
		}
		if got, want := shown(into), shown(from); got != want {
			t.Fatalf("seed %d: %v\nsent %s\ngot  %s", seed, typ, want, got)
		}
	}
	t.Logf("%d values, %d refused", written, refused)
	if written < 4000 {
		t.Errorf("only %d values could be written, %d were refused", written, refused)
	}
}

// shown writes a value with what its pointers point to, and with the types in
// its anys.
func shown(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		return x.Format(time.RFC3339Nano) // the zone +00:00 arrives as UTC
	case *time.Time, *time.Duration: // seen through, below
	case fmt.Stringer:
		return fmt.Sprint(x) // a nil one, too
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v.Type().String() + "(nil)"
		}
		return "(" + v.Elem().Type().String() + ")" + shown(v.Elem())
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			return "nil"
		}
	}
	var out string
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			out += shown(v.Index(i)) + ","
		}
	case reflect.Struct:
		for i := range v.NumField() {
			out += shown(v.Field(i)) + ","
		}
	case reflect.Map:
		rows := map[string]string{}
		for it := v.MapRange(); it.Next(); {
			rows[shown(it.Key())] = shown(it.Value())
		}
		return fmt.Sprint(rows)
	default:
		return fmt.Sprintf("%#v", v)
	}
	return "{" + out + "}"
}
