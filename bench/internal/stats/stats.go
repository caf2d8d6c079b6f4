// Package stats holds the little arithmetic that a table of measurements needs.
package stats

import "slices"

// Median returns the middle of values, or the mean of the two in the middle, and 0 for none. It leaves values alone.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	half := len(v) / 2
	if len(v)%2 == 1 {
		return v[half]
	}
	return (v[half-1] + v[half]) / 2
}
