package interchange_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/interchange"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// The types of the tests.
type (
	point struct{ X, Y int32 }
	order struct {
		ID    int64 `mp:"id"`
		Name  string
		Price float64
	}
	list struct {
		Value int
		Next  *list
	}
	base  struct{ Kind string }
	outer struct {
		base
		point `mp:"at"`
		Note  string
	}
	note struct {
		Text  string
		Tags  []string
		Score map[string]int
		Order *order
		Raw   []byte
		Any   any
		When  time.Time
	}
	weekday int8
	// queue stands for the handles of package mp.
	queue[T any] struct{ id uint64 }
)

func (*queue[T]) MultiprocHandle() codec.Carrier { return nil }

// plan returns the plan for T, which must exist.
func plan[T any](t testing.TB) *interchange.Type[T] {
	t.Helper()
	p, err := interchange.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// encode returns the item for v, in both faces of the package.
func encode[T any](t testing.TB, v T, s codec.Session) []byte {
	t.Helper()
	p := plan[T](t)
	const before = "before"
	b, err := p.Append([]byte(before), &v, s)
	if err != nil {
		t.Fatalf("Append of %#v: %v", v, err)
	}
	if string(b[:len(before)]) != before {
		t.Fatalf("Append changed what was there: %q", b)
	}
	b = b[len(before):]
	untyped, err := p.Plan.Append(nil, unsafe.Pointer(&v), s)
	if err != nil || string(untyped) != string(b) {
		t.Fatalf("Append gives %x, Plan.Append %x, %v", b, untyped, err)
	}
	if err := interchange.Check(b, interchange.Limits{}); err != nil {
		t.Fatalf("%#v becomes %x: %v", v, b, err)
	}
	return b
}

// decode decodes b, in both faces of the package.
func decode[T any](t testing.TB, b []byte, s codec.Session) (T, error) {
	t.Helper()
	p := plan[T](t)
	b = append([]byte{}, b...)
	var typed, untyped T
	err1 := p.Decode(b, &typed, s)
	err2 := p.Plan.Decode(b, unsafe.Pointer(&untyped), s)
	// What was decoded must not lie in the bytes, which will be used again.
	for i := range b {
		b[i] ^= 0xff
	}
	if fmt.Sprint(err1) != fmt.Sprint(err2) || !same(typed, untyped) {
		t.Fatalf("Decode gives %#v, %v; Plan.Decode %#v, %v", typed, err1, untyped, err2)
	}
	if err1 != nil && !reflect.ValueOf(&typed).Elem().IsZero() {
		t.Fatalf("after the error %v the value is %#v", err1, typed)
	}
	return typed, err1
}

// travel encodes v and decodes the item.
func travel[T any](t testing.TB, v T, s codec.Session) T {
	t.Helper()
	b := encode(t, v, s)
	got, err := decode[T](t, b, s)
	if err != nil {
		t.Fatalf("Decode of %x: %v", b, err)
	}
	return got
}

// same is reflect.DeepEqual, except that a NaN is like any other, and that
// times are equal if they show the same time and zone.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || show(a) == show(b)
}

func show(v any) string {
	if t, ok := v.(time.Time); ok {
		return t.Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%T %+v", v, v)
}

// sessions is a Session that knows its handles by their numbers.
type sessions struct{ fail error }

func (s sessions) Export(h codec.Handle) ([]byte, error) {
	return interchange.AppendRef(nil, reflect.ValueOf(h).Elem().Field(0).Uint(), "Queue"), s.fail
}

func (s sessions) Import(h codec.Handle, ref []byte) error {
	id, typ, err := interchange.ParseRef(ref)
	if err != nil || typ != "Queue" {
		return errors.New("no such handle")
	}
	f := reflect.ValueOf(h).Elem().Field(0)
	*(*uint64)(f.Addr().UnsafePointer()) = id
	return s.fail
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wantCorrupt fails unless err is about bad bytes.
func wantCorrupt(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("got error %v, want one that is ErrCorrupt", err)
	}
}

// number returns an integer of any size.
func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 0)
	if !ok {
		panic(s)
	}
	return n
}

func global(module, name string) pyvalue.Global { return pyvalue.Global{Module: module, Name: name} }

// entries makes the pairs of a dict.
func entries(pairs ...any) (list []pyvalue.Entry) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pyvalue.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return list
}
