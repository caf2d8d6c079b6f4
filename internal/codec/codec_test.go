package codec_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
)

// plan returns the plan for T, which must exist.
func plan[T any](t testing.TB) *codec.Typed[T] {
	t.Helper()
	p, err := codec.For[T]()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// travel encodes v and decodes the bytes, in both faces of the package.
func travel[T any](t testing.TB, v T, s codec.Session) T {
	t.Helper()
	p := plan[T](t)
	const before = "before"
	b, err := p.Append([]byte(before), &v, s)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	if string(b[:len(before)]) != before {
		t.Fatalf("Append changed what was there: %q", b)
	}
	b = b[len(before):]

	var typed, untyped T
	if err := p.Decode(b, &typed, s); err != nil {
		t.Fatalf("Decode of %x: %v", b, err)
	}
	if err := p.Plan.Decode(b, unsafe.Pointer(&untyped), s); err != nil {
		t.Fatalf("Plan.Decode of %x: %v", b, err)
	}
	// What was decoded must not lie in the bytes, which will be used again.
	for i := range b {
		b[i] ^= 0xff
	}
	if !same(typed, untyped) {
		t.Fatalf("Decode gives %#v, Plan.Decode %#v", typed, untyped)
	}
	return typed
}

// same is reflect.DeepEqual, except that a NaN is like any other.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b)
}

// trip is one row of a table of values that must arrive as they were sent.
type trip struct {
	name string
	kind codec.Kind
	run  func(t *testing.T, want codec.Kind)
}

func row[T any](name string, kind codec.Kind, v T) trip {
	return trip{name, kind, func(t *testing.T, want codec.Kind) {
		if k := plan[T](t).Kind(); k != want {
			t.Errorf("kind %v instead of %v", k, want)
		}
		if got := travel(t, v, nil); !same(got, v) {
			t.Errorf("\nsent %#v\ngot  %#v", v, got)
		}
	}}
}

func runTrips(t *testing.T, trips []trip) {
	for _, tt := range trips {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, tt.kind) })
	}
}

// table is a Session that numbers the handles it exports.
type table struct {
	handles []codec.Handle
	fail    error
}

func (s *table) Export(h codec.Handle) ([]byte, error) {
	s.handles = append(s.handles, h)
	return fmt.Append(nil, len(s.handles)-1), s.fail
}

func (s *table) Import(h codec.Handle, ref []byte) error {
	var i int
	if _, err := fmt.Sscan(string(ref), &i); err != nil || i < 0 || i >= len(s.handles) {
		return errors.New("no such handle")
	}
	reflect.ValueOf(h).Elem().Set(reflect.ValueOf(s.handles[i]).Elem())
	return s.fail
}

// queue stands for the handles of package mp.
type queue[T any] struct{ id int }

func (*queue[T]) MultiprocHandle() codec.Carrier { return nil }

// wantCorrupt fails unless err is about bad bytes.
func wantCorrupt(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, mperr.ErrCorrupt) {
		t.Errorf("got error %v, want one that is ErrCorrupt", err)
	}
}
