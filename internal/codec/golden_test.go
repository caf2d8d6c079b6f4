package codec_test

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"multiproc/internal/codec"
)

// The bytes need not stay the same from version to version, since both ends
// are one program. They are written out so that nobody changes them unawares.
func TestGolden(t *testing.T) {
	s := new(table)
	for _, tt := range []struct{ name, got, want string }{
		{"raw", golden(t, point{1, -2}, s), "01000000feffffff"},
		{"bytes", golden(t, []byte("ab"), s), "016162"},
		{"empty bytes", golden(t, []byte{}, s), "01"},
		{"nil bytes", golden(t, []byte(nil), s), ""},
		{"string", golden(t, "ab", s), "6162"},
		{"struct", golden(t, order{-7, "ab", 2.5}, s), "83266261" + "62fb4004000000000000"},
		{"list", golden(t, list{1, &list{2, nil}}, s), "82018202f6"},
		{"numbers", golden(t, []uint16{1, 2}, s), "4401000200"},
		{"pointers", golden(t, ptr(ptr(true)), s), "81f5"},
		{"map", golden(t, map[[1]string]bool{{"a"}: true}, s), "a1816161f5"},
		{"time", golden(t, time.Unix(0, 5).UTC(), s), "4f010000000e7791f70000000005ffff"},
		{"handle", golden(t, &queue[int]{1}, s), "c64130"},
		{"any", golden(t, any([]any{nil, true, -1, "a", 1.5, []byte{1}}), s), "86f6f5206161fb3ff80000000000004101"},
		{"any map", golden(t, any(map[string]any{"a": 1}), s), "a1616101"},
		{"any typed", golden(t, any(int8(3)), s), "c78264696e743803"},
		{"any named", golden(t, any(&order{1, "a", 2}), s), "c7826b2a73686f702f6f72646572" + "83016161fb4000000000000000"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
}

func golden[T any](t *testing.T, v T, s codec.Session) string {
	t.Helper()
	b, err := plan[T](t).Append(nil, &v, s)
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func TestFingerprint(t *testing.T) {
	type twin struct{ X, Y int32 }
	type renamed struct{ X, Z int32 }
	type wider struct {
		X int32
		Y int64
	}
	of := func(typ reflect.Type) [16]byte {
		p, err := codec.Of(typ)
		if err != nil {
			t.Fatal(err)
		}
		return p.Fingerprint()
	}
	if of(reflect.TypeFor[point]()) != of(reflect.TypeFor[twin]()) {
		t.Error("types of one structure have two fingerprints")
	}
	seen := map[[16]byte]reflect.Type{}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[point](), reflect.TypeFor[renamed](), reflect.TypeFor[wider](),
		reflect.TypeFor[*point](), reflect.TypeFor[[]point](), reflect.TypeFor[[2]point](), reflect.TypeFor[[3]point](),
		reflect.TypeFor[int32](), reflect.TypeFor[uint32](), reflect.TypeFor[float32](), reflect.TypeFor[int64](),
		reflect.TypeFor[string](), reflect.TypeFor[[]byte](), reflect.TypeFor[any](), reflect.TypeFor[[]any](),
		reflect.TypeFor[map[string]int](), reflect.TypeFor[map[int]string](), reflect.TypeFor[map[string]uint](),
		reflect.TypeFor[list](), reflect.TypeFor[*list](), reflect.TypeFor[forest](), reflect.TypeFor[tree](),
		reflect.TypeFor[*queue[int]](), reflect.TypeFor[*queue[int8]](), reflect.TypeFor[time.Time](),
	} {
		f := of(typ)
		if other, ok := seen[f]; ok {
			t.Errorf("%v and %v have the same fingerprint", typ, other)
		}
		seen[f] = typ
	}
	const want = "ee841de49bdfe681483ec70405564bd6" // the same in every process, thus in every run
	p, _ := codec.Of(reflect.TypeFor[tree]())
	if got := p.Fingerprint(); hex.EncodeToString(got[:]) != want {
		t.Errorf("fingerprint of tree is %x, want %s", got, want)
	}
}
