package pyvalue

import (
	"math"
	"math/big"
	"strconv"

	"multiproc/internal/cbor"
)

func (k *keyer) text(s string) {
	if w := WTF8(s); !validText(w) {
		s = w
		k.head(cbor.MajorTag, tagBadText)
		k.head(cbor.MajorBytes, uint64(len(s)))
	} else {
		k.head(cbor.MajorText, uint64(len(s)))
	}
	k.dst = append(k.dst, s...)
}

func (k *keyer) integer(z int64) {
	k.dst = cbor.AppendInt(k.dst, z)
}

// bigInteger writes integers of 64 bits and a sign in CBOR's short form.
func (k *keyer) bigInteger(x *big.Int) {
	major, tag := byte(cbor.MajorUint), uint64(2)
	if x.Sign() < 0 {
		x = new(big.Int).Not(x)
		major, tag = cbor.MajorNegative, 3
	}
	if x.IsUint64() {
		k.head(major, x.Uint64())
		return
	}
	k.head(cbor.MajorTag, tag)
	k.head(cbor.MajorBytes, uint64((x.BitLen()+7)/8))
	k.dst = append(k.dst, x.Bytes()...)
}

func (k *keyer) float(f float64) {
	if z, wide, ok := (number{kind: aFloat, f: f}).integral(); ok {
		if wide != nil {
			k.bigInteger(wide)
		} else {
			k.integer(z)
		}
		return
	}
	if f != f {
		f = math.NaN()
		k.alone = k.alone || k.mode == localKey
	}
	k.dst = cbor.AppendFloat(k.dst, f)
}

func (k *keyer) complex(c complex128) {
	if imag(c) == 0 {
		k.float(real(c))
		return
	}
	k.head(cbor.MajorTag, tagComplex)
	k.head(cbor.MajorArray, 2)
	k.float(real(c))
	k.float(imag(c))
}

// head appends the head of a CBOR item.
func (k *keyer) head(major byte, n uint64) { k.dst = cbor.AppendHead(k.dst, major, n) }

// fraction writes integers and floats as such.
func (k *keyer) fraction(f fraction) error {
	if f.exp > maxExponent || f.exp < -maxExponent {
		return ValueError("a Decimal with an exponent of " + strconv.Itoa(f.exp) + " is no key here: those up to 10 000 are")
	}
	if err := k.spend(f.size()*4 + max(f.exp, -f.exp)); err != nil {
		return err
	}
	num, den := f.parts()
	r := new(big.Rat).SetFrac(num, den)
	switch x, exact := r.Float64(); {
	case r.IsInt():
		k.bigInteger(r.Num())
	case exact:
		k.float(x)
	default:
		k.head(cbor.MajorTag, tagFraction)
		k.head(cbor.MajorArray, 2)
		k.bigInteger(r.Num())
		k.bigInteger(r.Denom())
	}
	return nil
}
