package drivertest

import (
	"multiproc/internal/data"
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
	return data.Same(x, y, nil)
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
	z, err := data.Sum(x, y)
	if err != nil {
		return nil, err
	}
	return portable.AppendValue(nil, z)
}

// summand fails if a value can be added to nothing.
func summand(b []byte) error {
	v, err := parse(b)
	if err != nil {
		return err
	}
	return data.Summand(v)
}
