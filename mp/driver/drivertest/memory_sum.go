package drivertest

import (
	"fmt"
	"math/big"

	"multiproc/internal/data"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
)

func parse(b []byte) (data.Value, error) { return portable.ParseValue(b) }

// equal is Python's ==.
func equal(a, b []byte) (bool, error) {
	x, err := parse(a)
	if err != nil {
		return false, err
	}
	y, err := parse(b)
	if err != nil {
		return false, err
	}
	return data.Equal(x, y), nil
}

// sum is Python's a + b for numbers, strings, bytes, lists and tuples.
func sum(a, b []byte) ([]byte, error) {
	x, err := parse(a)
	if err != nil {
		return nil, err
	}
	y, err := parse(b)
	if err != nil {
		return nil, err
	}
	z, err := plus(x, y)
	if err != nil {
		return nil, err
	}
	return portable.AppendValue(nil, z)
}

func plus(x, y data.Value) (data.Value, error) {
	if a, b := integer(x), integer(y); a != nil && b != nil {
		s := new(big.Int).Add(a, b)
		if s.IsInt64() {
			return s.Int64(), nil
		}
		return s, nil
	}
	if a, ok := float(x); ok {
		if b, ok := float(y); ok {
			return a + b, nil
		}
	}
	if a, ok := imaginary(x); ok {
		if b, ok := imaginary(y); ok {
			return a + b, nil
		}
	}
	switch a := x.(type) {
	case string:
		if b, ok := y.(string); ok {
			return a + b, nil
		}
	case []byte:
		if b, ok := y.([]byte); ok {
			return append(append([]byte{}, a...), b...), nil
		}
	case *data.List:
		if b, ok := y.(*data.List); ok {
			return &data.List{Items: append(append([]data.Value{}, a.Items...), b.Items...)}, nil
		}
	case data.Tuple:
		if b, ok := y.(data.Tuple); ok {
			return append(append(data.Tuple{}, a...), b...), nil
		}
	}
	return nil, fmt.Errorf("the sum of a %T and a %T: %w", x, y, mperr.ErrType)
}

// integer is an int's value; nil for what is none.
func integer(v data.Value) *big.Int {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1)
		}
		return new(big.Int)
	case int64:
		return big.NewInt(v)
	case *big.Int:
		return v
	}
	return nil
}

// float is a number's value.
func float(v data.Value) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	i := integer(v)
	if i == nil {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(i).Float64()
	return f, true
}

// imaginary is a number's value.
func imaginary(v data.Value) (complex128, bool) {
	if c, ok := v.(complex128); ok {
		return c, true
	}
	f, ok := float(v)
	return complex(f, 0), ok
}
