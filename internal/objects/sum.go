package objects

import (
	"math"
	"math/big"
	"slices"

	"multiproc/internal/data"
	"multiproc/internal/store"
)

// plus is Python's a + b for numbers, texts, bytes, lists and tuples, in the
// form in which b came. Anything else is a TypeError.
func plus(a, b store.Item) (store.Item, error) {
	v, err := sum(a.Value(), b.Value())
	if err != nil {
		return none, err
	}
	return inForm(b, v), nil
}

// summand is the sum of nothing and b: b, if it can be added to anything.
func summand(b store.Item) (store.Item, error) {
	v := b.Value()
	switch v.(type) {
	case bool, int64, *big.Int, float64, complex128, string, []byte, *data.ByteArray, *data.List, data.Tuple:
		return own(b), nil
	}
	return none, noSum(int64(0), v)
}

// inForm makes an item of v: of CBOR if like is, so that it need not be encoded
// each time that a Go client reads it.
func inForm(like store.Item, v data.Value) store.Item {
	it := store.Of(v)
	if _, ok := like.CBOR(); !ok {
		return it
	}
	raw, err := it.EncodeCBOR(nil)
	if err != nil {
		return it
	}
	return store.Raw(raw)
}

func noSum(a, b data.Value) error {
	return data.TypeError("unsupported operand type(s) for +: '" + data.TypeName(a) + "' and '" + data.TypeName(b) + "'")
}

func sum(a, b data.Value) (data.Value, error) {
	if x, ok := data.Int(a); ok {
		if y, ok := data.Int(b); ok {
			return sumInts(x, y), nil
		}
	}
	if v, ok, err := sumNumbers(a, b); ok || err != nil {
		return v, err
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a + b, nil
		}
	case []byte:
		if b, ok := octets(b); ok {
			return slices.Concat(a, b), nil
		}
	case *data.ByteArray:
		if b, ok := octets(b); ok {
			return &data.ByteArray{B: slices.Concat(a.B, b)}, nil
		}
	case *data.List:
		if b, ok := b.(*data.List); ok {
			return &data.List{Items: slices.Concat(a.Items, b.Items)}, nil
		}
	case data.Tuple:
		if b, ok := b.(data.Tuple); ok {
			return slices.Concat(a, b), nil
		}
	}
	return nil, noSum(a, b)
}

func octets(v data.Value) ([]byte, bool) {
	switch v := v.(type) {
	case []byte:
		return v, true
	case *data.ByteArray:
		return v.B, true
	}
	return nil, false
}

func sumInts(x, y int64) data.Value {
	if z := x + y; (z > x) == (y > 0) {
		return z
	}
	return new(big.Int).Add(big.NewInt(x), big.NewInt(y))
}

// sumNumbers adds as Python does: the result has the wider of the two types.
func sumNumbers(a, b data.Value) (v data.Value, ok bool, err error) {
	x, xInt := bigOf(a)
	y, yInt := bigOf(b)
	if xInt && yInt {
		return data.Norm(new(big.Int).Add(x, y)), true, nil
	}
	if !isNumber(a) || !isNumber(b) {
		return nil, false, nil
	}
	if _, isComplex := a.(complex128); !isComplex {
		_, isComplex = b.(complex128)
		if !isComplex {
			return addFloats(a, b)
		}
	}
	m, err := complexOf(a)
	if err != nil {
		return nil, false, err
	}
	n, err := complexOf(b)
	return m + n, true, err
}

func addFloats(a, b data.Value) (data.Value, bool, error) {
	m, err := floatOf(a)
	if err != nil {
		return nil, false, err
	}
	n, err := floatOf(b)
	return m + n, true, err
}

func isNumber(v data.Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64, complex128:
		return true
	}
	return false
}

// bigOf is the value of an int.
func bigOf(v data.Value) (*big.Int, bool) {
	if n, ok := data.Int(v); ok {
		return big.NewInt(n), true
	}
	n, ok := v.(*big.Int)
	return n, ok
}

// floatOf is Python's float(v) for what is an int or a float already.
func floatOf(v data.Value) (float64, error) {
	if f, ok := v.(float64); ok {
		return f, nil
	}
	n, ok := bigOf(v)
	if !ok {
		return 0, data.TypeError("must be real number, not " + data.TypeName(v))
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	if f > math.MaxFloat64 || f < -math.MaxFloat64 {
		return 0, overflow("int too large to convert to float")
	}
	return f, nil
}

func complexOf(v data.Value) (complex128, error) {
	if z, ok := v.(complex128); ok {
		return z, nil
	}
	f, err := floatOf(v)
	return complex(f, 0), err
}
