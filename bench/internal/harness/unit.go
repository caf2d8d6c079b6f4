package harness

import (
	"fmt"
	"math"
	"strconv"
)

// Unit is what a row's values are in.
type Unit int

// The units of the table.
const (
	Seconds Unit = iota
	Bytes
	Count
)

// scale is one prefix of a unit and the size of one of it.
type scale struct {
	size float64
	name string
}

var scales = map[Unit][]scale{
	Seconds: {{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}},
	Bytes:   {{1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}},
}

// Format writes v with three significant digits and the prefix that fits, a count as it is.
func (u Unit) Format(v float64) string {
	if u == Count {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	all := scales[u]
	fit := all[len(all)-1]
	for _, s := range all {
		if v >= s.size {
			fit = s
			break
		}
	}
	return digits(v/fit.size) + " " + fit.name
}

// digits writes v with three significant digits and no exponent.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
