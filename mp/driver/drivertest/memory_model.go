package drivertest

import (
	"multiproc/internal/data"
	"multiproc/internal/portable"
)

// What values mean is said in package data; here they are bytes.

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

// sum is Python's a + b; of nothing, which is nil, and b it is b.
func sum(a, b []byte) ([]byte, error) {
	y, err := parse(b)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return b, data.Summand(y)
	}
	x, err := parse(a)
	if err != nil {
		return nil, err
	}
	z, err := data.Sum(x, y)
	if err != nil {
		return nil, err
	}
	return portable.AppendValue(nil, z)
}
