package drivertest

import (
	"multiproc/internal/interchange"
	"multiproc/internal/pyvalue"
	"multiproc/mp/driver"
)

// What values mean is said in package data; here they are bytes.

func parse(b []byte) (pyvalue.Value, error) { return interchange.ParseValue(b) }

// equal is Python's ==.
func equal(a, b []byte) (bool, error) { return driver.Equal(a, b) }

// sum is Python's a + b; of nothing, which is nil, and b it is b.
func sum(a, b []byte) ([]byte, error) { return driver.Sum(a, b) }
