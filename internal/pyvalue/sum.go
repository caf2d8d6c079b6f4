package pyvalue

import (
	"math"
	"math/big"
	"slices"
)

// Summand fails if v can be added to nothing: it is what the sum of nothing and v
// fails with.
func Summand(v Value) error {
	switch v.(type) {
	case bool, int64, *big.Int, float64, complex128, string, []byte, *ByteArray, *List, Tuple:
		return nil
	}
	return noSum(int64(0), v)
}

// noSum is CPython's TypeError.
func noSum(a, b Value) error {
	return TypeError("unsupported operand type(s) for +: '" + TypeName(a) + "' and '" + TypeName(b) + "'")
}

// Sum is Python's a + b for numbers, texts, bytes, lists and tuples. Anything else
// is a TypeError, and a number that no float can hold an OverflowError.
func Sum(a, b Value) (Value, error) {
	if x, ok := Int(a); ok {
		if y, ok := Int(b); ok {
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
		if b, ok := bytesOf(b); ok {
			return slices.Concat(a, b), nil
		}
	case *ByteArray:
		if b, ok := bytesOf(b); ok {
			return &ByteArray{B: slices.Concat(a.B, b)}, nil
		}
	case *List:
		if b, ok := b.(*List); ok {
			return &List{Items: slices.Concat(a.Items, b.Items)}, nil
		}
	case Tuple:
		if b, ok := b.(Tuple); ok {
			return slices.Concat(a, b), nil
		}
	}
	return nil, noSum(a, b)
}

func sumInts(x, y int64) Value {
	if z := x + y; (z > x) == (y > 0) {
		return z
	}
	return new(big.Int).Add(big.NewInt(x), big.NewInt(y))
}

// sumNumbers adds as Python does: the result has the wider of the two types.
func sumNumbers(a, b Value) (v Value, ok bool, err error) {
	x, xInt := BigInt(a)
	y, yInt := BigInt(b)
	if xInt && yInt {
		return Norm(new(big.Int).Add(x, y)), true, nil
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

func addFloats(a, b Value) (Value, bool, error) {
	m, err := Float(a)
	if err != nil {
		return nil, false, err
	}
	n, err := Float(b)
	return m + n, true, err
}

func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64, complex128:
		return true
	}
	return false
}

// BigInt is the value of an int.
func BigInt(v Value) (*big.Int, bool) {
	if n, ok := Int(v); ok {
		return big.NewInt(n), true
	}
	n, ok := v.(*big.Int)
	return n, ok
}

// Float is Python's float(v) for what is an int or a float already.
func Float(v Value) (float64, error) {
	if f, ok := v.(float64); ok {
		return f, nil
	}
	n, ok := BigInt(v)
	if !ok {
		return 0, TypeError("must be real number, not " + TypeName(v))
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	if f > math.MaxFloat64 || f < -math.MaxFloat64 {
		return 0, Overflow("int too large to convert to float")
	}
	return f, nil
}

func complexOf(v Value) (complex128, error) {
	if z, ok := v.(complex128); ok {
		return z, nil
	}
	f, err := Float(v)
	return complex(f, 0), err
}
