package drivertest

import (
	"multiproc/internal/data"
	"multiproc/internal/portable"
	"multiproc/mp/driver"
)

// What values mean is said in package data; here they are bytes.

func parse(b []byte) (data.Value, error) { return portable.ParseValue(b) }

// equal is Python's ==.
func equal(a, b []byte) (bool, error) { return driver.Equal(a, b) }

// sum is Python's a + b; of nothing, which is nil, and b it is b.
func sum(a, b []byte) ([]byte, error) { return driver.Sum(a, b) }
