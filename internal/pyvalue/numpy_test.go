package pyvalue

import (
	"math"
	"math/big"
	"testing"
)

// numpyObject is what numpy pickles for a scalar.
func numpyObject(module, code, order string, memory string) *Object {
	dtype := &Object{
		Func: Global{"numpy", "dtype"}, Args: Tuple{code, false, true}, HasState: true,
		State: Tuple{int64(3), order, nil, nil, nil, int64(-1), int64(-1), int64(0)},
	}
	return &Object{Func: Global{module, "scalar"}, Args: Tuple{dtype, []byte(memory)}}
}

// A scalar of numpy equals the plain value, as a key and by comparison.
func TestNumpyScalars(t *testing.T) {
	const now, old = "numpy._core.multiarray", "numpy.core.multiarray"
	for _, c := range []struct {
		o    *Object
		want Value
	}{
		{numpyObject(now, "i8", "<", "\x03\x00\x00\x00\x00\x00\x00\x00"), int64(3)},
		{numpyObject(old, "i8", "<", "\xfe\xff\xff\xff\xff\xff\xff\xff"), int64(-2)},
		{numpyObject(now, "i4", ">", "\xff\xff\xff\xfe"), int64(-2)},
		{numpyObject(now, "i2", "<", "\x00\x80"), int64(-32768)},
		{numpyObject(now, "i1", "|", "\x80"), int64(-128)},
		{numpyObject(now, "u1", "|", "\x80"), int64(128)},
		{numpyObject(now, "u8", "<", "\xff\xff\xff\xff\xff\xff\xff\xff"), new(big.Int).SetUint64(math.MaxUint64)},
		{numpyObject(now, "b1", "|", "\x01"), true},
		{numpyObject(now, "f8", "<", "\x00\x00\x00\x00\x00\x00\xf8\x3f"), 1.5},
		{numpyObject(now, "f4", "<", "\x00\x00\xc0\x3f"), 1.5},
		{numpyObject(now, "f2", "<", "\x00\x3e"), 1.5},
		{numpyObject(now, "f2", "<", "\x01\x80"), -math.Ldexp(1, -24)},
		{numpyObject(now, "f2", "<", "\x00\xfc"), math.Inf(-1)},
		{numpyObject(now, "c16", "<", "\x00\x00\x00\x00\x00\x00\xf8\x3f\x00\x00\x00\x00\x00\x00\xf0\x3f"), complex(1.5, 1)},
		{numpyObject(now, "U2", "<", "a\x00\x00\x00\xac\x20\x00\x00"), "a€"},
		{numpyObject(now, "S2", "|", "ab"), []byte("ab")},
	} {
		if !Equal(c.o, c.want) || !Equal(c.want, c.o) {
			t.Errorf("%s does not equal %s", Repr(c.o), Repr(c.want))
		}
		got, err := Key(c.o)
		want, err2 := Key(c.want)
		if got != want || err != nil || err2 != nil {
			t.Errorf("%s is another key than %s: %v %v", Repr(c.o), Repr(c.want), err, err2)
		}
	}
	for _, o := range []*Object{
		numpyObject(now, "i8", "<", "\x03"), numpyObject(now, "i3", "<", "abc"), numpyObject(now, "ix", "<", "a"), numpyObject(now, "i", "<", ""),
		numpyObject(now, "f1", "<", "a"), numpyObject(now, "c3", "<", "abc"), numpyObject(now, "V4", "|", "abcd"), numpyObject(now, "U2", "<", "abcd"),
		numpyObject(now, "c1", "<", "a"), numpyObject(now, "b2", "<", "ab"), numpyObject(now, "S-1", "<", ""),
	} {
		if Equal(o, int64(3)) {
			t.Errorf("%s equals 3", Repr(o))
		}
	}
}
