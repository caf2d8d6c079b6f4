package pyvalue

import (
	"bytes"
	"strings"
)

// Compare orders a and b by Python's <: it returns -1 if a < b, 1 if b < a, and
// 0 if neither is, as with equal values, NaN, or sets of which neither is a part
// of the other. Values that have no order are an *Exception: a TypeError with
// CPython's text. Numbers of all kinds have an order, and so have moments of one
// kind, and objects whose values have one. Its cost is bounded as that of Equal.
func Compare(a, b Value) (int, error) { return (&Comparer{}).Compare(a, b) }

// Compare is the function Compare.
func (m *Comparer) Compare(a, b Value) (int, error) {
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
	m.begin()
	c := comparer{Comparer: m, order: true}
	if c.equal(a, b, 0) {
		if bothSequences(a, b) {
			return 0, nil
		}
	} else {
		a, b = c.x, c.y
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.leaves(a, b)
	if c.err != nil {
		return 0, c.err
	}
	return n, err
}

// leaves compares what is not a pair of sequences, or sequences of which
// one is the beginning of the other.
func (c *comparer) leaves(a, b Value) (int, error) {
	was, other := a, b
	a, b = ordered(a), ordered(b)
	if x, ok := numberOf(a); ok {
		if y, ok := numberOf(b); ok {
			n, ok := compareNumbers(x, y)
			if !ok && (isDecimal(was) || isDecimal(other)) {
				return 0, invalidOperation()
			}
			return n, nil
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
			return c.compareSets(a, x, b, y), nil
		}
	}
	if x, ok := a.(moment); ok {
		if y, ok := b.(moment); ok {
			return compareMoments(x, y)
		}
	}
	if bothSequences(a, b) {
		return compareLengths(a, b)
	}
	return 0, TypeError("'<' not supported between instances of '" + TypeName(was) + "' and '" + TypeName(other) + "'")
}

// isDecimal reports whether v is a decimal.Decimal, whose comparison with NaN is an
// error, as one of Python's floats is not.
func isDecimal(v Value) bool {
	o, ok := v.(*Object)
	return ok && o.Func == Value(Global{"decimal", "Decimal"})
}

// compareText orders by code points, which is the order of the bytes.
func compareText(a, b string) int { return strings.Compare(WTF8(a), WTF8(b)) }

// compareSets orders two sets of which one may be a part of the other. If that
// depends on whether an object equals what it holds, it is an error, of c.
func (c *comparer) compareSets(a Value, x []Value, b Value, y []Value) int {
	c.doubt = nil // of the comparison before
	n := 0
	switch {
	case len(x) < len(y) && c.subset(a, x, b, y):
		n = -1
	case len(y) < len(x) && c.subset(b, y, a, x):
		n = 1
	}
	if n != 0 && c.doubt != nil && c.err == nil {
		c.err = Undecided(c.doubt)
	}
	return n
}

// compareMoments orders moments of one kind.
func compareMoments(a, b moment) (int, error) {
	switch {
	case a.kind == aNaive && b.kind == anAware || a.kind == anAware && b.kind == aNaive:
		return 0, TypeError("can't compare offset-naive and offset-aware datetimes")
	case a.kind == aTime && b.kind == anAwareTime || a.kind == anAwareTime && b.kind == aTime:
		return 0, TypeError("can't compare offset-naive and offset-aware times")
	case a.kind != b.kind || a.kind == aTimezone:
		return 0, TypeError("'<' not supported between instances of '" + a.kind.String() + "' and '" + b.kind.String() + "'")
	}
	return a.compare(b), nil
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
	switch v := ordered(v).(type) {
	case Tuple:
		return v
	case *List:
		return v.Items
	case Slice:
		return Tuple{v.Start, v.Stop, v.Step}
	}
	return nil
}
