package pyvalue

import (
	"math"
	"math/big"
)

// Norm returns x as a Value: an int64 if it fits, else x itself, which must not
// be changed afterwards.
func Norm(x *big.Int) Value {
	if x.IsInt64() {
		return x.Int64()
	}
	return x
}

// Uint returns x as a Value.
func Uint(x uint64) Value {
	if x <= math.MaxInt64 {
		return int64(x)
	}
	return new(big.Int).SetUint64(x)
}

// Int returns the integer that v is in Python's eyes, where True is 1, and
// whether it is one of 64 bits.
func Int(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// number takes the kinds of numbers apart.
type number struct {
	kind numberKind
	z    int64    // of an exactInt, if wide is nil
	wide *big.Int // of an exactInt
	f    float64
	q    fraction
}

type numberKind byte

const (
	exactInt numberKind = iota
	aFloat
	aFraction
)

func numberOf(v Value) (number, bool) {
	switch v := v.(type) {
	case int64:
		return number{z: v}, true
	case float64:
		return number{kind: aFloat, f: v}, true
	case bool:
		z, _ := Int(v)
		return number{z: z}, true
	case *big.Int:
		if v.IsInt64() {
			return number{z: v.Int64()}, true
		}
		return number{wide: v}, true
	case fraction:
		return number{kind: aFraction, q: v}, true
	}
	return number{}, false
}

// integral returns the exact integer that a float or an int is, if it is one: of
// 64 bits, or wide.
func (n number) integral() (z int64, wide *big.Int, ok bool) {
	if n.kind == exactInt {
		return n.z, n.wide, true
	}
	if n.f != math.Trunc(n.f) || math.IsInf(n.f, 0) { // NaN differs from itself
		return 0, nil, false
	}
	if n.f >= -(1<<63) && n.f < 1<<63 {
		return int64(n.f), nil, true
	}
	wide, _ = new(big.Float).SetFloat64(n.f).Int(nil)
	return 0, wide, true
}

// compareNumbers is exact, as Python's comparison of int, float, Decimal and
// Fraction is. ok is false if one of them is NaN.
func compareNumbers(a, b number) (c int, ok bool) {
	if a.kind == aFraction || b.kind == aFraction {
		return compareAnyFraction(a, b)
	}
	if a.kind == aFloat && b.kind == aFloat {
		return compareFloats(a.f, b.f)
	}
	if a.kind == aFloat {
		c, ok = compareNumbers(b, a)
		return -c, ok
	}
	if b.kind == aFloat {
		return compareWithFloat(a, b.f)
	}
	if a.wide == nil && b.wide == nil {
		return compareInts(a.z, b.z), true
	}
	return a.big().Cmp(b.big()), true
}

// compareAnyFraction compares numbers of which one is a fraction.
func compareAnyFraction(a, b number) (int, bool) {
	for _, n := range []number{a, b} {
		if n.kind == aFloat && (math.IsNaN(n.f) || math.IsInf(n.f, 0)) {
			switch {
			case math.IsNaN(n.f):
				return 0, false
			case n == a:
				return compareFloat(n.f, 0), true
			}
			return -compareFloat(n.f, 0), true
		}
	}
	return compareFractions(a.fraction(), b.fraction()), true
}

// fraction is the exact fraction that a finite number is.
func (n number) fraction() fraction {
	switch n.kind {
	case aFraction:
		return n.q
	case aFloat:
		r := new(big.Rat)
		r.SetFloat64(n.f)
		return fraction{num: r.Num(), den: r.Denom()}
	}
	return fraction{num: n.big(), den: one}
}

// compareWithFloat compares an integer with a float.
func compareWithFloat(a number, f float64) (int, bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case math.IsInf(f, 1):
		return -1, true
	case math.IsInf(f, -1):
		return 1, true
	}
	if a.wide == nil && a.z > -(1<<53) && a.z < 1<<53 {
		return compareFloats(float64(a.z), f)
	}
	floor := math.Floor(f)
	z, wide, _ := number{kind: aFloat, f: floor}.integral()
	c := a.big().Cmp(number{z: z, wide: wide}.big())
	if c == 0 && floor < f {
		c = -1
	}
	return c, true
}

func compareFloats(a, b float64) (int, bool) {
	switch {
	case a < b:
		return -1, true
	case a > b:
		return 1, true
	}
	return 0, a == b
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// big returns an integer as a big one.
func (n number) big() *big.Int {
	if n.wide != nil {
		return n.wide
	}
	return big.NewInt(n.z)
}
