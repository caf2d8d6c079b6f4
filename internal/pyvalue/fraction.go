package pyvalue

import (
	"math"
	"math/big"
	"strings"
)

// fraction is a decimal.Decimal or a fractions.Fraction: num/den × 10^exp, with
// den above 0.
type fraction struct {
	num, den *big.Int
	exp      int
}

const (
	maxFraction = 1 << 16 // bits of the parts of a Fraction
	maxDigits10 = 10_000  // of a Decimal
	maxExponent = 10_000  // of a Decimal that is a key
)

// decimalOf returns a float for what no fraction is: an infinity or NaN.
func decimalOf(class Global, args Tuple) (Value, bool) {
	if class.Name != "Decimal" || len(args) != 1 {
		return nil, false
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, false
	}
	digits, negative := strings.CutPrefix(text, "-")
	switch {
	case digits == "Infinity" && negative:
		return math.Inf(-1), true
	case digits == "Infinity":
		return math.Inf(1), true
	case strings.Contains(digits, "NaN"):
		return math.NaN(), true
	}
	digits, power, _ := strings.Cut(digits, "E")
	exp, ok := smallInt(power)
	whole, part, _ := strings.Cut(digits, ".")
	if !ok || len(whole)+len(part) > maxDigits10 {
		return nil, false
	}
	num, ok := new(big.Int).SetString(whole+part, 10)
	if !ok || num.Sign() < 0 {
		return nil, false
	}
	if negative {
		num.Neg(num)
	}
	return fraction{num: num, den: one, exp: exp - len(part)}, true
}

var one = big.NewInt(1)

// smallInt is a number in the text of a Decimal, whose exponents are below 10^18.
func smallInt(s string) (int, bool) {
	if s == "" {
		return 0, true
	}
	n, ok := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
	if !ok || n.BitLen() > 62 {
		return 0, false
	}
	return int(n.Int64()), true
}

func fractionOf(class Global, args Tuple) (Value, bool) {
	if class.Name != "Fraction" {
		return nil, false
	}
	var f fraction
	switch len(args) {
	case 1: // before Python 3.12
		text, isText := args[0].(string)
		num, den, both := strings.Cut(text, "/")
		if !both {
			den = "1"
		}
		var okNum, okDen bool
		if len(text) <= maxDigits10 && isText {
			f.num, okNum = new(big.Int).SetString(num, 10)
			f.den, okDen = new(big.Int).SetString(den, 10)
		}
		if !okNum || !okDen {
			return nil, false
		}
	case 2:
		num, okNum := numberOf(args[0])
		den, okDen := numberOf(args[1])
		if !okNum || !okDen || num.kind != exactInt || den.kind != exactInt {
			return nil, false
		}
		f.num, f.den = num.big(), den.big()
	default:
		return nil, false
	}
	return f, f.den.Sign() > 0 && f.num.BitLen() <= maxFraction && f.den.BitLen() <= maxFraction
}

// magnitude is about the binary logarithm of |f|, which is not 0.
func (f fraction) magnitude() float64 {
	return float64(f.num.BitLen()-f.den.BitLen()) + float64(f.exp)*math.Log2(10)
}

// parts are two integers whose quotient f is.
func (f fraction) parts() (num, den *big.Int) {
	if f.exp == 0 || f.num.Sign() == 0 {
		return f.num, f.den
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(f.exp, -f.exp))), nil)
	if f.exp > 0 {
		return power.Mul(power, f.num), f.den
	}
	return f.num, power.Mul(power, f.den)
}

// size is about how many words the comparison of f with a number of the same
// size takes.
func (f fraction) size() int { return (f.num.BitLen() + f.den.BitLen()) / 32 }

// compareFractions is exact.
func compareFractions(a, b fraction) int {
	if s, t := a.num.Sign(), b.num.Sign(); s != t || s == 0 {
		return compareInts(int64(s), int64(t))
	}
	if m, n := a.magnitude(), b.magnitude(); math.Abs(m-n) > 4 {
		return compareFloat(m, n) * a.num.Sign()
	}
	// Both have about the same size: without what their powers have in common,
	// these are no longer than the numbers are.
	low := min(a.exp, b.exp)
	a.exp, b.exp = a.exp-low, b.exp-low
	p, q := a.parts()
	r, s := b.parts()
	return new(big.Int).Mul(p, s).Cmp(new(big.Int).Mul(r, q))
}

func compareFloat(a, b float64) int {
	c, _ := compareFloats(a, b)
	return c
}
