package pyvalue

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"multiproc/internal/mperr"
)

// The keys of texts, bytes and integers are their CBOR, so that raw values need
// no decoding to be looked up. Appendix A of RFC 8949 has these.
func TestKeysAreCBOR(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{int64(0), "00"},
		{int64(23), "17"},
		{int64(24), "1818"},
		{int64(100), "1864"},
		{int64(1000), "1903e8"},
		{int64(1000000), "1a000f4240"},
		{int64(1000000000000), "1b000000e8d4a51000"},
		{wide("18446744073709551615"), "1bffffffffffffffff"},
		{wide("18446744073709551616"), "c249010000000000000000"},
		{wide("-18446744073709551616"), "3bffffffffffffffff"},
		{wide("-18446744073709551617"), "c349010000000000000000"},
		{int64(-1), "20"},
		{int64(-100), "3863"},
		{int64(math.MinInt64), "3b7fffffffffffffff"},
		{"", "60"},
		{"a", "6161"},
		{"ü", "62c3bc"},
		{[]byte{1, 2, 3, 4}, "4401020304"},
		{nil, "f6"},
		{true, "01"},
		{1.0, "01"},
		{math.Copysign(0, -1), "00"},
		{complex(2, 0), "02"},
		{1e20, "c249056bc75e2d63100000"},
		{1.5, "fb3ff8000000000000"},
		{"\xff", "c843edb3bf"},
		{"\xed\xa0\x80", "c843eda080"},
	} {
		key, err := Key(c.v)
		if got := hex.EncodeToString([]byte(key)); err != nil || got != c.want {
			t.Errorf("%s: key %s, want %s (%v)", Repr(c.v), got, c.want, err)
		}
	}
}

func TestKeysThatAreEqual(t *testing.T) {
	nan := math.Float64frombits(0x7ff8000000000123)
	obj := func(state Value) *Object {
		return &Object{Func: Global{"m", "C"}, Args: Tuple{list(set(int64(1)), dict("a", int64(1), "b", nil))}, State: state, HasState: true}
	}
	same := [][]Value{
		{int64(1), true, 1.0, complex(1, 0)},
		{math.NaN(), nan, -math.NaN()},
		{Tuple{int64(1), "a"}, Tuple{1.0, "a"}},
		{frozen(int64(1), "a", nil), frozen(nil, "a", true)},
		{Range{int64(0), int64(3), int64(1)}, Range{int64(0), int64(3), true}},
		{Range{int64(5), int64(5), int64(1)}, Range{int64(0), int64(0), int64(7)}},
		{Ref{ID: 7, Type: "list"}, Ref{ID: 7}},
		{obj(list()), obj(list())},
		{"\xff", "\xed\xb3\xbf"},
	}
	for i, group := range same {
		for _, v := range group {
			for j, other := range same {
				for _, w := range other {
					k, err := Key(v)
					l, err2 := Key(w)
					if err != nil || err2 != nil || (k == l) != (i == j) {
						t.Errorf("%s and %s: keys %x and %x (%v, %v)", Repr(v), Repr(w), k, l, err, err2)
					}
				}
			}
		}
	}
}

func TestUnhashable(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want string
	}{
		{list(), "unhashable type: 'list'"},
		{dict(), "unhashable type: 'dict'"},
		{set(), "unhashable type: 'set'"},
		{&ByteArray{}, "unhashable type: 'bytearray'"},
		{Slice{}, "unhashable type: 'slice'"},
		{Tuple{int64(1), Tuple{list()}}, "unhashable type: 'list'"},
		{frozen(Tuple{dict()}), "unhashable type: 'dict'"},
	} {
		_, err := Key(c.v)
		var e *Exception
		if !errors.As(err, &e) || e.Class.Name != "TypeError" || e.Error() != c.want || !errors.Is(err, mperr.ErrType) {
			t.Errorf("%s: %v, want %s", Repr(c.v), err, c.want)
		}
	}
}

func TestKeysAreBounded(t *testing.T) {
	v := Value(Tuple{strings.Repeat("x", 100)})
	for range 60 {
		v = Tuple{v, v}
	}
	if k, err := Key(v); err != nil || len(k) > maxInline {
		t.Errorf("a tuple of 2**60 texts: a key of %d bytes, %v", len(k), err)
	}
	if k, err := Key(strings.Repeat("x", 5<<20)); err != nil || len(k) != 5<<20+5 {
		t.Errorf("a long text: key of %d bytes, %v", len(k), err)
	}
	if _, err := KeyWithin("four", 4); !errors.Is(err, mperr.ErrValue) {
		t.Errorf("a text of 5 bytes within 4: %v", err)
	}
	if _, err := KeyWithin("four", 5); err != nil {
		t.Error(err)
	}
	if _, err := Key(chain(MaxDepth + 10)); !errors.Is(err, mperr.ErrTooLarge) {
		t.Errorf("a deep tuple: %v", err)
	}
	if _, err := Key(&Object{Func: Global{}, Args: Tuple{cycle(3)}}); err == nil {
		t.Error("an object with a cycle has a key")
	}
}
