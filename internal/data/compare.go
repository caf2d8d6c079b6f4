package data

import (
	"bytes"
	"strings"
)

// Compare orders a and b by Python's <: it returns -1 if a < b, 1 if b < a, and
// 0 if neither is, as with equal values, NaN, or sets of which neither is a part
// of the other. Values that have no order are an *Exception: a TypeError with
// CPython's text. Its cost is bounded as that of Equal.
func Compare(a, b Value) (int, error) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return compareText(a, b), nil
		}
	case int64:
		if b, ok := b.(int64); ok {
			return compareInts(a, b), nil
		}
	}
	c := comparer{order: true}
	if !c.equal(a, b, 0) {
		return compareLeaves(c.x, c.y)
	}
	if bothSequences(a, b) {
		return 0, nil
	}
	return compareLeaves(a, b)
}

// compareLeaves compares what is not a pair of sequences, or sequences of which
// one is the beginning of the other.
func compareLeaves(a, b Value) (int, error) {
	if x, ok := numberOf(a); ok {
		if y, ok := numberOf(b); ok {
			c, _ := compareNumbers(x, y)
			return c, nil
		}
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return compareText(x, y), nil
		}
	}
	if x, ok := bytesOf(a); ok {
		if y, ok := bytesOf(b); ok {
			return bytes.Compare(x, y), nil
		}
	}
	if x, ok := setOf(a); ok {
		if y, ok := setOf(b); ok {
			return compareSets(x, y), nil
		}
	}
	if x, ok := moment(a); ok {
		if y, ok := moment(b); ok && x.class == y.class {
			return Compare(x.when, y.when)
		}
	}
	if bothSequences(a, b) {
		return compareLengths(a, b)
	}
	return 0, TypeError("'<' not supported between instances of '" + TypeName(a) + "' and '" + TypeName(b) + "'")
}

// compareText orders by code points, which is the order of the bytes.
func compareText(a, b string) int { return strings.Compare(WTF8(a), WTF8(b)) }

func compareSets(a, b []Value) int {
	switch {
	case len(a) < len(b) && subset(a, b):
		return -1
	case len(b) < len(a) && subset(b, a):
		return 1
	}
	return 0
}

// compareLengths orders two sequences whose common elements are equal. If they
// differ nevertheless, the difference was too deep to be looked for.
func compareLengths(a, b Value) (int, error) {
	m, n := len(sequence(a)), len(sequence(b))
	if m == n {
		return 0, errDeep()
	}
	return compareInts(int64(m), int64(n)), nil
}

// sequence returns the elements of a list or a tuple, or the parts of a slice.
func sequence(v Value) []Value {
	switch v := v.(type) {
	case Tuple:
		return v
	case *List:
		return v.Items
	case Slice:
		return Tuple{v.Start, v.Stop, v.Step}
	}
	return nil
}

// instant is a date or a time: what decides about its order.
type instant struct {
	class Global
	when  Value
}

// moment returns the instant that v is: a date, or a datetime or time without
// a zone, whose pickles are bytes in the order of time; or a timedelta.
func moment(v Value) (instant, bool) {
	o, ok := v.(*Object)
	if !ok || o.New || o.HasState {
		return instant{}, false
	}
	class, _ := o.Func.(Global)
	args, _ := o.Args.(Tuple)
	if class.Module != "datetime" {
		return instant{}, false
	}
	switch {
	case class.Name == "timedelta" && len(args) == 3:
		return instant{class, args}, true
	case (class.Name == "date" || class.Name == "datetime" || class.Name == "time") && len(args) == 1:
		b, ok := args[0].([]byte)
		return instant{class, b}, ok
	}
	return instant{}, false
}
