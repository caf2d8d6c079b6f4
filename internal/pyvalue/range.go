package pyvalue

import "math/big"

// canonicalRange returns what decides whether two ranges are equal: their
// elements.
func canonicalRange(r Range) Tuple {
	start, stop, step, ok := r.bounds()
	if !ok {
		return Tuple{r.Start, r.Stop, r.Step}
	}
	n := rangeLen(start, stop, step)
	switch {
	case n.Sign() == 0:
		return Tuple{int64(0)}
	case n.Cmp(big.NewInt(1)) == 0:
		return Tuple{int64(1), Norm(start)}
	}
	return Tuple{Norm(n), Norm(start), Norm(step)}
}

// bounds returns the parts of a range if they are integers.
func (r Range) bounds() (start, stop, step *big.Int, ok bool) {
	var parts [3]*big.Int
	for i, v := range []Value{r.Start, r.Stop, r.Step} {
		n, isNumber := numberOf(v)
		if !isNumber || n.kind != exactInt {
			return nil, nil, nil, false
		}
		parts[i] = n.big()
	}
	return parts[0], parts[1], parts[2], parts[2].Sign() != 0
}

// rangeLen is how many elements a range has; step is not 0.
func rangeLen(start, stop, step *big.Int) *big.Int {
	span := new(big.Int).Sub(stop, start)
	if span.Sign() != step.Sign() {
		return new(big.Int)
	}
	span.Add(span, step)
	span.Sub(span, big.NewInt(int64(step.Sign())))
	return span.Quo(span, step)
}
